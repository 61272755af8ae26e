"""Definition: which columns of ours a quantity of the paper is, by how tokens and energy count."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One way to count tokens and energy."""

    name: str
    """Prefix of its columns."""
    label: str
    """What headers call it."""
    meaning: str
    """What is counted, for a column's meaning."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Our column of a quantity where it is another than the quantity's own."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Why a quantity is not known by this definition."""

    def column(self, metric: str) -> str:
        """The column of runs and grid points that a quantity is by this definition."""
        return self.columns.get(metric, metric)


_RANK0: Final = {
    "energy_j": "rank0_nodes_energy_j",
    "power_w": "rank0_nodes_power_w",
    "energy_per_response_j": "rank0_nodes_energy_per_response_j",
}
# The text has the prompts in it, and a prompt that was cut has fewer words than its file says.
_WORDS: Final = {
    "words_per_s": "which words of the prompts were read is not on record: ours are the answers'"
}

OURS: Final = Definition(
    name="our",
    label="ours",
    meaning="energy of all nodes, ids generated and kept",
)
STRING: Final = Definition(
    name="string",
    label="by the text",
    meaning="energy of rank 0's node times nodes, tokens of the text that the public code returns "
    "(prompt and answer, cut at its end)",
    columns={
        **_RANK0,
        "energy_per_token_j": "rank0_nodes_energy_per_string_token_j",
        "tokens_per_s": "string_tokens_per_s",
    },
    unknown=_WORDS,
)
UNCUT: Final = Definition(
    name="uncut",
    label="by the uncut text",
    meaning="energy of rank 0's node times nodes, tokens of prompt and answer with what follows "
    "the end",
    columns={
        **_RANK0,
        "energy_per_token_j": "rank0_nodes_energy_per_uncut_token_j",
        "tokens_per_s": "uncut_tokens_per_s",
    },
    unknown=_WORDS,
)
DEFINITIONS: Final = (OURS, STRING, UNCUT)
"""Every one, ours first."""

"""Exhibits: every table and figure of arXiv 2310.03003 that has data, by its number."""

from collections.abc import Sequence
from typing import Final

from analysis.paper.exhibit import Exhibit
from analysis.paper.hardware import HARDWARE
from analysis.paper.minimum import MINIMUM
from telemetry.command import CommandError

_ROMAN: Final = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5}
_NUMERALS: Final = {number: numeral.upper() for numeral, number in _ROMAN.items()}
FIGURE: Final = "figure"
TABLE: Final = "table"
KINDS: Final = (FIGURE, TABLE)
"""What the paper numbers."""
_SHARDS: Final = (
    "65B over V100s by number of shards and batch, a panel a data set. The paper's power of a GPU "
    "falls to 23 W at 32 shards while it reads 95 % busy: its energy of several nodes is rank 0's "
    "times their number."
)


def _sharded(number: int, what: str, length: int, experiment: str) -> Exhibit:
    return Exhibit(
        key=f"figure{number}",
        number=f"Figure {number}",
        title=f"{what} of 65B by shards, at {length} tokens",
        experiment=f"figure{number}_{experiment}",
        caption=_SHARDS,
    )


SHARDED: Final = (
    _sharded(4, "watts", 512, "watts"),
    _sharded(5, "watts", 1024, "watts"),
    _sharded(6, "joules per token", 512, "j_per_token"),
    _sharded(7, "joules per token", 1024, "j_per_token"),
    _sharded(8, "joules per response", 512, "j_per_response"),
    _sharded(9, "joules per response", 1024, "j_per_response"),
)
"""Those against the number of shards."""

EXHIBITS: Final = (
    Exhibit(
        key="table1",
        number="Table I",
        title="the nodes",
        experiment="table1_nodes",
        table=HARDWARE,
    ),
    Exhibit(
        key="table2",
        number="Table II",
        title="least hardware and largest batch",
        experiment="table2_minimum_hardware",
        table=MINIMUM,
    ),
    Exhibit(
        key="table3",
        number="Table III",
        title="what a power cap changes",
        experiment="table3_power_cap",
        caption="65B over four A100, GSM8K, batch 64: change in per cent against the cap of 250 W. "
        "The paper's mean time at 150 W is 19.49 % in its text and 19.56 % by its table.",
        any_gpus=True,
    ),
    Exhibit(
        key="table4",
        number="Table IV",
        title="utilization of A100 by length",
        experiment="table4_utilization_a100",
        caption="65B over four A100, batch 64, mean of both data sets. The paper's memory "
        "utilization cannot be what is allocated: the weights alone are more. It is the share of "
        "time in which memory was read or written.",
        any_gpus=True,
    ),
    Exhibit(
        key="table5",
        number="Table V",
        title="utilization of V100 by shards",
        experiment="table5_utilization_v100",
        caption="65B over V100s, batch 64, 256 tokens, mean of both data sets; memory as in table "
        "IV.",
    ),
    Exhibit(
        key="figure2",
        number="Figure 2",
        title="words, tokens and responses per second",
        experiment="figure2_throughput",
        caption="Batch 64, 256 tokens: 7B on one GPU, 13B on two, 65B on eight V100 or four A100. "
        "The paper's tokens per response exceed 256 where its text holds the prompts.",
        any_gpus=True,
    ),
    Exhibit(
        key="figure3",
        number="Figure 3",
        title="energy per second by model",
        experiment="figure3_power",
        caption="Mean over 256, 512 and 1024 tokens at batch 64, on figure 2's hardware. One A100 "
        "draws 276 W in it under a cap of 250 W.",
        any_gpus=True,
    ),
    *SHARDED,
)
"""Every exhibit, tables first; figure 1 is drawn of no data."""


def exhibit_named(words: Sequence[str]) -> Exhibit:
    """The exhibit that somebody asked for, as `figure 6`, `table 3` or `table III`.

    Raises:
        CommandError: there is none of that kind and number.
    """
    kind, number = words[0], words[1] if len(words) > 1 else None
    if number is None or len(words) > len(KINDS):
        given = "none" if number is None else repr(" ".join(words[1:]))
        raise CommandError(f"`{kind}` must be {_allowed(kind)}, but is {given} instead")
    lower = number.lower()
    digits = _ROMAN.get(lower) if kind == TABLE else None
    if digits is None and lower.isascii() and lower.isdigit():
        digits = int(lower)
    key = f"{kind}{digits}"
    for exhibit in EXHIBITS:
        if exhibit.key == key:
            return exhibit
    if (kind, digits) == (FIGURE, 1):
        raise CommandError(
            f"`{FIGURE}` must be {_allowed(kind)}, but is 1 instead: the paper's figure 1 is a "
            "tree of models and has no data"
        )
    raise CommandError(f"`{kind}` must be {_allowed(kind)}, but is {number!r} instead")


def _allowed(kind: str) -> str:
    if kind == FIGURE:
        return "a number from 2 to 9"
    last = len(_ROMAN)
    return f"a number from 1 to {last}, or from I to {_NUMERALS[last]}"

"""Counted: joules of each grid point by both definitions, side by side."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from analysis.tables.column import Column, ColumnsOf, Row
from analysis.tables.groups import GROUPS
from analysis.tables.labels import LABELS
from analysis.tables.table import Results, TableKind

_OF: Final = ColumnsOf[Row]()
_BY_NAME: Final = {column.name: column for column in GROUPS.columns}
_POINT: Final = (
    *("model", "weights", "dataset", "gpu", "engine", "quantization", "gpus", "nodes"),
    *("batch_size", "max_gen_len", "ignore_eos", "power_cap_w", "simulated", "n"),
)
_PER: Final = (
    *("energy_per_token_j", "energy_per_string_token_j", "energy_per_uncut_token_j"),
    *("energy_per_word_j", "energy_per_response_j"),
)
_METRICS: Final = (
    *_PER,
    *("rank0_nodes_energy_j", "rank0_nodes_power_w"),
    *(f"rank0_nodes_{name}" for name in _PER),
)


def _carried(name: str, *, shown: bool) -> Column[Row]:
    column = _OF.carried(_BY_NAME[name], lambda row: row)
    return replace(column, shown=shown, shown_with=None if shown else column.shown_with)


def _metric(name: str) -> tuple[Column[Row], ...]:
    """The mean as the page shows it, its ends and its sensors' ± in the files."""
    beside = (_carried(f"{name}_{part}", shown=False) for part in ("low", "high", "sensor"))
    mean = _carried(f"{name}_mean", shown=True)
    return replace(mean, plus_minus=f"{name}_sensor", uncertainty=None), *beside


def _groups(results: Results) -> Sequence[Row]:
    return results.rows(GROUPS)


COUNTED: Final = TableKind(
    name="definitions",
    title="Both ways to count",
    columns=(
        *(_OF.carried(_BY_NAME[name], lambda row: row) for name in _POINT),
        *(column for name in _METRICS for column in _metric(name)),
        *(_OF.carried(_BY_NAME[column.name], lambda row: row) for column in LABELS),
        _OF.carried(_BY_NAME["runs"], lambda row: row),
    ),
    of_results=_groups,
    section="paper",
    heading="Both ways to count",
    text="Joules per id generated and kept, per token of the text with its prompt (cut at its end, "
    "or not), per word and per response; by the energy of all nodes, and by that of rank 0's node "
    "times their number, as the paper has it.",
    label="Joules by both definitions",
)
"""One row a grid point."""

"""Sharding: the table of models that did the same work on several numbers of GPUs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.tables.column import ColumnsOf, Row
from analysis.tables.contrast import (
    RATIO_WIDTH,
    SEVERAL,
    families,
    own_columns,
    point_columns,
    ratio,
    ratio_width,
    same_launch,
)
from analysis.tables.point import engines_in_order
from analysis.tables.table import Results, TableKind

# What a sharded point differs in from another of the same model and work.
_SPREAD: Final = ("gpus", "gpus_per_node", "engine")


@dataclass(frozen=True, kw_only=True)
class _Sharded:
    group: Row
    """The point, as the groups have it."""
    fewest: Row
    """The point of the same engine on the fewest GPUs that ran, as nearly measured as it was."""


_OF: Final = ColumnsOf[_Sharded]()

_COLUMNS: Final = (
    *point_columns(
        _OF,
        lambda one: one.group,
        ("model", "engine", "gpus", "nodes", "gpu", "dataset", "batch_size", "max_gen_len"),
    ),
    *own_columns(_OF, lambda one: one.group),
    _OF.number(
        "energy_over_fewest",
        "J vs fewest GPUs",
        "1",
        "energy_per_token_j over that of the same engine on the fewest GPUs that ran.",
        lambda one: ratio(
            one.group["energy_per_token_j_mean"], one.fewest["energy_per_token_j_mean"]
        ),
        uncertainty="energy_over_fewest_uncertainty",
    ),
    _OF.number(
        "energy_over_fewest_uncertainty",
        "±",
        "1",
        RATIO_WIDTH,
        lambda one: ratio_width(one.group, one.fewest),
        shown=False,
    ),
)


def _sharded(results: Results) -> Iterator[_Sharded]:
    for family in families(results, _SPREAD):
        if len({group["gpus"] for group in family}) < SEVERAL:
            continue
        for engine in engines_in_order(str(group["engine"]) for group in family):
            own = [group for group in family if group["engine"] == engine]
            own.sort(key=lambda group: (int(group["gpus"] or 0), int(group["nodes"] or 0)))
            yield from (_Sharded(group=group, fewest=_fewest(group, own)) for group in own)


def _fewest(group: Row, own: Sequence[Row]) -> Row:
    """The one on the fewest GPUs and nodes; of several the one that was measured as `group` was."""
    spread = own[0]["gpus"], own[0]["nodes"]
    several = [one for one in own if (one["gpus"], one["nodes"]) == spread]
    return next((one for one in several if same_launch(one, group)), several[0])


SHARDING: Final = TableKind(
    name="sharding",
    title="Sharding",
    columns=_COLUMNS,
    of_results=_sharded,
    section="contrasts",
    heading="One model on more GPUs",
)
"""One row a model, number of GPUs and engine, where several numbers of GPUs did the same work."""

"""Beyond: points of ours that a figure of shards shows beside the paper's, on any number of GPUs.

The paper's cells are rows of the exhibits; other boards hold 65B on fewer GPUs than it has cells
of.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from analysis.paper.amount import Amount
from analysis.paper.answer import Found, found_of
from analysis.paper.exhibit import Exhibit
from analysis.paper.exhibits import SHARDED
from analysis.paper.matching import chosen, of_its_work, on_gpus, only, value_of
from analysis.paper.point import GridPoint, points
from analysis.paper.published import Published
from analysis.tables.column import UNIT_OF_ROW, ColumnsOf
from analysis.tables.groups import GROUPS
from analysis.tables.table import Results, TableKind

_UNITS: Final = {column.name.removesuffix("_mean"): column.unit for column in GROUPS.columns}


@dataclass(frozen=True, kw_only=True)
class _Beyond:
    """One point of ours beside a figure's."""

    exhibit: Exhibit
    """The figure."""
    number: Published
    """A number of the paper that is of the same work."""
    series: str
    """What it is called: board, engine, and in what it is not the paper's."""
    found: Found
    """What it says."""


def _of_results(results: Results) -> Iterator[_Beyond]:
    told = [point for point in points(results) if not point.simulated]
    for exhibit in SHARDED:
        cells: dict[tuple[tuple[str, ...], int], dict[int, Published]] = {}
        for number in exhibit.numbers:
            cells.setdefault((number.datasets, number.batch_size), {})[number.gpus] = number
        for by_gpus in cells.values():
            yield from _of_work(exhibit, by_gpus, told)


def _of_work(
    exhibit: Exhibit, by_gpus: dict[int, Published], told: list[GridPoint]
) -> Iterator[_Beyond]:
    number = next(iter(by_gpus.values()))
    work = of_its_work(number, told)
    (there,) = work
    keys = dict.fromkeys((point.series(number), int(str(point["gpus"]))) for point in there)
    for series, gpus in sorted(keys):
        parts = only(
            on_gpus(work, gpus),
            lambda point, series=series, gpus=gpus: (  # type: ignore[misc]
                point.series(number) == series
                and not (gpus in by_gpus and point.is_the_papers(number))
            ),
        )
        picked = chosen(number, parts)
        if picked is None:
            continue
        amount = value_of(number, picked, parts, number.metric)
        if isinstance(amount, Amount):
            yield _Beyond(
                exhibit=exhibit,
                number=number,
                series=series,
                found=found_of(picked, amount),
            )


_OF: Final = ColumnsOf[_Beyond]()

_COLUMNS: Final = (
    _OF.text("exhibit", "beside", "The paper's figure.", lambda one: one.exhibit.number),
    _OF.text(
        "series",
        "ours",
        "Board, engine, and in what it is not under the paper's conditions.",
        lambda one: one.series,
    ),
    _OF.text("model", "model", "Name of the model's shape.", lambda one: one.number.model),
    _OF.text(
        "dataset",
        "dataset",
        "The paper's data set whose panel it stands in.",
        lambda one: ", ".join(one.number.datasets),
    ),
    _OF.count("gpus", "GPUs", "GPUs used.", lambda one: one.found.gpus),
    _OF.count(
        "batch_size", "batch", "Prompts answered together.", lambda one: one.number.batch_size
    ),
    _OF.text(
        "max_gen_len",
        "max tokens",
        "Tokens generated for each prompt at most.",
        lambda one: ", ".join(map(str, one.number.max_gen_lens)),
    ),
    _OF.text("metric", "quantity", "Which column of the results.", lambda one: one.number.metric),
    _OF.text("unit", "unit", "Of the quantity.", lambda one: _UNITS[one.number.metric]),
    _OF.number(
        "value",
        "value",
        UNIT_OF_ROW,
        "Mean over repeats: energy of all nodes, ids generated and kept.",
        lambda one: one.found.amount.value,
        interval=("low", "high"),
        uncertainty="sensor",
    ),
    _OF.number(
        "low",
        "from",
        UNIT_OF_ROW,
        "Lower end of its 95 % interval over repeats.",
        lambda one: one.found.amount.low,
    ),
    _OF.number(
        "high",
        "to",
        UNIT_OF_ROW,
        "Upper end of its 95 % interval over repeats.",
        lambda one: one.found.amount.high,
    ),
    _OF.number(
        "sensor",
        "±",
        UNIT_OF_ROW,
        "Expanded uncertainty (k = 2) by the sensors alone.",
        lambda one: one.found.amount.sensor,
    ),
    _OF.text(
        "labels",
        "labels",
        "What it is not, by the labels of its runs.",
        lambda one: ", ".join(one.found.labels) or None,
    ),
    _OF.text("runs", "runs", "The runs behind it.", lambda one: one.found.runs, shown=False),
)

BEYOND: Final = TableKind(
    name="paper_beyond",
    title="Beside the paper's figures 4 to 9",
    columns=_COLUMNS,
    of_results=_of_results,
    section="paper",
    heading="Beside figures 4 to 9: points of ours that are not the paper's",
    text="The same model, batch and length as a cell of the paper, on whatever boards and however "
    "many: never taken for the paper's, so there is no ratio.",
    label="Points of ours beside the paper's figures",
)
"""One row a point of ours and figure."""

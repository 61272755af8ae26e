"""Labels: the columns that say in every row of a run what its numbers are not."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from analysis.runs.labels import changed_code, partial_record, random_weights
from analysis.runs.sealed_runs import Run
from analysis.tables.column import Cell, Column, ColumnsOf

T = TypeVar("T")

_OF: Final = ColumnsOf[Run]()

LABELS: Final[tuple[Column[Run], ...]] = (
    _OF.flag(
        "random_weights",
        "random weights",
        "True when nobody trained the weights: the answers are noise.",
        random_weights,
        shown=False,
    ),
    _OF.flag(
        "changed_code",
        "changed code",
        "True when the code that ran had changes that no commit holds; empty: no commit is on "
        "record.",
        changed_code,
        shown=False,
    ),
    _OF.flag(
        "partial_record",
        "partial",
        "True when the merge found parts damaged or missing, or readings that no sensor can mean.",
        partial_record,
        shown=False,
    ),
)
"""What `simulated` leaves unsaid: in the files alone, as the page says it once for all."""


def label_columns(of: ColumnsOf[T], run: Callable[[T], Run]) -> tuple[Column[T], ...]:
    """The labels of the run that a row is about."""
    return tuple(of.told(column, run) for column in LABELS)


def pooled_label_columns(
    of: ColumnsOf[T], cells: Callable[[T, Column[Run]], Sequence[Cell]]
) -> tuple[Column[T], ...]:
    """The labels of all that a row is about: true where one has it, empty where one may.

    `cells` gives a label of each of them.
    """

    def pooled(column: Column[Run]) -> Column[T]:
        return of.flag(
            column.name,
            column.label,
            column.meaning,
            lambda one: _any(cells(one, column)),
            shown=column.shown,
        )

    return tuple(map(pooled, LABELS))


def _any(cells: Sequence[Cell]) -> Cell:
    if any(cells):
        return True
    return None if None in cells else False

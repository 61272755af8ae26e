"""Labels: the columns that say in every row of a run what its numbers are not."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from analysis.runs.labels import (
    Label,
    changed_code,
    of_words,
    partial_record,
    random_weights,
    words_of,
)
from analysis.tables.column import Cell, Column, ColumnsOf, Row
from analysis.tables.measured import Measured

T = TypeVar("T")

WORDS: Final = "labels"
"""Name of the column that has a row's labels in words."""

_OF: Final = ColumnsOf[Measured]()

LABELS: Final[tuple[Column[Measured], ...]] = (
    _OF.text(
        WORDS,
        "labels",
        "What a reader of the row has to know first, in words, between commas; empty: none of them "
        f"is true. {'; '.join(label.legend for label in Label)}.",
        lambda one: words_of(one.labels),
    ),
    _OF.flag(
        "random_weights",
        "random weights",
        "True when nobody trained the weights: the answers are noise.",
        lambda one: random_weights(one.run),
        shown=False,
    ),
    _OF.flag(
        "changed_code",
        "changed code",
        "True when the code that ran had changes that no commit holds; empty: no commit is on "
        "record.",
        lambda one: changed_code(one.run),
        shown=False,
    ),
    _OF.flag(
        "partial_record",
        "partial",
        "True when the merge found parts damaged or missing, or readings that no sensor can mean.",
        lambda one: partial_record(one.run),
        shown=False,
    ),
)
"""What stands in every row that is about runs."""


def label_columns(of: ColumnsOf[T], run: Callable[[T], Measured]) -> tuple[Column[T], ...]:
    """The labels of the run that a row is about."""
    return tuple(of.told(column, run) for column in LABELS)


def pooled_label_columns(
    of: ColumnsOf[T], cells: Callable[[T, Column[Measured]], Sequence[Cell]]
) -> tuple[Column[T], ...]:
    """The labels of all that a row is about: those that one has; a flag is empty where one may.

    `cells` gives a label of each of them, as their own rows have it.
    """

    def pooled(column: Column[Measured]) -> Column[T]:
        pool = of.text if column.name == WORDS else of.flag
        return pool(
            column.name,
            column.label,
            column.meaning,
            lambda one: _any(column, cells(one, column)),
            shown=column.shown,
        )

    return tuple(map(pooled, LABELS))


def pooled_labels(rows: Sequence[Row]) -> Row:
    """The label cells of rows that become one."""
    return {column.name: _any(column, [row.get(column.name) for row in rows]) for column in LABELS}


def union(cells: Sequence[Cell]) -> str | None:
    """The labels that any of these cells says, as a cell; None for none."""
    return words_of(of_words(*cells))


def _any(column: Column[Measured], cells: Sequence[Cell]) -> Cell:
    if column.name == WORDS:
        return union(cells)
    if any(cells):
        return True
    return None if None in cells else False

"""Origin: the columns that say which runs a number of ours is of, and what these are not."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from analysis.tables.column import Column, ColumnsOf

T = TypeVar("T")


class Origin(Protocol):
    """What is known of where a number of ours comes from."""

    @property
    def runs(self) -> str:
        """The runs behind it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What they are not."""


def origin_columns(of: ColumnsOf[T], ours: Callable[[T], Origin | None]) -> tuple[Column[T], ...]:
    """Labels and runs of our number; both empty where there is none."""
    return (
        of.text(
            "labels",
            "labels",
            "What our number is not, by the labels of its runs.",
            lambda one: None if (found := ours(one)) is None else ", ".join(found.labels) or None,
        ),
        of.text(
            "runs",
            "runs",
            "The runs behind ours.",
            lambda one: None if (found := ours(one)) is None else found.runs,
            shown=False,
        ),
    )


def series_columns(
    names: Callable[[T], Sequence[str]], columns: Callable[[str], Sequence[Column[T]]]
) -> Callable[[Sequence[T]], list[Column[T]]]:
    """The columns of points of ours that are not the paper's, one series behind another."""

    def of(told: Sequence[T]) -> list[Column[T]]:
        every = {name for one in told for name in names(one)}
        return [column for name in sorted(every) for column in columns(name)]

    return of

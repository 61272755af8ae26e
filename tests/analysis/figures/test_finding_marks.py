"""Marks of findings: some of many, evenly chosen, and said."""

from itertools import pairwise

from analysis.figures.finding_marks import MOST_MARKS, chosen, evenly
from analysis.tables.column import Row


def test_few_rows_are_all_marked_and_nothing_is_said() -> None:
    rows: list[Row] = [{"number": at} for at in range(MOST_MARKS)]
    assert evenly(rows) == rows
    assert chosen(rows, "batches") == ""


def test_of_many_rows_some_are_marked_evenly_from_the_first_to_the_last() -> None:
    rows: list[Row] = [{"number": at} for at in range(32_000)]
    numbers = [int(str(row["number"])) for row in evenly(rows)]
    assert len(numbers) == MOST_MARKS
    assert (numbers[0], numbers[-1]) == (0, 31_999)
    steps = {b - a for a, b in pairwise(numbers)}
    assert max(steps) - min(steps) <= 1
    assert chosen(rows, "batches") == (
        f" {MOST_MARKS} of 32000 batches, evenly chosen; the table has all."
    )

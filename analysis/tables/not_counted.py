"""Not counted: the table of what is in a results folder and in no number of its tables."""

from typing import Final

from analysis.runs.labels import labels_of_other, words_of
from analysis.runs.sealed_runs import NotCounted
from analysis.tables.column import ColumnsOf
from analysis.tables.table import TableKind

_OF: Final = ColumnsOf[NotCounted]()

_COLUMNS: Final = (
    _OF.run_id(lambda other: other.run_id),
    _OF.count(
        "attempt",
        "attempt",
        "The attempt's number; empty: the run as a whole.",
        lambda other: other.attempt,
    ),
    _OF.text(
        "labels",
        "labels",
        "`failed`, `unsealed` or `not as sealed`: why none of it is in another number.",
        lambda other: words_of(labels_of_other(other)),
    ),
    _OF.text("state", "state", "How far it came.", lambda other: other.state),
    _OF.text("reason", "why", "Why it is no part of any result.", lambda other: other.reason),
)

NOT_COUNTED: Final = TableKind(
    name="not_counted",
    title="Not counted",
    columns=_COLUMNS,
    of_results=lambda results: results.not_counted,
    section="others",
    label="Runs and attempts not counted",
)
"""One row an attempt that was not sealed, or a run that could not be read."""

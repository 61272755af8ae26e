"""Best caps: the cap or clock of least energy where one may be so much slower, all else alike."""

from collections.abc import Iterator
from typing import Final

from analysis.findings.best import BEST, Best, best_of
from analysis.power.family import families
from analysis.tables.table import Results, TableKind


def _rows(results: Results) -> Iterator[Best]:
    for family in families(results):
        yield from best_of(family.work)


BEST_CAPS: Final = TableKind(
    name="best_caps",
    title="The best cap or clock",
    columns=BEST.columns,
    of_results=_rows,
    section="contrasts",
    heading="The best cap or clock within a bound of time",
    text="For each engine, board and work that was done at several caps or clocks: which of them "
    "takes the least energy where a token may take at most so much longer than at the fastest.",
)
"""One row a family of settings and bound of time."""

"""Drift: the table of whether repeats changed with the time at which they were measured.

One row for all points together, measured ones and simulated ones apart, and one for each point of
three runs or more. A room that warms up is in all points, a clock that falls perhaps in one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.effects.wording import counted, labelled, point_name
from analysis.statistics.trend import Trend, trend_within
from analysis.tables.column import ColumnsOf, Row
from analysis.tables.groups import GROUPS, HEADLINE
from analysis.tables.labels import pooled_label_columns
from analysis.tables.runs import RUNS
from analysis.tables.table import Results, TableKind
from telemetry.clock import US_PER_S

_S_PER_H: Final = 3600
# Of two runs there is a slope and no scatter to judge it by.
_LEAST_RUNS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The trend of some runs."""

    scope: str
    """All points, or which one."""
    simulated: bool
    """Whether any of the runs is."""
    runs: tuple[Row, ...]
    """All runs of the scope that have an energy per token, as the table of runs has them."""
    once: int
    """How many of its points have one such run, and so no part in the trend."""
    trend: Trend
    """What they say of it."""

    @property
    def sentence(self) -> str:
        """What it says, in one sentence."""
        said = f"{self.scope[0].upper()}{self.scope[1:]}: {self.trend.sentence.removesuffix('.')}"
        if self.once and self.trend.p is not None:
            said += f"; {counted(self.once, 'point')} with one run has no part in it"
            said = said.replace("points with one run has", "points with one run have")
        return labelled(said, self.runs)


def drift(results: Results) -> Iterator[Drift]:
    """The trends of all points together, and of each that was run often enough."""
    runs = {str(row["run_id"]): row for row in results.rows(RUNS)}
    for simulated in (False, True):
        groups = [row for row in results.rows(GROUPS) if bool(row["simulated"]) is simulated]
        members = [(group, [runs[name] for name in str(group["runs"]).split()]) for group in groups]
        if not members:
            continue
        yield _drift("all points", simulated, [own for _, own in members])
        for group, own in members:
            if len(own) >= _LEAST_RUNS:
                yield _drift(point_name(group), simulated, [own])


def _drift(scope: str, simulated: bool, points: Sequence[Sequence[Row]]) -> Drift:
    known = [
        (index, run)
        for index, own in enumerate(points)
        for run in own
        if isinstance(run[HEADLINE], float) and run[HEADLINE]
    ]
    first_us = min((int(run["start_us"] or 0) for _, run in known), default=0)
    trend = trend_within(
        [float(run[HEADLINE] or 0.0) for _, run in known],
        [(int(run["start_us"] or 0) - first_us) / US_PER_S / _S_PER_H for _, run in known],
        [index for index, _ in known],
    )
    counts = [index for index, _ in known]
    return Drift(
        scope=scope,
        simulated=simulated,
        runs=tuple(run for _, run in known),
        once=sum(counts.count(index) == 1 for index in set(counts)),
        trend=trend,
    )


_OF: Final = ColumnsOf[Drift]()

_COLUMNS: Final = (
    _OF.text("sentence", "in words", "What the row says.", lambda one: one.sentence),
    _OF.text("scope", "of", "All points together, or which one.", lambda one: one.scope),
    _OF.simulated(lambda one: one.simulated),
    *pooled_label_columns(_OF, lambda one, label: [run[label.name] for run in one.runs]),
    _OF.count(
        "points",
        "points",
        "Grid points that were run more than once.",
        lambda one: one.trend.points,
    ),
    _OF.count("n", "runs", "Their runs.", lambda one: one.trend.runs),
    _OF.count(
        "once", "run once", "Points with one run, which say nothing of it.", lambda one: one.once
    ),
    _OF.number(
        "span_h",
        "span",
        "h",
        "Longest time from the first to the last start of a point's runs.",
        lambda one: one.trend.hours,
    ),
    _OF.share(
        "change",
        "change",
        "Relative change of energy_per_token_j in span_h: one slope of its logarithm over the "
        "window's start, within all points, by least squares.",
        lambda one: one.trend.change,
        interval=("change_low", "change_high"),
        reason="reason",
    ),
    _OF.share(
        "change_low",
        "from",
        "Lower end of its 95 % interval, by Student's t.",
        lambda one: one.trend.low,
        shown_with="change_low",
    ),
    _OF.share(
        "change_high",
        "to",
        "Upper end of the same.",
        lambda one: one.trend.high,
        shown_with="change_low",
    ),
    _OF.number(
        "p",
        "p",
        "1",
        "Probability of such a change, or a larger one, where there is none; of this row alone, "
        "corrected for no others.",
        lambda one: one.trend.p,
        shown_with="p",
    ),
    _OF.share(
        "smallest",
        "smallest shown",
        "The least such change that would have been shown in 4 cases of 5.",
        lambda one: one.trend.smallest,
        shown_with="smallest",
    ),
    _OF.reason(lambda one: one.trend.reason),
    _OF.text(
        "runs",
        "runs",
        "The runs of the row.",
        lambda one: " ".join(str(run["run_id"]) for run in one.runs),
        shown=False,
    ),
)

DRIFT: Final = TableKind(
    name="drift",
    title="Drift over repeats",
    columns=_COLUMNS,
    of_results=drift,
    section="gpus",
    heading="Drift over repeats",
    label="Drift of energy per token over time",
)
"""One row for all points, and one a point of three runs."""

"""Pareto: which grid points of the same work nothing beats in both time and energy.

A point is dominated where another is faster and takes less energy, and both intervals say so: the
other's lie wholly below its own. It is on the front where of every other point at least one
interval lies wholly above its own. All else is not told apart. What the means alone say stands
beside.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.findings.estimate import Ranged, below
from analysis.findings.point_columns import choice_columns, interval_columns, verdict_columns
from analysis.findings.works import SEVERAL, Work, WorkPoint, lacking, works
from analysis.tables.column import ColumnsOf
from analysis.tables.table import Results, TableKind

FRONT: Final = "on the front"
"""No other point can be both faster and thriftier."""
DOMINATED: Final = "dominated"
"""Another point is both."""
NOT_TOLD: Final = "not told apart"
"""The intervals do not say."""
ALONE: Final = "the only point of this work"
"""Why there is no front."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A point and what all others of its work say of it."""

    work: Work
    """The work that it did."""
    point: WorkPoint
    """The point."""

    @cached_property
    def time(self) -> Ranged | None:
        """Seconds a token."""
        return self.work.time(self.point)

    @cached_property
    def energy(self) -> Ranged | None:
        """Joules a token."""
        return self.work.energy(self.point)

    @property
    def both(self) -> tuple[Ranged, Ranged] | None:
        """Time and energy, when there are both."""
        return None if self.time is None or self.energy is None else (self.time, self.energy)


@dataclass(frozen=True, kw_only=True)
class PointVerdict:
    """What the others of its work say of a point."""

    of: Placed
    """The point."""
    by_means: tuple[str, ...] = ()
    """Points whose means are below its own in both."""
    by_intervals: tuple[str, ...] = ()
    """Those of them whose intervals are, too."""
    open: tuple[str, ...] = ()
    """Points that may be below in both for all that the intervals say."""
    reason: str | None = None
    """Why nothing is said of it; None when something is."""

    @property
    def word(self) -> str | None:
        """`FRONT`, `DOMINATED` or `NOT_TOLD`; None with a reason."""
        if self.reason is not None:
            return None
        if self.by_intervals:
            return DOMINATED
        return NOT_TOLD if self.open else FRONT

    @property
    def why(self) -> str | None:
        """Why there is no verdict, or no interval to tell points apart by."""
        if self.reason is not None or self.of.both is None:
            return self.reason
        return next((each.basis for each in self.of.both if each.low is None), None)

    @property
    def sentence(self) -> str | None:
        """The verdict, for people."""
        name = self.of.work.names[self.of.point]
        if self.word == DOMINATED:
            more = len(self.by_intervals) - 1
            others = f" and by {more} more" if more else ""
            return (
                f"{name} is dominated: {self.by_intervals[0]} is faster and takes less energy"
                f"{others}."
            )
        if self.word == FRONT:
            return f"{name} is on the front: nothing beside it is both faster and thriftier."
        if self.word == NOT_TOLD:
            means = "its means are beaten" if self.by_means else "no means beat its own"
            ends = "there is no interval" if self.why else "the intervals overlap"
            return f"{name} is not told apart from {self.open[0]}: {means}, and {ends}."
        return None


def placed(work: Work) -> list[Placed]:
    """The points of one work."""
    return [Placed(work=work, point=point) for point in work.points]


def verdicts(work: Work) -> list[PointVerdict]:
    """What is said of each point of one work, in its order."""
    points = placed(work)
    return [_verdict(one, points) for one in points]


def _verdict(one: Placed, points: list[Placed]) -> PointVerdict:
    if one.both is None:
        return PointVerdict(of=one, reason=lacking(one.point, energy=one.energy is None))
    others = [other for other in points if other is not one and other.both is not None]
    if len(others) + 1 < SEVERAL:
        return PointVerdict(of=one, reason=ALONE)
    by_means, by_intervals, still_open = [], [], []
    for other in others:
        assert other.both is not None
        name = other.work.names[other.point]
        pairs = list(zip(other.both, one.both, strict=True))
        if all(theirs.value < own.value for theirs, own in pairs):
            by_means.append(name)
        if all(below(theirs, own) for theirs, own in pairs):
            by_intervals.append(name)
        elif not any(below(own, theirs) for theirs, own in pairs):
            still_open.append(name)
    return PointVerdict(
        of=one,
        by_means=tuple(by_means),
        by_intervals=tuple(by_intervals),
        open=tuple(still_open),
    )


_OF: Final = ColumnsOf[PointVerdict]()

_COLUMNS: Final = (
    *choice_columns(_OF, lambda one: one.of.work, lambda one: one.of.point),
    *interval_columns(
        _OF,
        "time_per_token_s",
        "s / token",
        "s",
        meaning="duration_s / generated_tokens: mean over the repeats.",
        value=lambda one: one.of.time,
        missing=lambda one: lacking(one.of.point, energy=False),
    ),
    *interval_columns(
        _OF,
        "energy_per_token_j",
        "J / token",
        "J",
        meaning="Energy per generated token: mean over the repeats.",
        value=lambda one: one.of.energy,
        missing=lambda one: lacking(one.of.point, energy=True),
    ),
    _OF.text(
        "verdict",
        "front",
        "`on the front`: no other point of the work can be both faster and thriftier, by the "
        "intervals. `dominated`: one is, by both intervals. `not told apart`: neither.",
        lambda one: one.word,
    ),
    _OF.flag(
        "front_by_means",
        "front by means",
        "True where no other point's means are below its own in both time and energy.",
        lambda one: None if one.reason else not one.by_means,
    ),
    _OF.text(
        "dominated_by",
        "dominated by",
        "The points that are faster and thriftier by both intervals.",
        lambda one: "; ".join(one.by_intervals) or None,
        shown=False,
    ),
    *verdict_columns(
        _OF,
        undecided="The points that may be faster and thriftier for all that the intervals say.",
        not_told_from=lambda one: one.open,
        says="The verdict as a sentence.",
        sentence=lambda one: one.sentence,
        reason=lambda one: one.why,
    ),
)


def _rows(results: Results) -> Iterator[PointVerdict]:
    for work in works(results):
        yield from verdicts(work)


PARETO: Final = TableKind(
    name="pareto",
    title="Time against energy",
    columns=_COLUMNS,
    of_results=_rows,
    section="findings",
    heading="Time against energy",
    text="Points of the same work: which of them no other beats in both time and energy. "
    "Dominated is said only where both intervals say so.",
)
"""One row a grid point: whether it is on the Pareto front of its work."""

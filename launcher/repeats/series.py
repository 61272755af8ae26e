"""Series: the repeats of one point, and where they stand."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from launcher.plan.auto_repeats import AutoRepeats
from launcher.plan.grid import PlannedPoint, Verdict
from launcher.repeats.measured import MeasuredRepeat
from launcher.repeats.stopping import Look, looks
from telemetry.record.spec import RunSpec


class RepeatStanding(StrEnum):
    """What becomes of a point that is repeated by a rule."""

    TIGHT = "tight"
    """Its interval is as narrow as asked: no more repeats."""
    MOST = "most reached"
    """It has as many repeats as the rule allows."""
    BUDGET = "budget spent"
    """A further round would go beyond the budget, or nobody knows what is spent of it."""
    NO_ENERGY = "cannot: no energy"
    """A repeat has no J/token: no number of repeats makes an interval."""
    FAILED = "cannot: a repeat failed"
    """A repeat is not sealed and is not tried again unless asked."""
    NOT_RUN = "cannot run"
    """The plan says why."""
    OPEN = "round open"
    """A repeat is to run, is queued, or runs."""
    ON = "going on"
    """The next round repeats it."""


GOING: Final = (RepeatStanding.OPEN, RepeatStanding.ON)
"""Standings of points that are not done."""
_TO_DO: Final = (Verdict.RUN, Verdict.MERGE, Verdict.QUEUED, Verdict.RUNNING)


@dataclass(frozen=True, kw_only=True)
class RepeatSeries:
    """One point's repeats at a look."""

    first: str
    """Run id of its first repeat, which names the point."""
    simulated: bool
    """Whether its board is a power model."""
    standing: RepeatStanding
    """What becomes of it."""
    reason: str | None
    """Why it cannot go on; None where it can, or is done."""
    rounds: int
    """Repeats of it in the grid."""
    looks: tuple[Look, ...]
    """After each repeat from the least on; none before."""
    by_round: Mapping[int, float]
    """J/token by repeat, counted from 0."""
    gpu_hours: float | None
    """What its sealed repeats held of GPUs; None where of one nobody knows."""
    kwh: float | None
    """What their GPUs took; None where of one nobody knows."""
    sealed: int
    """How many those are."""

    @property
    def last(self) -> Look | None:
        """The look at all of its repeats."""
        return self.looks[-1] if self.looks else None

    def stopped(self, standing: RepeatStanding, reason: str | None = None) -> "RepeatSeries":
        """The same with another word for what becomes of it, and why."""
        return dataclasses.replace(self, standing=standing, reason=reason)

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        last = self.last
        return {
            "first": self.first,
            "simulated": self.simulated,
            "standing": self.standing.value,
            "reason": self.reason,
            "n": len(self.by_round),
            "mean_j_per_token": None if last is None else last.mean,
            "half_width": None if last is None else last.half_width,
            "looks": [look.to_mapping() for look in self.looks],
            "j_per_token": {str(number): value for number, value in self.by_round.items()},
        }


def added(amounts: Iterable[float | None]) -> float | None:
    """The sum of what was spent; None where a part of it is not known."""
    told = list(amounts)
    known = [amount for amount in told if amount is not None]
    return sum(known) if len(known) == len(told) else None


def series_key(spec: RunSpec) -> str:
    """Equal for repeats of one point: the run id of its first."""
    return spec.run_id if spec.repeat == 0 else dataclasses.replace(spec, repeat=0).run_id


def by_series(points: Iterable[PlannedPoint]) -> dict[str, list[PlannedPoint]]:
    """The points of a grid by the series that they are of, in order."""
    found: dict[str, list[PlannedPoint]] = {}
    for point in points:
        found.setdefault(series_key(point.spec), []).append(point)
    return found


def series_of(
    first: str, points: list[PlannedPoint], read: Mapping[str, MeasuredRepeat], rule: AutoRepeats
) -> RepeatSeries:
    """Where one point's repeats stand; `read` has the sealed ones that were measured as asked."""
    points = sorted(points, key=lambda point: point.spec.repeat)
    sealed = [read[point.spec.run_id] for point in points if point.spec.run_id in read]
    by_round = {
        point.spec.repeat: known.j_per_token
        for point in points
        if (known := read.get(point.spec.run_id)) is not None and known.j_per_token is not None
    }
    found = looks(list(by_round.values()), width=rule.width, least=rule.least)
    standing, reason = _standing(points, sealed, found, rule)
    return RepeatSeries(
        first=first,
        simulated=points[0].spec.simulated,
        standing=standing,
        reason=reason,
        rounds=len(points),
        looks=tuple(found),
        by_round=by_round,
        gpu_hours=added(each.gpu_hours for each in sealed),
        kwh=added(each.kwh for each in sealed),
        sealed=len(sealed),
    )


def _standing(
    points: list[PlannedPoint],
    sealed: list[MeasuredRepeat],
    found: list[Look],
    rule: AutoRepeats,
) -> tuple[RepeatStanding, str | None]:
    verdicts = {point.verdict for point in points}
    if verdicts & set(_TO_DO):
        return RepeatStanding.OPEN, None
    if lost := next((one for one in sealed if one.j_per_token is None), None):
        return RepeatStanding.NO_ENERGY, f"{lost.run_id}: {lost.reason}"
    if failed := next((one for one in points if one.verdict is Verdict.FAILED), None):
        return RepeatStanding.FAILED, f"{failed.spec.run_id}: {failed.reason}"
    if verdicts - {Verdict.SEALED, Verdict.OTHERWISE}:
        kept = next(one for one in points if one.verdict not in (Verdict.SEALED, Verdict.OTHERWISE))
        return RepeatStanding.NOT_RUN, kept.reason
    if found and found[-1].tight and found[-1].n >= rule.least:
        return RepeatStanding.TIGHT, None
    return (RepeatStanding.MOST if len(points) >= rule.most else RepeatStanding.ON), None

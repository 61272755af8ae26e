"""Clock family: points that differ in a lock of the multiprocessors' clock alone, and held it.

A run whose clock was not held, or of which nothing says whether it was, is left out: what it took
is of another clock than was asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from analysis.findings.estimate import Ranged, below, ratio
from analysis.findings.works import SEVERAL, Work, WorkPoint, real
from analysis.power.cap_changes import SETTINGS
from analysis.power.family import WHOLE, CurvePoint, SettingsFamily, families
from analysis.power.task import clock_share, task_of
from analysis.runs.labels import Label, of_words
from analysis.tables.column import Row
from analysis.tables.table import Results

LOCK: Final = "sm_clock_mhz"
"""What alone differs, as a spec asks for it."""
_OTHERS: Final = tuple(name for name in SETTINGS if name != LOCK)
_NOT_HELD: Final = (Label.CLOCK_NOT_HELD, Label.CLOCK_UNKNOWN)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClockFamily:
    """Points of one board, engine and work at several locks of the clock."""

    family: SettingsFamily
    """Those whose clock was held, from no lock, or the highest, down."""
    left_out: tuple[str, ...]
    """Runs whose clock was not held, with the clock that was asked and why."""
    any_held: bool = True
    """False where no run counts: then `family` has all of them, and nothing is told."""

    @property
    def base(self) -> WorkPoint:
        """The point without a lock, else that of the highest."""
        return self.family.base

    @property
    def points(self) -> tuple[WorkPoint, ...]:
        """Points that count."""
        return self.family.work.points

    @property
    def task(self) -> str:
        """What was asked."""
        return task_of(self.base)

    def clock_mhz(self, point: WorkPoint) -> float | None:
        """The clock that was achieved, over window, GPUs and repeats; None: not read."""
        return self.family.condition(point, WHOLE, "sm_clock_mean_mhz")

    def share(self, point: WorkPoint) -> float | None:
        """That clock over the board's highest."""
        return clock_share(point, self.clock_mhz(point))

    def words(self, point: WorkPoint) -> str:
        """A point by its lock."""
        lock = real(point.group[LOCK])
        return "no lock" if lock is None else f"{lock:g} MHz"


@dataclass(frozen=True, kw_only=True, eq=False)
class Clocked:
    """One phase of a family: its clocks against one another."""

    family: ClockFamily
    """The points."""
    phase: str
    """One of `PHASES`."""

    @cached_property
    def curve(self) -> tuple[CurvePoint, ...]:
        """Those points that have an energy and a time of the phase, in the order of the family."""
        found = (
            CurvePoint(family=self.family.family, point=point, phase=self.phase)
            for point in self.family.points
        )
        return tuple(one for one in found if one.energy is not None and one.time is not None)

    @property
    def base(self) -> CurvePoint | None:
        """The one without a lock, else of the highest; None where that has no energy."""
        first = next(iter(self.curve), None)
        return first if first is not None and first.point is self.family.base else None

    @cached_property
    def lowest(self) -> CurvePoint | None:
        """The one of the least mean energy; None with a reason."""
        if self.reason is not None:
            return None
        return min(self.curve, key=lambda one: _value(one.energy))

    @property
    def reason(self) -> str | None:
        """Why nothing can be told; None where something can."""
        if not self.family.any_held:
            return "no run's clock was held"
        if self.base is None:
            missing = CurvePoint(
                family=self.family.family, point=self.family.base, phase=self.phase
            )
            return missing.missing(energy=missing.energy is None)
        if len(self.curve) < SEVERAL:
            return f"one clock alone has an energy of {self.phase} and was held"
        return None

    @cached_property
    def energy_over(self) -> Ranged | None:
        """Energy of a token at the lowest over that of the base."""
        return self._over("energy")

    @cached_property
    def time_over(self) -> Ranged | None:
        """Time of a token at it over that of the base."""
        return self._over("time")

    @cached_property
    def delay_over(self) -> Ranged | None:
        """Energy times time of a token at it over that of the base."""
        return self._over("delay")

    def _over(self, name: str) -> Ranged | None:
        if self.lowest is None or self.base is None:
            return None
        own, base = getattr(self.lowest, name), getattr(self.base, name)
        return None if own is None or base is None else ratio(own, base)

    @property
    def not_told_from(self) -> tuple[str, ...]:
        """Clocks whose energy is not told from the lowest's."""
        if self.lowest is None or self.lowest.energy is None:
            return ()
        least = self.lowest.energy
        return tuple(
            self.family.words(one.point)
            for one in self.curve
            if one is not self.lowest and one.energy is not None and not below(least, one.energy)
        )


def less_one(found: Ranged | None) -> Ranged | None:
    """A ratio as a change."""
    return None if found is None else _moved(found, 1.0)


def saved(found: Ranged | None) -> Ranged | None:
    """A ratio as what is saved."""
    return None if found is None else _moved(found, -1.0)


def _moved(found: Ranged, sign: float) -> Ranged:
    ends = [None if end is None else sign * (end - 1.0) for end in (found.low, found.high)]
    low, high = ends if sign > 0 else reversed(ends)
    return replace(found, value=sign * (found.value - 1.0), low=low, high=high)


def _value(found: Ranged | None) -> float:
    assert found is not None
    return found.value


def clock_families(results: Results) -> Iterator[ClockFamily]:
    """Every family of several locks, in the order of the groups."""
    for family in families(results):
        by_others: dict[tuple[object, ...], list[WorkPoint]] = {}
        for point in family.work.points:
            key = tuple(point.group[name] for name in _OTHERS)
            by_others.setdefault(key, []).append(point)
        for points in by_others.values():
            if len({point.group[LOCK] for point in points}) >= SEVERAL:
                yield _counted(family, points)


def _counted(family: SettingsFamily, points: list[WorkPoint]) -> ClockFamily:
    held: list[WorkPoint] = []
    left_out: list[str] = []
    for point in points:
        kept = []
        for run, row in zip(point.runs, point.rows, strict=True):
            why = _not_held(row)
            if why is None:
                kept.append((run, row))
            else:
                left_out.append(f"{run.run_id} at {point.group[LOCK]} MHz: {why}")
        if kept:
            runs, rows = zip(*kept, strict=True)
            whole = len(kept) == len(point.runs)
            held.append(point if whole else replace(point, runs=runs, rows=rows))
    work = Work(points=tuple(held or points), scatters=family.work.scatters)
    return ClockFamily(
        family=replace(family, work=work), left_out=tuple(left_out), any_held=bool(held)
    )


def _not_held(row: Row) -> str | None:
    """Why a run does not count; None where its clock was held, or none was asked."""
    if row[LOCK] is None:
        return None
    found = [label.word for label in of_words(row["labels"]) if label in _NOT_HELD]
    return ", ".join(found) or None

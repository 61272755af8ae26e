"""Family: grid points that are the same but for caps and clocks, and what each phase of them took.

Time and energy of the whole and of decode are of a generated token, those of prefill of a token of
a prompt. Their product is of each run, as a run's time and energy go together.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final

from analysis.findings.estimate import Ranged
from analysis.findings.works import (
    SEVERAL,
    Scatters,
    Value,
    Work,
    WorkPoint,
    all_points,
    energy_per_token_j,
    energy_per_token_width_j,
    lacking,
    no_width,
    real,
    seconds_per_token,
)
from analysis.power.cap_changes import SETTINGS, how_far
from analysis.tables.column import Row
from analysis.tables.conditions import CONDITIONS
from analysis.tables.point import point_key
from analysis.tables.table import Results

WHOLE: Final = "whole"
"""The whole measured window."""
PREFILL: Final = "prefill"
"""Reading prompts."""
DECODE: Final = "decode"
"""Choosing tokens, one after the other."""
PHASES: Final = (WHOLE, PREFILL, DECODE)
"""What is told apart, in the order of the rows."""


@dataclass(frozen=True, kw_only=True)
class PhaseNumbers:
    """How time and energy of one phase are had of a row of runs."""

    seconds: Value
    """Of a token."""
    joules: Value
    """Of a token."""
    width: Value
    """What the joules are uncertain by, by the sensors."""

    def product(self, row: Row) -> float | None:
        """Energy times time of a token of one run."""
        seconds, joules = self.seconds(row), self.joules(row)
        return None if seconds is None or joules is None else seconds * joules

    def product_width(self, row: Row) -> float | None:
        """What that is uncertain by."""
        seconds, width = self.seconds(row), self.width(row)
        return None if seconds is None or width is None else seconds * width


def _of_prompt(name: str, row: Row) -> float | None:
    value, tokens = real(row[name]), real(row["prompt_tokens"])
    return None if value is None or not tokens else value / tokens


def _decode_seconds(row: Row) -> float | None:
    rate = real(row["decode_tokens_per_s"])
    return 1.0 / rate if rate else None


def _of_decode(name: str, row: Row) -> float | None:
    value, seconds, rate = (real(row[each]) for each in (name, "decode_s", "decode_tokens_per_s"))
    return None if value is None or not seconds or not rate else value / (seconds * rate)


NUMBERS: Final[Mapping[str, PhaseNumbers]] = {
    WHOLE: PhaseNumbers(
        seconds=seconds_per_token, joules=energy_per_token_j, width=energy_per_token_width_j
    ),
    PREFILL: PhaseNumbers(
        seconds=partial(_of_prompt, "prefill_s"),
        joules=partial(_of_prompt, "prefill_energy_j"),
        width=partial(_of_prompt, "prefill_energy_uncertainty_j"),
    ),
    DECODE: PhaseNumbers(
        seconds=_decode_seconds,
        joules=partial(_of_decode, "decode_energy_j"),
        width=partial(_of_decode, "decode_energy_uncertainty_j"),
    ),
}
"""By phase."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SettingsFamily:
    """Points of one board, engine and work that differ in caps and clocks alone."""

    work: Work
    """Its points, from the one that may go furthest up down."""
    conditions: Mapping[str, Row]
    """What each run was measured under, by its name."""

    @property
    def base(self) -> WorkPoint:
        """The one without cap and lock, else that of the highest."""
        return self.work.points[0]

    def condition(self, point: WorkPoint, name: str) -> float | None:
        """A number of the conditions of a point's runs, their mean; None where one lacks it."""
        rows = [self.conditions.get(run.run_id) for run in point.runs]
        values = [None if row is None else real(row[name]) for row in rows]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known and len(known) == len(values) else None


def families(results: Results) -> list[SettingsFamily]:
    """Every family of several settings, in the order of the groups."""
    points = all_points(results)
    scatters = Scatters(points)
    conditions = {str(row["run_id"]): row for row in results.rows(CONDITIONS)}
    found: dict[tuple[str, str], list[WorkPoint]] = {}
    for point in points:
        key = point_key(point.runs[0], SETTINGS)
        found.setdefault((key, point.board), []).append(point)
    return [
        SettingsFamily(
            work=Work(
                points=tuple(sorted(own, key=lambda one: how_far(one.group), reverse=True)),
                scatters=scatters,
            ),
            conditions=conditions,
        )
        for own in found.values()
        if len({how_far(point.group) for point in own}) >= SEVERAL
    ]


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One phase of one point of a family."""

    family: SettingsFamily
    """The points that it is held against."""
    point: WorkPoint
    """The point."""
    phase: str
    """One of `PHASES`."""

    @property
    def _numbers(self) -> PhaseNumbers:
        return NUMBERS[self.phase]

    @cached_property
    def time(self) -> Ranged | None:
        """Seconds a token."""
        return self.family.work.of(self.point, self._numbers.seconds, no_width, energy=False)

    @cached_property
    def energy(self) -> Ranged | None:
        """Joules a token."""
        of = self.family.work.of
        return of(self.point, self._numbers.joules, self._numbers.width, energy=True)

    @cached_property
    def delay(self) -> Ranged | None:
        """Energy times time of a token."""
        of = self.family.work.of
        return of(self.point, self._numbers.product, self._numbers.product_width, energy=True)

    def missing(self, *, energy: bool) -> str:
        """Why there is no energy, or no time."""
        if self.phase == WHOLE:
            return lacking(self.point, energy=energy)
        name = f"{self.phase}_reason"
        told = next((str(row[name]) for row in self.point.rows if row.get(name)), "")
        what = "energy" if energy else "time"
        return f"a run of it has no {what} of {self.phase}{f': {told}' if told else ''}"


def curve_points(family: SettingsFamily) -> Iterator[CurvePoint]:
    """Every phase of every point of a family."""
    for point in family.work.points:
        for phase in PHASES:
            yield CurvePoint(family=family, point=point, phase=phase)

"""Family: grid points that are the same but for caps and clocks, and what each phase of them took.

Time and energy of the whole and of decode are of a generated token, those of prefill of a token of
a prompt, which an encoder may have read before it. Their product is of each run, as a run's time
and energy go together.
"""

from collections.abc import Iterator, Mapping, Sequence
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
from analysis.tables.column import Cell, Row
from analysis.tables.conditions import CONDITIONS
from analysis.tables.labels import WORDS, union
from analysis.tables.phases import PHASES as PHASE_ROWS
from analysis.tables.point import point_key
from analysis.tables.table import Results
from telemetry.record.spec import RunSpec

WHOLE: Final = "whole"
"""The whole measured window."""
PREFILL: Final = "prefill"
"""Reading prompts, an encoder's pass with it."""
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
    """Of prefill, with an encoder's pass before it: its settings hold in both."""
    value, tokens = real(row[name]), real(row["prompt_tokens"])
    if value is None or not tokens:
        return None
    if real(row.get("encode_s")) is not None:
        encoded = real(row.get(name.replace(PREFILL, "encode")))
        if encoded is None:
            return None
        value += encoded
    return value / tokens


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
    phases: Mapping[tuple[str, str], tuple[Row, ...]]
    """The same of each phase, a row a rank, by run and phase."""

    @property
    def base(self) -> WorkPoint:
        """The one without cap and lock, else that of the highest."""
        return self.work.points[0]

    def run_condition(self, run_id: str, phase: str, name: str) -> float | None:
        """A number of what a run was measured under in a phase; None where it, or a rank, lacks it.

        Of a phase it is the mean over ranks, each on its own GPU.
        """
        if phase == WHOLE:
            row = self.conditions.get(run_id)
            return None if row is None else real(row[name])
        return _mean([real(row[name]) for row in self.phases.get((run_id, phase), ())])

    def condition(self, point: WorkPoint, phase: str, name: str) -> float | None:
        """The same of a point, the mean over its runs; None where one lacks it."""
        return _mean([self.run_condition(run.run_id, phase, name) for run in point.runs])

    def told(self, point: WorkPoint, phase: str, name: str) -> tuple[Cell, ...]:
        """What the rows of a phase of a point's runs say under a name, rank by rank."""
        return tuple(
            row.get(name) for run in point.runs for row in self.phases.get((run.run_id, phase), ())
        )


def has_own_settings(spec: RunSpec) -> bool:
    """Whether a phase of a run was asked for a cap or clock of its own."""
    of_phases = (name for name in SETTINGS if name.startswith((PREFILL, DECODE)))
    return any(getattr(spec, name) is not None for name in of_phases)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def families(results: Results) -> list[SettingsFamily]:
    """Every family of several settings, in the order of the groups."""
    points = all_points(results)
    scatters = Scatters(points)
    conditions = {str(row["run_id"]): row for row in results.rows(CONDITIONS)}
    phases: dict[tuple[str, str], list[Row]] = {}
    for row in results.rows(PHASE_ROWS):
        phases.setdefault((str(row["run_id"]), str(row["phase"])), []).append(row)
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
            phases={key: tuple(rows) for key, rows in phases.items()},
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

    def condition(self, name: str) -> float | None:
        """What it was measured under, mean over runs and ranks; None where one lacks it."""
        return self.family.condition(self.point, self.phase, name)

    def asked(self, quantity: str) -> float | None:
        """The cap or clock that was asked for in it; None for none."""
        own = None if self.phase == WHOLE else self.point.group.get(f"{self.phase}_{quantity}")
        return real(self.point.group.get(quantity) if own is None else own)

    @property
    def labels(self) -> str | None:
        """Its labels: those of cap and clock are the phase's own, where a rank tells of it."""
        told = () if self.phase == WHOLE else self.family.told(self.point, self.phase, WORDS)
        return union(told or (self.point.group.get(WORDS),))

    @property
    def condition_reason(self) -> str | None:
        """Why a clock or a share was not had of the phase."""
        if self.phase == WHOLE:
            return None
        told = self.family.told(self.point, self.phase, "conditions_reason")
        if not told:
            return f"no rank tells of {self.phase}"
        return next((str(reason) for reason in told if reason), None)

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

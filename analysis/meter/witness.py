"""Witness: what an outside meter says of one run, beside what the record says of the same.

A fourth witness beside rank counter, polled counter and power integral, which nobody who writes the
record can have read. Both sides are of the same GPUs over the same times.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from analysis.energy.curves import Curve
from analysis.energy.gpu_energy import Gpu
from analysis.energy.methods import METHODS, POLLED_COUNTER, POWER_INTEGRAL, RANK_COUNTER
from analysis.energy.run_energy import RunEnergy
from analysis.energy.uncertain import Uncertain, gap_share, total
from analysis.meter.clock_fit import ClockFit, fit_clock, unknown_fit
from analysis.meter.kept import KeptMeter, list_meters
from analysis.meter.meter_curve import MeterCurve, meter_curves, silence
from analysis.meter.own_noise import Likeness, likeness, summed
from analysis.runs.rank_spans import RankSpans
from analysis.runs.series import IntArray
from telemetry.boards.sensor_timing import COUNTER as COUNTER_FIELD
from telemetry.boards.sensor_timing import POWER_FIELDS
from telemetry.clock import US_PER_S
from telemetry.record.schema import Phase

WINDOW: Final = "window"
"""The measured window, beside the phases in it."""
_PHASES: Final = (Phase.ENCODE, Phase.PREFILL, Phase.DECODE, Phase.ANSWER)


@dataclass(frozen=True, kw_only=True)
class MeteredPart:
    """A part of a run: by the meter and by the record."""

    name: str
    """`window`, or a phase of the measured batches."""
    meter: Uncertain
    """Energy of the covered share by the meter, calibrated, in joules."""
    ours: Uncertain
    """Energy of the same GPUs over the same time by the record's method, in joules."""

    @property
    def apart(self) -> Uncertain:
        """How far ours lies from the meter's, as a share of the meter's."""
        return gap_share(self.meter, self.ours, names=("outside meter", "energy"))


@dataclass(frozen=True, kw_only=True, eq=False)
class MeterWitness:
    """One meter beside one run."""

    meter: KeptMeter
    """Its log."""
    run_energy: RunEnergy
    """The run."""

    @cached_property
    def covered(self) -> tuple[Gpu, ...]:
        """The run's GPUs that it covers, at work or idle."""
        names = set(self.meter.statement.covers)
        return tuple(gpu for gpu in self._gpus if gpu.uuid in names or gpu.host in names)

    @cached_property
    def uncovered(self) -> tuple[str, ...]:
        """What it covers that is none of the run's: its reading holds more than the run."""
        known = {gpu.uuid for gpu in self._gpus} | {gpu.host for gpu in self._gpus}
        return tuple(name for name in self.meter.statement.covers if name not in known)

    @property
    def equal(self) -> bool:
        """True where both sides must be equal: nothing but covered GPUs of this run flows there."""
        return self.meter.statement.whole and not self.uncovered

    @cached_property
    def fit(self) -> ClockFit:
        """How its clock stands to the record's."""
        statement = self.meter.statement
        if statement.clock_offset_s is not None and statement.clock_uncertainty_s is not None:
            return ClockFit(
                offset_us=round(statement.clock_offset_s * US_PER_S),
                plus_minus_us=round(statement.clock_uncertainty_s * US_PER_S),
                correlation=None,
                how="stated",
            )
        curves = meter_curves(statement, self.meter.log, 0)
        ours = [self._trace(gpu) for gpu in self.covered]
        known = [curve for curve in ours if curve is not None]
        if not curves or not known or len(known) < len(ours):
            return unknown_fit("there is no power on either side to bring the clocks together by")
        # Power shows when it changed; a total is late by its own update.
        finest = min(curves, key=lambda one: one.resolution_us)
        span_us = (
            max(self.run_energy.life_us[0], *(int(one.t_us[0]) for one in known)),
            min(self.run_energy.life_us[1], *(int(one.t_us[-1]) for one in known)),
        )
        return fit_clock(finest, known, span_us, round(statement.most_offset_s * US_PER_S))

    @cached_property
    def like(self) -> Likeness | None:
        """How alike the log and the record's readings are; None where nothing can be compared."""
        series = {}
        for field in (*POWER_FIELDS, COUNTER_FIELD):
            own = [self.run_energy.series(gpu.host, gpu.uuid, field) for gpu in self.covered]
            if all(len(one) for one in own):
                series[field] = summed(own)
        curves = {}
        for method in METHODS:
            told = [gpu.curve(method) for gpu in self.covered]
            known = [one for one in told if isinstance(one, Curve)]
            if len(known) == len(told):
                curves[method] = known
        return likeness(self.meter.log, self.fit, series, curves, self.run_energy.life_us)

    @cached_property
    def parts(self) -> tuple[MeteredPart, ...]:
        """The window, and each phase of its measured batches."""
        return tuple(self._parts())

    @property
    def window(self) -> MeteredPart:
        """The window."""
        return self.parts[0]

    @property
    def reading(self) -> str | None:
        """Which of its readings the window's energy is from: `energy` or `power`; None: neither."""
        start_us, end_us = self.run_energy.window_us
        made = self._told(np.array([start_us]), np.array([end_us]))
        return made[0].reading if made is not None else None

    @cached_property
    def _gpus(self) -> tuple[Gpu, ...]:
        return (*self.run_energy.gpus, *self.run_energy.idle_gpus)

    @cached_property
    def _curves(self) -> list[MeterCurve]:
        return meter_curves(self.meter.statement, self.meter.log, self.fit.applied_us)

    def _parts(self) -> Iterator[MeteredPart]:
        start_us, end_us = self.run_energy.window_us
        edges = np.array([start_us], dtype=np.int64), np.array([end_us], dtype=np.int64)
        yield self._part(WINDOW, *edges, self.run_energy.method)
        rank = self._leader
        if rank is None:
            return
        for phase in _PHASES:
            chosen = rank.measured(phase)
            if len(chosen):
                yield self._part(
                    phase.value,
                    rank.start_us[chosen],
                    rank.end_us[chosen],
                    self.run_energy.attribution.method,
                )

    @property
    def _leader(self) -> RankSpans | None:
        """The first rank that works on a covered GPU: all ranks of a run change phase together."""
        uuids = {gpu.uuid for gpu in self.covered}
        return next((rank for rank in self.run_energy.ranks if rank.gpu_uuid in uuids), None)

    def _part(
        self, name: str, start_us: IntArray, end_us: IntArray, method: str | None
    ) -> MeteredPart:
        ours = total(
            [_energy(gpu, method, start_us, end_us) for gpu in self.covered],
            nothing="it covers no GPU of the run",
        )
        if self.fit.reason is not None:
            return MeteredPart(name=name, meter=Uncertain.unknown(self.fit.reason), ours=ours)
        told = self._told(start_us, end_us)
        if told is None:
            lacking = Uncertain.unknown(self._lacking(start_us, end_us))
            return MeteredPart(name=name, meter=lacking, ours=ours)
        made, amount = told
        assert amount.value is not None
        moved = self._moved_j(made.curve, start_us, end_us)
        accuracy = self.meter.statement.accuracy_share or 0.0
        width = math.hypot(amount.plus_minus or 0.0, moved, accuracy * amount.value)
        return MeteredPart(name=name, meter=Uncertain.of(amount.value, width), ours=ours)

    def _told(self, start_us: IntArray, end_us: IntArray) -> tuple[MeterCurve, Uncertain] | None:
        """The first of its readings that has an energy there, with it."""
        for made in self._curves:
            amount = made.curve.summed(start_us, end_us)
            window_us = int(start_us[0]), int(end_us[-1])
            silent = made.reading == "power" and silence(self.meter.log, made.curve, window_us)
            if amount.value is not None and not silent:
                return made, amount
        return None

    def _lacking(self, start_us: IntArray, end_us: IntArray) -> str:
        window_us = int(start_us[0]), int(end_us[-1])
        reasons = [
            reason
            for made in self._curves
            if (
                reason := made.curve.summed(start_us, end_us).reason
                or silence(self.meter.log, made.curve, window_us)
            )
        ]
        return reasons[0] if reasons else "the log has too few readings"

    def _moved_j(self, curve: Curve, start_us: IntArray, end_us: IntArray) -> float:
        """What the clock's uncertainty may move in or out: half of what both its ends differ by."""
        sums = []
        for by_us in (-self.fit.plus_minus_us, self.fit.plus_minus_us):
            moved = curve.summed(start_us + by_us, end_us + by_us).value
            if moved is None:
                return 0.0
            sums.append(moved)
        return abs(sums[1] - sums[0]) / 2

    @staticmethod
    def _trace(gpu: Gpu) -> Curve | None:
        """The curve of a GPU that shows best when power changed."""
        for curve in (gpu.power_integral, gpu.polled_counter):
            if isinstance(curve, Curve):
                return curve
        return None


def _energy(gpu: Gpu, method: str | None, start_us: IntArray, end_us: IntArray) -> Uncertain:
    """A GPU's energy over several times by the run's method; an idle one's as it is charged."""
    if gpu.rank is None:
        methods: Sequence[str] = (POLLED_COUNTER, POWER_INTEGRAL)
    else:
        methods = (method or RANK_COUNTER,)
    reason = "no method"
    for one in methods:
        curve = gpu.curve(one)
        amount = (
            Uncertain.unknown(curve) if isinstance(curve, str) else curve.summed(start_us, end_us)
        )
        if amount.value is not None:
            return amount
        reason = f"{gpu.uuid}: {amount.reason}"
    return Uncertain.unknown(reason)


def witnesses_of(run_energy: RunEnergy) -> list[MeterWitness]:
    """Every kept meter whose log is of the run: it covers a GPU of it, and reaches into its life.

    Raises:
        ValueError, OSError: a kept log is not as it was kept.
    """
    found = []
    for path in list_meters(run_energy.run.paths.results):
        witness = MeterWitness(meter=KeptMeter.read(path), run_energy=run_energy)
        if witness.covered and overlaps(witness):
            found.append(witness)
    return found


def overlaps(witness: MeterWitness) -> bool:
    """True where a log has readings in a run's window, its clock off as far as it may be."""
    statement = witness.meter.statement
    most_us = round(statement.most_offset_s * US_PER_S)
    first_us, last_us = int(witness.meter.log.t_us[0]), int(witness.meter.log.t_us[-1])
    if statement.clock_offset_s is not None:
        offset_us = round(statement.clock_offset_s * US_PER_S)
        first_us, last_us, most_us = first_us - offset_us, last_us - offset_us, 0
    start_us, end_us = witness.run_energy.window_us
    return first_us - most_us < end_us and last_us + most_us > start_us

"""Gpu: one GPU of a run, its energy over time and what its sensor can resolve."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from analysis.amount import Amount
from analysis.energy import (
    ATTRIBUTABLE_PERIODS,
    EDGE_PERIODS,
    US_PER_S,
    Curve,
    FloatArray,
    Series,
    counter_curve,
    integral_curve,
)
from analysis.load import Run
from analysis.spans import RankSpans
from telemetry.schema import Phase
from telemetry.sensors import COUNTER as COUNTER_FIELD
from telemetry.sensors import POWER_FIELDS, Sensor, Timing, sensor_of

COUNTER: Final = "counter"
"""The method that takes the board's own running total, as the watcher read it."""
WITNESS: Final = "witness"
"""The same running total as the GPU's rank read it at its spans' edges: it needs no trace."""
INTEGRAL: Final = "integral"
"""The method that sums power over time."""
METHODS: Final = (COUNTER, WITNESS, INTEGRAL)
"""In order of preference: a counter loses nothing between two readings, an integral may."""
US_PER_MS: Final = 1_000
# Share of a phase's seconds that must lie in spans the sensor can resolve.
_ATTRIBUTABLE_SHARE: Final = 0.9
# Boards of one product were measured up to 4 % apart (arXiv 2312.02741: 100 to 104 ms).
_TIMING_TOLERANCE: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How one reading of a GPU behaves in time, and how that is known."""

    field: str
    tabulated: Timing
    """By architecture, `telemetry.sensors`."""
    measured_us: int | None
    """Update period that the source measured on this board; None when it did not."""
    sampling_us: int
    """Time between two readings in the record."""

    @property
    def update_us(self) -> int:
        """Time between two new values: the measured one stands before the table's."""
        return self.measured_us or self.tabulated.update_us

    @property
    def resolution_us(self) -> int:
        """The shortest time that two neighbouring readings tell apart."""
        return max(self.update_us, self.sampling_us, self.tabulated.window_us)

    @property
    def note(self) -> str | None:
        """How the table and the source's own measurement differ; None where they do not."""
        table_us = self.tabulated.update_us
        if self.measured_us is None or (
            abs(self.measured_us - table_us) <= _TIMING_TOLERANCE * table_us
        ):
            return None
        return (
            f"{self.field} was measured to change every {self.measured_us / US_PER_MS:g} ms, the "
            f"table of sensors has {table_us / US_PER_MS:g} ms: the measured period is used"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Gpu:
    """One GPU that the run was given."""

    uuid: str
    host: str
    name: str
    """Product, as the source has it."""
    driver: str | None
    shared: bool
    """True when MIG is on: what it reads is the whole board's."""
    rank: int | None
    """The rank that works on it; None for a GPU that was allocated and left idle."""
    sensor: Sensor
    behaviours: tuple[Behaviour, ...]
    """Of every power field and counter with readings."""
    counter: Curve | str
    """The curve, or why there is none."""
    witness: Curve | str
    integral: Curve | str
    idle_power: Amount
    """Mean power in the settled part of the run's own IDLE phase, watts."""

    def curve(self, method: str) -> Curve | str:
        """The curve that `method`, one of `METHODS`, names."""
        return {COUNTER: self.counter, WITNESS: self.witness, INTEGRAL: self.integral}[method]

    def energy(self, method: str, window_us: tuple[int, int]) -> Amount:
        """Energy in a window by one method."""
        curve = self.curve(method)
        amount = Amount.unknown(curve) if isinstance(curve, str) else curve.between(*window_us)
        if amount.value is None:
            return Amount.unknown(f"{self.uuid}: {amount.reason}")
        return amount

    def resolution_us(self, method: str | None) -> int:
        """The shortest time that `method` tells apart; the slowest known one for None."""
        curves = [self.curve(name) for name in (METHODS if method is None else (method,))]
        known = [curve.resolution_us for curve in curves if isinstance(curve, Curve)]
        return max(known or [timing.resolution_us for timing in self.sensor.timings.values()])

    def attributable(self, method: str | None, seconds: FloatArray) -> bool:
        """True when spans of these lengths are long enough for the sensor to tell them apart."""
        long = seconds * US_PER_S >= ATTRIBUTABLE_PERIODS * self.resolution_us(method)
        return bool(seconds[long].sum() >= _ATTRIBUTABLE_SHARE * seconds.sum())

    def shortness(self, method: str | None, seconds: FloatArray) -> str:
        """Why spans of these lengths are not attributable."""
        median_ms = float(np.median(seconds)) * US_PER_S / US_PER_MS
        least_ms = ATTRIBUTABLE_PERIODS * self.resolution_us(method) / US_PER_MS
        spans = f"{len(seconds)} span{'' if len(seconds) == 1 else 's'}"
        return (
            f"not attributable: {spans}, median {median_ms:.1f} ms, mostly shorter than "
            f"{ATTRIBUTABLE_PERIODS:g} sensor periods ({least_ms:.0f} ms)"
        )


@dataclass(frozen=True)
class Readings:
    """All power and energy readings of a run, by GPU."""

    run: Run
    series: Mapping[tuple[str, str, str], Series]

    def of(self, host: str, device: str, field: str) -> Series:
        """The readings of one device and field; empty when there are none."""
        empty = Series(t_us=np.empty(0, dtype=np.int64), value=np.empty(0))
        return self.series.get((host, device, field), empty)

    def sampling_us(self, host: str, device: str, field: str) -> int:
        """Time between two readings: as the record states it, else as it shows."""
        if stated := self.run.period_us(host, device, field):
            return stated
        steps = np.diff(self.of(host, device, field).t_us)
        return max(1, int(np.median(steps))) if len(steps) else 1

    def edge_us(self, host: str, device: str, field: str) -> int:
        """How far a window may reach past the first and the last reading."""
        return int(EDGE_PERIODS * self.sampling_us(host, device, field))

    def gpu(
        self,
        host: str,
        entry: Mapping[str, Any],
        rank: RankSpans | None,
        window_us: tuple[int, int],
    ) -> Gpu:
        """One GPU of the inventory; `rank` is None when no rank works on it."""
        uuid = str(entry["uuid"])
        source = self.run.hosts.get(host, {}).get("source")
        known = source if isinstance(source, dict) else {}
        sensor = sensor_of({"driver": known.get("driver"), **entry})
        behaviours = {
            field: self._behaviour(host, uuid, field, sensor)
            for field in (*POWER_FIELDS, COUNTER_FIELD)
            if len(self.of(host, uuid, field))
        }
        counter = self._counter(host, uuid, sensor)
        measured_us = self.run.measured_period_us(host, COUNTER_FIELD)
        witness = _witness(rank, measured_us or sensor.timings[COUNTER_FIELD].update_us)
        integral = self._integral(host, uuid, sensor, window_us)
        driver = entry.get("driver") or known.get("driver")
        return Gpu(
            uuid=uuid,
            host=host,
            name=str(entry.get("name") or "not on record"),
            driver=None if driver is None else str(driver),
            shared=bool(entry.get("mig")),
            rank=None if rank is None else rank.rank,
            sensor=sensor,
            behaviours=tuple(behaviours.values()),
            counter=counter,
            witness=witness,
            integral=integral,
            # The witness reads at the edges alone: it is the last to know about half a phase.
            idle_power=_idle_power(rank, (counter, integral, witness)),
        )

    def _behaviour(self, host: str, uuid: str, field: str, sensor: Sensor) -> Behaviour:
        return Behaviour(
            field=field,
            tabulated=sensor.timings[field],
            measured_us=self.run.measured_period_us(host, field),
            sampling_us=self.sampling_us(host, uuid, field),
        )

    def _counter(self, host: str, uuid: str, sensor: Sensor) -> Curve | str:
        behaviour = self._behaviour(host, uuid, COUNTER_FIELD, sensor)
        return counter_curve(
            self.of(host, uuid, COUNTER_FIELD),
            edge_us=self.edge_us(host, uuid, COUNTER_FIELD),
            resolution_us=behaviour.resolution_us,
            lag_us=behaviour.update_us,
        )

    def _integral(
        self, host: str, uuid: str, sensor: Sensor, window_us: tuple[int, int]
    ) -> Curve | str:
        """The curve under the finest power field that reaches over the window; else the best."""
        found: list[Curve | str] = []
        for field in POWER_FIELDS:
            series = self.of(host, uuid, field)
            behaviour = self._behaviour(host, uuid, field, sensor)
            curve = integral_curve(
                series,
                field=field,
                edge_us=self.edge_us(host, uuid, field),
                window_us=behaviour.tabulated.window_us,
                resolution_us=behaviour.resolution_us,
            )
            if isinstance(curve, Curve) and curve.between(*window_us).value is not None:
                return curve
            # A reading that exists says more about what went wrong than one that never was.
            if len(series) or series.nulls:
                found.append(curve)
        curves = [curve for curve in found if isinstance(curve, Curve)]
        return (curves or found or ["0 readings"])[0]


def _witness(rank: RankSpans | None, update_us: int) -> Curve | str:
    """The counter as the rank read it at its spans' edges."""
    if rank is None:
        return "no rank works on it"
    t_us = np.concatenate((rank.start_us, rank.end_us))
    value = np.concatenate((rank.energy_start_j, rank.energy_end_j))
    known = np.isfinite(value)
    if not known.any():
        return rank.energy_reason or "the rank read no counter"
    order = np.argsort(t_us[known], kind="stable")
    # The rank reads at exact moments, so a window may reach no further than the reading.
    return counter_curve(
        Series(t_us=t_us[known][order], value=value[known][order]),
        edge_us=0,
        resolution_us=update_us,
        lag_us=update_us,
        method=WITNESS,
    )


def _idle_power(rank: RankSpans | None, curves: tuple[Curve | str, ...]) -> Amount:
    """Mean power in the settled part of the rank's IDLE phase, by the first curve that knows it.

    The first half is left to the sensor's lag and to what still settles after start-up; two of the
    sensor's periods at the end, in which the load that follows may show already. A witness has
    readings at the phase's edges alone and takes the whole of it.
    """
    if rank is None:
        return Amount.unknown("no rank works on it")
    idle = rank.of(Phase.IDLE)
    if not len(idle):
        return Amount.unknown("the run has no idle phase")
    begun_us, ended_us = int(rank.start_us[idle[0]]), int(rank.end_us[idle[0]])
    shortest: Amount | None = None
    for curve in curves:
        if not isinstance(curve, Curve):
            continue
        least_us = int(ATTRIBUTABLE_PERIODS * curve.resolution_us)
        start_us, end_us = begun_us, ended_us
        if curve.method != WITNESS:
            start_us, end_us = (begun_us + ended_us) // 2, ended_us - least_us
        seconds = (end_us - start_us) / US_PER_S
        if end_us - start_us < least_us:
            shortest = shortest or Amount.unknown(
                f"the settled part of the idle phase is {max(0.0, seconds):.3f} s, "
                "under two sensor periods"
            )
            continue
        amount = curve.between(start_us, end_us)
        if amount.value is not None:
            return amount.over(seconds)
    return shortest or Amount.unknown("no reading in the idle phase")

"""GPU energy: one GPU of a run, its energy over time and what its sensor can resolve."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from analysis.energy.curves import ATTRIBUTABLE_PERIODS, Curve
from analysis.energy.methods import METHODS, POLLED_COUNTER, POWER_INTEGRAL, RANK_COUNTER
from analysis.energy.uncertain import Uncertain
from analysis.runs.series import FloatArray
from telemetry.boards.sensor_timing import Sensor, Timing
from telemetry.clock import US_PER_MS, US_PER_S

# Share of a phase's seconds that must lie in spans the sensor can resolve.
_ATTRIBUTABLE_SHARE: Final = 0.9
# Boards of one product were measured up to 4 % apart (arXiv 2312.02741: 100 to 104 ms); a fifth
# is another sensor.
_TIMING_TOLERANCE: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How one reading of a GPU behaves in time, and how that is known."""

    field: str
    """The reading's name in `telemetry.record.fields.FIELDS`: a power or the counter."""
    tabulated: Timing
    """By architecture, `telemetry.boards.sensor_timing`."""
    measured_us: int | None
    """Update period that the source measured on this board; None when it did not."""
    sampling_us: int
    """Time between two readings in the record; where there are none the table's period."""

    @property
    def update_us(self) -> int:
        """Time between two new values: the measured one stands before the table's.

        A measured one that is shorter counts as far as the record shows readings that often: a
        short probe on a busy node finds periods that are not there.
        """
        if self.measured_us is None:
            return self.tabulated.update_us
        return max(self.measured_us, min(self.tabulated.update_us, self.sampling_us))

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
            f"table of sensors has {table_us / US_PER_MS:g} ms: "
            f"{self.update_us / US_PER_MS:g} ms is used"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Gpu:
    """One GPU that the run was given."""

    uuid: str
    """Joins it to the spans' `gpu_uuid` and the samples' `device`."""
    host: str
    """Node that it sits in, as the record names it."""
    name: str
    """Product, as the source has it."""
    driver: str | None
    """Driver version; None when it is not on record."""
    shared: bool
    """True when MIG is on: what it reads is the whole board's."""
    rank: int | None
    """The rank that works on it; None for a GPU that was allocated and left idle."""
    sensor: Sensor
    """How its readings behave by the table, from its product and driver."""
    behaviours: tuple[Behaviour, ...]
    """Of every power field and counter with readings."""
    polled_counter: Curve | str
    """The counter's curve as the watcher polled it, or why there is none."""
    rank_counter: Curve | str
    """The counter's curve as its rank read it at its spans' edges, or why there is none."""
    power_integral: Curve | str
    """The curve under its power readings, or why there is none."""
    idle_power: Uncertain
    """Mean power in the settled part of the run's own IDLE phase, watts."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of its energies has to know, one sentence each."""
        found = []
        if self.shared:
            found.append(f"{self.uuid}: MIG is on, its power and energy are the whole board's")
        if not self.sensor.known:
            found.append(f"sensor: {self.sensor.source}")
        told = [one.note for one in self.behaviours if one.note is not None]
        return (*found, *(f"sensor of {self.name}: {note}" for note in told))

    def curve(self, method: str) -> Curve | str:
        """The curve that `method`, one of `METHODS`, names."""
        return {
            POLLED_COUNTER: self.polled_counter,
            RANK_COUNTER: self.rank_counter,
            POWER_INTEGRAL: self.power_integral,
        }[method]

    @cached_property
    def _known(self) -> dict[tuple[str, tuple[int, int]], Uncertain]:
        """Energies that were asked for before: many columns ask for the same ones."""
        return {}

    def energy(self, method: str, window_us: tuple[int, int]) -> Uncertain:
        """Energy in a window by one method."""
        if (method, window_us) not in self._known:
            self._known[method, window_us] = self._energy(method, window_us)
        return self._known[method, window_us]

    def _energy(self, method: str, window_us: tuple[int, int]) -> Uncertain:
        curve = self.curve(method)
        amount = Uncertain.unknown(curve) if isinstance(curve, str) else curve.between(*window_us)
        if amount.value is None:
            return Uncertain.unknown(f"{self.uuid}: {amount.reason}")
        return amount

    def best_counter(self, window_us: tuple[int, int]) -> Uncertain:
        """Energy in a window by the board's counter: as its rank read it, else as it was polled."""
        own = self.energy(RANK_COUNTER, window_us)
        return own if own.value is not None else self.energy(POLLED_COUNTER, window_us)

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

"""Clock readings: how fast tokens came, and at what power, whenever a clock was read meanwhile.

Nobody set the clocks that are read here: a board runs at its highest until its power limit, heat or
rest moves it. What a reading is held against is one second of steps and power around it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from analysis.energy.curves import EDGE_PERIODS
from analysis.energy.gpu_state import POWER_CAP, SM_CLOCK, TEMPERATURE, THROTTLE
from analysis.energy.run_energy import RunEnergy
from analysis.runs.series import Series
from analysis.runs.table_arrays import int_array
from analysis.tables.column import ColumnsOf
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.point import POINT_BY_NAME, point_key
from analysis.tables.table import TableKind
from telemetry.boards.sensor_timing import POWER_AVERAGE
from telemetry.clock import US_PER_S
from telemetry.record.schema import Phase

_WIDTH_US: Final = US_PER_S
"""Stretch around a reading that it stands for: 50 readings of a driver's own power buffer, and
some ten steps of the slowest engine on record (47 ms a step)."""
# Fewer steps than this have no pace.
_LEAST_STEPS: Final = 3
# As a run's name has them.
_DIGITS: Final = 8
# An hour at one a second; beyond it they are thinned evenly.
_MOST: Final = 3600


@dataclass(frozen=True, kw_only=True)
class ClockReading:
    """One second of one run's decode around a reading of its GPUs' clocks."""

    of: Measured
    """The run."""
    number: int
    """Its place in the run, from 0."""
    batch: int
    """The batch that was answered."""
    t_s: float
    """Since the begin of the measured window."""
    position: float
    """Mean place of its steps in the answer: tokens that were chosen before."""
    sm_clock_read_mhz: float
    """Mean over the working GPUs."""
    gpu_temperature_c: float | None
    """Mean over them, between the readings around; None where there are none."""
    held_by_power: bool | None
    """Whether a power limit held one of the clocks down; None when nothing says."""
    step_s: float
    """Time of a step."""
    tokens_per_s: float
    """Tokens that were kept."""
    power_w: float | None
    """Of all working GPUs together; None without a reading of each that is fine enough."""
    power_readings: int
    """How many readings of power that rests on."""

    @property
    def energy_per_token_j(self) -> float | None:
        """Their power over the rate; None without either."""
        if self.power_w is None or self.tokens_per_s <= 0:
            return None
        return self.power_w / self.tokens_per_s

    @property
    def power_reason(self) -> str | None:
        """Why there is no power; None when there is one."""
        if self.power_w is not None:
            return None
        return "no power of every working GPU that is finer than its one-second average"


def clock_readings(one: Measured) -> Iterator[ClockReading]:
    """Those of one run, by time, a second apart at least; none of an engine without steps."""
    steps = one.run.steps
    energy = one.run_energy
    if steps is None or not energy.gpus:
        return
    batches = int_array(steps, "batch")
    clocks = [energy.series(gpu.host, gpu.uuid, SM_CLOCK) for gpu in energy.gpus]
    moments = clocks[0].t_us
    gauges = _Gauges(energy)
    number = 0
    for batch, start_us, end_us in _decoded(energy):
        own = np.flatnonzero(batches == batch)
        if len(own) < _LEAST_STEPS:
            continue
        t_us, rows = int_array(steps, "t_us")[own], int_array(steps, "rows")[own]
        place = int_array(steps, "step")[own]
        last_us = start_us - _WIDTH_US
        for at_us in moments[(moments >= start_us) & (moments <= end_us)].tolist():
            if at_us - last_us < _WIDTH_US:
                continue
            low, high = max(start_us, at_us - _WIDTH_US // 2), min(end_us, at_us + _WIDTH_US // 2)
            inside = np.flatnonzero((t_us >= low) & (t_us <= high))
            if len(inside) < _LEAST_STEPS:
                continue
            begin_us, stop_us = int(t_us[inside[0]]), int(t_us[inside[-1]])
            clock = _mean_at(clocks, at_us, gauges.reach_us)
            if clock is None or stop_us <= begin_us:
                continue
            seconds = (stop_us - begin_us) / US_PER_S
            power_w, count = gauges.power(begin_us, stop_us)
            last_us = at_us
            yield ClockReading(
                of=one,
                number=number,
                batch=batch,
                t_s=(at_us - energy.window_us[0]) / US_PER_S,
                position=float(place[inside].mean()),
                sm_clock_read_mhz=clock,
                gpu_temperature_c=gauges.temperature(at_us),
                held_by_power=gauges.held(at_us),
                step_s=seconds / (len(inside) - 1),
                tokens_per_s=float(rows[inside[1:]].sum()) / seconds,
                power_w=power_w,
                power_readings=count,
            )
            number += 1


class _Gauges:
    """What the working GPUs of one run showed at a moment."""

    def __init__(self, energy: RunEnergy) -> None:
        self._energy = energy
        self.reach_us = self._reach_us(SM_CLOCK)

    @cached_property
    def _powers(self) -> list[Series] | None:
        found = [self._energy.power_series(gpu.host, gpu.uuid) for gpu in self._energy.gpus]
        if any(field == POWER_AVERAGE or not len(series) for field, series in found):
            return None
        return [series for _, series in found]

    def power(self, begin_us: int, stop_us: int) -> tuple[float | None, int]:
        """Mean power of all of them together, and over how many readings of one."""
        if self._powers is None:
            return None, 0
        inside = [series.between(begin_us, stop_us).value for series in self._powers]
        least = min(len(values) for values in inside)
        if not least:
            return None, 0
        return float(sum(values.mean() for values in inside)), least

    @cached_property
    def _temperatures(self) -> list[Series]:
        return self._of(TEMPERATURE)

    def temperature(self, at_us: int) -> float | None:
        """Between the two readings around, where they are no further apart than two periods."""
        reach_us = self._reach_us(TEMPERATURE)
        found = []
        for series in self._temperatures:
            after = int(np.searchsorted(series.t_us, at_us))
            if not 0 < after < len(series):
                return None
            before_us, after_us = int(series.t_us[after - 1]), int(series.t_us[after])
            if after_us - before_us > reach_us:
                return None
            found.append(float(np.interp(at_us, series.t_us, series.value)))
        return float(np.mean(found)) if found else None

    @cached_property
    def _holds(self) -> list[Series]:
        return self._of(THROTTLE)

    def held(self, at_us: int) -> bool | None:
        """Whether the power limit held any of them down, by the readings nearest to the moment."""
        reach_us = self._reach_us(THROTTLE)
        bits = [_nearest(series, at_us, reach_us) for series in self._holds]
        if any(bit is None for bit in bits) or not bits:
            return None
        return any(int(bit or 0) & POWER_CAP for bit in bits)

    def _of(self, field: str) -> list[Series]:
        return [self._energy.series(gpu.host, gpu.uuid, field) for gpu in self._energy.gpus]

    def _reach_us(self, field: str) -> int:
        gpu = self._energy.gpus[0]
        return int(EDGE_PERIODS * self._energy.sampling_us(gpu.host, gpu.uuid, field))


def _nearest(series: Series, at_us: int, reach_us: int) -> float | None:
    if not len(series):
        return None
    at = int(np.argmin(np.abs(series.t_us - at_us)))
    return float(series.value[at]) if abs(int(series.t_us[at]) - at_us) <= reach_us else None


def _mean_at(clocks: list[Series], at_us: int, reach_us: int) -> float | None:
    found = [_nearest(series, at_us, reach_us) for series in clocks]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if len(known) == len(found) else None


def _decoded(energy: RunEnergy) -> Iterator[tuple[int, int, int]]:
    """Batch, begin and end of each decode that was measured, as the first rank saw it."""
    rank = energy.ranks[0]
    for index in rank.measured(Phase.DECODE).tolist():
        batch = rank.batch[index]
        assert batch is not None
        yield batch, int(rank.start_us[index]), int(rank.end_us[index])


def _thinned(one: Measured) -> list[ClockReading]:
    found = list(clock_readings(one))
    return found[:: -(-len(found) // _MOST)] if found else found


def _board(one: ClockReading) -> str:
    return " and ".join(sorted({gpu.name for gpu in one.of.run_energy.gpus}))


def _point(one: ClockReading) -> str:
    git = one.of.run.provenance.get("git")
    commit = git.get("commit") if isinstance(git, Mapping) else None
    told = json.dumps([point_key(one.of.run), None if commit is None else str(commit)])
    return hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]


_OF: Final = ColumnsOf[ClockReading]()
_NAMED: Final = (
    *("model", "engine", "gpus", "batch_size", "dataset", "max_gen_len"),
    *("power_cap_w", "sm_clock_mhz"),
)

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    _OF.text(
        "point",
        "point",
        "Digest of what was done and of the commit that did it: equal for runs whose readings may "
        "be held against each other.",
        _point,
        shown=False,
    ),
    _OF.count("reading", "reading", "Its place in the run, from 0.", lambda one: one.number),
    _OF.text("board", "board", "Product of the working GPUs.", _board),
    # A run's name says most of it, and the page has its row of runs.
    *(
        replace(_OF.told(POINT_BY_NAME[name], lambda one: one.of.spec), shown=name == "engine")
        for name in _NAMED
    ),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    _OF.count("batch", "batch", "Batch that was being answered.", lambda one: one.batch),
    _OF.number("t_s", "at", "s", "Since the measured window began.", lambda one: one.t_s),
    _OF.number(
        "position",
        "position",
        "1",
        "Mean place of its steps in the answer: tokens that were chosen before.",
        lambda one: one.position,
    ),
    _OF.number(
        "sm_clock_read_mhz",
        "clock read",
        "MHz",
        "Clock of the multiprocessors as it was read, mean over the working GPUs: observed, not "
        "set.",
        lambda one: one.sm_clock_read_mhz,
    ),
    _OF.number(
        "gpu_temperature_c",
        "temperature",
        "C",
        "Mean over the working GPUs, between the two readings around; empty: none near.",
        lambda one: one.gpu_temperature_c,
    ),
    _OF.flag(
        "held_by_power",
        "held by power",
        "True when a power limit held the clock of one of them down; empty: nothing says.",
        lambda one: one.held_by_power,
    ),
    _OF.number(
        "step_s", "s / step", "s", "Mean time of a step in that second.", lambda one: one.step_s
    ),
    _OF.number(
        "tokens_per_s",
        "tokens / s",
        "1/s",
        "Tokens that were kept in it.",
        lambda one: one.tokens_per_s,
    ),
    _OF.number(
        "power_w",
        "power",
        "W",
        "Mean of all working GPUs together in it, by the finest readings that there are.",
        lambda one: one.power_w,
        reason="power_reason",
    ),
    _OF.count(
        "power_readings",
        "power readings",
        "Readings of one GPU's power that it rests on.",
        lambda one: one.power_readings,
        shown=False,
    ),
    _OF.number(
        "energy_per_token_j",
        "J / token",
        "J",
        "power_w / tokens_per_s.",
        lambda one: one.energy_per_token_j,
        reason="power_reason",
    ),
    _OF.why("power_reason", "power", "Why it is missing.", lambda one: one.power_reason),
)

CLOCK_READINGS: Final = TableKind(
    name="clock_readings",
    title="Each reading of a clock, and what went on around it",
    columns=_COLUMNS,
    of_run=_thinned,
    section="observed",
    heading="What each reading of a clock was like",
    text="One second of decode around each reading of the clock. Observed, not set: nobody asked "
    "for these clocks.",
)
"""One row a run and reading of its GPUs' clocks in decode."""

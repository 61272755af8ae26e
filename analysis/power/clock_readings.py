"""Clock readings: how fast tokens came, and at what power, whenever a clock was read meanwhile.

Nobody set the clocks that are read here: a board runs at its highest until its power limit, heat or
rest moves it. What a reading is held against is one second of steps and power around it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analysis.energy.curves import EDGE_PERIODS
from analysis.energy.gpu_state import POWER_CAP, SM_CLOCK, TEMPERATURE, THROTTLE
from analysis.energy.run_energy import RunEnergy
from analysis.runs.sealed_runs import Run
from analysis.runs.series import FloatArray, IntArray, Series
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
    board: str
    """Product of its working GPUs."""
    point: str
    """Digest of what was done and of the commit that did it."""
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
    energy = one.run_energy
    found = list(_stretches(one)) if one.run.steps is not None and energy.gpus else []
    if not found:
        return
    gauges = _Gauges(energy)
    at_us = np.array([stretch.at_us for stretch in found], dtype=np.int64)
    temperatures, holds = gauges.temperatures(at_us), gauges.held(at_us)
    powers = gauges.powers([(stretch.begin_us, stretch.stop_us) for stretch in found])
    board, point = _board(energy), _point(one.run)
    for number, stretch in enumerate(found):
        power_w, count = powers[number]
        yield ClockReading(
            of=one,
            board=board,
            point=point,
            number=number,
            batch=stretch.batch,
            t_s=(stretch.at_us - energy.window_us[0]) / US_PER_S,
            position=stretch.position,
            sm_clock_read_mhz=stretch.clock_mhz,
            gpu_temperature_c=temperatures[number],
            held_by_power=holds[number],
            step_s=stretch.seconds / stretch.steps,
            tokens_per_s=stretch.tokens / stretch.seconds,
            power_w=power_w,
            power_readings=count,
        )


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """The steps around a reading of the clocks."""

    batch: int
    """The batch that was answered."""
    at_us: int
    """When the first GPU's clock was read."""
    begin_us: int
    """The first step's end."""
    stop_us: int
    """The last step's end."""
    steps: int
    """Steps after the first."""
    position: float
    """Mean place of them all in the answer."""
    tokens: float
    """What the steps after the first chose that was kept."""
    clock_mhz: float
    """Mean over the working GPUs."""

    @property
    def seconds(self) -> float:
        """Between the two steps."""
        return (self.stop_us - self.begin_us) / US_PER_S


def _stretches(one: Measured) -> Iterator[_Stretch]:
    energy, steps = one.run_energy, one.run.steps
    assert steps is not None
    clocks = [energy.series(gpu.host, gpu.uuid, SM_CLOCK) for gpu in energy.gpus]
    moments = clocks[0].t_us
    known, clock_mhz = nearest(clocks, moments, _reach_us(energy, SM_CLOCK))
    all_t_us, all_rows, all_places, batches = (
        int_array(steps, name) for name in ("t_us", "rows", "step", "batch")
    )
    for batch, start_us, end_us in _decoded(energy):
        own = np.flatnonzero(batches == batch)
        if len(own) < _LEAST_STEPS:
            continue
        t_us, rows, place = all_t_us[own], all_rows[own], all_places[own]
        last_us = start_us - _WIDTH_US
        for index in np.flatnonzero((moments >= start_us) & (moments <= end_us)).tolist():
            at_us = int(moments[index])
            if at_us - last_us < _WIDTH_US:
                continue
            low, high = max(start_us, at_us - _WIDTH_US // 2), min(end_us, at_us + _WIDTH_US // 2)
            inside = np.flatnonzero((t_us >= low) & (t_us <= high))
            if len(inside) < _LEAST_STEPS:
                continue
            begin_us, stop_us = int(t_us[inside[0]]), int(t_us[inside[-1]])
            if not known[index] or stop_us <= begin_us:
                continue
            last_us = at_us
            yield _Stretch(
                batch=batch,
                at_us=at_us,
                begin_us=begin_us,
                stop_us=stop_us,
                steps=len(inside) - 1,
                position=float(place[inside].mean()),
                tokens=float(rows[inside[1:]].sum()),
                clock_mhz=float(np.mean(clock_mhz[index])),
            )


class _Gauges:
    """What the working GPUs of one run showed: each GPU's readings are gone through once."""

    def __init__(self, energy: RunEnergy) -> None:
        self._energy = energy

    def powers(self, windows: Sequence[tuple[int, int]]) -> list[tuple[float | None, int]]:
        """Of each window the mean power of all of them, and over how many readings of one."""
        found = [self._energy.power_series(gpu.host, gpu.uuid) for gpu in self._energy.gpus]
        if any(field == POWER_AVERAGE or not len(series) for field, series in found):
            return [(None, 0)] * len(windows)
        begins_us, stops_us = np.array(windows, dtype=np.int64).T
        total_w = [0.0] * len(windows)
        least = np.full(len(windows), np.iinfo(np.int64).max)
        for _, series in found:
            first = np.searchsorted(series.t_us, begins_us, side="left")
            last = np.searchsorted(series.t_us, stops_us, side="right")
            least = np.minimum(least, last - first)
            for index, (low, high) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
                if high > low:
                    # As `mean` has it, which takes four times as long to get there.
                    total_w[index] += float(np.add.reduce(series.value[low:high])) / (high - low)
        return [
            (watts, count) if count > 0 else (None, 0)
            for watts, count in zip(total_w, least.tolist(), strict=True)
        ]

    def temperatures(self, at_us: IntArray) -> list[float | None]:
        """Between the two readings around, where they are no further apart than two periods."""
        reach_us = _reach_us(self._energy, TEMPERATURE)
        known = np.ones(len(at_us), dtype=np.bool_)
        found_c = np.zeros((len(at_us), len(self._energy.gpus)))
        for column, series in enumerate(self._of(TEMPERATURE)):
            if not len(series):
                return [None] * len(at_us)
            after = np.searchsorted(series.t_us, at_us)
            right = np.clip(after, 1, max(1, len(series) - 1))
            apart_us = series.t_us[right % len(series)] - series.t_us[right - 1]
            known &= (after > 0) & (after < len(series)) & (apart_us <= reach_us)
            found_c[:, column] = np.interp(at_us, series.t_us, series.value)
        return [
            float(np.mean(row)) if told else None
            for told, row in zip(known.tolist(), found_c, strict=True)
        ]

    def held(self, at_us: IntArray) -> list[bool | None]:
        """Whether the power limit held any of them down, by the readings nearest to the moment."""
        reach_us = _reach_us(self._energy, THROTTLE)
        known, bits = nearest(self._of(THROTTLE), at_us, reach_us)
        held = bits.astype(np.int64) & POWER_CAP
        return [
            bool(row.any()) if told else None
            for told, row in zip(known.tolist(), held, strict=True)
        ]

    def _of(self, field: str) -> list[Series]:
        return [self._energy.series(gpu.host, gpu.uuid, field) for gpu in self._energy.gpus]


def _reach_us(energy: RunEnergy, field: str) -> int:
    gpu = energy.gpus[0]
    return int(EDGE_PERIODS * energy.sampling_us(gpu.host, gpu.uuid, field))


def nearest(
    all_series: Sequence[Series], at_us: IntArray, reach_us: int
) -> tuple[NDArray[np.bool_], FloatArray]:
    """Which moments every one of the series has a reading near, and the nearest of each.

    Shapes (n,) and (n, series); of two that are as near the earlier, of several of one moment the
    first.
    """
    known = np.ones(len(at_us), dtype=np.bool_)
    found = np.zeros((len(at_us), len(all_series)))
    for column, series in enumerate(all_series):
        if not len(series):
            return np.zeros(len(at_us), dtype=np.bool_), found
        t_us = series.t_us
        right = np.clip(np.searchsorted(t_us, at_us), 0, len(t_us) - 1)
        left = np.maximum(right - 1, 0)
        earlier = np.abs(t_us[left] - at_us) <= np.abs(t_us[right] - at_us)
        place = np.searchsorted(t_us, t_us[np.where(earlier, left, right)])
        known &= np.abs(t_us[place] - at_us) <= reach_us
        found[:, column] = series.value[place]
    return known, found


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


def _board(energy: RunEnergy) -> str:
    return " and ".join(sorted({gpu.name for gpu in energy.gpus}))


def _point(run: Run) -> str:
    git = run.provenance.get("git")
    commit = git.get("commit") if isinstance(git, Mapping) else None
    told = json.dumps([point_key(run), None if commit is None else str(commit)])
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
        lambda one: one.point,
        shown=False,
    ),
    _OF.count("reading", "reading", "Its place in the run, from 0.", lambda one: one.number),
    _OF.text("board", "board", "Product of the working GPUs.", lambda one: one.board),
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

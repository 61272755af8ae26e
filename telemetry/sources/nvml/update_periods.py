"""Update periods: how often a board's readings change and what a call costs, by asking."""

import statistics
import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import pynvml

from telemetry.boards.sensor_timing import POWER_SAMPLE
from telemetry.clock import US_PER_S, monotonic_us
from telemetry.sources.nvml.library import ask_nvml
from telemetry.sources.nvml.queries import CALLS, ENERGY, FIELD_VALUES

# A dozen updates of a sensor of 100 ms, and six of one of 200 ms, the slowest seen on an H200.
PROBE_S: Final = 1.2
# A twentieth of the 100 ms in which most sensors change.
_STEP_S: Final = 0.005
# The counter's call takes 3 ms on an H200 and would fill every step.
_ENERGY_STEPS: Final = 4
# Fewer changes are no period: a clock that never moved says nothing.
_LEAST_CHANGES: Final = 5
# Steps that have nothing to do with a period lie a quarter of it from its multiples on average.
_FIT: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class UpdatePeriod:
    """How one reading moved while it was looked at."""

    update_us: int | None
    """Time between two updates; None when it changed too seldom to tell."""
    changes: int
    """Changes of its value that were seen; of a buffer, steps between its samples."""
    call_us: float
    """Median time that a call took; 0 for a buffer."""
    cpu_us: float
    """CPU time that a call took, its mean."""

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form that stands in the record."""
        return asdict(self)


class _Track:
    """Calls for one reading, or for several that one call gives."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.changes_us: dict[str, list[int]] = {}
        self.calls_us: list[int] = []
        self.cpu_s = 0.0

    def look(self, call: Any) -> None:
        """Ask once and note what has changed."""
        start_us, start_cpu_s = monotonic_us(), time.thread_time()
        values, reason = ask_nvml(call)
        self.cpu_s += time.thread_time() - start_cpu_s
        self.calls_us.append(monotonic_us() - start_us)
        if reason is not None:
            return
        for name, value in values.items():
            if name in self.values and self.values[name] != value:
                self.changes_us.setdefault(name, []).append(start_us)
            self.values[name] = value

    def period(self, name: str) -> UpdatePeriod:
        """What was seen of one reading."""
        changes_us = self.changes_us.get(name, [])
        return UpdatePeriod(
            update_us=update_us(changes_us),
            changes=len(changes_us),
            call_us=statistics.median(self.calls_us),
            cpu_us=round(self.cpu_s * US_PER_S / len(self.calls_us), 1),
        )


def measure_update_periods(
    handle: Any, wanted: Container[str], probe_s: float = PROBE_S
) -> dict[str, UpdatePeriod]:
    """Ask one board as fast as is sensible for `probe_s`, and what that told of each reading."""
    calls: list[tuple[tuple[str, ...], Any]] = [
        (call.names, lambda call=call: dict(zip(call.names, call.read(handle), strict=True)))
        for call in CALLS
    ]
    calls += [((name,), lambda name=name: _field_value(handle, name)) for name in FIELD_VALUES]
    calls = [entry for entry in calls if any(name in wanted for name in entry[0])]
    tracks = {names: _Track() for names, _ in calls}
    energy = _Track()
    end_s = time.monotonic() + probe_s
    step = 0
    while (now_s := time.monotonic()) < end_s:
        for names, call in calls:
            tracks[names].look(call)
        if ENERGY in wanted and step % _ENERGY_STEPS == 0:
            energy.look(lambda: {ENERGY: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)})
        step += 1
        time.sleep(max(0.0, now_s + _STEP_S - time.monotonic()))
    periods = {
        name: track.period(name)
        for names, track in tracks.items()
        for name in names
        if name in wanted
    }
    if energy.calls_us:
        periods[ENERGY] = energy.period(ENERGY)
    if POWER_SAMPLE in wanted and (buffered := _buffer_period(handle)) is not None:
        periods[POWER_SAMPLE] = buffered
    return periods


def update_us(changes_us: Sequence[int]) -> int | None:
    """The period whose multiples lie between the changes: an update may bring the same value.

    One late look makes a short step and a long one, so the shortest step is no period: the longest
    period that the steps fit on average is taken. None when there are too few changes.
    """
    if len(changes_us) < _LEAST_CHANGES:
        return None
    steps_us = [after - before for before, after in pairwise(changes_us)]
    candidates_us = sorted({step / part for step in steps_us for part in (1, 2, 3)}, reverse=True)
    misfits = [_misfit(steps_us, period_us) for period_us in candidates_us]
    fitting = (
        period for period, misfit in zip(candidates_us, misfits, strict=True) if misfit <= _FIT
    )
    period_us = next(fitting, candidates_us[misfits.index(min(misfits))])
    return sum(steps_us) // sum(_updates(step, period_us) for step in steps_us)


def _updates(step_us: int, period_us: float) -> int:
    return max(1, round(step_us / period_us))


def _misfit(steps_us: Sequence[int], period_us: float) -> float:
    """How far steps lie from whole multiples of a period on average, in periods."""
    return statistics.fmean(abs(step / period_us - _updates(step, period_us)) for step in steps_us)


def read_update_periods(content: Mapping[str, Mapping[str, Any]]) -> dict[str, UpdatePeriod]:
    """The update periods that an earlier watcher of the node measured."""
    return {name: UpdatePeriod(**period) for name, period in content.items()}


def _field_value(handle: Any, name: str) -> dict[str, float]:
    value = pynvml.nvmlDeviceGetFieldValues(handle, [FIELD_VALUES[name][0]])[0]
    if value.nvmlReturn != pynvml.NVML_SUCCESS:
        raise pynvml.NVMLError(value.nvmlReturn)
    return {name: value.value.ullVal}


def _buffer_period(handle: Any) -> UpdatePeriod | None:
    """The time between two samples of a buffer; None when there are too few."""
    answer, reason = ask_nvml(
        pynvml.nvmlDeviceGetSamples, handle, pynvml.NVML_TOTAL_POWER_SAMPLES, 0
    )
    if reason is not None:
        return None
    stamps = sorted(sample.timeStamp for sample in answer[1] if sample.timeStamp)
    steps_us = [after - before for before, after in pairwise(stamps) if after > before]
    if len(steps_us) < _LEAST_CHANGES:
        return None
    return UpdatePeriod(
        update_us=int(statistics.median(steps_us)), changes=len(steps_us), call_us=0.0, cpu_us=0.0
    )

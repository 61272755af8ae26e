"""Held: what kept a run's GPUs from their own pace, and whether a cap that was asked for acted.

None is an answer of its own here: the record does not tell.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from analysis.energy.curves import EDGE_PERIODS
from analysis.energy.gpu_energy import Gpu
from analysis.energy.gpu_state import HOLDS, POWER_CAP, SM_CLOCK, THROTTLE
from analysis.energy.phase_spans import OwnPhase, own_phases
from analysis.energy.run_energy import RunEnergy
from analysis.runs.series import Series
from telemetry.clock import US_PER_S
from telemetry.power.wish import Wish, switches
from telemetry.record.spec import CAP_FIELDS

# A tenth of the share of time that a window's energy is told apart by between repeats (some 10 %
# of clock over 10 % of time are 1 % of energy): less is lost among the sensors' own errors.
_HELD_SHARE: Final = 0.01
# With fewer readings than this of those that were due, the rest of the window may have been held.
_KNOWN_SHARE: Final = 0.5
# Readings of power scatter by some per cent around a cap that binds (arXiv 2312.02741 has 5 % of
# gain between boards, and a board's own regulation keeps its own sensor at the cap).
_NEAR_CAP: Final = 0.02
# NVML sets milliwatts, DCGM and nvidia-smi whole watts.
_SAME_LIMIT_W: Final = 0.5
_LIMIT: Final = "power_limit_w"
# NVIDIA's clocks come in steps of 15 MHz: a lock is rounded to one.
_CLOCK_STEP_MHZ: Final = 15.0


def throttled(run_energy: RunEnergy) -> bool | None:
    """Whether something that nobody asked for held a GPU's clock down in the window.

    A power cap that the spec asks for is no throttling, the board's own limit is. None: too few
    readings tell.
    """
    asked = any(getattr(run_energy.run.spec, name) is not None for name in CAP_FIELDS)
    bits = sum(bit for bit in HOLDS if not (asked and bit == POWER_CAP))
    known = True
    for gpu in run_energy.gpus:
        inside, due = _inside(run_energy, gpu, THROTTLE)
        held = (inside.value.astype(np.int64) & bits) != 0
        if len(held) and float(np.mean(held)) > _HELD_SHARE:
            return True
        known = known and len(held) >= max(1.0, _KNOWN_SHARE * due)
    return False if known and run_energy.gpus else None


def cap_bound(run_energy: RunEnergy) -> bool | None:
    """Whether the cap that the spec asks for was in force and met on every working GPU.

    Where phases have caps of their own, each of them in its phase. Without one it is True: there is
    none to miss. None: the record does not tell.
    """
    if switches(run_energy.run.spec):
        return _in_all_phases(run_energy, cap_bound_in)
    cap_w = Wish.of(run_energy.run.spec).power_cap_w
    if cap_w is None:
        return True
    known = bool(run_energy.gpus)
    for gpu in run_energy.gpus:
        limits_w = _limits_w(run_energy, gpu)
        if any(abs(limit_w - cap_w) > _SAME_LIMIT_W for limit_w in limits_w):
            return False
        field, _ = run_energy.power_series(gpu.host, gpu.uuid)
        power, _ = _inside(run_energy, gpu, field)
        near = np.abs(power.value - cap_w) <= _NEAR_CAP * cap_w
        if len(power) and not near.any():
            return False
        known = known and bool(limits_w) and len(power) > 0
    return True if known else None


def clock_held(run_energy: RunEnergy) -> bool | None:
    """Whether every working GPU kept the clock that the spec asks for through the window.

    1980 MHz that were asked for are 1830 MHz on an H200 at work (arXiv 2605.11999): what counts is
    what was read. Where phases have locks of their own, each of them in its phase. Without a lock
    it is True. None: too few readings tell.
    """
    if switches(run_energy.run.spec):
        return _in_all_phases(run_energy, clock_held_in)
    asked_mhz = Wish.of(run_energy.run.spec).sm_clock_mhz
    if asked_mhz is None:
        return True
    known = bool(run_energy.gpus)
    for gpu in run_energy.gpus:
        inside, due = _inside(run_energy, gpu, SM_CLOCK)
        off = np.abs(inside.value - asked_mhz) > _CLOCK_STEP_MHZ
        if len(off) and float(np.mean(off)) > _HELD_SHARE:
            return False
        known = known and len(off) >= max(1.0, _KNOWN_SHARE * due)
    return True if known else None


def cap_bound_share(run_energy: RunEnergy) -> float | None:
    """Share of the window's readings at which a power limit held a clock: the most of all GPUs.

    It is the share of time where readings come evenly, as a watcher takes them. None: too few
    readings tell.
    """
    shares = []
    for gpu in run_energy.gpus:
        inside, due = _inside(run_energy, gpu, THROTTLE)
        if len(inside) < max(1.0, _KNOWN_SHARE * due):
            return None
        shares.append(float(np.mean((inside.value.astype(np.int64) & POWER_CAP) != 0)))
    return max(shares, default=None)


def _in_all_phases(
    run_energy: RunEnergy, holds: Callable[[RunEnergy, Gpu, OwnPhase], bool | None]
) -> bool | None:
    """False where a phase of a GPU says so, else None where one does not tell."""
    said: list[bool | None] = []
    for gpu in run_energy.gpus:
        phases = own_phases(run_energy, gpu)
        said += [None] if phases is None else [holds(run_energy, gpu, one) for one in phases]
    if False in said:
        return False
    return None if None in said or not said else True


def cap_bound_in(run_energy: RunEnergy, gpu: Gpu, phase: OwnPhase) -> bool | None:
    """Whether a phase's own cap was in force and met on a GPU; as `cap_bound`."""
    cap_w = phase.wish.power_cap_w
    if cap_w is None:
        return True
    limits_w = phase.values(run_energy, gpu, _LIMIT)
    if not switches(run_energy.run.spec):
        # It is told anew where it changes: within a phase there need be no word of it.
        limits_w = np.array(_limits_w(run_energy, gpu))
    if (np.abs(limits_w - cap_w) > _SAME_LIMIT_W).any():
        return False
    field, _ = run_energy.power_series(gpu.host, gpu.uuid)
    power_w = phase.values(run_energy, gpu, field)
    if len(power_w) and not (np.abs(power_w - cap_w) <= _NEAR_CAP * cap_w).any():
        return False
    # The inventory's limit is of before the run: it says nothing of a phase that was switched to.
    return True if len(limits_w) and len(power_w) else None


def clock_held_in(run_energy: RunEnergy, gpu: Gpu, phase: OwnPhase) -> bool | None:
    """Whether a GPU kept a phase's own clock; as `clock_held`."""
    asked_mhz = phase.wish.sm_clock_mhz
    if asked_mhz is None:
        return True
    read_mhz = phase.values(run_energy, gpu, SM_CLOCK)
    off = np.abs(read_mhz - asked_mhz) > _CLOCK_STEP_MHZ
    if len(off) and float(np.mean(off)) > _HELD_SHARE:
        return False
    return True if enough_in(run_energy, gpu, phase, SM_CLOCK) else None


def enough_in(run_energy: RunEnergy, gpu: Gpu, phase: OwnPhase, field: str) -> bool:
    """Whether as many readings of a field lie in a phase as tell of all of it."""
    period_us = run_energy.sampling_us(gpu.host, gpu.uuid, field)
    due = sum(end_us - start_us for start_us, end_us in phase.windows_us) / period_us
    return len(phase.values(run_energy, gpu, field)) >= max(1.0, _KNOWN_SHARE * due)


def _inside(run_energy: RunEnergy, gpu: Gpu, field: str) -> tuple[Series, float]:
    """The readings that tell of the window, and how many were due in it."""
    start_us, end_us = run_energy.window_us
    period_us = run_energy.sampling_us(gpu.host, gpu.uuid, field)
    series = run_energy.series(gpu.host, gpu.uuid, field)
    inside = series.holding(start_us, end_us, int(EDGE_PERIODS * period_us))
    return inside, run_energy.duration_s * US_PER_S / period_us


def _limits_w(run_energy: RunEnergy, gpu: Gpu) -> list[float]:
    """Limits in force in the window; without a reading that which the inventory had before."""
    inside, _ = _inside(run_energy, gpu, _LIMIT)
    if len(inside):
        return [float(value) for value in np.unique(inside.value)]
    record = run_energy.run.hosts.get(gpu.host, {})
    for entry in record.get("gpus") or ():
        limit_w = entry.get(_LIMIT)
        if entry.get("uuid") == gpu.uuid and isinstance(limit_w, int | float):
            return [float(limit_w)]
    return []

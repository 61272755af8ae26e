"""Power checks: can a board of its kind have drawn what it is said to have?

They hold a record against what is known of boards from elsewhere: where all witnesses of a run are
falsified alike, nothing within it can contradict them. What stays in these bounds, a signature of
whoever measured must vouch for.
"""

from typing import Any, Final

import numpy as np

from analysis.audit.check import Case, Check, Finding, Severity, judged, skipped, unseen
from analysis.energy.board_power import board_limit_w, board_row, limit_in_force_w
from analysis.energy.curves import Curve
from analysis.energy.gpu_energy import Gpu
from analysis.energy.gpu_state import THROTTLE
from analysis.runs.series import FloatArray
from telemetry.boards.sensor_timing import COUNTER as COUNTER_FIELD
from telemetry.boards.sensor_timing import POWER_FIELDS
from telemetry.clock import US_PER_S

# A board holds its limit on average, not at every instant; sensors err by 5 % (arXiv 2312.02741).
LIMIT_TOLERANCE: Final = 0.05
# For moments a board passes its limit: to 1.34 of it over 20 ms, and to 1.07 over a prefill of half
# a second, in 26 recorded runs on H200.
MOMENT_TOLERANCE: Final = 0.35
_MOMENT_S: Final = 1.0
# Drivers round a limit to whole watts.
CAP_TOLERANCE_W: Final = 1.0
# The lowest second of 26 recorded runs on three H200 is 77 to 79 W; that a board takes half of what
# others of its kind take at rest, no reading was found of.
_REST_SHARE: Final = 0.5
# HBM runs at up to 4000 MHz and GDDR from 5000 MHz on (telemetry/boards): boards of the latter kind
# slow it down at rest, and their makers choose how far.
_MOST_HBM_MHZ: Final = 5_000.0
# Bit of NVML's clocks event reasons (nvml.h): the software power cap holds the clock down.
_POWER_CAP_BIT: Final = 0x4
# What is held that long by its cap draws 0.78 of it at least on any GPU of 26 recorded runs: the
# cap looks at shorter times than a mean does.
_HELD_SHARE: Final = 0.9
_HELD_POWER_SHARE: Final = 0.6
_LEAST_HELD: Final = 3
# NVML tells power in mW and energy in mJ (nvml.h), and so does DCGM by it; as doubles they are off
# by less than this share of a digit.
_DIGIT: Final = 1e-3
_DIGIT_ERROR: Final = 0.01
# Sources whose readings are the driver's own numbers.
_BY_DRIVER: Final = frozenset({"nvml", "dcgm"})


def power_plausible(case: Case) -> Finding:
    """Mean power of every working GPU, and in each phase, lies between idle power and limit.

    A window may be so short that the sensor's timing leaves more open: what its ± holds is allowed.
    """
    run_energy = case.run_energy
    if run_energy.method is None:
        return unseen(run_energy.energy.reason or "no energy")
    entries = _entries(case)
    faults = []
    powers = []
    unlimited = []
    for gpu in run_energy.gpus:
        power = gpu.energy(run_energy.method, run_energy.window_us).over(run_energy.duration_s)
        assert power.value is not None
        width_w = power.plus_minus or 0.0
        powers.append(power.value)
        entry = entries.get(gpu.uuid, {})
        limit_w, board_w = _limit_w(case, gpu, entry), board_limit_w(entry)
        if limit_w is None:
            unlimited.append(gpu.uuid)
        elif power.value - width_w > _allowed_w(limit_w, run_energy.duration_s):
            faults.append(
                f"{gpu.uuid}: mean {power.value:.1f} ± {width_w:.1f} W above its limit of "
                f"{limit_w:g} W"
            )
        told_w = entry.get("power_limit_w")
        if board_w is not None and isinstance(told_w, int | float) and told_w > board_w + 1.0:
            faults.append(f"{gpu.uuid}: a limit of {told_w:g} W, its board takes {board_w:g} W")
        idle = gpu.idle_power
        if idle.value is not None:
            idle_w = (idle.value - (idle.plus_minus or 0.0)) * (1 - LIMIT_TOLERANCE)
            if power.value + width_w < idle_w:
                faults.append(
                    f"{gpu.uuid}: mean {power.value:.1f} W at work, {idle.value:.1f} W at rest"
                )
        faults += _phases_above(case, gpu, limit_w)
    if unlimited and not faults:
        return unseen(f"{unlimited[0]}: no power limit is known of it")
    return judged(faults, f"mean {min(powers):.1f} to {max(powers):.1f} W a GPU")


def rests_as_its_kind(case: Case) -> Finding:
    """The lowest second of every real GPU's power is what boards of its kind take at rest."""
    faults = []
    seen = []
    unknown = []
    for gpu in (*case.run_energy.gpus, *case.run_energy.idle_gpus):
        entry = _entries(case).get(gpu.uuid, {})
        row = board_row(entry)
        if entry.get("simulated") or row is None or row.idle_w is None:
            continue
        if row.max_memory_clock_mhz is None or row.max_memory_clock_mhz >= _MOST_HBM_MHZ:
            continue
        lowest_w = _lowest_second_w(gpu)
        if lowest_w is None:
            unknown.append(gpu.uuid)
            continue
        seen.append(lowest_w)
        if lowest_w < _REST_SHARE * row.idle_w:
            faults.append(
                f"{gpu.uuid}: {lowest_w:.1f} W in its lowest second, boards of its kind take "
                f"{row.idle_w:g} W at rest"
            )
    if not seen:
        if unknown:
            return unseen(f"{unknown[0]}: no power was read for a second")
        return skipped("of no GPU is known what its kind takes at rest")
    return judged(faults, f"lowest second {min(seen):.1f} W or more")


def held_near_its_cap(case: Case) -> Finding:
    """A GPU that its power cap held down all along drew near the cap."""
    run_energy = case.run_energy
    if run_energy.method is None:
        return unseen(run_energy.energy.reason or "no energy")
    faults = []
    held = 0
    for gpu in run_energy.gpus:
        bits = run_energy.series(gpu.host, gpu.uuid, THROTTLE).between(*run_energy.window_us).value
        limit_w = _limit_w(case, gpu, _entries(case).get(gpu.uuid, {}))
        if len(bits) < _LEAST_HELD or limit_w is None or gpu.sensor.gain_share == 0:
            continue
        if float(np.mean((bits.astype(np.int64) & _POWER_CAP_BIT) != 0)) < _HELD_SHARE:
            continue
        held += 1
        power = gpu.energy(run_energy.method, run_energy.window_us).over(run_energy.duration_s)
        assert power.value is not None
        if power.value + (power.plus_minus or 0.0) < _HELD_POWER_SHARE * limit_w:
            faults.append(
                f"{gpu.uuid}: mean {power.value:.1f} W, while its cap of {limit_w:g} W held it down"
            )
    if not held:
        return skipped("no GPU was held by its power cap all along")
    return judged(faults, f"{held} GPUs were held by their cap and drew near it")


def digits_are_the_drivers(case: Case) -> Finding:
    """Real power and counters have no digit finer than the driver gives: mW and mJ."""
    faults: list[str] = []
    looked = 0
    for gpu in (*case.run_energy.gpus, *case.run_energy.idle_gpus):
        if not _driver_reads(case, gpu):
            continue
        for field in (*POWER_FIELDS, COUNTER_FIELD):
            value = case.run_energy.series(gpu.host, gpu.uuid, field).value
            looked, faults = _look_at_digits(value, f"{gpu.uuid}, {field}", looked, faults)
        for rank in case.run_energy.ranks:
            if rank.gpu_uuid == gpu.uuid:
                own = np.concatenate((rank.energy_start_j, rank.energy_end_j))
                where = f"rank {rank.rank}'s counter"
                looked, faults = _look_at_digits(own[np.isfinite(own)], where, looked, faults)
    if not looked:
        return skipped("no reading comes from NVIDIA's driver")
    return judged(faults, f"{looked} readings in whole mW and mJ")


def cap_in_force(case: Case) -> Finding:
    """The power limit in force on every GPU is the one asked for."""
    asked = case.run.spec.power_cap_w
    if asked is None:
        return skipped("no power cap was asked for")
    faults = []
    for gpu in case.run_energy.gpus:
        readings = case.run_energy.series(gpu.host, gpu.uuid, "power_limit_w")
        # A limit is read seldom: any reading before the window may be the one in force.
        inside = readings.holding(*case.run_energy.window_us, case.run_energy.window_us[0]).value
        told = _entries(case).get(gpu.uuid, {}).get("power_limit_w")
        seen = {float(value) for value in inside} or ({float(told)} if told is not None else set())
        if not seen:
            faults.append(f"{gpu.uuid}: no limit is on record")
        faults += [
            f"{gpu.uuid}: {asked:g} W asked for, {limit:g} W in force"
            for limit in sorted(seen)
            if abs(limit - asked) > CAP_TOLERANCE_W
        ]
    return judged(faults, f"{asked:g} W on {len(case.run_energy.gpus)} GPUs")


def _entries(case: Case) -> dict[str, dict[str, Any]]:
    """The inventories' entries by UUID."""
    return {
        str(gpu["uuid"]): gpu for host in case.run.hosts.values() for gpu in host.get("gpus", [])
    }


def _limit_w(case: Case, gpu: Gpu, entry: dict[str, Any]) -> float | None:
    """The highest limit that was in force in the window, but none that the board does not take."""
    readings = case.run_energy.series(gpu.host, gpu.uuid, "power_limit_w")
    inside = readings.holding(*case.run_energy.window_us, case.run_energy.window_us[0]).value
    most_w = board_limit_w(entry)
    if not len(inside):
        return limit_in_force_w(entry)
    return float(inside.max()) if most_w is None else min(float(inside.max()), most_w)


def _phases_above(case: Case, gpu: Gpu, limit_w: float | None) -> list[str]:
    if limit_w is None:
        return []
    return [
        f"rank {row.rank}, {row.phase}: mean {power.value:.1f} W above its limit of {limit_w:g} W"
        for row in case.run_energy.phases
        if row.gpu_uuid == gpu.uuid and row.rank is not None and row.seconds > 0
        for power in [row.energy.over(row.seconds)]
        if power.value is not None
        and power.value - (power.plus_minus or 0.0) > _allowed_w(limit_w, row.seconds / row.spans)
    ]


def _allowed_w(limit_w: float, seconds: float) -> float:
    """The most mean power of as long a time under a limit."""
    return limit_w * (1 + (LIMIT_TOLERANCE if seconds >= _MOMENT_S else MOMENT_TOLERANCE))


def _lowest_second_w(gpu: Gpu) -> float | None:
    """Least mean power of any second; None when neither power nor polls tell of one."""
    for curve in (gpu.power_integral, gpu.polled_counter):
        if not isinstance(curve, Curve) or curve.t_us[-1] - curve.t_us[0] < US_PER_S:
            continue
        starts_us = np.arange(curve.t_us[0], curve.t_us[-1] - US_PER_S + 1, US_PER_S // 2)
        means_w = curve.at(starts_us + US_PER_S) - curve.at(starts_us)
        return float(np.nanmin(means_w))
    return None


def _driver_reads(case: Case, gpu: Gpu) -> bool:
    """True when a GPU is real and its host's source asks NVIDIA's driver, itself or by DCGM."""
    entry = _entries(case).get(gpu.uuid, {})
    source = case.run.hosts.get(gpu.host, {}).get("source")
    known = source if isinstance(source, dict) else {}
    return not entry.get("simulated") and known.get("chosen", known.get("name")) in _BY_DRIVER


def _look_at_digits(
    value: FloatArray, where: str, looked: int, faults: list[str]
) -> tuple[int, list[str]]:
    """How many readings were looked at by then, and what was wrong with them."""
    digits = value / _DIGIT
    broken = np.abs(digits - np.round(digits)) > _DIGIT_ERROR
    if broken.any():
        first = float(value[np.argmax(broken)])
        told = f"{where}: {int(broken.sum())} of {len(value)} readings are finer than its driver "
        faults = [*faults, f"{told}tells, such as {first!r}"]
    return looked + len(value), faults


POWER_CHECKS: Final = (
    Check(
        name="power",
        claim="mean power is between idle and limit",
        severity=Severity.WRONG,
        rule=(
            "mean power of each GPU, and of each of its phases, lies between what "
            "it drew at rest and its limit"
        ),
        tolerance=(
            f"{LIMIT_TOLERANCE:.0%} and its ±; {MOMENT_TOLERANCE:.0%} for less than {_MOMENT_S:g} s"
        ),
        reason=(
            "sensors err by 5 % (arXiv 2312.02741); boards pass their limit for "
            "moments, to 1.34 of it in 26 recorded runs"
        ),
        rules_out="power that the board cannot draw, or that is below its own rest",
        look=power_plausible,
    ),
    Check(
        name="rest",
        claim="no board rests below its kind",
        severity=Severity.WRONG,
        rule=(
            "the lowest second of each real GPU's power is at least a share of what"
            " boards of its kind take at rest"
        ),
        tolerance=f"{_REST_SHARE:.0%} of it",
        reason=(
            "26 recorded runs lie at 77 to 79 W on H200; of a board at half of its "
            "kind's rest no reading was found"
        ),
        rules_out="all witnesses scaled down together, or watts taken off throughout",
        look=rests_as_its_kind,
    ),
    Check(
        name="held",
        claim="a board that its cap held drew near it",
        severity=Severity.WRONG,
        rule="a GPU that its power cap held down nearly all along drew near the cap",
        tolerance=(
            f"at least {_HELD_POWER_SHARE:.0%} of the cap, where held at "
            f"{_HELD_SHARE:.0%} of readings"
        ),
        reason="0.78 of the cap at least on any GPU of 26 recorded runs",
        rules_out="all witnesses scaled down together while the cap's own reason stayed",
        look=held_near_its_cap,
    ),
    Check(
        name="digits",
        claim="readings have the digits of their driver",
        severity=Severity.WRONG,
        rule=("real power and counters have no digit finer than the driver tells: mW and mJ"),
        tolerance=f"{_DIGIT_ERROR:g} of a digit",
        reason=("NVML tells mW and mJ in whole numbers (nvml.h); doubles are off by far less"),
        rules_out="readings that were multiplied and not rounded as the driver does",
        look=digits_are_the_drivers,
    ),
    Check(
        name="power-cap",
        claim="the cap asked for was in force",
        severity=Severity.WRONG,
        rule="the power limit in force on every GPU is the one asked for",
        tolerance=f"{CAP_TOLERANCE_W:g} W",
        reason="drivers round a limit to whole watts",
        rules_out="a cap that was asked for, told, and not in force",
        look=cap_in_force,
    ),
)
"""Checks of power against the board, in the audit's order."""

"""Energy checks: do they agree, sum up, and stay within what their sensors see?"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from analysis.audit.check import (
    SUM_TOLERANCE,
    Case,
    Check,
    Finding,
    failed,
    judged,
    passed,
    skipped,
)
from analysis.energy.curves import Curve
from analysis.energy.gpu_energy import Gpu
from analysis.energy.methods import POLLED_COUNTER, POWER_INTEGRAL, RANK_COUNTER, in_words
from analysis.energy.phase_energy import SHORT_PHASES
from analysis.energy.run_energy import RunEnergy
from analysis.energy.uncertain import gap_share
from analysis.tables.phases import phase_rows
from telemetry.boards.sensor_timing import COUNTER as COUNTER_FIELD
from telemetry.clock import US_PER_MS

# Most that the counter and the power integral may differ (github.com/SemiAnalysisAI/InferenceX,
# utils/aggregate_power.py, holds 5 %; zeus' author saw at most 1 %, github.com/ml-energy/zeus 12).
GAP_TOLERANCE: Final = 0.05
# Two readers of one counter differ by when they read it alone, which the uncertainty covers.
RANK_COUNTER_TOLERANCE: Final = 0.01
# Two energies that are uncertain by more than this agree whatever they are.
MOST_BLUR: Final = 0.15
# A board holds its limit on average, not at every instant; sensors err by 5 % (arXiv 2312.02741).
LIMIT_TOLERANCE: Final = 0.05
# Drivers round a limit to whole watts.
CAP_TOLERANCE_W: Final = 1.0
# Fewer changes of a counter in a window say nothing of its pace.
LEAST_CHANGES: Final = 5
# A poll that is a little slower than the sensor's updates now and then sees two at once.
PACE_TOLERANCE: Final = 1.5


def phases_sum(case: Case) -> Finding:
    """Each rank's phases sum to the energy between its first and last moment."""
    run_energy = case.run_energy
    if run_energy.method is None:
        return skipped(run_energy.energy.reason or "no energy")
    faults = []
    worst = 0.0
    method = run_energy.attribution.method
    for rank in run_energy.ranks:
        gpu = run_energy.gpu_of(rank)
        curve = None if gpu is None or method is None else gpu.curve(method)
        if gpu is None or method is None or not isinstance(curve, Curve):
            continue
        parts = [row.energy.value for row in run_energy.phases if row.rank == rank.rank]
        summed = math.fsum(part for part in parts if part is not None)
        start_us, end_us = rank.life_us
        if method == RANK_COUNTER:
            # It knows of nothing before its rank could first read.
            start_us = int(curve.t_us[0])
        whole = gpu.energy(method, (start_us, end_us))
        if whole.value is None:
            faults.append(f"rank {rank.rank}: {whole.reason}")
            continue
        error = abs(summed - whole.value) / max(abs(whole.value), 1e-9)
        worst = max(worst, error)
        if error > SUM_TOLERANCE:
            faults.append(
                f"rank {rank.rank}: phases sum to {summed:.3f} J, its life took {whole.value:.3f} J"
            )
    return judged(faults, f"largest relative error {worst:.1e}")


def counter_meets_power_integral(case: Case) -> Finding:
    """For every GPU the counter and the power integral tell the same energy."""
    run_energy = case.run_energy
    gpus = (*run_energy.gpus, *run_energy.idle_gpus)
    return _methods_agree(run_energy, gpus, POWER_INTEGRAL, GAP_TOLERANCE) or skipped(
        run_energy.gap.reason or "no GPU has both"
    )


def rank_counter_meets_polled_counter(case: Case) -> Finding:
    """For every GPU its rank counter and its polled counter tell the same energy."""
    run_energy = case.run_energy
    gpus = run_energy.gpus
    return _methods_agree(run_energy, gpus, RANK_COUNTER, RANK_COUNTER_TOLERANCE) or skipped(
        run_energy.rank_counter_gap.reason or "no GPU has both"
    )


def _methods_agree(
    run_energy: RunEnergy, gpus: Sequence[Gpu], method: str, tolerance: float
) -> Finding | None:
    """How far `method` lies from a counter, GPU by GPU; None when no GPU has both.

    The power integral is held against the best counter, the rank counter against the polled one.

    What the sensor's timing makes uncertain is allowed on top of `tolerance`, up to `MOST_BLUR`:
    windows may be short, and polls far apart.
    """
    words = in_words(method)
    reference = "counter" if method == POWER_INTEGRAL else in_words(POLLED_COUNTER)
    worst = 0.0
    faults = []
    blurred: list[str] = []
    compared = 0
    for gpu in gpus:
        counter = (
            gpu.best_counter(run_energy.window_us)
            if method == POWER_INTEGRAL
            else gpu.energy(POLLED_COUNTER, run_energy.window_us)
        )
        energy = gpu.energy(method, run_energy.window_us)
        gap = gap_share(counter, energy, names=(reference, words))
        if gap.value is None:
            continue
        blur = gap.plus_minus or 0.0
        if blur > MOST_BLUR:
            blurred.append(
                f"{gpu.uuid}: the {words} and the {reference} are uncertain by {blur:.0%}"
            )
            continue
        compared += 1
        worst = max(worst, gap.value, key=abs)
        most = tolerance + blur
        if abs(gap.value) > most:
            faults.append(
                f"{gpu.uuid}: the {words} is {gap.value:+.1%} off the {reference}, most {most:.1%}"
            )
    if not compared:
        return skipped(f"{blurred[0]}, at most {MOST_BLUR:.0%}") if blurred else None
    plural = "" if compared == 1 else "s"
    return judged(faults, f"largest difference {worst:+.2%} over {compared} GPU{plural}")


def idle_gpus_charged(case: Case) -> Finding:
    """Every GPU that the job held worked, or its energy is known and charged."""
    run_energy = case.run_energy
    held = len(run_energy.gpus) + len(run_energy.idle_gpus)
    if not held:
        return skipped("no rank has a GPU")
    if not run_energy.idle_gpus:
        return passed(f"all {held} allocated GPUs have a rank")
    idle, count = run_energy.idle_energy, len(run_energy.idle_gpus)
    if idle.value is None:
        return failed(f"{count} GPUs had no rank, and their energy is unknown: {idle.reason}")
    return passed(f"{count} of {held} GPUs had no rank and took {idle.value:.4g} J, charged")


def sensor_keeps_pace(case: Case) -> Finding:
    """Counters change as often as the sensor's update period that uncertainties rest on."""
    run_energy = case.run_energy
    faults = []
    seen = []
    for gpu in (*run_energy.gpus, *run_energy.idle_gpus):
        stated = [one for one in gpu.behaviours if one.field == COUNTER_FIELD]
        if not stated:
            continue
        inside = run_energy.series(gpu.host, gpu.uuid, COUNTER_FIELD).between(*run_energy.window_us)
        changed = inside.t_us[1:][np.diff(inside.value) != 0]
        if len(changed) < LEAST_CHANGES:
            continue
        period_us = float(np.median(np.diff(changed)))
        seen.append(period_us)
        allowed_us = max(stated[0].update_us, stated[0].sampling_us)
        if period_us > PACE_TOLERANCE * allowed_us:
            faults.append(
                f"{gpu.uuid}: its counter changed every {period_us / US_PER_MS:.0f} ms, "
                f"uncertainties rest on {allowed_us / US_PER_MS:.0f} ms"
            )
    if not seen:
        return skipped("no counter changed often enough in the window to tell")
    known = all(gpu.sensor.known for gpu in run_energy.gpus)
    table = "" if known else "; a GPU is in no table, taken as slow as the slowest"
    return judged(faults, f"counters changed every {max(seen) / US_PER_MS:.0f} ms or less{table}")


def short_phases_say_so(case: Case) -> Finding:
    """No phase that is too short for its GPU's sensor carries a number, and every number a ±."""
    run_energy = case.run_energy
    if run_energy.method is None:
        return skipped(run_energy.energy.reason or "no energy")
    spans = {str(rank.rank): rank for rank in run_energy.ranks}
    rows = case.written_rows("phases") or [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in phase_rows(run_energy)
    ]
    faults = []
    withheld = 0
    for row in rows:
        rank = spans.get(row["rank"])
        gpu = None if rank is None else run_energy.gpu_of(rank)
        if rank is None or gpu is None or row["phase"] == SHORT_PHASES:
            continue
        where = f"rank {rank.rank}, {row['phase']}"
        seconds = rank.seconds(rank.of(row["phase"]))
        if not row["energy_j"]:
            withheld += 1
            if not row["reason"]:
                faults.append(f"{where} has no energy and no reason")
        elif not row["energy_uncertainty_j"]:
            faults.append(f"{where} has an energy and no uncertainty")
        elif not gpu.attributable(run_energy.attribution.method, seconds):
            shortness = gpu.shortness(run_energy.attribution.method, seconds)
            faults.append(f"{where} has an energy, but is {shortness}")
    return judged(faults, f"{len(rows)} phases, {withheld} not attributable or without a reading")


def power_plausible(case: Case) -> Finding:
    """Mean power of every working GPU lies between its idle power and its limit."""
    run_energy = case.run_energy
    if run_energy.method is None:
        return skipped(run_energy.energy.reason or "no energy")
    limits = {
        gpu["uuid"]: gpu.get("power_limit_w")
        for host in case.run.hosts.values()
        for gpu in host.get("gpus", [])
    }
    faults = []
    powers = []
    for gpu in run_energy.gpus:
        energy_j = gpu.energy(run_energy.method, run_energy.window_us).value
        assert energy_j is not None
        power_w = energy_j / run_energy.duration_s
        powers.append(power_w)
        limit_w = limits.get(gpu.uuid)
        if limit_w is not None and power_w > float(limit_w) * (1 + LIMIT_TOLERANCE):
            faults.append(f"{gpu.uuid}: mean {power_w:.1f} W above its limit of {limit_w:g} W")
        idle_w = gpu.idle_power.value
        if idle_w is not None and power_w < idle_w * (1 - LIMIT_TOLERANCE):
            faults.append(f"{gpu.uuid}: mean {power_w:.1f} W at work, {idle_w:.1f} W at rest")
    return judged(faults, f"mean {min(powers):.1f} to {max(powers):.1f} W a GPU")


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
        seen = {float(value) for value in inside} or _stated_limits(case, gpu.uuid)
        if not seen:
            faults.append(f"{gpu.uuid}: no limit is on record")
        faults += [
            f"{gpu.uuid}: {asked:g} W asked for, {limit:g} W in force"
            for limit in sorted(seen)
            if abs(limit - asked) > CAP_TOLERANCE_W
        ]
    return judged(faults, f"{asked:g} W on {len(case.run_energy.gpus)} GPUs")


def _stated_limits(case: Case, uuid: str) -> set[float]:
    return {
        float(gpu["power_limit_w"])
        for host in case.run.hosts.values()
        for gpu in host.get("gpus", [])
        if gpu["uuid"] == uuid and gpu.get("power_limit_w") is not None
    }


ENERGY_CHECKS: Final = (
    Check(name="phase-sum", claim="phase energies sum to the total", look=phases_sum),
    Check(
        name="short-phases",
        claim="no phase is told finer than its sensor sees",
        look=short_phases_say_so,
    ),
    Check(
        name="sensor",
        claim="sensors keep the pace that uncertainties rest on",
        look=sensor_keeps_pace,
    ),
    Check(
        name="power-integral",
        claim="counter and power integral agree",
        look=counter_meets_power_integral,
    ),
    Check(
        name="rank-counter",
        claim="rank counter and polled counter agree",
        look=rank_counter_meets_polled_counter,
    ),
    Check(
        name="idle-gpus", claim="GPUs that were held and idle are charged", look=idle_gpus_charged
    ),
    Check(name="power", claim="mean power is between idle and limit", look=power_plausible),
    Check(name="power-cap", claim="the cap asked for was in force", look=cap_in_force),
)
"""Checks of the energies, in the audit's order."""

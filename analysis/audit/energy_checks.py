"""Energy checks: do they sum up, and stay within what their sensors see?"""

import math
from typing import Final

import numpy as np

from analysis.audit.check import (
    SUM_TOLERANCE,
    Case,
    Check,
    Finding,
    Severity,
    failed,
    judged,
    passed,
    skipped,
    unseen,
)
from analysis.energy.curves import Curve
from analysis.energy.methods import RANK_COUNTER
from analysis.energy.phase_energy import SHORT_PHASES
from analysis.tables.phases import phase_rows
from telemetry.boards.sensor_timing import COUNTER as COUNTER_FIELD
from telemetry.clock import US_PER_MS

# Fewer changes of a reading in a window say nothing of its pace.
LEAST_CHANGES: Final = 5
# A poll that is a little slower than the sensor's updates now and then sees two at once.
PACE_TOLERANCE: Final = 1.5


def phases_sum(case: Case) -> Finding:
    """Each rank's phases sum to the energy between its first and last moment."""
    run_energy = case.run_energy
    if run_energy.method is None:
        return unseen(run_energy.energy.reason or "no energy")
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
    """Readings change as often as the sensor's update period that uncertainties rest on.

    The power of a modelled board, or of one that nothing works on, may stay the same.
    """
    run_energy = case.run_energy
    faults = []
    seen: list[str] = []
    for gpu in (*run_energy.gpus, *run_energy.idle_gpus):
        restless = gpu.rank is not None and not case.run.simulated
        for stated in gpu.behaviours:
            if stated.field != COUNTER_FIELD and not restless:
                continue
            series = run_energy.series(gpu.host, gpu.uuid, stated.field)
            inside = series.between(*run_energy.window_us)
            changed = inside.t_us[1:][np.diff(inside.value) != 0]
            if len(changed) < LEAST_CHANGES:
                continue
            period_us = float(np.median(np.diff(changed)))
            seen.append(f"{stated.field} changed every {period_us / US_PER_MS:.0f} ms")
            allowed_us = max(stated.update_us, stated.sampling_us)
            if period_us > PACE_TOLERANCE * allowed_us:
                faults.append(
                    f"{gpu.uuid}: {seen[-1]}, uncertainties rest on {allowed_us / US_PER_MS:.0f} ms"
                )
    if not seen:
        return skipped("no reading changed often enough in the window to tell")
    known = all(gpu.sensor.known for gpu in run_energy.gpus)
    table = "" if known else "; a GPU is in no table, taken as slow as the slowest"
    return judged(faults, f"{', '.join(dict.fromkeys(seen))}{table}")


def short_phases_say_so(case: Case) -> Finding:
    """No phase that is too short for its GPU's sensor carries a number, and every number a ±."""
    run_energy = case.run_energy
    if run_energy.method is None:
        return unseen(run_energy.energy.reason or "no energy")
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


ENERGY_CHECKS: Final = (
    Check(
        name="phase-sum",
        claim="phase energies sum to the total",
        severity=Severity.WRONG,
        rule=(
            "the energies of a rank's phases sum to its energy from its first moment to its last"
        ),
        tolerance=f"{SUM_TOLERANCE:g} of it",
        reason="thousands of differences of doubles lose far less",
        rules_out="energy that was moved out of a rank's phases, or counted twice",
        look=phases_sum,
    ),
    Check(
        name="short-phases",
        claim="no phase is told finer than its sensor sees",
        severity=Severity.WEAK,
        rule=(
            "every phase told in joules is long enough for its GPU's sensor and has"
            " its ±, every other a reason"
        ),
        tolerance="none",
        reason=("`analysis.energy` works out from the board's timing how short is too short"),
        rules_out="a number that no sensor of that board can have told",
        look=short_phases_say_so,
    ),
    Check(
        name="sensor",
        claim="sensors keep the pace that uncertainties rest on",
        severity=Severity.WEAK,
        rule=(
            "readings change, in the median, as often as the update period that their ± rests on"
        ),
        tolerance=f"{PACE_TOLERANCE:g} periods, of at least {LEAST_CHANGES} changes",
        reason=("a poll a little slower than the sensor sees two updates at once now and then"),
        rules_out="a ± that is told smaller than the sensor's pace allows",
        look=sensor_keeps_pace,
    ),
    Check(
        name="idle-gpus",
        claim="GPUs that were held and idle are charged",
        severity=Severity.WRONG,
        rule="each GPU that the job held worked, or its energy is known and charged",
        tolerance="none",
        reason="a GPU that is held and idle draws power too",
        rules_out="GPUs that a job held and nobody is charged for",
        look=idle_gpus_charged,
    ),
)
"""Checks of the energies, in the audit's order."""

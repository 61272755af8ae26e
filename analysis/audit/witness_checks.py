"""Witness checks: three readings of each GPU's energy, held against each other where they can be.

The watcher's polls of the counter may be half a minute apart, so they are compared from poll to
poll and not over the measured window: whoever falsifies one witness has to falsify all.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from analysis.audit.check import (
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
from analysis.audit.reading_checks import ASKED_KEY, MISSING_KEY, named_readings
from analysis.energy.board_power import board_limit_w
from analysis.energy.curves import COVERAGE_FACTOR, Curve
from analysis.energy.gpu_energy import Gpu
from analysis.energy.methods import POWER_INTEGRAL, RANK_COUNTER, in_words
from analysis.energy.run_energy import RunEnergy
from analysis.energy.uncertain import Uncertain, gap_share
from analysis.runs.rank_spans import RankSpans
from analysis.runs.series import FloatArray, IntArray
from telemetry.boards.sensor_timing import COUNTER as COUNTER_FIELD
from telemetry.boards.sensor_timing import POWER_FIELDS
from telemetry.clock import US_PER_S

# Most that the counter and the power integral may differ (github.com/SemiAnalysisAI/InferenceX,
# utils/aggregate_power.py, holds 5 %; zeus' author saw at most 1 %, github.com/ml-energy/zeus 12).
GAP_TOLERANCE: Final = 0.05
# The most that they differ by from the first poll to the last on any GPU of 21 recorded runs on
# H200 is 0.31 %, of which their timing is part.
POLL_TOLERANCE: Final = 0.003
# Two readers of one counter differ by when they read it alone; what lies between the two moments is
# told by power, whose gain differs from the counter's by no more.
RANK_COUNTER_TOLERANCE: Final = 0.01
# Two energies that are uncertain by more than this agree whatever they are.
MOST_BLUR: Final = 0.15
# Dozens of phases are compared at once: of so many a twentieth would lie outside k = 2.
_MANY: Final = 1.5
_TWO_POLLS: Final = 2


def counters_rise(case: Case) -> Finding:
    """No counter of any GPU went back, leapt or stood still, by either of its readers."""
    faults: list[str] = []
    curves = 0
    for gpu in (*case.run_energy.gpus, *case.run_energy.idle_gpus):
        series = case.run_energy.series(gpu.host, gpu.uuid, COUNTER_FIELD)
        # What was found so already at the source or by the merge is a null there.
        told = [f"{gpu.uuid}, polled counter: {reason}" for _, reason in series.breaks]
        for words, curve in (("polled", gpu.polled_counter), ("rank's", gpu.rank_counter)):
            if isinstance(curve, Curve):
                curves += 1
                told += [f"{gpu.uuid}, {words} counter: {one.reason}" for one in curve.breaks]
            elif curve.startswith("the counter "):
                told.append(f"{gpu.uuid}, {words} counter: {curve}")
        faults += dict.fromkeys(told)
    if not curves and not faults:
        return skipped("no GPU's counter was read")
    return judged(faults, f"{curves} counters never fell, leapt or stood")


def power_accounts_for_polls(case: Case) -> Finding:
    """For every GPU the power integral from the first poll to the last is what the counter rose."""
    run_energy = case.run_energy
    faults: list[str] = []
    blind: list[str] = []
    worst, compared = 0.0, 0
    for gpu in (*run_energy.gpus, *run_energy.idle_gpus):
        if dropped := _dropped(case, gpu):
            faults.append(
                f"{gpu.uuid}: its source was to read {dropped[0]}, but the record has no reading"
            )
            continue
        if (lacking := _lacking(gpu)) is not None:
            blind.append(f"{gpu.uuid}: {lacking}")
            continue
        gap = _gap_between_polls(run_energy, gpu)
        if gap.value is None:
            blind.append(f"{gpu.uuid}: {gap.reason}")
            continue
        told = _compare(gap, POLL_TOLERANCE, "power integral", "polled counter between its polls")
        if isinstance(told, Finding):
            (faults if told.outcome is failed("").outcome else blind).append(
                f"{gpu.uuid}: {told.evidence}"
            )
            continue
        compared += 1
        worst = max(worst, gap.value, key=abs)
    if faults:
        return judged(faults, "")
    if blind:
        return unseen(blind[0])
    if not compared:
        return skipped("no GPU has a counter")
    return passed(f"largest difference {worst:+.2%} over {_gpus(compared)}")


def counter_meets_power_integral(case: Case) -> Finding:
    """For every GPU the counter and the power integral tell the same energy of the window."""
    run_energy = case.run_energy
    faults: list[str] = []
    blind: list[str] = []
    worst, compared = 0.0, 0
    for gpu in (*run_energy.gpus, *run_energy.idle_gpus):
        counter = gpu.best_counter(run_energy.window_us)
        integral = gpu.energy(POWER_INTEGRAL, run_energy.window_us)
        gap = gap_share(counter, integral, names=("counter", in_words(POWER_INTEGRAL)))
        if gap.value is None:
            continue
        told = _compare(gap, GAP_TOLERANCE, "power integral", "counter")
        if isinstance(told, Finding):
            (faults if told.outcome is failed("").outcome else blind).append(
                f"{gpu.uuid}: {told.evidence}"
            )
            continue
        compared += 1
        worst = max(worst, gap.value, key=abs)
    if not faults and not compared:
        return unseen(blind[0]) if blind else skipped(run_energy.gap.reason or "no GPU has both")
    return judged(faults, f"largest difference {worst:+.2%} over {_gpus(compared)}")


def rank_counter_meets_polled_counter(case: Case) -> Finding:
    """Each poll of a counter is what its rank read next to it, and what was drawn between."""
    run_energy = case.run_energy
    faults: list[str] = []
    worst_j, polls = 0.0, 0
    for rank in run_energy.ranks:
        gpu = run_energy.gpu_of(rank)
        if gpu is None or not isinstance(gpu.rank_counter, Curve):
            continue
        apart_j, most_j = _reads_apart(run_energy, rank, gpu)
        if not len(apart_j):
            continue
        polls += len(apart_j)
        worst_j = max(worst_j, float(apart_j[np.argmax(np.abs(apart_j))]), key=abs)
        faults += [
            f"{gpu.uuid}: a poll of its counter is {apart_j[at]:+.1f} J off what rank "
            f"{rank.rank} read next to it, most {most_j[at]:.1f} J"
            for at in np.flatnonzero(np.abs(apart_j) > most_j)
        ]
    if not polls:
        return _no_two_readers(case)
    return judged(faults, f"largest difference {worst_j:+.1f} J over {polls} polls")


def phase_shares_agree(case: Case) -> Finding:
    """Of every rank and phase two witnesses tell the same energy."""
    run_energy = case.run_energy
    faults: list[str] = []
    worst, compared = 0.0, 0
    for rank in run_energy.ranks:
        gpu = run_energy.gpu_of(rank)
        counter = None if gpu is None else _own_counter(gpu)
        integral = None if gpu is None else gpu.power_integral
        if counter is None or not isinstance(integral, Curve):
            continue
        for phase in dict.fromkeys(rank.phase):
            chosen = rank.of(phase)
            spans_us = rank.start_us[chosen], rank.end_us[chosen]
            by_counter, by_power = counter.summed(*spans_us), integral.summed(*spans_us)
            if by_counter.value is None or by_power.value is None:
                continue
            apart_j = by_power.value - by_counter.value
            width_j = np.hypot(by_counter.plus_minus or 0.0, by_power.plus_minus or 0.0)
            most_j = _MANY * float(width_j) + GAP_TOLERANCE * abs(by_counter.value)
            compared += 1
            worst = max(worst, abs(apart_j) / most_j)
            if abs(apart_j) > most_j:
                faults.append(
                    f"rank {rank.rank}, {phase}: {by_power.value:.1f} J by power, "
                    f"{by_counter.value:.1f} J by the counter, most {most_j:.1f} J apart"
                )
    if not compared:
        return skipped("no rank's phases have two witnesses")
    return judged(faults, f"{compared} phases, at most {worst:.0%} of what may be")


def _compare(gap: Uncertain, tolerance: float, words: str, reference: str) -> Finding | None:
    """What is wrong with how far two witnesses lie apart; None for nothing.

    What the sensor's timing makes uncertain is allowed on top of `tolerance`, up to `MOST_BLUR`:
    beyond that they lie too far apart for anything, and nearer nobody knows.
    """
    assert gap.value is not None
    blur = gap.plus_minus or 0.0
    most = tolerance + min(blur, MOST_BLUR)
    if abs(gap.value) > most:
        return failed(f"the {words} is {gap.value:+.1%} off the {reference}, most {most:.1%}")
    if blur > MOST_BLUR:
        return unseen(
            f"the {words} and the {reference} are uncertain by {blur:.2%}, at most {MOST_BLUR:.0%}"
        )
    return None


def _gap_between_polls(run_energy: RunEnergy, gpu: Gpu) -> Uncertain:
    """How far power lies from the counter from the first poll that it reaches to the last."""
    polled, integral = gpu.polled_counter, gpu.power_integral
    assert isinstance(polled, Curve)
    assert isinstance(integral, Curve)
    t_us = run_energy.series(gpu.host, gpu.uuid, COUNTER_FIELD).t_us
    reached = t_us[np.isfinite(integral.at(t_us))]
    if len(reached) < _TWO_POLLS:
        return Uncertain.unknown("power was read between no two polls of the counter")
    ends_us = int(reached[0]), int(reached[-1])
    names = ("polled counter", in_words(POWER_INTEGRAL))
    return gap_share(polled.between(*ends_us), integral.between(*ends_us), names=names)


def _lacking(gpu: Gpu) -> str | None:
    """Why a GPU's polls and power cannot be compared; None when both are there."""
    for curve, words in (
        (gpu.polled_counter, "energy counter"),
        (gpu.power_integral, "power"),
    ):
        if isinstance(curve, str):
            return f"no {words}: {curve}"
    return None


def _dropped(case: Case, gpu: Gpu) -> list[str]:
    """The readings of power and counter that a GPU's source was to take, and nothing is left of.

    A reading that could not be had is a null with its reason, or its source says that it has none.
    """
    source = case.run.hosts.get(gpu.host, {}).get("source")
    asked = set(named_readings(source, ASKED_KEY))
    missing = set(named_readings(source, MISSING_KEY))
    unavailable = _entry(case.run_energy, gpu).get("unavailable")
    missing |= set(unavailable) if isinstance(unavailable, dict) else set()
    found = {
        field: case.run_energy.series(gpu.host, gpu.uuid, field)
        for field in (COUNTER_FIELD, *POWER_FIELDS)
    }
    return [
        field
        for field, series in found.items()
        if field in asked - missing and not len(series) and not series.nulls
    ]


def _reads_apart(run_energy: RunEnergy, rank: RankSpans, gpu: Gpu) -> tuple[FloatArray, FloatArray]:
    """How far each poll lies from the rank's next reading, and the most that it may, in joules.

    Both read one running total, so no difference of offsets is allowed for. Between the two moments
    lies what power tells, else anything from nothing to the board's limit.
    """
    own_us, own_j, width_us = _own_reads(rank)
    polls = run_energy.series(gpu.host, gpu.uuid, COUNTER_FIELD)
    curve = gpu.power_integral if isinstance(gpu.power_integral, Curve) else None
    seen_w = 0.0 if curve is None or curve.power_w is None else float(curve.power_w.max())
    limit_w = board_limit_w(_entry(run_energy, gpu)) or seen_w
    after = np.clip(np.searchsorted(own_us, polls.t_us), 1, len(own_us) - 1)
    earlier = polls.t_us - own_us[after - 1] <= own_us[after] - polls.t_us
    nearest = np.where(earlier, after - 1, after)
    from_us = own_us[nearest]
    # Nothing known but the limit: half of what it allows, give or take as much.
    drawn_j = 0.5 * limit_w * (polls.t_us - from_us) / US_PER_S
    open_j = np.abs(drawn_j)
    if curve is not None:
        told_j = curve.at(polls.t_us) - curve.at(from_us)
        left_j2 = np.zeros(len(polls))
        if curve.variance_j2 is not None:
            sums = (
                np.interp(t_us, curve.t_us, curve.variance_j2) for t_us in (polls.t_us, from_us)
            )
            left_j2 = np.abs(np.subtract(*sums))
        told_open_j = COVERAGE_FACTOR * np.sqrt(left_j2) + limit_w * curve.resolution_us / US_PER_S
        better = np.isfinite(told_j) & (told_open_j < open_j)
        drawn_j = np.where(better, told_j, drawn_j)
        open_j = np.where(better, told_open_j, open_j)
    # Each reading is late by up to an update of its own.
    update_us = gpu.sensor.timings[COUNTER_FIELD].update_us
    late_j = limit_w * (update_us + width_us[nearest]) / US_PER_S
    most_j = late_j + open_j + RANK_COUNTER_TOLERANCE * np.abs(drawn_j)
    return polls.value - own_j[nearest] - drawn_j, most_j


def _own_reads(rank: RankSpans) -> tuple[IntArray, FloatArray, IntArray]:
    """When a rank read its counter, what it read, and how wide that moment is; by time."""
    late_us = np.concatenate((rank.start_late_us, rank.end_late_us))
    t_us = np.concatenate((rank.start_us, rank.end_us)) + late_us // 2
    value_j = np.concatenate((rank.energy_start_j, rank.energy_end_j))
    known = np.flatnonzero(np.isfinite(value_j))
    order = known[np.argsort(t_us[known], kind="stable")]
    return t_us[order], value_j[order], late_us[order]


def _entry(run_energy: RunEnergy, gpu: Gpu) -> dict[str, Any]:
    """A GPU's entry in its host's inventory; empty when there is none."""
    held = run_energy.run.hosts.get(gpu.host, {}).get("gpus", [])
    return next((dict(one) for one in held if one.get("uuid") == gpu.uuid), {})


def _own_counter(gpu: Gpu) -> Curve | None:
    """A counter that needs no power to tell phases apart; None when the GPU has none."""
    if isinstance(gpu.rank_counter, Curve):
        return gpu.rank_counter
    polled = gpu.polled_counter
    return polled if isinstance(polled, Curve) and polled.strayed_j2 is None else None


def _no_two_readers(case: Case) -> Finding:
    gpus: Sequence[Gpu] = case.run_energy.gpus
    for gpu in gpus:
        own = isinstance(gpu.rank_counter, Curve)
        if own != isinstance(gpu.polled_counter, Curve) and not case.run.simulated:
            curve = gpu.polled_counter if own else gpu.rank_counter
            whose = "polled counter" if own else in_words(RANK_COUNTER)
            return unseen(f"{gpu.uuid}: no {whose}: {curve}")
    return skipped("no GPU has both")


def _gpus(count: int) -> str:
    return f"{count} GPU{'' if count == 1 else 's'}"


WITNESS_CHECKS: Final = (
    Check(
        name="counters",
        claim="energy counters never go back",
        severity=Severity.WRONG,
        rule=(
            "no energy counter, as watcher or rank read it, falls, leaps beyond "
            "what its board can draw, or stands still at work"
        ),
        tolerance="none beyond the counter's update",
        reason="a counter counts up, by the board's power",
        rules_out="a counter that was edited, or of another board",
        look=counters_rise,
    ),
    Check(
        name="polls",
        claim="power accounts for what the counter rose between its polls",
        severity=Severity.WRONG,
        rule=(
            "the integral of power from the first poll of a GPU's counter to the "
            "last is what the counter rose"
        ),
        tolerance=(
            f"{POLL_TOLERANCE:.1%} and the sensors' timing, of which at most {MOST_BLUR:.0%}"
        ),
        reason="0.31 % at most on any GPU of 21 recorded runs on H200, timing included",
        rules_out="power or counter that was falsified alone, in any share",
        look=power_accounts_for_polls,
    ),
    Check(
        name="power-integral",
        claim="counter and power integral agree",
        severity=Severity.WRONG,
        rule=("counter and power integral of every GPU tell the same energy of the window"),
        tolerance=(
            f"{GAP_TOLERANCE:.0%} and the sensors' timing, of which at most {MOST_BLUR:.0%}"
        ),
        reason=(
            "InferenceX holds 5 % (utils/aggregate_power.py); zeus' author saw at "
            "most 1 % (github.com/ml-energy/zeus 12)"
        ),
        rules_out="one of the two witnesses of the window falsified by more than that",
        look=counter_meets_power_integral,
    ),
    Check(
        name="rank-counter",
        claim="rank counter and polled counter agree",
        severity=Severity.WRONG,
        rule=(
            "each poll of a counter by the watcher is what its rank read next to "
            "it, and what was drawn between"
        ),
        tolerance=(
            f"{RANK_COUNTER_TOLERANCE:.0%} of what was drawn between, the counter's "
            "update at the board's limit, and the power's ±"
        ),
        reason="both read one running total, at two moments",
        rules_out=("the ranks' counter falsified and the watcher's not, or the other way round"),
        look=rank_counter_meets_polled_counter,
    ),
    Check(
        name="phase-shares",
        claim="witnesses agree on the energy of each phase",
        severity=Severity.WRONG,
        rule=("of every rank and phase the counter and the power integral tell the same energy"),
        tolerance=f"{_MANY:g} times their ± together and {GAP_TOLERANCE:.0%}",
        reason="of dozens of phases a twentieth would lie outside k = 2",
        rules_out="energy that was moved from one phase to another",
        look=phase_shares_agree,
    ),
)
"""Checks of the witnesses against each other, in the audit's order."""

"""Meter checks: does an outside meter say the same, and is it one?

A log is no part of the seal: whoever forges the record need not have forged it. Its own digest is
looked at where it is read.
"""

from typing import Final

from analysis.audit.check import Case, Check, Finding, Severity, judged, skipped, unseen
from analysis.meter.kept import list_meters
from analysis.meter.witness import MeteredPart, MeterWitness, witnesses_of

AGREEMENT: Final = 0.05
"""How far a record may lie from a meter beyond both uncertainties: boards' own gain errs by up to
5 % (arXiv 2312.02741)."""
# Two energies that are uncertain by more than this agree whatever they are.
_MOST_BLUR: Final = 0.15


def outside_meter_agrees(case: Case) -> Finding:
    """By every outside meter the run took what it says, or, behind more than GPUs, no more."""
    witnesses = _witnesses(case)
    if isinstance(witnesses, Finding):
        return witnesses
    faults: list[str] = []
    blind: list[str] = []
    told: list[str] = []
    worst = 0.0
    for witness in witnesses:
        name = witness.meter.statement.name
        part = witness.window
        apart = part.apart
        if apart.value is None:
            blind.append(f"{name}: {apart.reason}")
            continue
        blur = apart.plus_minus or 0.0
        if blur > _MOST_BLUR:
            blind.append(f"{name}: uncertain by {blur:.2%}, at most {_MOST_BLUR:.0%}")
            continue
        most = AGREEMENT + blur
        off = abs(apart.value) if witness.equal else apart.value
        if off > most:
            faults.append(f"{name}: {_words(witness, part)}, most {most:.1%}")
        worst = max(worst, off / most)
        told.append(f"{name}: {_words(witness, part)}")
    if faults:
        return judged(faults, "")
    if blind:
        return unseen(blind[0])
    return judged([], "; ".join(told), strain=max(0.0, worst))


def outside_meter_is_one(case: Case) -> Finding:
    """An outside meter's readings are its own, and not the record's moved and scaled."""
    witnesses = _witnesses(case)
    if isinstance(witnesses, Finding):
        return witnesses
    faults: list[str] = []
    told: list[str] = []
    for witness in witnesses:
        name, like = witness.meter.statement.name, witness.like
        if like is None:
            continue
        if like.copied is not None:
            faults.append(f"{name}: {like.copied}")
        noise = "" if like.own_noise is None else f", {like.own_noise:.0%} of its noise"
        told.append(f"{name}: {like.shared_times:.1%} of its times are {like.field}'s{noise}")
    if not told:
        return unseen(f"{witnesses[0].meter.statement.name}: nothing of the record is like it")
    return judged(faults, "; ".join(told))


def _witnesses(case: Case) -> list[MeterWitness] | Finding:
    if next(list_meters(case.paths.results), None) is None:
        return skipped("no outside meter's log was imported")
    found = witnesses_of(case.run_energy)
    return found or skipped("no outside meter's log reaches into the run")


def _words(witness: MeterWitness, part: MeteredPart) -> str:
    assert part.apart.value is not None
    ratio = 1.0 + part.apart.value
    what = "" if witness.equal else f", behind {witness.meter.statement.boundary.value}"
    return f"the record has {ratio:.4f} of the meter's {part.meter.value:.1f} J{what}"


METER_CHECKS: Final = (
    Check(
        name="outside-meter",
        claim="an outside meter tells the same energy",
        look=outside_meter_agrees,
        severity=Severity.WRONG,
        rule="energy of the window by the run's method over that by the meter's log, brought onto "
        "the record's clock; behind more than GPUs the record's must not be the larger",
        tolerance="5 % beyond both expanded uncertainties, of which at most 15 % is allowed",
        reason="boards' sensors err by up to 5 % (arXiv 2312.02741)",
        rules_out="energies scaled after they were read, as far as the meter's log is somebody "
        "else's",
    ),
    Check(
        name="outside-meter-own",
        claim="an outside meter's readings are its own",
        look=outside_meter_is_one,
        severity=Severity.WEAK,
        rule="the log's times and noise about the record's readings, moved and scaled to fit best",
        tolerance="at most 50 % of its times are the record's, at least 2 % of the record's noise "
        "between, of a running total 50 %",
        reason="two programs that read one H200's own sensor differed by 90 % and more of its "
        "noise",
        rules_out="a log that was made from the record by moving and scaling it",
    ),
)
"""Checks of outside meters, in the audit's order."""

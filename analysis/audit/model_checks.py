"""Model checks: do a model's bytes and operations come out again, and does no run beat them?"""

from collections.abc import Mapping
from typing import Any, Final

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
from analysis.audit.release import missing_model
from analysis.performance.families import FAMILIES
from analysis.performance.model_record import ModelFacts
from analysis.performance.run_performance import STATED, Performance
from telemetry.record.arithmetic import COEFFICIENTS, Arithmetic
from telemetry.record.schema import Phase

# What an engine tells that looks at its logits before it chooses from them (model.json).
EVERY_STEP: Final = "every step"
# Paddings of a layer's scales and rows.
BYTES_TOLERANCE: Final = 0.01
_CPU: Final = "cpu"


def bytes_counted(case: Case) -> Finding:
    """The bytes that a step reads, as the run counted its tensors, are those of the formula.

    A family without an independent formula is held against what its own record works out.
    """
    if missing := missing_model(case.run):
        return missing
    model = ModelFacts(case.run)
    by_formula = model.formula if isinstance(model.formula, Arithmetic) else model.arithmetic
    if isinstance(by_formula, str):
        return skipped(by_formula)
    faults = []
    compared = 0
    for name in ("weight_bytes_per_step", "kv_bytes_per_position"):
        counted, expected = model.bytes_read(name), getattr(by_formula, name)
        if counted is None or not expected:
            continue
        compared += 1
        if abs(counted / expected - 1.0) > BYTES_TOLERANCE:
            faults.append(f"{name} is {counted}, by the formula {expected}")
    if not compared:
        return unseen("the run counted none")
    return judged(faults, f"{model.weight_bytes} bytes a step, {model.kv_bytes} a position")


def arithmetic_repeats(case: Case) -> Finding:
    """Parameters, bytes and operations that the record states come out of its model's shape."""
    model = ModelFacts(case.run)
    if missing := missing_model(case.run):
        return missing
    if "arithmetic" not in case.run.model:
        # Which phases an engine has was first written by the same release.
        if "phases" in model.part("engine"):
            return failed("`arithmetic` is missing from model.json, and the run's release wrote it")
        return unseen("not recorded: the run is from before a model's arithmetic was")
    stated = Arithmetic.read(case.run.model["arithmetic"])
    if stated.family not in FAMILIES:
        return skipped(str(model.formula))
    if isinstance(model.formula, str):
        return failed(model.formula)
    faults = []
    for name in COEFFICIENTS:
        ours, theirs = getattr(model.formula, name), getattr(stated, name)
        if ours is not None and ours != theirs:
            faults.append(f"{name} is {theirs}, by the formula {ours}")
    if stated.encoder != model.formula.encoder:
        faults.append(f"encoder is {stated.encoder}, by the formula {model.formula.encoder}")
    counted = model.part("shape").get("params", stated.parameters)
    if counted != stated.parameters:
        faults.append(f"parameters is {stated.parameters}, the shape's {counted}")
    return judged(
        faults, f"{stated.family} of {stated.parameters} parameters, {len(COEFFICIENTS)} numbers"
    )


def bound_not_beaten(case: Case) -> Finding:
    """No phase was faster than its GPUs' stated peaks allow."""
    performance = Performance(case.run_energy)
    if case.run.spec.simulated or case.run.spec.gpu == _CPU:
        return skipped("the work was done on CPU")
    if missing := missing_model(case.run):
        return missing
    if performance.reason is not None:
        return unseen(performance.reason)
    shares = {}
    for phase in (Phase.ENCODE, Phase.PREFILL, Phase.DECODE):
        least_s = performance.least_s(phase, STATED)
        seconds = case.run_energy.phase_seconds(phase)
        for name, share in zip(
            ("bandwidth", "operations"), performance.utilization(phase, STATED), strict=True
        ):
            if share is not None:
                shares[f"{phase.value}, {name}"] = share
        if least_s is not None and seconds > 0 and phase is Phase.DECODE:
            shares["decode, roofline"] = least_s / seconds
    if not shares:
        return unseen("no rate of the work is known")
    faults = [f"{name}: {share:.1%} of what the GPUs can do" for name, share in shares.items()]
    faults = [fault for fault, share in zip(faults, shares.values(), strict=True) if share > 1.0]
    most = max(shares, key=lambda name: shares[name])
    return judged(
        faults,
        f"at most {shares[most]:.1%} of the stated peak ({most})",
        strain=shares[most],
    )


def logits_finite(case: Case) -> Finding:
    """The engine ended at logits that are inf or NaN, and the probe of its model saw none.

    What follows such logits is no answer: its joules are of a computation that failed.
    """
    if missing := missing_model(case.run):
        return missing
    reason = _mapping(case.run.model.get("logit_error")).get("reason")
    if isinstance(reason, str) and "inf or nan" in reason.lower():
        return failed(reason)
    looked = _mapping(case.run.model.get("engine")).get("finite_logits")
    if looked is None:
        return unseen("not recorded: this engine, or its release, does not tell whether it looked")
    if looked != EVERY_STEP:
        return failed(f"`finite_logits` must be {EVERY_STEP!r}, but is {looked!r} instead")
    return passed("looked at every step, whose first fault ends a run")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


MODEL_CHECKS: Final = (
    Check(
        name="bytes",
        claim="bytes that a step reads come out again",
        severity=Severity.WRONG,
        rule=("bytes that a step reads, counted from the tensors, are those of the formula"),
        tolerance=f"{BYTES_TOLERANCE:.0%}",
        reason="paddings of a layer's scales and rows",
        rules_out="another model or number format than the one that is told",
        look=bytes_counted,
    ),
    Check(
        name="arithmetic",
        claim="the model's arithmetic comes out again",
        severity=Severity.WRONG,
        rule=(
            "parameters, bytes and operations that model.json states come out of its model's shape"
        ),
        tolerance="none",
        reason="they are whole numbers by one formula",
        rules_out="figures that a share of the bound was flattered with",
        look=arithmetic_repeats,
    ),
    Check(
        name="finite",
        claim="no logits were inf or NaN",
        severity=Severity.WRONG,
        rule=(
            "the engine looked at its logits at every step, and neither it nor the "
            "probe met inf or NaN"
        ),
        tolerance="none",
        reason="what follows such logits is no answer",
        rules_out="joules of a computation that failed",
        look=logits_finite,
    ),
    Check(
        name="bound",
        claim="no run beats what its GPUs can do",
        severity=Severity.WRONG,
        rule=("no phase was faster than the stated peaks of its GPUs' memory and arithmetic allow"),
        tolerance="none",
        reason="nothing is faster than its peak",
        rules_out="times that are too short for the work",
        look=bound_not_beaten,
    ),
)
"""Checks of the model, in the audit's order."""

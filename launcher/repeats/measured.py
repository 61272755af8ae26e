"""Measured: what one sealed repeat says: J/token, and what it took of a budget."""

from dataclasses import dataclass
from typing import Final

from launcher.campaign.time_left import took_s
from telemetry.record.foreseen import Foreseen
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.spec import RunSpec

_S_PER_H: Final = 3600.0
_J_PER_KWH: Final = 3.6e6


@dataclass(frozen=True, kw_only=True)
class MeasuredRepeat:
    """One sealed repeat."""

    run_id: str
    """Its run."""
    j_per_token: float | None
    """Energy in the window over generated tokens, as the table of runs has it; None without."""
    reason: str | None
    """Why there is none; None where there is."""
    gpu_hours: float | None
    """What its job held of GPUs, where no time can be read what it was foreseen to hold; None where
    neither is on record."""
    kwh: float | None
    """What its GPUs took from their ranks' start to their end, where that cannot be read what it
    was foreseen to take; None where neither is on record."""


def measure(run: RunPaths) -> MeasuredRepeat:
    """What a sealed run says.

    Raises:
        ModuleNotFoundError: what reads a record is not installed.
    """
    # A launch that counts its repeats reads no record.
    from analysis.energy.run_energy import RunEnergy  # noqa: PLC0415
    from analysis.energy.spent import spent  # noqa: PLC0415
    from analysis.runs.sealed_runs import load  # noqa: PLC0415
    from analysis.runs.unreadable import UNREADABLE, shortened  # noqa: PLC0415

    try:
        loaded = load(run.results, only=run)
        if not loaded.runs:
            said = next(
                (other.reason for other in loaded.not_counted if other.reason), "not sealed"
            )
            return _unreadable(run, said)
        sealed = loaded.runs[0]
        run_energy = RunEnergy(sealed)
        took = spent(run_energy)
        tokens = sum(count or 0 for count in sealed.responses["generated_tokens"].to_pylist())
        each = run_energy.energy.over(tokens)
    except UNREADABLE as error:
        return _unreadable(run, shortened(error))
    value, reason = each.value, each.reason
    if value is not None and value <= 0:
        value, reason = None, f"{value:g} J/token is none that a mean can be a share of"
    return MeasuredRepeat(
        run_id=run.run_id,
        j_per_token=value,
        reason=reason,
        gpu_hours=(
            _gpu_hours(sealed.attempt, run)
            if took.time_s is None
            else took.time_s * sealed.spec.gpus / _S_PER_H
        ),
        kwh=_kwh(sealed.attempt, took.energy.value),
    )


def _unreadable(run: RunPaths, reason: str) -> MeasuredRepeat:
    attempt = _sealed(run)
    return MeasuredRepeat(
        run_id=run.run_id,
        j_per_token=None,
        reason=reason,
        gpu_hours=_gpu_hours(attempt, run),
        kwh=_kwh(attempt, None),
    )


def held_s(attempt: AttemptPaths) -> float | None:
    """How long an attempt held its GPUs: by its stamps, else as its launch foresaw it.

    0 of one that never began; None where neither is on record.
    """
    if not attempt.started.exists():
        return 0.0
    if (time_s := took_s(attempt)) is not None:
        return time_s
    foreseen = _foreseen(attempt)
    return None if foreseen is None else foreseen.time_s.value


def _gpu_hours(attempt: AttemptPaths | None, run: RunPaths) -> float | None:
    if attempt is None:
        return None
    try:
        gpus = RunSpec.read(run.spec).gpus
    except (OSError, ValueError):
        return None
    time_s = held_s(attempt)
    return None if time_s is None else time_s * gpus / _S_PER_H


def _kwh(attempt: AttemptPaths | None, joules: float | None) -> float | None:
    if joules is None:
        foreseen = None if attempt is None else _foreseen(attempt)
        if foreseen is None:
            return None
        # What runs without a GPU takes nothing of one.
        joules = 0.0 if foreseen.energy_j is None else foreseen.energy_j.value
    return joules / _J_PER_KWH


def _foreseen(attempt: AttemptPaths) -> Foreseen | None:
    try:
        return Foreseen.read(attempt.foreseen)
    except (OSError, ValueError):
        return None


def _sealed(run: RunPaths) -> AttemptPaths | None:
    try:
        return run.sealed()
    except (OSError, ValueError):
        return None

"""Measured: what one sealed repeat says: J/token, and what it took of a budget."""

from dataclasses import dataclass
from typing import Final

from telemetry.record.paths import RunPaths

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
    gpu_hours: float
    """What its job held of GPUs; 0 where no time is on record."""
    kwh: float
    """What its GPUs took from their ranks' start to their end; 0 where that was not read."""


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
        gpu_hours=(took.time_s or 0.0) * sealed.spec.gpus / _S_PER_H,
        kwh=(took.energy.value or 0.0) / _J_PER_KWH,
    )


def _unreadable(run: RunPaths, reason: str) -> MeasuredRepeat:
    return MeasuredRepeat(
        run_id=run.run_id, j_per_token=None, reason=reason, gpu_hours=0.0, kwh=0.0
    )

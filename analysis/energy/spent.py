"""Spent: what a sealed run took in all, job and window: what its forecast is held against."""

from dataclasses import dataclass

from analysis.energy.run_energy import RunEnergy
from analysis.energy.uncertain import Uncertain
from telemetry.clock import US_PER_S


@dataclass(frozen=True, kw_only=True)
class Spent:
    """The four amounts that `telemetry.record.foreseen` foresees, as they were measured."""

    time_s: float | None
    """From the start of rank 0's process to the recorded end; None where no start is on record."""
    energy: Uncertain
    """Working GPUs from STARTUP to SHUTDOWN, in joules."""
    window_s: float
    """The measured window."""
    window_energy: Uncertain
    """The same GPUs in it, in joules: `energy_j` of the table of runs."""


def spent(run_energy: RunEnergy) -> Spent:
    """What a run took in all.

    Raises:
        ValueError, OSError: the record cannot be read.
    """
    run = run_energy.run
    started, ended = (
        run.files.json(path) if path.is_file() else {}
        for path in (run.attempt.started, run.attempt.ended)
    )
    # A record of before process starts were written begins where rank 0 said so itself.
    begin_us, end_us = started.get("pid_created_us") or started.get("t_us"), ended.get("t_us")
    time_s = None
    if isinstance(begin_us, int) and isinstance(end_us, int) and begin_us < end_us:
        time_s = (end_us - begin_us) / US_PER_S
    return Spent(
        time_s=time_s,
        energy=run_energy.whole_energy,
        window_s=run_energy.duration_s,
        window_energy=run_energy.energy,
    )

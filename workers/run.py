"""What a job calls on every rank."""

from collections.abc import Callable
from pathlib import Path

from telemetry.lasting import lasting
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from workers.distributed.rank import Rank


def run_rank(
    spec: RunSpec,
    launch: LaunchConfig,
    results: Path,
    attempt: AttemptPaths,
    rank: Rank,
    *,
    read_energy_j: Callable[[str], float] | None = None,
) -> None:
    """Do everything that one rank does in an attempt; returns when all prompts are answered.

    The watcher of the rank's host must be ready. `read_energy_j` takes the rank's GPU UUID and
    reads that GPU's own energy counter; None reads it by NVML, on a GPU.

    Raises:
        ValueError: the spec or the order asks for what this worker cannot do.
        RuntimeError: a watcher, a GPU, a prompt file or another rank is missing or fails.
    """
    # Torch and FairScale are on compute nodes alone, and their import is part of STARTUP.
    with lasting():
        from workers.session.lifecycle import run_session  # noqa: PLC0415

    run_session(spec, launch, results, attempt, rank, read_energy_j=read_energy_j)

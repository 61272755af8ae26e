"""Machine: on what a run was made, by its own record: GPUs, driver, center."""

from collections.abc import Mapping
from typing import Any

from analysis.runs.sealed_runs import Run
from analysis.runs.unreadable import UNREADABLE


def gpus_of(run: Run) -> list[Mapping[str, Any]]:
    """The GPUs that the watchers found, of all nodes."""
    return [
        gpu
        for host in run.hosts.values()
        if isinstance(host, dict)
        for gpu in host.get("gpus") or ()
        if isinstance(gpu, dict)
    ]


def drivers_of(run: Run) -> set[str]:
    """The versions of the GPUs' driver."""
    return {str(gpu["driver"]) for gpu in gpus_of(run) if gpu.get("driver")}


def center_of(run: Run) -> str | None:
    """Slurm's own name of the cluster that the job was queued on; None where no such job was."""
    if not run.attempt.submitted.is_file():
        return None
    try:
        named = run.files.json(run.attempt.submitted).get("slurm_cluster")
    except UNREADABLE:
        return None
    return named if isinstance(named, str) else None

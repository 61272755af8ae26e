"""Submit: attempts become submitit jobs, one job array for each shape."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import submitit

from launcher.cluster import Cluster
from launcher.grid import Entry
from launcher.job import Job, process_identity, run_job
from telemetry.clock import wall_us
from telemetry.record import write_json
from telemetry.run import AttemptPaths

# Time that a job gets to close its shards before Slurm's limit ends it.
_SIGNAL_DELAY_S: Final = 60


@dataclass(frozen=True, kw_only=True)
class Trial:
    """An entry of the grid and the attempt at it."""

    entry: Entry
    attempt: AttemptPaths


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What jobs must have in common to be one job array."""

    cluster: Cluster
    nodes: int
    ranks_per_node: int


def by_shape(trials: Sequence[Trial]) -> dict[Shape, list[Trial]]:
    """The trials by the resources that their jobs ask for, in order."""
    shapes: dict[Shape, list[Trial]] = {}
    for trial in trials:
        spec = trial.entry.spec
        shape = Shape(
            cluster=trial.entry.cluster, nodes=spec.nodes, ranks_per_node=spec.gpus_per_node
        )
        shapes.setdefault(shape, []).append(trial)
    return shapes


def submit_array(folder: Path, shape: Shape, trials: Sequence[Trial]) -> list[Any]:
    """Submit one job for each trial, as one array on Slurm; the submitit jobs, in order.

    `submitted.json` of each attempt then names its job.

    Raises:
        submitit.core.utils.FailedJobError: the batch system refuses; the message is its own.
    """
    executor = _executor(folder, shape)
    jobs = executor.map_array(run_job, [_job(trial) for trial in trials])
    for trial, job in zip(trials, jobs, strict=True):
        _record(folder, shape.cluster, trial, job)
    return list(jobs)


def submit_each(folder: Path, shape: Shape, trials: Sequence[Trial]) -> Iterator[tuple[Trial, Any]]:
    """Submit one trial at a time; the next when the caller asks, so that a node has one job."""
    executor = _executor(folder, shape)
    for trial in trials:
        job = executor.submit(run_job, _job(trial))
        _record(folder, shape.cluster, trial, job)
        yield trial, job


def _executor(folder: Path, shape: Shape) -> Any:
    cluster = shape.cluster
    executor = submitit.AutoExecutor(folder=folder, cluster=cluster.executor)
    executor.update_parameters(
        name="joulegrid",
        nodes=shape.nodes,
        tasks_per_node=shape.ranks_per_node,
        gpus_per_node=shape.ranks_per_node if cluster.device == "cuda" else 0,
        timeout_min=cluster.timeout_min,
    )
    request = cluster.slurm
    if request is not None:
        additional: dict[str, Any] = {"no_requeue": True}
        if request.exclusive:
            additional["exclusive"] = True
        for name in ("account", "qos", "constraint"):
            if (value := getattr(request, name)) is not None:
                additional[name] = value
        executor.update_parameters(
            cpus_per_task=request.cpus_per_task,
            slurm_array_parallelism=request.array_parallelism,
            slurm_additional_parameters=additional,
            slurm_setup=list(request.setup),
            slurm_signal_delay_s=_SIGNAL_DELAY_S,
        )
        if request.partition is not None:
            executor.update_parameters(slurm_partition=request.partition)
    return executor


def _job(trial: Trial) -> Job:
    run_folder = trial.attempt.folder.parent
    return Job(results=str(run_folder.parent), run_id=run_folder.name, attempt=trial.attempt.number)


def _record(folder: Path, cluster: Cluster, trial: Trial, job: Any) -> None:
    content = {
        "t_us": wall_us(),
        "cluster": cluster.name,
        "executor": cluster.executor,
        "job_id": str(job.job_id),
        "log": str(job.paths.stderr),
        "folder": str(folder),
        "submit_host": process_identity()["host"],
    }
    if cluster.executor == "local":
        # submitit's controller on this machine: while it lives, so does the attempt.
        try:
            created_us = int(psutil.Process(int(job.job_id)).create_time() * 1e6)
        except psutil.NoSuchProcess:
            created_us = 0
        content |= {
            "host": content["submit_host"],
            "pid": int(job.job_id),
            "pid_created_us": created_us,
        }
    write_json(trial.attempt.submitted, content)

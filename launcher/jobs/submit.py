"""Submit: attempts become submitit jobs, one job array for each shape.

After each array follows a small job that merges and seals what the array left, whatever became of
it: a campaign ends sealed with nobody logged in.
"""

import contextlib
import io
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError

from launcher.config.errors import BadInputError
from launcher.jobs.job import Job, process_identity, run_job
from launcher.jobs.own_gpus import own_gpus
from launcher.jobs.setup_lines import guarded, unreadable
from launcher.jobs.shapes import JobShape, Trial, shape_of
from launcher.plan.cluster import Cluster
from launcher.plan.grid import PlannedPoint
from launcher.slurm.job_arrays import JobArray, Submission, record_submission
from launcher.slurm.partitions import PartitionFinder
from launcher.slurm.queue import (
    SlurmError,
    ask_slurm,
    cluster_name,
    configuration,
    one_line,
    queued,
)
from telemetry.clock import US_PER_S, wall_us
from telemetry.record.bulk_files import replace_text
from telemetry.record.files import write_json

# Time that a job gets to close its shards before Slurm's limit ends it.
_SIGNAL_DELAY_S: Final = 60
# Slurm's own default of MaxArraySize, where it does not say.
_MAX_ARRAY: Final = 1001
# Merging a point takes seconds; the rest is Python on a busy node and Slurm's whole minutes.
_CLOSING_BASE_MIN: Final = 15
_CLOSINGS_PER_MIN: Final = 4
# The number that every process has its standard error by.
_STDERR: Final = 2


class RefusedError(RuntimeError):
    """Slurm does not take an array; the message is its own words on one line."""


def require_slurm_path(results: Path, points: Sequence[PlannedPoint]) -> None:
    """Refuse a results folder whose name Slurm would read as more than a name, or unread setup.

    Slurm fills in %-patterns and takes a backslash for their escape in the names of logs, and a
    batch file's options end with their line.

    Raises:
        BadInputError: the path holds such a character, or bash cannot read `cluster.slurm.setup`,
            and a point is for Slurm.
    """
    if not any(point.cluster.slurm for point in points):
        return
    for setup in {point.cluster.slurm.setup for point in points if point.cluster.slurm}:
        if why := unreadable(setup):
            raise BadInputError(
                f"`cluster.slurm.setup` must be lines that bash can read, but are not: {why}"
            )
    strangers = sorted({c for c in str(results) if c in "%\\" or not c.isprintable()})
    if strangers:
        raise BadInputError(
            "`results` must be a path without line breaks, % and backslashes on a Slurm cluster, "
            f"but {str(results)!r} holds {strangers[0]!r}"
        )


def arrays_of(
    results: Path, campaign: str, shapes: dict[JobShape, list[Trial]]
) -> list[tuple[JobArray, JobShape, list[Trial]]]:
    """The job arrays of a campaign: one for each shape, more where Slurm's limit is smaller."""
    size = _MAX_ARRAY
    if any(shape.cluster.slurm for shape in shapes):
        size = int(configuration().get("MaxArraySize", _MAX_ARRAY))
    arrays: list[tuple[JobArray, JobShape, list[Trial]]] = []
    for shape, trials in shapes.items():
        for start in range(0, len(trials), size):
            members = trials[start : start + size]
            number = len(arrays) + 1
            array = JobArray(
                results=results,
                campaign=campaign,
                number=number,
                name=f"joulegrid-{campaign}-{number}",
                cluster=shape.cluster.name,
                t_us=wall_us(),
                members=tuple(
                    (trial.attempt.folder.parent.name, trial.attempt.number) for trial in members
                ),
                **process_identity(),  # type: ignore[arg-type]
            )
            arrays.append((array, shape, members))
    return arrays


def submit_array(
    array: JobArray, shape: JobShape, trials: Sequence[Trial], after: str | None
) -> Submission:
    """Queue an array and the job that closes it; what Slurm said of both.

    The intent is on the disk before and Slurm's answer after, so that a launcher killed in between
    leaves a name by which the jobs are found. `after` names an array that must have ended before.

    Raises:
        RefusedError: Slurm does not take it; nothing of it is queued.
    """
    executor = executor_of(array.jobs, shape, array.name)
    if after is not None:
        executor.update_parameters(slurm_dependency=f"afterany:{after}")
    try:
        # submitit also copies what sbatch says to stderr, line by line.
        with contextlib.redirect_stderr(io.StringIO()):
            jobs = executor.map_array(run_job, [_job(trial) for trial in trials])
    except (FailedJobError, FailedSubmissionError, subprocess.SubprocessError, OSError) as error:
        raise RefusedError(one_line(str(error))) from error
    job_id = str(jobs[0].job_id).partition("_")[0]
    closing, refused = None, None
    try:
        closing = _submit_closing(array, shape.cluster, job_id)
    except SlurmError as error:
        refused = str(error)
    submission = Submission(
        job_id=job_id,
        slurm_cluster=cluster_name(),
        t_us=wall_us(),
        submit_time=_submit_time(array.name),
        closing_job_id=closing,
        closing_refused=refused,
    )
    record_submission(array, submission, jobs[0].paths.submission_file.read_text())
    return submission


def submit_each(folder: Path, trials: Sequence[Trial]) -> Iterator[tuple[Trial, Any]]:
    """Submit one trial at a time; the next when the caller asks, so that a node has one job."""
    for trial in trials:
        shape = shape_of(trial)
        with _errors_into(folder / "controllers.log"):
            job = executor_of(folder, shape, "joulegrid").submit(run_job, _job(trial))
        # submitit's controller on this machine: while it lives, so does the attempt.
        try:
            created_us = int(psutil.Process(int(job.job_id)).create_time() * US_PER_S)
        except psutil.NoSuchProcess:
            created_us = 0
        host = process_identity()["host"]
        content = {
            "t_us": wall_us(),
            "cluster": shape.cluster.name,
            "executor": shape.cluster.executor,
            "job_id": str(job.job_id),
            "log": str(job.paths.stderr),
            "folder": str(folder),
            "submit_host": host,
            "host": host,
            "pid": int(job.job_id),
            "pid_created_us": created_us,
        }
        write_json(trial.attempt.submitted, content)
        yield trial, job


@contextmanager
def _errors_into(path: Path) -> Iterator[None]:
    """Within it a process that starts has `path` as its standard error.

    submitit's controller of a job would tell the user's terminal of each Ctrl-C by a traceback.
    """
    kept = os.dup(_STDERR)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        os.dup2(log, _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(log)
        os.close(kept)


def executor_of(folder: Path, shape: JobShape, name: str) -> Any:
    """Submitit's executor for jobs of one shape."""
    cluster, request = shape.cluster, shape.cluster.slurm
    if request is None:
        local = submitit.LocalExecutor(folder=folder)
        own = own_gpus(os.environ, shape.gpus_per_node) if shape.gpus_per_node else None
        local.update_parameters(
            nodes=shape.nodes,
            tasks_per_node=shape.ranks_per_node,
            timeout_min=cluster.timeout_min,
            gpus_per_node=shape.gpus_per_node,
            visible_gpus=own or (),
        )
        return local
    executor = submitit.AutoExecutor(folder=folder, cluster=cluster.executor)
    executor.update_parameters(
        name=name,
        nodes=shape.nodes,
        tasks_per_node=shape.ranks_per_node,
        timeout_min=cluster.timeout_min,
    )
    additional: dict[str, Any] = {"no_requeue": True}
    if request.exclusive:
        additional["exclusive"] = True
    for option in ("account", "qos", "constraint", "mem"):
        if (value := getattr(request, option)) is not None:
            additional[option] = value
    if shape.gpu_freq is not None:
        additional["gpu_freq"] = shape.gpu_freq
    executor.update_parameters(
        slurm_comment=shape.comment,
        cpus_per_task=request.cpus_per_task,
        slurm_array_parallelism=request.array_parallelism,
        slurm_additional_parameters=additional,
        slurm_setup=guarded(request.setup, folder),
        slurm_signal_delay_s=_SIGNAL_DELAY_S,
        # submitit's own default is a word that sites with checked keys refuse.
        slurm_wckey=request.wckey,
    )
    if shape.gpus_per_node:
        kind = f"{request.gpu_type}:" if request.gpu_type else ""
        executor.update_parameters(slurm_gpus_per_node=f"{kind}{shape.gpus_per_node}")
    if request.partition is not None:
        executor.update_parameters(slurm_partition=request.partition)
    return executor


def _submit_closing(array: JobArray, cluster: Cluster, job_id: str) -> str:
    """Queue the job that merges and seals after the array; its number.

    Raises:
        SlurmError: Slurm does not take it.
    """
    request = cluster.slurm
    assert request is not None
    words = [
        sys.executable,
        "-m",
        "launcher.campaign.finalize",
        str(array.results),
        "--campaign",
        array.campaign,
        "--array",
        str(array.number),
    ]
    script = array.beside("close.sh")
    replace_text(script, f"#!/bin/bash\nexec {shlex.join(words)}\n")
    partition = request.closing_partition or request.partition
    minutes = _CLOSING_BASE_MIN + len(array.members) // _CLOSINGS_PER_MIN
    minutes = min(minutes, max(_CLOSING_BASE_MIN, cluster.timeout_min))
    # A partition for short jobs may lend less than that; beyond its limit the job would not start.
    with contextlib.suppress(SlurmError):
        limits = [each.most_minutes for each in PartitionFinder().find(partition)]
        minutes = min([minutes, *(limit for limit in limits if limit)])
    command = [
        "sbatch",
        "--parsable",
        f"--job-name={array.closing_name}",
        f"--dependency=afterany:{job_id}",
        f"--output={array.beside('close.log')}",
        "--open-mode=append",
        # A controller that lost its last minutes would start a finished one again.
        "--no-requeue",
        "--nodes=1",
        "--ntasks=1",
        f"--time={minutes}",
    ]
    for option, value in (
        ("partition", partition),
        ("account", request.account),
        ("qos", request.qos),
        ("wckey", request.wckey),
    ):
        if value is not None:
            command.append(f"--{option}={value}")
    return ask_slurm([*command, str(script)]).strip().partition(";")[0]


def _submit_time(name: str) -> str | None:
    """When Slurm took the jobs of a name, in its own words; None when it does not say."""
    try:
        return next((job.submit_time for job in queued([name]).values()), None)
    except SlurmError:
        return None


def _job(trial: Trial) -> Job:
    run_folder = trial.attempt.folder.parent
    return Job(results=str(run_folder.parent), run_id=run_folder.name, attempt=trial.attempt.number)

"""Job: what submitit runs on every rank of one attempt."""

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil
import submitit
from submitit.core.utils import UncompletedJobError

from launcher.slurm.record import record_job
from launcher.slurm.signals import Stopped, heed_no_more, heed_slurm, slurm_verdict
from telemetry.clock import US_PER_S, wall_us
from telemetry.record.attempt_state import record_end
from telemetry.record.files import read_json, write_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.schema import EndState
from telemetry.record.spec import RunSpec
from telemetry.watcher.process import WatcherProcess
from workers.distributed.out_of_memory import RankOutOfMemoryError
from workers.distributed.rank import Rank
from workers.run import run_rank

_SLURM_IDENTITY: Final = {
    "cluster": "SLURM_CLUSTER_NAME",
    "job_id": "SLURM_JOB_ID",
    "array_job_id": "SLURM_ARRAY_JOB_ID",
    "array_task_id": "SLURM_ARRAY_TASK_ID",
    "step_id": "SLURM_STEP_ID",
    "nodes": "SLURM_JOB_NODELIST",
    "partition": "SLURM_JOB_PARTITION",
    "gpus_on_node": "SLURM_GPUS_ON_NODE",
}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One attempt at a run; called once on every rank."""

    results: str
    """Path of the results folder."""
    run_id: str
    """The run's name in the results folder."""
    attempt: int
    """The attempt's number, counted from 1."""

    def __call__(self) -> None:
        """Watch the node (local rank 0), do the rank's work, and record the end."""
        results = Path(self.results)
        paths = RunPaths(results=results, run_id=self.run_id)
        attempt = paths.attempt(self.attempt)
        spec = RunSpec.read(paths.spec)
        launch = LaunchConfig.read(attempt.launch)
        rank = read_rank(spec)
        heed_slurm()
        with RecordedEnd(attempt, rank.rank):
            if rank.rank == 0:
                start = {"t_us": wall_us(), **process_identity(), "slurm": slurm_identity()}
                write_json(attempt.started, start)
            require_open(attempt)
            if rank.rank == 0:
                record_job(attempt)
            with contextlib.ExitStack() as stack:
                if rank.local_rank == 0:
                    watch = stack.enter_context(
                        WatcherProcess(results, self.run_id, self.attempt, rank.host)
                    )
                    watch.wait_ready()
                run_rank(spec, launch, results, attempt, rank)


def require_open(attempt: AttemptPaths) -> None:
    """Refuse an attempt that was given up before it started: another may be at the run by now.

    Rank 0 says first that it started and looks then, who gives an attempt up does the reverse: one
    of the two sees the other.

    Raises:
        RuntimeError: its end is on record.
    """
    if attempt.ended.is_file():
        end = read_json(attempt.ended)
        raise RuntimeError(
            f"{attempt.folder} must be open to be started, but is {end['state']}: {end['reason']}"
        )


def run_job(job: Job) -> None:
    """What submitit calls: the job itself."""
    job()


class RecordedEnd:
    """Writes how an attempt ended: the first rank to fail says why, rank 0 that all went well."""

    def __init__(self, attempt: AttemptPaths, rank: int) -> None:
        self._attempt = attempt
        self._rank = rank

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        who = f"rank {self._rank}"
        if error is None:
            if self._rank == 0:
                record_end(self._attempt, EndState.COMPLETED, None, who)
            return
        heed_no_more()
        if self._attempt.ended.is_file():
            return
        if isinstance(error, UncompletedJobError):
            # Raised by submitit's handler of the signal that comes before a local time limit.
            record_end(self._attempt, EndState.TIMEOUT, "the time limit ran out", who)
        elif isinstance(error, KeyboardInterrupt):
            record_end(self._attempt, EndState.CANCELLED, "interrupted", who)
        # A rank that is told later than its peers sees them leave and fails for that.
        elif verdict := slurm_verdict(os.environ):
            record_end(self._attempt, verdict.state, verdict.reason, who)
        elif isinstance(error, Stopped):
            # Slurm ends the step of a job that it lets run when one of its tasks ended badly.
            reason = f"{who} was told to stop by SIGTERM; another task ended first"
            record_end(self._attempt, EndState.FAILED, reason, who)
        else:
            first_line = (str(error).strip() or "(no message)").splitlines()[0]
            if isinstance(error, RankOutOfMemoryError):
                reason = f"out of memory: {first_line}"
                record_end(self._attempt, EndState.FAILED, reason, who, memory=error.facts)
                return
            reason = f"{who}: {type(error).__name__}: {first_line}"
            record_end(self._attempt, EndState.FAILED, reason, who)


def read_rank(spec: RunSpec) -> Rank:
    """This process' place among the ranks, as submitit's environment tells it."""
    environment = submitit.JobEnvironment()
    return Rank(
        rank=environment.global_rank,
        world=environment.num_tasks,
        local_rank=environment.local_rank,
        local_world=spec.gpus_per_node,
        node=environment.node,
        nodes=environment.num_nodes,
        host=os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
    )


def slurm_identity() -> dict[str, str] | None:
    """What joins this job to a center's accounting; None off Slurm.

    Slurm gives numbers out again, so cluster and start time (`t_us` beside it) belong to the id.
    """
    if "SLURM_JOB_ID" not in os.environ:
        return None
    return {name: os.environ[key] for name, key in _SLURM_IDENTITY.items() if key in os.environ}


def process_identity() -> dict[str, str | int]:
    """What tells this process from every other, also after its pid is used again."""
    process = psutil.Process()
    return {
        "host": os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
        "pid": process.pid,
        "pid_created_us": int(process.create_time() * US_PER_S),
    }

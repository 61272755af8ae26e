"""Job: what submitit runs on every rank of one attempt."""

import contextlib
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil
import submitit
from submitit.core.utils import UncompletedJobError

from launcher.jobs.outside_witness import tell_head
from launcher.jobs.permissions import close_to_others
from launcher.slurm.ends import DISK_EXIT_CODE
from launcher.slurm.record import record_job
from launcher.slurm.signals import (
    TOLD_TO_STOP,
    Stopped,
    heed_no_more,
    heed_slurm,
    restarts,
    slurm_verdict,
)
from telemetry.clock import US_PER_S, wall_us
from telemetry.lasting import spare_pandas
from telemetry.record.attempt_state import record_end
from telemetry.record.disk import disk_trouble
from telemetry.record.files import create_json, read_json, write_json
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
    "restarts": "SLURM_RESTART_COUNT",
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
        spare_pandas()
        results = Path(self.results)
        paths = RunPaths(results=results, run_id=self.run_id)
        attempt = paths.attempt(self.attempt)
        spec = RunSpec.read(paths.spec)
        launch = LaunchConfig.read(attempt.launch)
        rank = read_rank(spec)
        close_to_others()
        heed_slurm()
        if was_over(attempt, rank.rank):
            return
        # What is over is not started: its first words stay its last.
        require_open(attempt)
        with RecordedEnd(attempt, rank.rank):
            if rank.rank == 0:
                start = {"t_us": wall_us(), **process_identity(), "slurm": slurm_identity()}
                create_json(attempt.started, start)
            require_open(attempt)
            if rank.rank == 0:
                record_job(attempt)
            with contextlib.ExitStack() as stack:
                if rank.local_rank == 0:
                    watch = stack.enter_context(
                        WatcherProcess(results, self.run_id, self.attempt, rank.host)
                    )
                    watch.wait_ready()
                if rank.rank == 0:
                    tell_head(attempt, rank.host, in_slurm=launch.lodge_heads)
                run_rank(spec, launch, results, attempt, rank)
            if rank.rank == 0:
                # The watcher of rank 0's node has ended: its chain has its last link.
                tell_head(attempt, rank.host, in_slurm=launch.lodge_heads)


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


def was_over(attempt: AttemptPaths, rank: int) -> bool:
    """True in a job that Slurm started again, which must not touch what the first run of it wrote.

    An attempt has one run: rank 0 notes among the jobs' logs that there was another, and gives the
    attempt an end where the first run left none. A job that never came to its ranks may start.
    """
    count = restarts(os.environ)
    if not count or not (attempt.ended.is_file() or _started_before(attempt, count)):
        return False
    # Whoever comes next tries the point again, as with any attempt that was lost.
    reason = f"Slurm started its job again ({count}): an attempt has one run"
    if rank == 0:
        record_end(attempt, EndState.LOST, reason, "rank 0")
        end = read_json(attempt.ended)
        submitted = read_json(attempt.submitted)
        note = {
            "t_us": wall_us(),
            **process_identity(),
            "attempt": str(attempt.folder),
            "restarts": count,
            "slurm": slurm_identity(),
            "ended": end,
        }
        logs = Path(submitted["folder"])
        write_json(logs / f"{submitted['job_id']}.requeued.json", note)
        said = f"{attempt.folder} is {end['state']} since an earlier run of this job: nothing done"
        sys.stderr.write(f"joulegrid: {said}\n")
    return True


def _started_before(attempt: AttemptPaths, count: int) -> bool:
    """True when an earlier run of the job has started the attempt; a peer of this one may have."""
    if not attempt.started.is_file():
        return False
    slurm = read_json(attempt.started).get("slurm") or {}
    return restarts({_SLURM_IDENTITY["restarts"]: slurm.get("restarts", "0")}) < count


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
        if error is None and self._rank != 0:
            return
        if error is not None:
            heed_no_more()
            if self._attempt.ended.is_file():
                return
        try:
            self._record(error, who)
        except OSError as refused:
            if (trouble := disk_trouble(refused)) is None:
                raise
            # Nothing reaches the disk any more, this job's log neither: Slurm keeps an exit code.
            with contextlib.suppress(OSError):
                sys.stderr.write(f"joulegrid: {self._attempt.folder} {trouble}; {who}: {error}\n")
            raise SystemExit(DISK_EXIT_CODE) from refused

    def _record(self, error: BaseException | None, who: str) -> None:
        if error is None:
            record_end(self._attempt, EndState.COMPLETED, None, who)
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
            # Slurm ends the step of a job that it lets run when one of its tasks ended badly; its
            # books, which whoever comes next asks, may know better.
            reason = f"{who} {TOLD_TO_STOP}; Slurm does not say why"
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

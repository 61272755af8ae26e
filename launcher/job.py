"""Job: what submitit runs on every rank of one attempt."""

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import submitit
from submitit.core.utils import UncompletedJobError

from telemetry.clock import wall_us
from telemetry.order import LaunchOrder
from telemetry.record import write_json
from telemetry.run import AttemptPaths, RunPaths, RunSpec
from telemetry.schema import EndState
from telemetry.state import record_end
from telemetry.watch import Watch
from workers.rank import Rank, run_rank


@dataclass(frozen=True, kw_only=True)
class Job:
    """One attempt at a run; called once on every rank."""

    results: str
    run_id: str
    attempt: int

    def __call__(self) -> None:
        """Watch the node (local rank 0), do the rank's work, and record the end."""
        results = Path(self.results)
        paths = RunPaths(results=results, run_id=self.run_id)
        attempt = paths.attempt(self.attempt)
        spec = RunSpec.read(paths.spec)
        order = LaunchOrder.read(attempt.launch)
        rank = read_rank(spec)
        with RecordedEnd(attempt, rank.rank):
            if rank.rank == 0:
                write_json(attempt.started, {"t_us": wall_us(), **process_identity()})
            with contextlib.ExitStack() as stack:
                if rank.local_rank == 0:
                    watch = stack.enter_context(
                        Watch(results, self.run_id, self.attempt, rank.host)
                    )
                    watch.wait_ready()
                run_rank(spec, order, results, attempt, rank)


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
        if isinstance(error, UncompletedJobError):
            # Raised by submitit's handler of the signal that Slurm sends before the time limit.
            record_end(self._attempt, EndState.TIMEOUT, "the time limit ran out", who)
        elif isinstance(error, KeyboardInterrupt):
            record_end(self._attempt, EndState.CANCELLED, "interrupted", who)
        else:
            first_line = (str(error).strip() or "(no message)").splitlines()[0]
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


def process_identity() -> dict[str, str | int]:
    """What tells this process from every other, also after its pid is used again."""
    process = psutil.Process()
    return {
        "host": os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
        "pid": process.pid,
        "pid_created_us": int(process.create_time() * 1e6),
    }

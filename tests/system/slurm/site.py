"""Site: a development cluster as a test sees it: its commands, its jobs, what they left."""

import contextlib
import getpass
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from telemetry.clock import US_PER_S
from telemetry.merge.attempt import merge_attempt
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, RunPaths, list_runs
from tests.conftest import REPOSITORY
from tests.support.words import last_words
from tests.system.slurm.people import Person

NODES = 4
PATIENCE_S = 120.0
POINT = (
    "cluster=devcluster",
    "dataset.source=sample",
    "prompts=4",
    "batch_size=2",
    "max_prompt_len=8",
    "max_gen_len=4",
    "telemetry.idle_s=0.3",
    "allow_dirty=true",
)
"""A point of seconds."""
STEADY_S = 7
STEADY_POINT = (*POINT, f"min_window_s={STEADY_S}")
"""A point that answers for seven seconds however quick the machine is, and then ends."""
LONG_POINT = (*POINT, "batch_size=1", "max_gen_len=128", "min_window_s=600")
"""A point of ten minutes: it is stopped in the middle."""
REAL = (
    "cluster.device=cuda",
    "cluster.gpus_per_node=1",
    "cluster.slurm.array_parallelism=4",
    "gpu=h200",
    "dtype=fp32",
)
"""Points on boards that can be set, one a node."""
TWO_NODES = ("gpus=2", "cluster.gpus_per_node=1")
"""Two ranks, each on a node of its own."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Telemetry that one host left."""

    rows: int
    last_us: int


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running cluster."""

    folder: Path
    command: list[str]
    """slurm/devcluster with this cluster's folder."""
    disk: Path | None = None
    """A disk of a few MB that nodes see, too; None where none can be mounted."""
    up: tuple[str, ...] = ("up", str(NODES), "2")
    """What brings back what is down."""
    people: tuple[Person, Person] | None = None
    """Two users who may use it beside its maker; None where nobody can become another."""

    @property
    def environment(self) -> dict[str, str]:
        """What Slurm's commands and the launcher need to use this cluster; no line is wrapped."""
        wide = {"COLUMNS": "400", "SLURM_CONF": str(self.folder / "etc" / "slurm.conf")}
        return {**os.environ, **wide}

    def control(self, *words: str) -> str:
        """Run slurm/devcluster."""
        return self._run([*self.command, *words])

    def slurm(self, *words: str) -> str:
        """Run one of Slurm's commands; what it prints."""
        return self._run(words).strip()

    def run_as(
        self, person: Person, module: str, *words: object
    ) -> subprocess.CompletedProcess[str]:
        """Run a module of the project as one of the people, from their home."""
        return subprocess.run(
            [*person.words, str(person.python), "-m", module, *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * PATIENCE_S,
            env={**self.environment, **person.environment},
            cwd=person.home,
        )

    def launch(self, results: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the launcher, which returns when all is queued."""
        return subprocess.run(
            [sys.executable, "-m", "launcher", f"results={results}", *last_words(*words)],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            env=self.environment,
            cwd=REPOSITORY,
        )

    def start(self, results: Path, *words: str) -> AttemptPaths:
        """Queue one point and wait until it answers prompts."""
        attempt = self.queue(results, *words)
        self.wait("the first prompts", lambda: _decoding(attempt))
        return attempt

    def queue(self, results: Path, *words: str) -> AttemptPaths:
        """Queue one point; its attempt."""
        done = self.launch(results, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        (run,) = list_runs(results)
        return run.attempts()[-1]

    def job_state(self, attempt: AttemptPaths) -> str:
        """Slurm's word for how the attempt's job stands, by its accounting."""
        words = self.slurm("sacct", "-n", "-X", "-P", "-j", job_id(attempt), "-o", "State").split()
        return words[0] if words else ""

    def stopped_us(self, attempt: AttemptPaths) -> int:
        """When Slurm ended the attempt's job, by its books of whole seconds."""
        end = self.slurm("sacct", "-n", "-X", "-P", "-j", job_id(attempt), "-o", "End")
        return int(datetime.fromisoformat(end).timestamp() * US_PER_S)

    def wait_end(self, attempt: AttemptPaths, *states: str) -> str:
        """Wait until accounting has the job, once started, in one of `states`; which one."""
        self.wait("the job's start", attempt.started.is_file)
        self.wait(f"the job to be {' or '.join(states)}", lambda: self.job_state(attempt) in states)
        return self.job_state(attempt)

    def wait_ended(self, attempt: AttemptPaths) -> dict[str, str]:
        """Wait for the attempt's own end record; its content."""
        self.wait("the end's record", attempt.ended.is_file)
        return {key: str(value) for key, value in read_json(attempt.ended).items()}

    def wait(
        self, what: str, condition: Callable[[], bool], patience_s: float = PATIENCE_S
    ) -> None:
        """Wait for `condition`, with the queue in the message when it does not come."""
        deadline_s = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline_s:
                queue = self._run(["squeue", "-o", "%i %j %T %R"])
                raise AssertionError(f"waited {patience_s:g} s for {what}; queue:\n{queue}")
            time.sleep(0.1)

    def hold(self) -> None:
        """Nothing starts from now on, until the site recovers."""
        self.slurm("scontrol", "update", "partitionname=main", "state=down")

    def recover(self) -> None:
        """Cancel what is queued, bring every node back and let jobs start."""
        for user in (getpass.getuser(), *(one.name for one in self.people or ())):
            self._run(["scancel", "--user", user])
        self.slurm("scontrol", "update", "partitionname=main", "state=up")
        # One node that needs no resuming keeps Slurm from resuming those after it.
        for node in set(self.slurm("sinfo", "-h", "-N", "-t", "drain,down", "-o", "%N").split()):
            self._run(["scontrol", "update", f"nodename={node}", "state=resume"])
        self.control(*self.up)
        self.wait("an empty queue", lambda: not self._run(["squeue", "-h"]).strip())

    def _run(self, command: Sequence[str]) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=self.environment, timeout=60
        )
        return done.stdout + done.stderr


def job_id(attempt: AttemptPaths) -> str:
    """The attempt's job, as its first rank wrote it down, with its element where it is an array's.

    The last element of an array has the array's own number: who cancels that cancels all of them.
    """
    slurm = read_json(attempt.started)["slurm"]
    if "array_job_id" not in slurm:
        return str(slurm["job_id"])
    return f"{slurm['array_job_id']}_{slurm['array_task_id']}"


def kept(attempt: AttemptPaths, scratch: Path) -> dict[str, Kept]:
    """What a copy of the attempt holds once merged, by host."""
    run_folder = attempt.folder.parent
    copy = RunPaths(results=scratch, run_id=run_folder.name)
    # A closing job may be merging the original just now: its temporary files come and go.
    with contextlib.suppress(shutil.Error):
        shutil.copytree(run_folder, copy.folder, ignore=shutil.ignore_patterns("*.tmp", ".*"))
    merged = copy.attempt(attempt.number)
    merge_attempt(copy, merged)
    samples = pq.read_table(merged.table("samples"), columns=["host", "t_us"])
    table = samples.group_by("host").aggregate([("t_us", "count"), ("t_us", "max")])
    return {
        host: Kept(rows=rows, last_us=last_us)
        for host, rows, last_us in zip(
            table["host"].to_pylist(),
            table["t_us_count"].to_pylist(),
            table["t_us_max"].to_pylist(),
            strict=True,
        )
    }


def kill_rank(attempt: AttemptPaths, rank: int) -> None:
    """kill -9 one rank's process."""
    os.kill(read_json(attempt.rank(rank))["pid"], signal.SIGKILL)


def _decoding(attempt: AttemptPaths) -> bool:
    if attempt.ended.is_file():
        raise AssertionError(f"ended early: {attempt.ended.read_text()}")
    if not attempt.progress.is_file():
        return False
    return bool(read_json(attempt.progress)["phase"] == "decode")


def seconds_since(t_us: int) -> float:
    """Seconds from a stamp until now, both on this machine's one clock."""
    return time.time() - t_us / US_PER_S


def count_true(mask: object) -> int:
    """How many of a column's values are true."""
    return int(pc.sum(mask).as_py() or 0)

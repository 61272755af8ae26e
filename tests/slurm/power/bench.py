"""Bench: the broker on a node of its own, with simulated boards and a Slurm that obeys the test."""

import contextlib
import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.conftest import REPOSITORY
from tests.doubles.nvml.library import SharedBoards, World

PROGRAM = REPOSITORY / "slurm" / "power" / "broker.py"
LIMIT_W, CLOCK_MHZ, MEMORY_MHZ = 700.0, 1980.0, 3201.0
"""What stands on a board that nobody set."""
START = "2026-11-28T00:53:35"
# squeue as far as the broker asks it: a comment alone, or rows of a job, or no such job.
_SQUEUE = """\
#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in --jobs) job=$2 ;; --format) format=$2 ;; esac
  shift
done
[ -e "$0.down" ] && exit 1
[ "$format" = %k ] && exec cat "$0.$job.comment"
[ -e "$0.$job.rows" ] && exec cat "$0.$job.rows"
echo 'slurm_load_jobs error: Invalid job id specified' >&2
exit 1
"""


def load_broker() -> Any:
    """The broker as a module: it belongs to no package."""
    spec = importlib.util.spec_from_file_location("power_broker", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["power_broker"] = module
    spec.loader.exec_module(module)
    return module


broker = load_broker()


class Bench:
    """A node with two boards."""

    def __init__(self, folder: Path, library: Path) -> None:
        self.folder = folder / "vault"
        self.folder.mkdir(mode=0o700)
        self.errors = folder / "errors"
        self.boards = SharedBoards(folder / "boards")
        self.world = World(folder / "world", gpus=2, shared=self.boards.path, setters="root")
        if os.geteuid() != 0:
            self.world.set(setters="all")
        self.squeue = folder / "squeue"
        self.squeue.write_text(_SQUEUE)
        self.squeue.chmod(0o755)
        self.options = [f"--library={library}", f"--squeue={self.squeue}", "--clocks=reset"]

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def queue(
        self,
        job: int,
        comment: str | bytes = "joulegrid-power:cap_w=250",
        *,
        share: str = "NO",
        state: str = "R",
        start: str = START,
    ) -> None:
        """Let Slurm know of a job on this node."""
        raw = comment.encode() if isinstance(comment, str) else comment
        rows = f"{job}|{job}|N/A|1000|{share}|{state}|{start}\n"
        self.squeue.with_name(f"squeue.{job}.rows").write_text(rows)
        self.squeue.with_name(f"squeue.{job}.comment").write_bytes(raw + b"\n")

    def end(self, job: int) -> None:
        """Let Slurm know of it no more."""
        for name in ("rows", "comment"):
            self.squeue.with_name(f"squeue.{job}.{name}").unlink()

    def run(self, verb: str, *words: str, before: Callable[[], None] | None = None) -> int:
        """The broker in a process of its own; its exit code, or minus the signal that killed it."""
        command = [verb, "--node=n1", f"--folder={self.folder}", *self.options, *words]
        child = os.fork()
        if child == 0:
            code = 70
            with contextlib.suppress(BaseException):
                file = os.open(self.errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                os.dup2(file, 1)
                os.dup2(file, 2)
                os.environ["FAKE_NVML"] = str(self.world.path)
                sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
                if before is not None:
                    before()
                try:
                    code = broker.main(command)
                except SystemExit as end:
                    code = int(str(end.code))
                finally:
                    sys.settrace(None)
                    sys.stdout.flush()
            os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def prolog(
        self, job: int = 7, gpus: str = "0,1", before: Callable[[], None] | None = None
    ) -> int:
        return self.run("prolog", f"--job={job}", f"--gpus={gpus}", before=before)

    def epilog(self, job: int = 7, before: Callable[[], None] | None = None) -> int:
        return self.run("epilog", f"--job={job}", before=before)

    def limits(self) -> list[float]:
        """The power limits of both boards."""
        return [self.boards.settings(index).limit_w for index in (0, 1)]

    def clocks(self) -> list[float]:
        """The highest clocks of both boards' SMs."""
        return [self.boards.settings(index).sm_mhz for index in (0, 1)]

    def untouched(self) -> bool:
        """Whether both boards stand as nobody set them."""
        if not self.boards.path.exists():
            return True
        return self.limits() == [LIMIT_W] * 2 and self.clocks() == [CLOCK_MHZ] * 2


class KilledAt:
    """SIGKILL before the n-th line of the broker, from the first of `since` on."""

    def __init__(self, number: int, since: str) -> None:
        self._left = number
        self._since = since
        self._begun = False

    def __call__(self) -> None:
        sys.settrace(self._trace)

    def _trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if frame.f_code.co_filename != str(PROGRAM):
            return None
        self._begun = self._begun or frame.f_code.co_name == self._since
        if self._begun and event == "line":
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self._trace


class FailsAt:
    """The n-th call that changes a file fails as on a full disk; with `on`, all later ones too."""

    def __init__(self, number: int, errno: int, *, on: bool) -> None:
        self._left = number
        self._errno = errno
        self._on = on

    def __call__(self) -> None:
        for name in ("write", "fsync", "rename", "unlink"):
            setattr(broker.os, name, self._failing(getattr(os, name)))
        opened = os.open
        failing = self._failing(opened)

        def open_or_fail(path: Any, flags: int, *words: Any, **more: Any) -> Any:
            return (failing if flags & os.O_CREAT else opened)(path, flags, *words, **more)

        broker.os.open = open_or_fail

    def _failing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*words: Any, **more: Any) -> Any:
            self._left -= 1
            if self._left == 0 or (self._on and self._left < 0):
                raise OSError(self._errno, os.strerror(self._errno))
            return call(*words, **more)

        return called

"""Process: the owner's side of a watcher; a rank holds it while its node is watched."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from telemetry.clock import wall_us
from telemetry.power.dead_run import needs_restore
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths

_PACKAGE_PARENT: Final = Path(__file__).resolve().parents[2]
# Importing pyarrow on a cold parallel file system takes tens of seconds.
READY_S: Final = 60.0
# What the watcher takes to notice; a forked child that holds the pipe open keeps it from noticing.
_LET_GO_S: Final = 1.0
# A part of ten minutes becomes Parquet in well under a second; a busy file system gets more.
_CLOSE_S: Final = 20.0
_POLL_S: Final = 0.02
# Enough for a traceback's last lines.
_TAIL_BYTES: Final = 2_000
# Something that kills a watcher more often than this will not be outlived.
MAX_RESTARTS: Final = 20
# A watcher that died sooner than this after its start is not followed at once.
_SHORT_LIFE_S: Final = 1.0
_PAUSE_S: Final = 1.0
# Python's own for an exception that nobody caught: a fault, where other codes are decisions.
_UNCAUGHT: Final = 1


class WatcherProcess:
    """A running watcher process of one node; ends it on leaving.

    A watcher that dies takes nobody with it: another follows it at once, `max_restarts` times at
    most, and goes on with its clock in the same shard. Every end is written into
    `watchers/<host>.exit.json`. A thread that sleeps in the kernel waits for the death, so the rank
    works on undisturbed.
    """

    def __init__(
        self,
        results: Path,
        run_id: str,
        attempt_number: int,
        host: str,
        *,
        max_restarts: int = MAX_RESTARTS,
    ) -> None:
        self._attempt = RunPaths(results=results.absolute(), run_id=run_id).attempt(attempt_number)
        self._host = host
        self._exit_path = self._attempt.watchers / f"{host}.exit.json"
        self._log_path = self._attempt.watchers / f"{host}.log"
        self._stopped = False
        self._attempt.watchers.mkdir(exist_ok=True)
        # -P keeps modules of the working directory from standing in for Python's own.
        self._command = [sys.executable, "-P", "-m", "telemetry.watcher"]
        self._command += ["--results", str(results.absolute()), "--run-id", run_id]
        self._command += ["--attempt", str(attempt_number), "--host", host]
        inherited = os.environ.get("PYTHONPATH")
        paths = [str(_PACKAGE_PARENT), *([inherited] if inherited else [])]
        # What the job does to its environment later is nothing to a watcher that follows.
        self._environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        self._max_restarts = max_restarts
        self._deaths: list[dict[str, Any]] = []
        self._stopping = threading.Event()
        self._changing = threading.Lock()
        self._guard: threading.Thread | None = None
        self._log_path.unlink(missing_ok=True)
        self._process = self._start()

    @property
    def pid(self) -> int:
        """The watcher's process id."""
        return self._process.pid

    def wait_ready(self, timeout_s: float = READY_S) -> dict[str, Any]:
        """The watcher's ready record, as soon as its first readings are on disk.

        Raises:
            RuntimeError: the watcher ended, or is not ready in time; with its last words.
        """
        path = self._attempt.host(self._host)
        deadline_s = time.monotonic() + timeout_s
        while True:
            ended = self._process.poll()
            if path.is_file():
                record = read_json(path)
                if record["pid"] == self._process.pid:
                    self._guard_it()
                    return record
            if ended is not None:
                raise RuntimeError(
                    f"the watcher of {self._host} must be watching, but ended with {ended} "
                    f"instead: {self._last_words()}"
                )
            if time.monotonic() >= deadline_s:
                raise RuntimeError(
                    f"the watcher of {self._host} must be ready within {timeout_s:g} s, "
                    f"but is not: {self._last_words()}"
                )
            time.sleep(_POLL_S)

    def alive(self) -> bool:
        """True while the watcher's process runs."""
        return self._process.poll() is None

    def stop(self) -> int:
        """End the watcher, its data kept, and record how it ended; its exit code.

        A negative code is the signal that ended it. A second call changes nothing.
        """
        if self._stopped:
            return self._process.returncode
        with self._changing:
            self._stopping.set()
        early = self._process.poll() is not None
        assert self._process.stdin is not None
        # The pipe of a dead reader may be broken already.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        code = self._wait_for_end()
        if self._guard is not None:
            self._guard.join()
        self._stopped = True
        unset = self._put_settings_back()
        # The record may be on the disk whose fullness or loss ended the watcher.
        with contextlib.suppress(OSError):
            write_json(
                self._exit_path,
                {
                    "host": self._host,
                    "pid": self._process.pid,
                    "exit_code": code,
                    "early": early,
                    "stderr": self._last_words(),
                    "t_us": wall_us(),
                    "deaths": self._deaths,
                    **({} if unset is None else {"settings_put_back": unset}),
                },
            )
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self) -> subprocess.Popen[bytes]:
        self._started_s = time.monotonic()
        with self._log_path.open("ab") as log:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=self._environment,
            )

    def _guard_it(self) -> None:
        if self._guard is None and self._max_restarts > 0:
            self._guard = threading.Thread(
                target=self._follow, name=f"watch-{self._host}", daemon=True
            )
            self._guard.start()

    def _follow(self) -> None:
        """Start another watcher whenever one dies; returns when it must not or need not."""
        while True:
            code = self._process.wait()
            if self._stopping.is_set() or (code >= 0 and code != _UNCAUGHT):
                return
            if len(self._deaths) == self._max_restarts:
                return
            self._deaths.append(
                {
                    "pid": self._process.pid,
                    "exit_code": code,
                    "stderr": self._last_words(),
                    "t_us": wall_us(),
                }
            )
            lived_s = time.monotonic() - self._started_s
            if lived_s < _SHORT_LIFE_S and self._stopping.wait(_PAUSE_S):
                return
            with self._changing:
                if self._stopping.is_set():
                    return
                assert self._process.stdin is not None
                with contextlib.suppress(BrokenPipeError):
                    self._process.stdin.close()
                try:
                    self._process = self._start()
                except OSError as error:
                    # No memory or no process left: the rank's work is not the place to fail.
                    self._deaths[-1]["not_followed"] = str(error)
                    return

    def _put_settings_back(self) -> str | None:
        """Have the GPUs' old values back where a watcher died that had set others.

        What was said of it; None where nothing was to be done.
        """
        if not needs_restore(self._attempt.host_power(self._host)):
            return None
        command = [sys.executable, "-P", "-m", "telemetry.power", "restore"]
        command += ["--attempt", str(self._attempt.folder), "--by", "guard"]
        try:
            done = subprocess.run(
                command,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=_CLOSE_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"not put back: {error}"
        return f"{done.stdout}{done.stderr}".strip()[-_TAIL_BYTES:]

    def _wait_for_end(self) -> int:
        for patience_s, harder in (
            (_LET_GO_S, self._process.terminate),
            (_CLOSE_S, self._process.kill),
        ):
            try:
                return self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                harder()
        return self._process.wait()

    def _last_words(self) -> str:
        try:
            data = self._log_path.read_bytes()
        except OSError as error:
            return f"(its log cannot be read: {error})"
        return data[-_TAIL_BYTES:].decode(errors="replace").strip() or "(it wrote nothing)"

"""Attempt: a run's folder and one numbered try at it, made whole or not at all."""

import ctypes
import dataclasses
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from launcher.door import BadInputError
from launcher.grid import Entry
from telemetry.record import read_json
from telemetry.run import AttemptPaths, RunPaths
from telemetry.schema import EndState
from telemetry.state import attempt_state, record_end

# Group members may look, others may not; the umask takes away more.
FOLDER_MODE: Final = 0o750
_ENCODER: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False)


def open_results(results: Path) -> None:
    """Make the results folder, and see that it can be written.

    Raises:
        BadInputError: it cannot be made or written.
    """
    try:
        results.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=results):
            pass
    except OSError as error:
        raise BadInputError(
            f"`results` must be a folder that can be written, but {results} is not: "
            f"{error.strerror}"
        ) from error


def create_attempt(
    results: Path, entry: Entry, prompts_sha256: str, provenance: str, submitted: str
) -> AttemptPaths | None:
    """Write a run's spec and its next attempt's intent; None when another call was faster.

    The attempt's folder appears with all its files in one rename. Its number is the one after
    those that there were when the grid was checked, so that of two calls only one gets it. A
    thousand attempts are made at a time: `flush` puts them all on the disk, once.

    Args:
        results: the results folder.
        entry: the point.
        prompts_sha256: names its prompts.
        provenance: text of its provenance.json.
        submitted: text of its submitted.json for as long as it has no job.

    Raises:
        ValueError: the run's folder holds another spec.
        OSError: the results folder is full or cannot be written.
    """
    run = RunPaths(results=results, run_id=entry.spec.run_id)
    attempt = run.attempt(entry.attempts + 1)
    order = dataclasses.replace(entry.order, prompts_sha256=prompts_sha256)
    intent = _Intent(
        launch=json_text(order.to_mapping()), provenance=provenance, submitted=submitted
    )
    spec = json_text(entry.spec.to_mapping())
    mine = f"{socket.gethostname()}-{os.getpid()}"
    if not entry.attempts:
        # A run's first attempt appears together with the run.
        folder = results / f".{run.run_id}-{mine}"
        with _taken_back_on_failure(folder):
            folder.mkdir(mode=FOLDER_MODE)
            (folder / run.spec.name).write_text(spec)
            intent.write(folder / attempt.folder.name)
            if _rename(folder, run.folder):
                return attempt
    if not run.spec.is_file():
        replace_text(run.spec, spec)
    elif run.spec.read_text() != spec and read_json(run.spec) != entry.spec.to_mapping():
        raise ValueError(f"{run.spec} must hold the spec of {run.run_id}, but holds another")
    if entry.attempts and not _close(run.attempt(entry.attempts)):
        return None
    folder = run.folder / f".{attempt.folder.name}-{mine}"
    with _taken_back_on_failure(folder):
        intent.write(folder)
        return attempt if _rename(folder, attempt.folder) else None


@dataclass(frozen=True, kw_only=True)
class _Intent:
    """What lies in an attempt's folder before its job starts: the texts of its files."""

    launch: str
    provenance: str
    submitted: str

    def write(self, folder: Path) -> None:
        folder.mkdir(mode=FOLDER_MODE)
        attempt = AttemptPaths(folder=folder)
        attempt.launch.write_text(self.launch)
        attempt.provenance.write_text(self.provenance)
        attempt.submitted.write_text(self.submitted)


@contextmanager
def _taken_back_on_failure(folder: Path) -> Iterator[None]:
    # A launcher of the same number, killed in the middle, may have left it.
    if folder.exists():
        shutil.rmtree(folder)
    try:
        yield
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _rename(folder: Path, target: Path) -> bool:
    """Give a folder its name; False, and the folder gone, when another has it."""
    try:
        folder.rename(target)
    except OSError:
        if not target.exists():
            raise
        shutil.rmtree(folder, ignore_errors=True)
        return False
    return True


def remove_attempt(attempt: AttemptPaths) -> None:
    """Take back an attempt that was never submitted, and its run's folder if it was the first."""
    shutil.rmtree(attempt.folder, ignore_errors=True)
    run = attempt.folder.parent
    if [child.name for child in run.iterdir()] == ["spec.json"]:
        shutil.rmtree(run, ignore_errors=True)


def flush(folder: Path) -> None:
    """Put all that was written to the file system of `folder` on its disk.

    One call for thousands of files; one fsync for each would take longer than the rest.

    Raises:
        OSError: the disk does not take it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if library.syncfs(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one, none, or the whole new one.

    The old one is removed first: a file system such as ext4 writes a file that replaces another to
    the disk at once, which for thousands takes minutes. `flush` makes them last.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text)
        path.unlink(missing_ok=True)
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def json_text(content: Mapping[str, Any]) -> str:
    """`content` in the record's form: sorted JSON, a key a line."""
    return SharedJson({}).text(content)


class SharedJson:
    """JSON of many files that have most of their content in common; that is encoded once."""

    def __init__(self, shared: Mapping[str, Any]) -> None:
        self._shared = _lines(shared)

    def text(self, own: Mapping[str, Any]) -> str:
        """One file's text: a key a line, in order."""
        lines = sorted([*self._shared, *_lines(own)])
        return "{\n" + ",\n".join(line for _, line in lines) + "\n}\n"


def _lines(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (key, f" {json.dumps(key)}: {_ENCODER.encode(value)}") for key, value in content.items()
    ]


def _close(attempt: AttemptPaths) -> bool:
    """See that the attempt before has ended, and say so in it; False when it has not.

    A job that starts late finds the word and stops; one that started meanwhile has left its own.
    """
    if attempt.ended.is_file():
        return True
    started = attempt.started.is_file()
    state = attempt_state(attempt)
    if not state.ended:
        return False
    record_end(attempt, EndState(state.state), state.reason, "launcher")
    return started or not attempt.started.is_file()

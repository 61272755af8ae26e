"""Attempt: a run's folder and one numbered try at it, made whole or not at all."""

import ctypes
import dataclasses
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
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
    run.folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    if not run.spec.is_file():
        replace_text(run.spec, json_text(entry.spec.to_mapping()))
    elif read_json(run.spec) != entry.spec.to_mapping():
        raise ValueError(f"{run.spec} must hold the spec of {run.run_id}, but holds another")
    attempt = run.attempt(entry.attempts + 1)
    if entry.attempts and not _close(run.attempt(entry.attempts)):
        return None
    folder = run.folder / f".{attempt.folder.name}-{socket.gethostname()}-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=FOLDER_MODE)
        new = AttemptPaths(folder=folder)
        order = dataclasses.replace(entry.order, prompts_sha256=prompts_sha256)
        new.launch.write_text(json_text(order.to_mapping()))
        new.provenance.write_text(provenance)
        new.submitted.write_text(submitted)
        try:
            folder.rename(attempt.folder)
        except OSError:
            if not attempt.folder.exists():
                raise
            shutil.rmtree(folder, ignore_errors=True)
            return None
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return attempt


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
    """Write a file so that a reader sees the old or the whole new one; `flush` makes it last."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def json_text(content: Mapping[str, Any]) -> str:
    """`content` in the record's form: sorted, indented JSON with a line break at the end."""
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


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

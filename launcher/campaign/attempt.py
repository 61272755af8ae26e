"""Attempt: a run's folder and one numbered try at it, made whole or not at all."""

import dataclasses
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launcher.config.errors import BadInputError
from launcher.plan.git_silence import keep_from_git
from launcher.plan.grid import PlannedPoint
from telemetry.record.attempt_state import attempt_state, record_end
from telemetry.record.bulk_files import json_text, replace_text
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.schema import EndState

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
        keep_from_git(results)
    except OSError as error:
        raise BadInputError(
            f"`results` must be a folder that can be written, but {results} is not: "
            f"{error.strerror}"
        ) from error


def create_attempt(
    results: Path, point: PlannedPoint, prompts_sha256: str, provenance: str, submitted: str
) -> AttemptPaths | None:
    """Write a run's spec and its next attempt's intent; None when another call was faster.

    The attempt's folder appears with all its files in one rename. Its number is the one after
    those that there were when the grid was checked, so that of two calls only one gets it. A
    thousand attempts are made at a time: `flush` puts them all on the disk, once.

    Args:
        results: the results folder.
        point: what is to run.
        prompts_sha256: names its prompts.
        provenance: text of its provenance.json.
        submitted: text of its submitted.json for as long as it has no job.

    Raises:
        ValueError: the run's folder holds another spec.
        OSError: the results folder is full or cannot be written.
    """
    run = RunPaths(results=results, run_id=point.spec.run_id)
    attempt = run.attempt(point.attempts + 1)
    launch = dataclasses.replace(point.launch, prompts_sha256=prompts_sha256)
    intent = _Intent(
        launch=json_text(launch.to_mapping()),
        provenance=provenance,
        submitted=submitted,
        foreseen=None if point.foreseen is None else json_text(point.foreseen.to_mapping()),
    )
    spec = json_text(point.spec.to_mapping())
    mine = f"{socket.gethostname()}-{os.getpid()}"
    if not point.attempts:
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
    elif run.spec.read_text() != spec and read_json(run.spec) != point.spec.to_mapping():
        raise ValueError(f"{run.spec} must hold the spec of {run.run_id}, but holds another")
    if point.attempts and not _close(run.attempt(point.attempts)):
        return None
    folder = run.folder / f".{attempt.folder.name}-{mine}"
    with _taken_back_on_failure(folder):
        intent.write(folder)
        return attempt if _rename(folder, attempt.folder) else None


@dataclass(frozen=True, kw_only=True)
class _Intent:
    """What lies in an attempt's folder before its job starts: the texts of its files."""

    launch: str
    """Of launch.json: the `LaunchConfig`."""
    provenance: str
    """Of provenance.json: who started it, with which code and configuration."""
    submitted: str
    """Of submitted.json for as long as there is no job."""
    foreseen: str | None
    """Of foreseen.json: what it is expected to take; None where nobody asked."""

    def write(self, folder: Path) -> None:
        folder.mkdir(mode=FOLDER_MODE)
        attempt = AttemptPaths(folder=folder)
        attempt.launch.write_text(self.launch)
        attempt.provenance.write_text(self.provenance)
        attempt.submitted.write_text(self.submitted)
        if self.foreseen is not None:
            attempt.foreseen.write_text(self.foreseen)


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

"""Attempt: a run's folder and one numbered try at it, made whole or not at all."""

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launcher.door import BadInputError
from launcher.grid import Entry
from launcher.job import process_identity
from telemetry.clock import wall_us
from telemetry.record import read_json, write_json
from telemetry.run import AttemptPaths, RunPaths

# Group members may look, others may not; the umask takes away more.
_FOLDER_MODE = 0o750


def open_results(results: Path) -> None:
    """Make the results folder, and see that it can be written.

    Raises:
        BadInputError: it cannot be made or written.
    """
    try:
        results.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=results):
            pass
    except OSError as error:
        raise BadInputError(
            f"`results` must be a folder that can be written, but {results} is not: "
            f"{error.strerror}"
        ) from error


def create_attempt(
    results: Path, entry: Entry, prompts_sha256: str, provenance: Mapping[str, Any]
) -> AttemptPaths | None:
    """Write a run's spec and its next attempt's intent; None when another call was faster.

    The attempt's folder appears with all its files in one rename.

    Raises:
        ValueError: the run's folder holds another spec.
        OSError: the results folder is full or cannot be written.
    """
    run = RunPaths(results=results, run_id=entry.spec.run_id)
    run.folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    if run.spec.is_file():
        if read_json(run.spec) != entry.spec.to_mapping():
            raise ValueError(f"{run.spec} must hold the spec of {run.run_id}, but holds another")
    else:
        write_json(run.spec, entry.spec.to_mapping())
    attempts = run.attempts()
    attempt = run.attempt(attempts[-1].number + 1 if attempts else 1)
    folder = Path(tempfile.mkdtemp(prefix=f".{attempt.folder.name}-", dir=run.folder))
    folder.chmod(_FOLDER_MODE & ~_umask())
    try:
        new = AttemptPaths(folder=folder)
        order = dataclasses.replace(entry.order, prompts_sha256=prompts_sha256)
        write_json(new.launch, order.to_mapping())
        write_json(new.provenance, provenance)
        # Until the job is submitted, the attempt lives as long as this process.
        write_json(new.submitted, {"t_us": wall_us(), "executor": None, **process_identity()})
        try:
            folder.rename(attempt.folder)
        except OSError:
            if attempt.folder.exists():
                return None
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return attempt


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

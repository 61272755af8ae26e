"""Payload: which files of a results folder a crate holds, each with its size and SHA-256.

Runs, whole: sealed attempts and those that failed, their prompts, the campaigns that made them,
digests of checkpoints, lodged roots, and what a center's accounting and outside meters say. Not:
what is no part of the record (the report, which anybody makes again from it), what is still being
written, links, and pickles, which no reader should load.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from analysis.crate.profile import METADATA
from telemetry.record.files import file_sha256, read_json
from telemetry.record.paths import (
    AttemptPaths,
    RunPaths,
    campaigns_folder,
    checkpoints_folder,
    find_runs,
    prompts_folder,
    report_folder,
)
from telemetry.record.place import RecordPlace
from telemetry.record.roots import roots_folder
from telemetry.waiting import counted

TABLES: Final = "report/tables"
"""Folder of a packed crate that holds the tables that analysis makes of its runs: where the audit
looks for them."""
BESIDE: Final = ("accounting", "meters")
"""Folders of a results folder that keep what others say of its runs: the center, outside meters."""
NOT_ENDED: Final = "no end is on record"
"""Why an attempt is left out that somebody may still write to."""
_PICKLES: Final = (".pkl", ".pickle")


@dataclass(frozen=True, kw_only=True)
class PayloadFile:
    """A file that the crate holds."""

    name: str
    """Its path in the crate, with slashes."""
    source: Path
    """Where it lies now."""
    size_bytes: int
    """Its length."""
    sha256: str
    """Of its bytes, as 64 hex digits."""


@dataclass(frozen=True, kw_only=True)
class Payload:
    """What a crate holds, and what lies beside it and is left out."""

    results: Path
    """The results folder."""
    runs: tuple[RunPaths, ...]
    """The runs, by name."""
    files: tuple[PayloadFile, ...]
    """Every file, by name."""
    left_out: tuple[tuple[str, str], ...]
    """(name, why) of what is not in it, by name."""


def collect(place: RecordPlace) -> Payload:
    """The files of a results folder, or of the one run whose folder it is.

    Raises:
        OSError: one cannot be read.
        ValueError: a name is no UTF-8.
    """
    results = place.results
    runs = [place.run] if place.run is not None else find_runs(results)
    found: list[Path] = []
    left: dict[str, str] = {}
    for run in runs:
        found += _of_run(run, left)
    if place.run is None:
        shared = [
            *(campaigns_folder(results), checkpoints_folder(results), prompts_folder(results)),
            *(roots_folder(results), *(results / name for name in BESIDE)),
        ]
        for folder in shared:
            if folder.is_dir() and not folder.is_symlink():
                found += _below(folder, results, left)
        taken = {*(run.folder for run in runs), *shared, results / METADATA}
        for child in sorted(results.iterdir()):
            if child not in taken and not child.name.startswith("."):
                is_report = child == report_folder(results)
                left[child.name] = (
                    "joulegrid report makes it again" if is_report else "no part of the record"
                )
    else:
        found += _prompts_of(place.run)
        for name in (roots_folder(results).name, *BESIDE):
            if (results / name).exists():
                left[name] = "of all runs, not of this one"
    files = [_file(path, results) for path in counted(sorted(set(found)), "hashing file")]
    return Payload(
        results=results,
        runs=tuple(runs),
        files=tuple(sorted(files, key=lambda one: one.name)),
        left_out=tuple(sorted(left.items())),
    )


def has_ended(attempt: AttemptPaths) -> bool:
    """Whether the record says that nobody writes to an attempt any more, on whatever machine."""
    return attempt.seal.is_file() or attempt.ended.is_file()


def _of_run(run: RunPaths, left: dict[str, str]) -> Iterator[Path]:
    busy = [attempt.folder for attempt in run.attempts() if not has_ended(attempt)]
    for folder in busy:
        left[folder.relative_to(run.results).as_posix()] = NOT_ENDED
    for path in _below(run.folder, run.results, left):
        if not any(path.is_relative_to(folder) for folder in busy):
            yield path


def _below(folder: Path, results: Path, left: dict[str, str]) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted([*names, *(one for one in folders if Path(parent, one).is_symlink())]):
            path = Path(parent, name)
            told = path.relative_to(results).as_posix()
            if name.startswith("."):
                continue
            if not stat.S_ISREG(path.lstat().st_mode):
                left[told] = "no plain file"
            elif path.suffix in _PICKLES:
                left[told] = "a pickle: it runs what it holds"
            else:
                yield path


def _prompts_of(run: RunPaths) -> Iterator[Path]:
    """The prompts that a run's attempts name, as far as they are there."""
    for attempt in run.attempts():
        try:
            sha256 = read_json(attempt.launch).get("prompts_sha256")
        except (OSError, ValueError):
            continue
        path = run.prompts(str(sha256))
        if path.parent == prompts_folder(run.results) and path.is_file():
            yield path


def _file(path: Path, results: Path) -> PayloadFile:
    name = path.relative_to(results).as_posix()
    return PayloadFile(
        name=name, source=path, size_bytes=path.stat().st_size, sha256=file_sha256(path)
    )

"""Staging: the files of a report, written aside and put in their places once all are there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from telemetry.record.folders import require_no_link


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A new folder to write to, whose files take their places in `folder` when the block ends.

    When it raises, `folder` is as it was: on a full disk an old report stays whole. What `folder`
    holds beside them stays.

    Raises:
        OSError: the folder cannot be made or written.
    """
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    fresh = folder / f".report.{os.getpid()}.tmp"
    whole = False
    try:
        fresh.mkdir(parents=True)
        yield fresh
        _require_room(fresh, folder)
        for path in sorted(fresh.rglob("*")):
            target = folder / path.relative_to(fresh)
            if path.is_dir():
                require_no_link(target)
                target.mkdir(exist_ok=True)
            else:
                path.replace(target)
        whole = True
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        for parent in () if whole else made:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


def _require_room(fresh: Path, folder: Path) -> None:
    """Look at all places before any is taken: a folder where a file belongs would stop halfway.

    Raises:
        OSError: one is of another kind.
    """
    for path in fresh.rglob("*"):
        target = folder / path.relative_to(fresh)
        if target.exists() and not target.is_symlink() and target.is_dir() != path.is_dir():
            kinds = ("a folder", "a file") if path.is_dir() else ("a file", "a folder")
            raise OSError(f"{target} must be {kinds[0]}, but is {kinds[1]}")

"""Plain file: a file of a foreign folder, and no link, pipe or device in its place."""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from telemetry.damage import DamagedError
from telemetry.record.limits import FOLDER_ENTRIES

# attempt-001/shards/samples/<host>/part-00000.parquet: so far from the end an attempt is named.
_DEEPEST: Final = 5
_ATTEMPT_NAME: Final = re.compile(r"attempt-\d{3,}")
# Folders of a results folder that are no run's; campaigns/<time>/jobs/<file> is the deepest.
_ROOMS: Final = frozenset({"prompts", "checkpoints", "campaigns", "roots", "report", "meters"})
_DEEPEST_ROOM: Final = 4
_RUN_FILE: Final = "spec.json"
# Where a folder may be entered but not listed, this opens it all the same (Linux).
_PATH_ONLY: Final = getattr(os, "O_PATH", os.O_RDONLY)
_FOLDER: Final = _PATH_ONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
# What stands in a file's place, in the words that it is told in.
_KINDS: Final = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


class NotPlainError(DamagedError):
    """A link, a pipe, a device or a folder in place of a file, or a link in place of a folder."""


@contextmanager
def plain_file(path: Path, *, follow: bool = False) -> Iterator[int]:
    """The descriptor of a plain file: a pipe or a device would be read for ever.

    No link is followed at its end, nor on the way to it inside the results folder that it lies in:
    that one itself, and what it lies in, may be links. `follow` is for a file of the user's own.

    Raises:
        OSError: it cannot be opened.
        NotPlainError: it is no plain file.
    """
    number = _open(path, follow=follow)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise NotPlainError(f"{path} must be a plain file, but is none")
        yield number
    finally:
        os.close(number)


@contextmanager
def plain_file_at(name: str, above: int) -> Iterator[int]:
    """The descriptor of a plain file in a folder that is open already.

    Raises:
        OSError: it cannot be opened, or is a link.
        NotPlainError: it is no plain file.
    """
    number = os.open(name, _FILE | os.O_NOFOLLOW, dir_fd=above)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise NotPlainError(f"{name} must be a plain file, but is none")
        yield number
    finally:
        os.close(number)


@contextmanager
def attempt_way(path: Path) -> Iterator[tuple[int | None, Path | str]]:
    """The open folder that a file of an attempt is written to, and its name in it.

    None and the path of a file that is no attempt's: what it lies in may be a link.

    Raises:
        OSError: a folder on the way is missing, or a link.
    """
    if not any(_ATTEMPT_NAME.fullmatch(part) for part in path.parts[-_DEEPEST:-1]):
        yield None, path
        return
    # What the body raises is its own.
    with ExitStack() as stack:
        try:
            way = stack.enter_context(_way(path))
        except NotPlainError as error:
            raise OSError(errno.ELOOP, str(error), str(path)) from None
        yield way


@contextmanager
def open_folder(name: Path | str, above: int | None = None) -> Iterator[int]:
    """The descriptor of a folder; in one that is open already, no link in its place.

    Raises:
        OSError: there is none, or it is a link.
    """
    number = os.open(name, _FOLDER | (0 if above is None else os.O_NOFOLLOW), dir_fd=above)
    try:
        yield number
    finally:
        os.close(number)


def require_plain(path: Path) -> Path:
    """The path of a plain file, for another program that opens it itself.

    Raises:
        OSError: there is none, or it cannot be opened.
        ValueError: it is no plain file.
    """
    with plain_file(path):
        return path


def list_folder(folder: Path) -> list[Path]:
    """What a folder holds, by name; links are listed, not followed.

    Raises:
        OSError: it is none, or cannot be listed.
        ValueError: it is a link inside a results folder, or holds more than any of a record.
    """
    with _way(folder / ".") as (above, _):
        if above is not None and stat.S_ISLNK(os.lstat(folder).st_mode):
            raise NotPlainError(f"{folder} must be a folder, but is a link")
        found = []
        with os.scandir(folder) as entries:
            for entry in entries:
                found.append(entry.name)
                FOLDER_ENTRIES.require(len(found), str(folder))
    return [folder / name for name in sorted(found)]


def _open(path: Path, *, follow: bool) -> int:
    if follow:
        return os.open(path, _FILE)
    with _way(path) as (above, name):
        try:
            # Before it is opened: to open a device may already do something.
            _require_kind(path, os.stat(name, dir_fd=above, follow_symlinks=False).st_mode)
            return os.open(name, _FILE | os.O_NOFOLLOW, dir_fd=above)
        except OSError as error:
            raise _named(error, path) from None


@contextmanager
def _way(path: Path) -> Iterator[tuple[int | None, Path | str]]:
    """The folder that a file lies in, reached without a link inside its record, and its name.

    None and the path where it lies directly in the folder that somebody named.
    """
    root, inner = _inside(path)
    if len(inner) == 1:
        yield None, path
        return
    number = -1
    try:
        for place, name in enumerate((str(root), *inner[:-1])):
            flags = _FOLDER | (os.O_NOFOLLOW if place else 0)
            above = number
            try:
                number = os.open(name, flags, dir_fd=above if place else None)
            except OSError as error:
                reached = root.joinpath(*inner[:place])
                if place and error.errno in (errno.ELOOP, errno.ENOTDIR) and reached.is_symlink():
                    raise NotPlainError(
                        f"{path} must lie in a folder, but {reached} is a link"
                    ) from None
                raise _named(error, path) from None
            finally:
                if place and above != number:
                    os.close(above)
        yield number, inner[-1]
    finally:
        with suppress(OSError):
            if number >= 0:
                os.close(number)


def _inside(path: Path) -> tuple[Path, tuple[str, ...]]:
    """The results folder that a path lies in, by a record's own layout, and the way from there."""
    parts = path.parts
    depth = 1
    if path.name == _RUN_FILE:
        depth = 2
    else:
        for back in range(2, min(len(parts), _DEEPEST + 1) + 1):
            if _ATTEMPT_NAME.fullmatch(parts[-back]):
                depth = back + 1
                break
            if back <= _DEEPEST_ROOM and parts[-back] in _ROOMS:
                depth = back
    depth = min(depth, len(parts))
    return Path(*parts[:-depth]), parts[-depth:]


def _require_kind(path: Path, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    what = next((what for is_it, what in _KINDS if is_it(mode)), "a device")
    raise NotPlainError(f"{path} must be a plain file, but is {what}")


def _named(error: OSError, path: Path) -> OSError:
    """The same error with the whole path, which the system was asked for in pieces."""
    if error.errno == errno.ELOOP:
        return OSError(error.errno, "a link, or a circle of them", str(path))
    return OSError(error.errno, error.strerror, str(path))

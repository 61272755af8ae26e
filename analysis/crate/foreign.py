"""Foreign: a crate that anybody may have made, read within limits: metadata, a zip's members."""

import json
import os
import stat
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from analysis.crate.profile import METADATA
from analysis.runs.unreadable import UNREADABLE, shortened
from telemetry.command import CommandError
from telemetry.record.limits import Limit

METADATA_BYTES: Final = Limit(
    what="bytes of metadata",
    most=64 << 20,
    reason="200 runs of 32 GPUs are told in some 40 MB",
)
"""Of a crate's metadata file."""
METADATA_VALUES: Final = Limit(
    what="JSON values",
    most=1 << 22,
    reason="an empty list is three bytes of file and 64 of memory; those runs have 2 million",
)
"""Of it."""
DIRECTORY_BYTES: Final = Limit(
    what="bytes of a zip's directory",
    most=16 << 20,
    reason="an entry takes 46 bytes of file and 700 of memory; those runs have some 20,000",
)
"""Of a zip's list of its members, which is read whole."""
# APPNOTE.TXT 6.3.10, 4.3.14 to 4.3.16: the ends of a directory, and where their fields lie.
_END: Final = b"PK\x05\x06"
_END_64: Final = b"PK\x06\x06"
_LOCATOR_64: Final = b"PK\x06\x07"
_END_BYTES: Final = 22
_LOCATOR_BYTES: Final = 20
_COMMENT_BYTES: Final = 65_535
_SIZE_AT: Final = 12
_SIZE_64_AT: Final = 40
# APPNOTE.TXT 4.4.15: a host's own attributes, of Unix its mode in the upper half.
_MODE_AT: Final = 16
_IN_64: Final = 0xFFFFFFFF
# Every value but the first of a list or an object follows one of these.
_BEFORE_VALUES: Final = (b",", b"[", b"{", b":")


def parse_metadata(data: bytes) -> Mapping[str, Any]:
    """What a metadata file says: a mapping with a list of entities, of which each has an `@id`.

    Raises:
        CommandError: it does not, or is beyond a limit.
    """
    try:
        METADATA_BYTES.require(len(data), METADATA)
        METADATA_VALUES.require(sum(map(data.count, _BEFORE_VALUES)), METADATA)
        content = json.loads(data)
        known = {entity["@id"]: entity for entity in content["@graph"]}
    except UNREADABLE as error:
        raise CommandError(
            f"{METADATA} must hold a graph of entities, but does not: {shortened(error)}"
        ) from error
    if not isinstance(content, dict) or not isinstance(known.get("./"), dict):
        raise CommandError(f"{METADATA} must have the root entity ./, but has none")
    return content


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip whose directory is no larger than that of a crate may be.

    Raises:
        CommandError: it is no zip, no plain file, or beyond the limit.
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise CommandError(f"`PATH` must be a crate's folder or zip, but {path} is no plain file")
    try:
        DIRECTORY_BYTES.require(_directory_bytes(path), str(path))
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, struct.error) as error:
        raise CommandError(
            f"`PATH` must be a crate's folder or zip, but {path} is none: {shortened(error)}"
        ) from error
    except CommandError:
        raise
    except ValueError as error:
        raise CommandError(str(error)) from error


def members_of(archive: zipfile.ZipFile) -> tuple[dict[str, zipfile.ZipInfo], list[str]]:
    """The files of a zip by name, and the names that stand twice in it."""
    members: dict[str, zipfile.ZipInfo] = {}
    twice: list[str] = []
    for entry in archive.infolist():
        if entry.is_dir():
            continue
        if entry.filename in members:
            twice.append(entry.filename)
        members[entry.filename] = entry
    return members, twice


def is_plain(entry: zipfile.ZipInfo) -> bool:
    """Whether a member unpacks to a file: not to a link or a device, as its Unix mode may say."""
    kind = stat.S_IFMT(entry.external_attr >> _MODE_AT)
    return kind in (0, stat.S_IFREG)


def _directory_bytes(path: Path) -> int:
    """How long a zip says that its directory is; 0 of what is no zip."""
    with path.open("rb") as source:
        length = source.seek(0, os.SEEK_END)
        start = max(0, length - _END_BYTES - _COMMENT_BYTES - _LOCATOR_BYTES)
        source.seek(start)
        tail = source.read()
        # As zipfile looks for it: at the very end, else the last one before a comment.
        last = len(tail) - _END_BYTES
        plain = tail[last : last + len(_END)] == _END and tail.endswith(b"\0\0")
        at = last if plain else tail.rfind(_END)
        if at < 0:
            return 0
        (size,) = struct.unpack_from("<L", tail, at + _SIZE_AT)
        locator = at - _LOCATOR_BYTES
        if locator < 0 or tail[locator : locator + len(_LOCATOR_64)] != _LOCATOR_64:
            return int(size)
        # zipfile takes Zip64's where there is one, whatever the other says.
        end = tail.rfind(_END_64, 0, locator)
        if end < 0:
            return _IN_64
        (size,) = struct.unpack_from("<Q", tail, end + _SIZE_64_AT)
        return int(size)

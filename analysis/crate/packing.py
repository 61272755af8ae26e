"""Packing: a crate as a folder or as one zip file, whole or not there; the record is only read.

Files are copied, not linked: an editor that opens a crate must not reach into a sealed run. What
is written is hashed on its way and must be what the metadata says.
"""

import contextlib
import hashlib
import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from analysis.crate.payload import PayloadFile
from analysis.crate.profile import METADATA
from telemetry.record.files import write_bytes
from telemetry.record.plain_file import plain_file
from telemetry.waiting import counted

# Copies at disk speed and holds no file in memory.
_CHUNK_BYTES: Final = 1 << 20
# The first that a zip can tell: a time of packing would make other bytes of the same crate.
_NO_TIME: Final = (1980, 1, 1, 0, 0, 0)
# Read and write for its owner, read for all.
_MODE: Final = stat.S_IFREG | 0o644
_UNIX: Final = 3


def write_in_place(results: Path, metadata: bytes) -> Path:
    """Make the results folder itself the crate: one file beside its runs, none in them.

    Raises:
        OSError: it cannot be written.
    """
    path = results / METADATA
    write_bytes(path, metadata)
    return path


def write_folder(out: Path, metadata: bytes, files: Sequence[PayloadFile]) -> None:
    """Write the crate as a new folder.

    Raises:
        OSError: the machine refuses; there is then no such folder.
        ValueError: a file changed meanwhile.
    """
    building = out.with_name(f".{out.name}.{os.getpid()}.new")
    building.mkdir(parents=True)
    try:
        for file in counted(files, "copying file"):
            target = building / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as sink:
                _copy(file, sink)
        write_bytes(building / METADATA, metadata)
        with contextlib.suppress(FileNotFoundError):
            out.rmdir()
        building.rename(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def write_zip(out: Path, metadata: bytes, files: Sequence[PayloadFile]) -> None:
    """Write the crate as one zip: equal crates give equal bytes on every machine.

    Nothing is deflated, as libraries do that differently and Parquet is compressed already. What is
    larger than 4 GiB has Zip64's fields.

    Raises:
        OSError: the machine refuses; there is then no such file.
        ValueError: a file changed meanwhile.
    """
    building = out.with_name(f".{out.name}.{os.getpid()}.new")
    building.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(building, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            _add(archive, METADATA, len(metadata), lambda sink: sink.write(metadata))
            for file in counted(files, "packing file"):
                _add(archive, file.name, file.size_bytes, partial(_copy, file))
        building.replace(out)
    finally:
        building.unlink(missing_ok=True)


def _add(
    archive: zipfile.ZipFile, name: str, size_bytes: int, fill: Callable[[IO[bytes]], Any]
) -> None:
    entry = zipfile.ZipInfo(name, date_time=_NO_TIME)
    entry.create_system = _UNIX
    entry.external_attr = _MODE << 16
    # By its size zipfile decides whether it needs Zip64.
    entry.file_size = size_bytes
    with archive.open(entry, "w") as sink:
        fill(sink)


def _copy(file: PayloadFile, sink: IO[bytes]) -> None:
    digest = hashlib.sha256()
    with plain_file(file.source) as number:
        while chunk := os.read(number, _CHUNK_BYTES):
            digest.update(chunk)
            sink.write(chunk)
    if digest.hexdigest() != file.sha256:
        raise ValueError(f"{file.name} must stay as it is while a crate is made, but was changed")

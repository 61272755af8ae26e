"""Verification: whether a crate's files are those that its metadata names, and say what it says.

A crate may come from anywhere: no path of it leads outside, no link is followed, no more is read
of a file than it says it has, and a member of a zip is never unpacked to disk. Its checksums were
written by its holder: they find a slip or a stranger's hand. Who made the record, its seals'
signatures tell.
"""

import hashlib
import json
import math
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from analysis.crate.description import stated
from analysis.crate.foreign import (
    METADATA_BYTES,
    is_plain,
    members_of,
    opened_zip,
    parse_metadata,
)
from analysis.crate.identifiers import path_of
from analysis.crate.making import TablesOf, described
from analysis.crate.musts import broken, ids
from analysis.crate.payload import TABLES, collect
from analysis.crate.profile import METADATA, PROFILES, Profile
from analysis.runs.unreadable import UNREADABLE, shortened
from telemetry.command import CommandError, own_version
from telemetry.nearest import told_count
from telemetry.record.files import read_plain
from telemetry.record.paths import report_folder
from telemetry.record.place import RecordPlace, place_of

_CHUNK_BYTES: Final = 1 << 20
# What a member of a zip raises: damage, a password, a method that there is not, an early end.
_UNZIPPED: Final = (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error)
# Of what differs in the metadata so many are named, and the rest counted.
_MOST_NAMED: Final = 20
_STRANGE: Final = "not in the crate's metadata"
# Sums of some million doubles in another order agree to about ten digits.
_SHARED: Final = 1e-9


@dataclass(kw_only=True)
class Verified:
    """What came of looking at a crate."""

    files: int = 0
    """Files whose bytes were hashed and are as the crate says."""
    faults: list[str] = field(default_factory=list)
    """What is wrong, a line each."""
    unseen: list[str] = field(default_factory=list)
    """What could not be looked at, a line each."""
    others: list[str] = field(default_factory=list)
    """Files that lie there and are none of the crate's, by name."""


def verify(path: Path) -> Verified:
    """Look at a crate: a folder, or a zip file.

    Raises:
        CommandError: it is none, or cannot be read.
    """
    try:
        if path.is_dir():
            return _verify_folder(path)
        with opened_zip(path) as archive:
            return _verify_zip(archive)
    except OSError as error:
        raise CommandError(
            f"`PATH` must be a crate, but {path} cannot be read: {error.strerror or error}"
        ) from error


def _verify_folder(folder: Path) -> Verified:
    metadata = folder / METADATA
    if metadata.is_symlink() or not metadata.is_file():
        raise CommandError(f"`PATH` must be a crate, but {folder} has no {METADATA}")
    try:
        content = parse_metadata(read_plain(metadata, most_bytes=METADATA_BYTES.most))
    except ValueError as error:
        raise CommandError(str(error)) from error
    there = dict(_plain_files(folder))
    found = _verify_files(content, there, lambda name: there[name].open("rb"))
    _sort_out_others(folder, found)
    if not found.faults:
        _verify_statements(folder, content, found)
    return found


def _verify_zip(archive: zipfile.ZipFile) -> Verified:
    members, twice = members_of(archive)
    if METADATA not in members:
        raise CommandError(f"`PATH` must be a crate, but the zip has no {METADATA}")
    try:
        with archive.open(members[METADATA]) as source:
            content = parse_metadata(source.read(METADATA_BYTES.most + 1))
    except _UNZIPPED as error:
        raise CommandError(f"{METADATA} cannot be read: {shortened(error)}") from error
    found = _verify_files(content, members, lambda name: archive.open(members[name]))
    found.faults += [f"{name}: twice in the zip" for name in twice]
    found.faults += [f"{name}: no plain file" for name in members if not is_plain(members[name])]
    found.faults += [f"{name}: {_STRANGE}" for name in found.others]
    found.unseen.append("what the metadata says of the runs: unzip it and verify the folder")
    return found


def _verify_files(
    content: Mapping[str, Any],
    there: Mapping[str, object],
    opened: Callable[[str], AbstractContextManager[IO[bytes]]],
) -> Verified:
    found = Verified()
    named = {METADATA}
    for entity in content["@graph"]:
        types = entity.get("@type")
        if "File" not in (types if isinstance(types, list) else [types]):
            continue
        try:
            name = path_of(entity.get("@id"))
        except ValueError as error:
            found.faults.append(str(error))
            continue
        if name in named:
            # A large file that is named a million times would be hashed as often.
            found.faults.append(f"{name}: named twice in the metadata, or is it itself")
            continue
        named.add(name)
        if name not in there:
            found.faults.append(f"{name}: missing")
        elif (fault := _fault(entity, name, opened)) is not None:
            found.faults.append(f"{name}: {fault}")
        else:
            found.files += 1
    found.others = sorted(set(there) - named)
    found.faults += broken(content)
    return found


def _fault(
    entity: Mapping[str, Any],
    name: str,
    opened: Callable[[str], AbstractContextManager[IO[bytes]]],
) -> str | None:
    """How a file differs from what the crate says of it; None when it does not."""
    sha256, size = entity.get("sha256"), entity.get("contentSize")
    if not isinstance(sha256, str) or not str(size).isdecimal():
        return "the crate tells no SHA-256 and size of it"
    left = int(str(size))
    digest = hashlib.sha256()
    try:
        with opened(name) as source:
            # A zip may hold gigabytes in a kilobyte: not a byte more than it says is read.
            while chunk := source.read(min(_CHUNK_BYTES, left + 1)):
                left -= len(chunk)
                if left < 0:
                    return f"changed: longer than {size} bytes"
                digest.update(chunk)
    except (OSError, *_UNZIPPED) as error:
        return f"cannot be read: {shortened(error)}"
    if left:
        return f"changed: shorter than {size} bytes"
    return None if digest.hexdigest() == sha256 else "changed: another SHA-256"


def _plain_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """What lies in a crate's folder, by name; links are not followed."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and stat.S_ISREG(path.lstat().st_mode):
                yield path.relative_to(folder).as_posix(), path


def _sort_out_others(folder: Path, found: Verified) -> None:
    """A file more is a fault where the crate would have taken it, else it lies beside."""
    if not found.others:
        return
    place = place_of(folder)
    taken: set[str] = set()
    if isinstance(place, RecordPlace):
        try:
            taken = {one.name for one in collect(place).files}
        except UNREADABLE as error:
            found.faults.append(f"the folder cannot be looked through: {shortened(error)}")
    # A report may have been made of it there.
    report = f"{report_folder(folder).name}/"
    beside = [name for name in found.others if name not in taken and not name.startswith(report)]
    found.faults += [f"{name}: {_STRANGE}" for name in found.others if name in taken]
    if beside:
        found.unseen.append(
            f"{told_count(len(beside), 'file')} beside the crate's own, such as {beside[0]}"
        )


def _same(one: object, other: object) -> bool:
    """Whether two values of the graph are the same, numbers to the digits that machines share."""
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_SHARED)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and one == other


def _verify_statements(folder: Path, content: Mapping[str, Any], found: Verified) -> None:
    """Make the metadata again from the files, and name what says something else."""
    known = {entity["@id"]: entity for entity in content["@graph"]}
    profile = _profile(known["./"])
    place = place_of(folder)
    if profile is None or not isinstance(place, RecordPlace):
        found.unseen.append("what the metadata says of the runs: it is no crate of joulegrid's")
        return
    try:
        statement = stated(known["./"], profile)
        held = any(str(name).startswith(f"{TABLES}/") for name in known)
        with described(place, statement, TablesOf.THERE if held else TablesOf.NONE) as again:
            made = {one["@id"]: one for one in json.loads(again.metadata)["@graph"]}
    except (*UNREADABLE, CommandError) as error:
        found.faults.append(f"the record cannot be described again: {shortened(error)}")
        return
    differing = [
        f"{METADATA}: {_called(made.get(name) or known.get(name) or {}, name)} "
        "is not what the files give"
        for name in sorted({*known, *made})
        if not _same(known.get(name), made.get(name))
    ]
    if len(differing) > _MOST_NAMED:
        differing[_MOST_NAMED:] = [f"{METADATA}: and {len(differing) - _MOST_NAMED} more"]
    by, here = known.get(METADATA, {}).get("version"), own_version()
    if differing and by != here:
        # Neither is a lie because the other computes otherwise.
        found.unseen.append(f"what was made by {by}, while this is {here}")
        found.unseen += differing
    else:
        found.faults += differing


def _called(entity: Mapping[str, Any], identifier: str) -> str:
    name = entity.get("name")
    return f"{name!r} ({identifier})" if isinstance(name, str) else identifier


def _profile(root: Mapping[str, Any]) -> Profile | None:
    return next((one for one in PROFILES.values() if one.uri in ids(root, "conformsTo")), None)

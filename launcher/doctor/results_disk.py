"""Results disk: the file system of the results folder, tried in a folder that is removed again."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launcher.doctor.examination import Probe
from launcher.doctor.observation import Observation, elsewhere, missing, there, unseen
from launcher.doctor.situation import Situation
from telemetry.named_paths import named_path
from telemetry.record.disk import disk_trouble
from telemetry.terminal import printable

_NOWHERE: Final = "There is no place to write a record to."
_KINDS: Final = {
    **dict.fromkeys(
        ("nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "wekafs", "panfs", "orangefs", "afs"),
        "shared by file servers",
    ),
    **dict.fromkeys(("cifs", "smb3", "9p", "virtiofs", "fuse.sshfs"), "another machine's"),
    **dict.fromkeys(("tmpfs", "ramfs"), "this machine's memory"),
    "overlay": "this container's own layer",
}
_FLEETING: Final = frozenset({"tmpfs", "ramfs", "overlay"})
# slurm/README.md: an attempt writes 110 kB a minute for a node of eight GPUs.
_BYTES_A_MINUTE: Final = 110_000
_MINUTES_A_DAY: Final = 1440
# A week of one node; below it somebody should look before a campaign does.
_LEAST_BYTES: Final = 7 * _MINUTES_A_DAY * _BYTES_A_MINUTE
# An attempt has some thirty files: a thousand points of it.
_LEAST_INODES: Final = 30_000
_PROBE_BYTES: Final = 1 << 20
_MOUNTS: Final = Path("/proc/self/mountinfo")


@dataclass(frozen=True, kw_only=True)
class Mount:
    """One mounted file system."""

    point: Path
    """Where it is mounted."""
    kind: str
    """The kernel's name of its type, such as `ext4` or `lustre`."""
    source: str
    """What is mounted there: a device, or a server's export."""


def probes(situation: Situation) -> list[Probe]:
    """Its type, what it can, its room, and whether nodes share it."""
    mend = "see whether its file server answers: ls and df of the folder"
    results = situation.results
    return [
        Probe(
            name="results-type",
            look=lambda: kind(results),
            costs=_NOWHERE,
            silence_stops=mend,
        ),
        Probe(
            name="results-writes",
            look=lambda: tries(results),
            costs=_NOWHERE,
            silence_stops=mend,
        ),
        Probe(name="results-space", look=lambda: space(results), costs=_NOWHERE),
        Probe(
            name="results-shared",
            look=lambda: shared(situation),
            costs="A node that sees another folder writes a record that nobody finds.",
        ),
    ]


def kind(results: str, mounts: Path = _MOUNTS) -> Sequence[Observation]:
    """What kind of file system it is."""
    folder = nearest(results)
    mount = mount_of(folder, mounts)
    said = _KINDS.get(mount.kind, "this machine's own, as far as its type tells")
    below = "" if str(folder) == results else f", of {folder}: the folder itself is made later"
    found = f"{mount.kind} ({said}) at {mount.point}, {mount.source}{below}"
    if mount.kind in _FLEETING:
        costs = "The record is gone with this machine's power or this container."
        remedy = "results=FOLDER on a disk that stays, or carry the sealed folder away"
        return [missing("results-type", found, costs=costs, remedy=remedy)]
    return [there("results-type", found)]


def tries(results: str) -> Sequence[Observation]:
    """What a record needs of it, each thing done once in a folder that is removed again."""
    above = nearest(results)
    found, faults = [], []
    try:
        folder = Path(tempfile.mkdtemp(prefix=".joulegrid-doctor-", dir=above))
    except OSError as error:
        why = disk_trouble(error) or os.strerror(error.errno or 0)
        remedy = "a folder that this user may write to, on a disk with room: results=FOLDER"
        text = f"nothing can be made in {above}: {why}"
        return [missing("results-writes", text, costs=_NOWHERE, remedy=remedy, stops=True)]
    try:
        for name, attempt in _TRIES.items():
            try:
                attempt(folder)
            except OSError as error:
                faults.append(f"{name}: {os.strerror(error.errno or 0) if error.errno else error}")
            else:
                found.append(name)
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
    left = f"; {folder} could not be removed" if folder.exists() else ""
    if faults:
        return [
            missing(
                "results-writes",
                f"cannot: {'; '.join(faults)}{left}",
                costs="A record on it may be half written, or written by two at once.",
                remedy="a folder on another file system: results=FOLDER",
                stops=True,
            )
        ]
    return [there("results-writes", f"tried and removed: {', '.join(found)}{left}")]


def space(results: str) -> Sequence[Observation]:
    """Room and inodes left for this user."""
    folder = nearest(results)
    told = os.statvfs(folder)
    free = told.f_bavail * told.f_frsize
    days = free / _BYTES_A_MINUTE / _MINUTES_A_DAY
    found = f"{free / 2**30:.1f} GiB free: {days:.0f} days of a node of eight GPUs"
    # Some file systems make inodes as they go and count none.
    inodes = told.f_favail if told.f_files else None
    found += ", no count of inodes" if inodes is None else f", {inodes} inodes free"
    low = free < _LEAST_BYTES or (inodes is not None and inodes < _LEAST_INODES)
    if low:
        costs = "A campaign may fill the disk: a run ends there, kept up to its last whole part."
        return [missing("results-space", found, costs=costs, remedy="free room, or results=FOLDER")]
    return [there("results-space", f"{found}; a quota shows when it is met")]


def shared(situation: Situation) -> Sequence[Observation]:
    """Whether nodes see the same folder, which no login node can tell."""
    if not situation.slurm:
        return [elsewhere("results-shared", "jobs run on this machine")]
    folder = nearest(situation.results)
    mount = mount_of(folder)
    here = f"on {mount.kind}; here it is inode {folder.stat().st_ino}"
    return [
        unseen(
            "results-shared",
            f"{here}: whether nodes see the same folder only a job can tell",
            costs="A node that sees another folder writes a record that nobody finds.",
            remedy=f"srun --nodes=2 stat --format=%i {folder}: every node must print that number",
        )
    ]


def fault_of(results: str) -> str | None:
    """What is wrong with the folder that somebody named; None when nothing is."""
    # Doctor has no keys: the folder `cluster=slurm` would be looked at, and no word said of it.
    key, equals, value = results.partition("=")
    if equals and key.replace(".", "_").isidentifier() and not Path(results).exists():
        rather = f"--{key} {value}" if key == "cluster" else value
        return (
            f"`RESULTS` must be a folder, but is the key {results!r} instead; "
            f"did you mean {printable(rather)}?"
        )
    try:
        path = named_path("RESULTS", results, "a results folder")
    except ValueError as error:
        return str(error)
    if path.exists() and not path.is_dir():
        return f"`RESULTS` must be a folder, or one to be made, but {path} is a file"
    return None


def nearest(results: str) -> Path:
    """The folder, else the nearest one above it that is there.

    Raises:
        ValueError: it is no path.
    """
    path = named_path("RESULTS", results, "a results folder")
    while not path.is_dir():
        path = path.parent
    return path.resolve()


def mount_of(folder: Path, mounts: Path = _MOUNTS) -> Mount:
    """The file system that a folder lies on: of those that hold it the one mounted last.

    Raises:
        RuntimeError: the kernel tells of none.
    """
    found = None
    for mount in _mounted(mounts):
        if folder.is_relative_to(mount.point) and (
            found is None or len(mount.point.parts) >= len(found.point.parts)
        ):
            found = mount
    if found is None:
        raise RuntimeError(f"{mounts} has no file system that holds {folder}")
    return found


def _mounted(mounts: Path) -> Iterator[Mount]:
    for line in mounts.read_text(errors="surrogateescape").splitlines():
        # proc(5): fields, a number of optional ones, a dash, then type and source.
        before, dash, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if dash and len(fields) > 4 and len(rest) > 1:  # noqa: PLR2004 -- the mount point is fifth
            yield Mount(point=Path(_plain(fields[4])), kind=rest[0], source=_plain(rest[1]))


def _plain(text: str) -> str:
    """A field without its escapes: blank, tab, line break and backslash stand as octal numbers."""
    for escape, plain in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escape, plain)
    return text


def _write(folder: Path) -> None:
    with (folder / "one").open("wb") as stream:
        stream.write(bytes(_PROBE_BYTES))
        stream.flush()
        # A file server tells only now that it is full.
        os.fsync(stream.fileno())


def _replace(folder: Path) -> None:
    (folder / "new").write_bytes(b"new")
    (folder / "old").write_bytes(b"old")
    (folder / "new").replace(folder / "old")
    if (folder / "old").read_bytes() != b"new":
        raise OSError("a file that was put in another's place is not there")


def _link(folder: Path) -> None:
    os.link(folder / "old", folder / "second")
    try:
        os.link(folder / "one", folder / "second")
    except FileExistsError:
        return
    raise OSError("two were first to link one name")


def _only(folder: Path) -> None:
    for _ in range(2):
        try:
            os.close(os.open(folder / "only", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
    raise OSError("two made the one file")


def _rename(folder: Path) -> None:
    (folder / "here").mkdir()
    (folder / "here").rename(folder / "there")


_TRIES: Final[dict[str, Callable[[Path], None]]] = {
    "write and fsync": _write,
    "replace at once": _replace,
    "one hard link": _link,
    "one creation": _only,
    "rename of a folder": _rename,
}

"""Digests: the SHA-256 of every file of a checkpoint, kept beside the results.

Hashing a hundred gigabytes takes minutes, so what was hashed once is known again by its path, size,
time of last change and inode. The digest that names a checkpoint in `RunSpec.weights` can be had
without this program, in the checkpoint's folder (its first 16 digits, after `sha256-`):

    sha256sum consolidated.*.pth params.json | LC_ALL=C sort -k 2 | sha256sum
    sha256sum config.json model*.safetensors* | LC_ALL=C sort -k 2 | sha256sum
"""

import concurrent.futures
import dataclasses
import hashlib
import os
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from telemetry.record.files import read_json, write_json
from telemetry.record.paths import checkpoints_folder
from workers.checkpoints.files import CheckpointFiles, Format
from workers.inputs.kinds import file_fault, one_line

RANDOM: Final = "random"
"""What `RunSpec.weights` holds, in place of a digest, for weights that are drawn."""
CHECKLIST: Final = "checklist.chk"
"""MD5 of Meta's files, as published beside them."""

# Enough for a parallel file system; one core hashes 0.4 to 2 GB/s.
_MOST_THREADS: Final = 4
_CHUNK_BYTES: Final = 1 << 20
# What takes longer is told of.
_TELL_S: Final = 2.0
_DIGITS: Final = 16
_MD5: Final = re.compile(r"[0-9a-fA-F]{32}")

HashProgress = Callable[[int, int], None]
"""Told every two seconds how many bytes are hashed, and of how many."""


def _unheard(done_bytes: int, total_bytes: int) -> None:
    """Keep it quiet."""


@dataclass(frozen=True, kw_only=True)
class HashedFile:
    """One file as it was when it was hashed."""

    name: str
    """File name within the checkpoint's folder."""
    bytes: int
    """Its size."""
    mtime_ns: int
    """Time of last change, since 1970 in UTC."""
    inode: int
    """Its number in the file system; another node may see another one."""
    sha256: str
    """64 hex digits."""


@dataclass(frozen=True, kw_only=True)
class CheckpointRecord:
    """All files of one checkpoint as they were when they were hashed."""

    folder: Path
    """The checkpoint's folder, whose path names the record."""
    files: tuple[HashedFile, ...]
    """By name."""
    checklist: bool = False
    """True when each file of weights had the MD5 that a checklist.chk beside it lists."""

    @property
    def digest(self) -> str:
        """What `RunSpec.weights` holds: a digest of the files' digests and names."""
        lines = "".join(f"{file.sha256}  {file.name}\n" for file in self.files)
        return f"sha256-{hashlib.sha256(lines.encode()).hexdigest()[:_DIGITS]}"

    @classmethod
    def read(cls, results: Path, folder: Path) -> Self | None:
        """The record of `folder`; None when it was never hashed.

        Raises:
            ValueError: the record is none.
        """
        path = record_path(results, folder)
        try:
            content = read_json(path)
        except FileNotFoundError:
            return None
        try:
            files = tuple(HashedFile(**file) for file in content["files"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} must hold the digests of a checkpoint, but: {error}") from (
                error
            )
        return cls(folder=folder, files=files, checklist=content.get("checklist") is True)

    def write(self, results: Path) -> None:
        """Keep the record beside the results."""
        path = record_path(results, self.folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"digest": self.digest, "folder": str(self.folder), **self.to_mapping()})

    def to_mapping(self) -> dict[str, Any]:
        """The files' JSON form, and by what their order is known."""
        files = [dataclasses.asdict(file) for file in self.files]
        return {"files": files, "checklist": self.checklist}

    def twins(self) -> str | None:
        """Two files of equal content, as a fault; None when all differ, as slices of weights do."""
        first: dict[str, str] = {}
        for file in self.files:
            if (other := first.setdefault(file.sha256, file.name)) != file.name:
                return (
                    f"`weights` must be whole, but {self.folder / other} and {file.name} are the "
                    "same file twice: one was copied in place of the other"
                )
        return None

    def change(self, *, inodes: bool = True) -> str | None:
        """What has changed since the files were hashed; None when nothing has.

        `inodes=False` leaves them out: two nodes need not agree on them.
        """
        for file in self.files:
            try:
                found = _stat(self.folder / file.name)
            except OSError as error:
                return f"{self.folder / file.name} cannot be read: {error.strerror}"
            for name, value in found.items():
                if value != getattr(file, name) and (inodes or name != "inode"):
                    return (
                        f"the {name} of {self.folder / file.name} was {getattr(file, name)} when "
                        f"it was hashed and is {value} now"
                    )
        return None


def record_path(results: Path, folder: Path) -> Path:
    """Where the record of a checkpoint's folder lies."""
    key = hashlib.sha256(str(folder).encode()).hexdigest()[:_DIGITS]
    return checkpoints_folder(results) / f"{key}.json"


def hash_files(
    files: CheckpointFiles,
    known: CheckpointRecord | None = None,
    tell: HashProgress = _unheard,
    *,
    listed_before: bool = False,
) -> CheckpointRecord:
    """The checkpoint's record; a file that is as in `known` is not hashed again.

    Files that a checklist.chk lists are held against it as they are hashed: nothing else in a
    folder tells that two slices changed places. `listed_before` says that files of these very
    digests were: MD5 takes thrice the time of SHA-256.

    Raises:
        ValueError: a file changed while it was read, is not what the checklist lists, or is there
            twice.
        OSError: a file cannot be read.
    """
    paths = sorted(files.paths())
    before = {path: _stat(path) for path in paths}
    listed = {} if listed_before else read_checklist(files)
    # What was not held against the list before is read for that.
    trusted = known is not None and (known.checklist or not listed)
    old = {file.name: file for file in known.files} if known and trusted else {}
    same = {
        path: old[path.name]
        for path, found in before.items()
        if path.name in old and all(getattr(old[path.name], key) == found[key] for key in found)
    }
    to_hash = [path for path in paths if path not in same]
    algorithms = ("sha256", "md5") if listed else ("sha256",)
    digests = dict(zip(to_hash, _digests(to_hash, algorithms, tell), strict=True))
    for path in to_hash:
        if _stat(path) != before[path]:
            raise ValueError(f"`weights` must not change, but {path} did while it was hashed")
        expected = listed.get(path.name)
        if expected is not None and digests[path]["md5"] != expected:
            raise ValueError(
                f"`weights` must be as {files.folder / CHECKLIST} lists them, but the MD5 of "
                f"{path.name} is {digests[path]['md5']} instead of {expected}"
            )
    hashed = [
        same.get(path) or HashedFile(name=path.name, sha256=digests[path]["sha256"], **before[path])
        for path in paths
    ]
    record = CheckpointRecord(
        folder=files.folder, files=tuple(hashed), checklist=listed_before or bool(listed)
    )
    if twins := record.twins():
        raise ValueError(twins)
    return record


def verify(
    files: CheckpointFiles,
    digest: str,
    results: Path,
    *,
    again: bool,
    leads: bool,
    tell: HashProgress = _unheard,
) -> dict[str, Any]:
    """Hold a checkpoint, on the node where it is read, to the digest that names it in a spec.

    Files that the launcher hashed are known by size and time; those that only the nodes can see,
    and all where `again` is true, are hashed here, by the rank that leads its node.

    Returns:
        What `model.json` says of it: digest, files, and how they were verified.

    Raises:
        ValueError: they are other files than those named, or have changed since.
        OSError: a file cannot be read.
    """
    record = CheckpointRecord.read(results, files.folder)
    how = "size and time of last change of every file, as they were when it was hashed"
    if record is None or again:
        if not leads:
            return {"digest": digest, "verified": "by the first rank of this node"}
        before = record is not None and record.checklist and record.digest == digest
        record = hash_files(files, tell=tell, listed_before=before)
        how = "SHA-256 of every file, hashed again on the node"
    elif change := record.change(inodes=False):
        raise ValueError(
            f"`weights` must not change once planned, but {change}; verify_weights=true hashes "
            "them again"
        )
    if record.digest != digest:
        raise ValueError(
            f"`weights` must be {digest} as in the spec, "
            f"but {files.folder} is {record.digest} instead"
        )
    if twins := record.twins():
        raise ValueError(twins)
    return {
        "digest": digest,
        "verified": how,
        **record.to_mapping(),
        "order": _order(files, record),
    }


def _order(files: CheckpointFiles, record: CheckpointRecord) -> str:
    """By what it is known that every file holds the part that its name says."""
    if files.format is not Format.META:
        return "each parameter is whole, by its name"
    if len(files.weights) == 1:
        return "there is one file"
    if record.checklist:
        return f"each file has the MD5 that {CHECKLIST} lists"
    return f"not known: slices are told apart by a {CHECKLIST} alone, and there is none"


def read_checklist(files: CheckpointFiles) -> dict[str, str]:
    """MD5 by name of what the checklist.chk beside the files lists; none when there is none.

    Raises:
        ValueError: it is no such list, names a file twice, or lacks a file of weights.
        OSError: it cannot be read.
    """
    path = files.folder / CHECKLIST
    if not path.exists():
        return {}
    if fault := file_fault(path):
        raise ValueError(f"{path} must hold lines of an MD5 and a name, but {fault}")
    words = [line.split() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    if any(len(line) != 2 or not _MD5.fullmatch(line[0]) for line in words):  # noqa: PLR2004
        raise ValueError(f"{path} must hold lines of an MD5 and a name, but does not")
    listed: dict[str, str] = {}
    for digest, starred in words:
        name = starred.removeprefix("*").removeprefix("./")
        if listed.setdefault(name, digest.lower()) != digest.lower():
            raise ValueError(
                f"{path} must list each file once, but has two MD5 of {one_line(name)}"
            )
    if strangers := [name for name in files.weights if name not in listed]:
        raise ValueError(f"{path} must list every file of weights, but lacks {strangers[0]}")
    return listed


def _stat(path: Path) -> dict[str, int]:
    found = path.stat()
    return {"bytes": found.st_size, "mtime_ns": found.st_mtime_ns, "inode": found.st_ino}


def _digests(
    paths: Sequence[Path], algorithms: Sequence[str], tell: HashProgress
) -> list[dict[str, str]]:
    """Hex digests of files by algorithm, several files at a time and each read once.

    hashlib lets go of the interpreter's lock.
    """
    done = [0] * len(paths)
    total = sum(path.stat().st_size for path in paths)
    stop = threading.Event()

    def digest_one(at: int) -> dict[str, str]:
        digests = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        with paths[at].open("rb") as source:
            while (chunk := source.read(_CHUNK_BYTES)) and not stop.is_set():
                for digest in digests.values():
                    digest.update(chunk)
                done[at] += len(chunk)
        return {name: digest.hexdigest() for name, digest in digests.items()}

    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        try:
            futures = [pool.submit(digest_one, at) for at in range(len(paths))]
            waiting = set(futures)
            while waiting:
                waiting = concurrent.futures.wait(waiting, timeout=_TELL_S).not_done
                if waiting:
                    tell(sum(done), total)
            return [future.result() for future in futures]
        finally:
            # Ctrl-C must not wait for a hundred gigabytes.
            stop.set()

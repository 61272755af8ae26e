"""Roots: one hash of all seals of a results folder at a time, to be lodged where nobody can edit.

A root is that of Merkle's tree over the seals by name, hashed as RFC 6962 has it (section 2.1), so
that one seal can be shown to be under a root without showing the others. Every root that was taken
is kept with its seals in `roots/`: who lodged one can hold the folder against it for ever, though
runs were added since.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from telemetry.clock import wall_us
from telemetry.record.files import create_json, file_sha256, read_json
from telemetry.record.paths import list_runs

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# RUN/attempt-NNN/seal.json: what leads elsewhere, or is not seen as it is, is no name of ours.
_NAME: Final = re.compile(r"(?!\.)[^/\0]+/attempt-\d{3,}/seal\.json")
# One a day for years; each is held against every seal.
_MOST_ROOTS: Final = 2000
# RFC 6962, section 2.1: a leaf and a node never hash alike.
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


@dataclass(frozen=True, kw_only=True)
class Root:
    """The seals of a results folder at a time, and their one hash."""

    taken_us: int
    """When it was taken, by the wall clock."""
    seals: Mapping[str, str]
    """SHA-256 of each seal by its path in the results folder."""

    def __post_init__(self) -> None:
        if not self.seals:
            raise ValueError("`seals` must hold at least one seal, but holds none")
        alike: dict[str, str] = {}
        for name, sha256 in self.seals.items():
            if not _NAME.fullmatch(name) or not name.isprintable():
                raise ValueError(
                    f"`seals` must name RUN/attempt-NNN/seal.json each, but name {name!r} instead"
                )
            # On a disk that folds case, or composes letters, one of the two lies over the other.
            folded = unicodedata.normalize("NFC", name).casefold()
            if (other := alike.setdefault(folded, name)) != name:
                raise ValueError(
                    f"`seals` must be of names that no disk takes for one by case or "
                    f"composition, but {other!r} and {name!r} are"
                )
            if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
                raise ValueError(
                    f"`seals` must hold 64 hex digits for {name}, but holds {sha256!r} instead"
                )

    @property
    def sha256(self) -> str:
        """Merkle's root over `name NUL sha256` of each seal, by name; 64 hex digits."""
        leaves = [f"{name}\0{sha256}".encode() for name, sha256 in sorted(self.seals.items())]
        return merkle_root(leaves).hex()

    @classmethod
    def take(cls, results: Path) -> Self:
        """The root of what is sealed now.

        Raises:
            OSError: a seal cannot be read.
            ValueError: nothing is sealed.
        """
        return cls(taken_us=wall_us(), seals=seals_of(results))

    @classmethod
    def read(cls, path: Path) -> Self:
        """A root that was kept.

        Raises:
            OSError: it cannot be read.
            ValueError: it holds no root, or another one than its seals give.
        """
        content = read_json(path)
        seals, taken_us = content.get("seals"), content.get("taken_us")
        if not isinstance(seals, dict) or type(taken_us) is not int:
            raise ValueError(f"{path} must hold `seals` and `taken_us`, but does not")
        root = cls(taken_us=taken_us, seals=seals)
        if content.get("root_sha256") != root.sha256:
            raise ValueError(
                f"`root_sha256` of {path} must be {root.sha256}, which its seals give, "
                f"but is {content.get('root_sha256')!r} instead"
            )
        # Who looks for a lodged root looks by this name.
        if _SHA256.fullmatch(path.stem) and path.stem != root.sha256:
            raise ValueError(f"{path} must be named by its root, {root.sha256}, but is not")
        return root

    def keep(self, results: Path) -> Path:
        """Write it down beside those taken before; the same seals once more give the same file.

        Raises:
            OSError: it cannot be written.
        """
        path = roots_folder(results) / f"{self.sha256}.json"
        path.parent.mkdir(exist_ok=True)
        create_json(path, self.to_mapping())
        return path

    def to_mapping(self) -> dict[str, Any]:
        """Its JSON form."""
        return {"root_sha256": self.sha256, "taken_us": self.taken_us, "seals": dict(self.seals)}

    def faults(self, results: Path) -> list[str]:
        """What is no longer as it was when the root was taken, one line each."""
        return self.faults_of(seals_of(results))

    def faults_of(self, now: Mapping[str, str]) -> list[str]:
        """The same against what `seals_of` says of the folder: for whoever asks several roots."""
        return [
            f"{name}: {'missing' if name not in now else 'changed'} since the root was taken"
            for name, sha256 in sorted(self.seals.items())
            if now.get(name) != sha256
        ]


def roots_folder(results: Path) -> Path:
    """Where a results folder keeps the roots that were taken of it."""
    return results / "roots"


def list_roots(results: Path) -> list[Path]:
    """Every root that was kept, by name.

    Raises:
        ValueError: there are more than anybody takes.
    """
    folder = roots_folder(results)
    found = sorted(path for path in folder.glob("*.json") if _SHA256.fullmatch(path.stem))
    if len(found) > _MOST_ROOTS:
        raise ValueError(
            f"{folder} must hold at most {_MOST_ROOTS} roots, but holds {len(found)} instead"
        )
    return found


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Merkle's tree hash of RFC 6962, section 2.1: the left part is the largest power of two."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(_LEAF + leaves[0]).digest()
    left = 1 << (len(leaves) - 1).bit_length() - 1
    both = merkle_root(leaves[:left]) + merkle_root(leaves[left:])
    return hashlib.sha256(_NODE + both).digest()


def seals_of(results: Path) -> dict[str, str]:
    """SHA-256 of each seal that lies there now, by its path in the results folder.

    Raises:
        OSError: a seal cannot be read.
        ValueError: one is no plain file.
    """
    return {
        attempt.seal.relative_to(results).as_posix(): file_sha256(attempt.seal)
        for run in list_runs(results)
        for attempt in run.sealed_attempts()
    }

"""Links: the lines of a shard's chains, as they are written and as they are read.

A writer keeps one chain, `chain-00000.jsonl` beside its parts; one that follows a writer that died
keeps the next. A link is a line of JSON in one form: sorted keys, no spaces, ASCII. `link` is what
it says, `signature` what its writer's key makes of that. The head of a chain is the SHA-256 of its
last whole line, newline and all: `tail -n 1 chain-00000.jsonl | sha256sum`.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from telemetry.record.files import read_plain
from telemetry.record.plain_file import list_folder, plain_file

_CHAIN: Final = re.compile(r"chain-(\d{5})\.jsonl")
# A link with the heads of a node's own writers and of four other nodes has 2 kB; the last one of
# a job of a thousand nodes names them all, 100 bytes each.
MOST_LINE_BYTES: Final = 256 << 10
MOST_CHAIN_BYTES: Final = 64 << 20
"""Most that is read of an attempt's chains: those of a day of 32 nodes of 8 ranks have 50 MB."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_PART: Final = re.compile(r"part-\d{5}\.(?:arrows|parquet)")
_TEXTS: Final = frozenset(
    {
        *("kind", "previous", "shard", "host", "metadata_sha256", "key", "unsigned", "nonce"),
        *("file", "sha256", "rows_sha256"),
    }
)
_NUMBERS: Final = frozenset({"number", "wall_us", "monotonic_us", "part", "rows"})
_TRUTHS: Final = frozenset({"seen_all"})


class LinkKind(StrEnum):
    """What a link is for."""

    BEGIN = "begin"
    """The first: what the chain is of and what it stands on."""
    MARK = "mark"
    """Rows of the open part so far."""
    PART = "part"
    """A part was closed."""
    END = "end"
    """The writer ended in order: nothing comes after."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """A chain as somebody saw it: how far it was and its last line's digest."""

    number: int
    """The last link's number, counted from 0."""
    sha256: str
    """SHA-256 of its line, 64 hex digits."""

    def to_list(self) -> list[Any]:
        """Its JSON form."""
        return [self.number, self.sha256]


@dataclass(frozen=True, kw_only=True)
class Link:
    """One whole line of a chain."""

    number: int
    """Its place in the chain, counted from 0."""
    kind: str
    """One of `LinkKind`, or what somebody wrote instead."""
    said: Mapping[str, Any]
    """What it says."""
    signature: str | None
    """Its writer's signature of `signed`; None where the writer had no key."""
    sha256: str
    """SHA-256 of its line, 64 hex digits."""

    @property
    def signed(self) -> bytes:
        """The bytes that a signature is of."""
        return signed_bytes(self.said)


@dataclass(frozen=True, kw_only=True)
class ChainFile:
    """A chain as it lies on disk."""

    path: Path
    """Its file."""
    links: tuple[Link, ...]
    """Its whole lines in order."""
    torn_bytes: int
    """Bytes behind the last newline: a line that its writer did not live to end."""

    @property
    def number(self) -> int:
        """Its place among the chains of its shard, counted from 0."""
        match = _CHAIN.fullmatch(self.path.name)
        assert match is not None
        return int(match[1])

    @property
    def head(self) -> Head | None:
        """Its last whole line; None when it has none."""
        if not self.links:
            return None
        return Head(number=self.links[-1].number, sha256=self.links[-1].sha256)


def chain_path(folder: Path, number: int) -> Path:
    """The file of a shard's chain."""
    return folder / f"chain-{number:05d}.jsonl"


def list_chains(folder: Path) -> list[Path]:
    """The chains of a shard's folder by number; none where there is no such folder.

    Raises:
        OSError: the folder cannot be read.
    """
    if not folder.is_dir():
        return []
    return [path for path in list_folder(folder) if _CHAIN.fullmatch(path.name)]


def link_line(said: Mapping[str, Any], signature: str | None) -> bytes:
    """A link as its line."""
    return _plain({"link": said, "signature": signature}) + b"\n"


def signed_bytes(said: Mapping[str, Any]) -> bytes:
    """The bytes of a link that a signature is of."""
    return _plain(said)


def read_chain(path: Path) -> ChainFile:
    """A chain up to its last whole line.

    Raises:
        OSError: it cannot be read.
        ValueError: a whole line is no link.
    """
    data = read_plain(path, most_bytes=MOST_CHAIN_BYTES)
    lines = data.split(b"\n")
    torn = lines.pop()
    links = tuple(_read_link(path, number, line) for number, line in enumerate(lines, 1))
    return ChainFile(path=path, links=links, torn_bytes=len(torn))


def read_head(path: Path) -> Head | None:
    """The head of a chain that may be growing; None when no link of it can be read yet.

    A shared file system may show an old end, or zeros where a line is still on its way: no line is
    taken for one that is not whole.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file.
    """
    with plain_file(path) as number:
        start = max(0, os.fstat(number).st_size - MOST_LINE_BYTES)
        tail = os.pread(number, MOST_LINE_BYTES, start)
    lines = tail.split(b"\n")[:-1]
    # What comes first may be the end of a line that began before.
    for line in reversed(lines if not start else lines[1:]):
        try:
            link = _read_link(path, 0, line)
        except ValueError:
            continue
        return Head(number=link.number, sha256=link.sha256)
    return None


def _read_link(path: Path, at: int, line: bytes) -> Link:
    where = f"line {at} of {path.parent.name}/{path.name} must be a link, but is"
    if len(line) > MOST_LINE_BYTES:
        raise ValueError(f"{where} {len(line)} bytes long")
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} not JSON: {error}") from error
    said = content.get("link") if isinstance(content, dict) else None
    signature = content.get("signature") if isinstance(content, dict) else None
    if not isinstance(said, dict) or not (signature is None or isinstance(signature, str)):
        raise ValueError(f"{where} none: `link` is not an object, or `signature` no text")
    number, kind = said.get("number"), said.get("kind")
    if type(number) is not int or not isinstance(kind, str):
        raise ValueError(f"{where} of `number` {number!r} and `kind` {kind!r}")
    if (strange := _strange(said)) is not None:
        raise ValueError(f"{where} of a `{strange}` that no link has")
    # What reads alike and is written otherwise has another digest: there is one form.
    if link_line(said, signature) != line + b"\n":
        raise ValueError(f"{where} written in another form than a link's")
    return Link(
        number=number,
        kind=kind,
        said=said,
        signature=signature,
        sha256=hashlib.sha256(line + b"\n").hexdigest(),
    )


def _strange(said: Mapping[str, Any]) -> str | None:
    """The first thing that a link says and none of ours does; None without.

    A link is foreign input: what is small on disk must not be large in memory.
    """
    for key, told in said.items():
        if key in _TEXTS:
            fits = told is None or isinstance(told, str)
        elif key in _NUMBERS:
            # Arrow takes a negative count of rows for a place before the first.
            fits = type(told) is int and told >= 0
        elif key in _TRUTHS:
            fits = isinstance(told, bool)
        elif key == "left":
            # The last link of a writer that another followed says so of a part with `true`.
            fits = told is True or (
                isinstance(told, list)
                and all(isinstance(one, str) and _PART.fullmatch(one) for one in told)
            )
        elif key == "grounds":
            fits = isinstance(told, dict) and all(_is_digest(one) for one in told.values())
        else:
            fits = key == "seen" and isinstance(told, dict) and all(map(_is_head, told.values()))
        if not fits:
            return key
    return None


def _is_digest(told: object) -> bool:
    return told is None or (isinstance(told, str) and _SHA256.fullmatch(told) is not None)


def _is_head(told: object) -> bool:
    return (
        isinstance(told, list)
        and [type(one) for one in told] == [int, str]
        and told[0] >= 0
        and _is_digest(told[1])
    )


def _plain(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

"""Chain: what a writer says of its rows while it writes them, each link holding the one before.

A link costs a line appended to an open file: no fsync, no rename, and never the run. What the disk
does not take is kept and tried again with the next link; what a kill leaves half-written is a torn
last line, which is no link.
"""

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol, Self

import pyarrow as pa

from telemetry.clock import US_PER_S, monotonic_us, wall_us
from telemetry.record.files import file_sha256
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.schema import METADATA_KEY
from telemetry.shards.content import ContentDigest
from telemetry.shards.link_key import UNSIGNED, LinkKey
from telemetry.shards.links import (
    Head,
    LinkKind,
    chain_path,
    link_line,
    list_chains,
    read_chain,
    read_head,
    signed_bytes,
)

BOUND_BY_WATCHER: Final = "its node's watcher holds its head"
"""Why a rank's links are not signed: what measures does not sign, and its watcher does."""
# Every 10 s for ten minutes, and after an hour every minute: a day has 400 links and not 9,000.
_AGE_SHARE: Final = 60
_OFTEN_US: Final = 600 * US_PER_S
# What tells two writers of one shard, and a chain from one that was made again, apart.
_NONCE_BYTES: Final = 16


class Seen(Protocol):
    """Heads of others' chains, which a link holds beside its own rows."""

    def take(self) -> Mapping[str, Head]:
        """What was seen since the last call, by shard and number of the chain; never waits long."""

    def last(self) -> tuple[Mapping[str, Head], bool]:
        """What can be seen at the end, and whether all was looked at in time."""


class Nobody:
    """No chain of others is looked at."""

    def take(self) -> Mapping[str, Head]:
        """Nothing."""
        return {}

    def last(self) -> tuple[Mapping[str, Head], bool]:
        """Nothing, which is all."""
        return {}, True


def _now() -> tuple[int, int]:
    return wall_us(), monotonic_us()


@dataclass(frozen=True, kw_only=True)
class Binding:
    """What a writer's chain stands on, and who vouches for its links."""

    host: str
    """The node that it is written on."""
    grounds: Mapping[str, str | None]
    """SHA-256 of what lay there before, by the file's name; None for what was not there yet."""
    link_us: int
    """Time from one link to the next while a part is open, at least; later on a 60th of its age."""
    key: LinkKey | None = None
    """Signs the links; None leaves them unsigned."""
    unsigned: str | None = None
    """Why there is no key; None where there is one."""
    begun_with: Mapping[str, Head] = field(default_factory=dict)
    """Heads of others that the first link holds."""
    seen: Seen = field(default_factory=Nobody)
    """Heads of others that later links hold."""
    now: Callable[[], tuple[int, int]] = _now
    """The wall clock and the monotonic one, microseconds."""

    def __post_init__(self) -> None:
        if (self.key is None) == (self.unsigned is None):
            raise ValueError(
                f"`unsigned` must say why there is no `key`, and only then, "
                f"but is {self.unsigned!r} instead"
            )

    @property
    def public_key(self) -> str | None:
        """The public half of its key; None without one."""
        return None if self.key is None else self.key.public

    @classmethod
    def of_watcher(cls, attempt: AttemptPaths, host: str, link_s: float, seen: Seen) -> Self:
        """Of a node's watcher: with a key of its own, where `cryptography` is installed."""
        try:
            key, unsigned = LinkKey(), None
        except ModuleNotFoundError:
            key, unsigned = None, UNSIGNED
        return cls(
            host=host,
            grounds=read_grounds(attempt),
            link_us=int(link_s * US_PER_S),
            key=key,
            unsigned=unsigned,
            seen=seen,
        )

    @classmethod
    def of_rank(cls, attempt: AttemptPaths, host: str, link_s: float) -> Self:
        """Of a rank: unsigned, and standing on what its node's watcher has written until now."""
        begun_with: dict[str, Head] = {}
        with contextlib.suppress(OSError, ValueError):
            for path in list_chains(attempt.samples_shard(host))[-1:]:
                if (head := read_head(path)) is not None:
                    begun_with[chain_name(path)] = head
        return cls(
            host=host,
            grounds=read_grounds(attempt),
            link_us=int(link_s * US_PER_S),
            unsigned=BOUND_BY_WATCHER,
            begun_with=begun_with,
        )


def read_grounds(attempt: AttemptPaths) -> dict[str, str | None]:
    """SHA-256 of what is on record before anything is measured, by file; None where it is not.

    Rank 0 says that it started before any watcher of its own node runs; another node's may come
    first.
    """
    run = RunPaths(results=attempt.folder.parent.parent, run_id=attempt.folder.parent.name)
    found: dict[str, str | None] = {}
    for path in (run.spec, attempt.launch, attempt.provenance, attempt.started):
        try:
            found[path.name] = file_sha256(path)
        except (OSError, ValueError):
            # Whether it had to be there the audit asks; what measures goes on.
            found[path.name] = None
    return found


def chain_name(path: Path) -> str:
    """How links of others name a chain: its table, its shard and its number."""
    return f"{path.parent.parent.name}/{path.parent.name}/{int(path.stem.rpartition('-')[2])}"


class Chain:
    """The one writer of a chain."""

    def __init__(self, folder: Path, binding: Binding, schema: pa.Schema) -> None:
        """Begin the folder's next chain, on the head of the one before."""
        self._folder = folder
        self._binding = binding
        self._schema = schema
        self._sink: int | None = None
        self._size_bytes = 0
        self._pending = b""
        self._number = 0
        self._content = ContentDigest(schema)
        self._begun_us = monotonic_us()
        self._linked_us = 0
        earlier = list_chains(folder)
        self._path = chain_path(folder, len(earlier))
        self._previous: str | None = None
        linked: set[str] = set()
        for path in earlier:
            # A chain that cannot be read is told of by the audit; its follower goes on.
            try:
                chain = read_chain(path)
            except (OSError, ValueError):
                self._previous = None
                continue
            self._previous = None if chain.head is None else chain.head.sha256
            linked |= {str(link.said.get("file")) for link in chain.links}
        self._left = [path for path in _parts(folder) if path.name not in linked]
        raw = (schema.metadata or {}).get(METADATA_KEY, b"{}")
        said: dict[str, Any] = {
            "shard": f"{folder.parent.name}/{folder.name}",
            "host": binding.host,
            "grounds": dict(binding.grounds),
            "metadata_sha256": sha256(raw).hexdigest(),
            "key": binding.public_key,
            "unsigned": binding.unsigned,
            "left": [path.name for path in self._left],
        }
        self._link(LinkKind.BEGIN, said, binding.begun_with)

    def open_part(self) -> None:
        """The rows that come are those of a new part."""
        self._content = ContentDigest(self._schema)

    def add(self, batch: pa.RecordBatch, part: int) -> None:
        """Rows of the open part are on disk; a link is made of them when one is due."""
        self._content.add(batch)
        now_us = monotonic_us()
        age_us = now_us - self._begun_us
        rarer_us = age_us // _AGE_SHARE if age_us >= _OFTEN_US else 0
        if now_us - self._linked_us >= max(self._binding.link_us, rarer_us):
            self._link(LinkKind.MARK, self._rows(part), self._binding.seen.take())

    def close_part(self, part: int, path: Path, name: str) -> None:
        """The part's file is whole at `path` and is to be called `name`.

        Raises:
            OSError: it cannot be read.
        """
        facts = {"file": name, "sha256": file_sha256(path)}
        self._link(LinkKind.PART, {**self._rows(part), **facts}, self._binding.seen.take())

    def end(self) -> None:
        """No row comes any more. What a dead writer left is held now, when nothing is measured."""
        for path in self._left:
            try:
                facts = {"file": path.name, "sha256": file_sha256(path), "left": True}
            except (OSError, ValueError):
                continue
            self._link(LinkKind.PART, facts, {})
        heads, all_seen = self._binding.seen.last()
        self._link(LinkKind.END, {"seen_all": all_seen}, heads)
        if self._sink is not None:
            os.close(self._sink)
            self._sink = None

    def _rows(self, part: int) -> dict[str, Any]:
        content = self._content
        return {"part": part, "rows": content.rows, "rows_sha256": content.hexdigest()}

    def _link(self, kind: LinkKind, said: Mapping[str, Any], seen: Mapping[str, Head]) -> None:
        wall, monotonic = self._binding.now()
        link: dict[str, Any] = {
            **said,
            "kind": kind.value,
            "number": self._number,
            "previous": self._previous,
            "wall_us": wall,
            "monotonic_us": monotonic,
            "seen": {name: head.to_list() for name, head in seen.items()},
        }
        if kind is LinkKind.BEGIN:
            link["nonce"] = secrets.token_hex(_NONCE_BYTES)
        key = self._binding.key
        line = link_line(link, None if key is None else key.sign(signed_bytes(link)))
        self._previous = sha256(line).hexdigest()
        self._number += 1
        self._linked_us = monotonic_us()
        self._pending += line
        self._write()

    def _write(self) -> None:
        """Append what is not on disk yet; what cannot be appended is kept for the next link."""
        try:
            if self._sink is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._sink = os.open(self._path, flags, 0o666)
            written = 0
            try:
                while written < len(self._pending):
                    written += os.write(self._sink, self._pending[written:])
            except OSError:
                # A part of a line is cut off again: it would be in the way of its second try.
                os.ftruncate(self._sink, self._size_bytes)
                os.lseek(self._sink, self._size_bytes, os.SEEK_SET)
                raise
        except OSError:
            return
        self._size_bytes += len(self._pending)
        self._pending = b""


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.arrows")) + sorted(folder.glob("part-*.parquet"))

"""Chains: an attempt's shards with their writers' chains, and what contradicts them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from telemetry.record.files import file_sha256
from telemetry.record.parquet_file import open_parquet, parquet_schema
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import METADATA_KEY, TABLES
from telemetry.shards.chain import chain_name
from telemetry.shards.content import ContentDigest
from telemetry.shards.links import ChainFile, Link, LinkKind, list_chains, read_chain
from telemetry.shards.reader import StreamReader
from telemetry.shards.writer import Part, list_parts


@dataclass(frozen=True, kw_only=True)
class ShardChains:
    """One writer's folder, or that of several who followed each other."""

    name: str
    """Its table and its own name, such as samples/n1."""
    folder: Path
    """Where its parts and chains lie."""
    chains: tuple[ChainFile, ...]
    """Its chains by number."""

    @property
    def begin(self) -> Mapping[str, Any]:
        """What its first link says; empty without one."""
        return next((chain.links[0].said for chain in self.chains if chain.links), {})

    @property
    def host(self) -> str:
        """The node that its first link names; empty without one."""
        return str(self.begin.get("host", ""))

    @property
    def ended(self) -> bool:
        """True where its last writer ended in order."""
        last = self.chains[-1].links if self.chains else ()
        return bool(last) and last[-1].kind == LinkKind.END

    @cached_property
    def parts(self) -> dict[str, Part]:
        """Its parts by the names of their files."""
        return {part.path.name: part for part in list_parts(self.folder)}

    @cached_property
    def held(self) -> dict[str, Link]:
        """By a file's name the last link that holds it."""
        return {
            str(link.said.get("file")): link for link in self.links() if link.kind == LinkKind.PART
        }

    def links(self) -> Iterator[Link]:
        """All its links in order."""
        for chain in self.chains:
            yield from chain.links

    def order_faults(self) -> Iterator[str]:
        """Where the links are not one unbroken chain from the first."""
        previous: str | None = None
        for index, chain in enumerate(self.chains):
            name = f"{self.name}/{chain.path.name}"
            ended = bool(chain.links) and chain.links[-1].kind == LinkKind.END
            if chain.number != index:
                yield f"{name} must be chain {index} of its shard"
            if chain.torn_bytes and ended:
                yield f"{name} has {chain.torn_bytes} bytes behind its end"
            if ended and index < len(self.chains) - 1:
                yield f"{name} ended in order, and another follows it"
            if chain.links and chain.links[0].said.get("shard") != self.name:
                yield f"{name} is the chain of {chain.links[0].said.get('shard')}"
            yield from _link_faults(name, chain.links, previous)
            previous = chain.links[-1].sha256 if chain.links else previous

    def ground_faults(self, grounds: Mapping[str, str | None]) -> Iterator[str]:
        """Where a chain stands on another spec, order or start than lies there."""
        for chain in self.chains:
            for link in chain.links[:1]:
                stood_on = link.said.get("grounds")
                if not isinstance(stood_on, dict) or set(stood_on) != set(grounds):
                    yield f"{self.name}/{chain.path.name} does not say what it stands on"
                    continue
                for file, digest in grounds.items():
                    # A start may not have been there yet; the rest was before any writer.
                    if stood_on[file] != digest and not (
                        stood_on[file] is None and file == "started.json"
                    ):
                        yield f"{self.name}/{chain.path.name} stands on another {file}"

    def part_faults(self) -> Iterator[str]:
        """Where parts and links are not of each other."""
        for name, part in self.parts.items():
            link = self.held.get(name)
            if link is None:
                # Killed between a part's link and its name: its rows are held all the same.
                closed = self.held.get(part.path.with_suffix(".parquet").name)
                if part.closed:
                    yield f"no link holds {self.name}/{name}"
                elif closed is None and self.ended:
                    yield f"{self.name}/{name} is in no link, though its writer ended in order"
            elif link.said.get("sha256") != file_sha256(part.path):
                yield f"{self.name}/{name} was changed after it was closed"
        numbers = {part.number for part in self.parts.values()}
        for link in self.links():
            number = link.said.get("part")
            if link.kind in (LinkKind.MARK, LinkKind.PART) and not link.said.get("left"):
                if number not in numbers:
                    yield f"part {number} of {self.name} is in a link, and is not there"
            elif link.kind == LinkKind.PART and link.said.get("file") not in self.parts:
                yield f"{self.name}/{link.said.get('file')} is in a link, and is not there"

    def unheld(self) -> list[str]:
        """Streams of writers that died and whom none followed: their last rows are in no link."""
        return [
            f"{self.name}/{name}"
            for name, part in self.parts.items()
            if not part.closed
            and name not in self.held
            and part.path.with_suffix(".parquet").name not in self.held
        ]

    def row_faults(self) -> Iterator[str]:
        """Where a part's first rows are not those that its links held while it was written."""
        wanted: dict[int, dict[int, Link]] = {}
        for link in self.links():
            part, rows = link.said.get("part"), link.said.get("rows")
            if type(part) is int and type(rows) is int:
                wanted.setdefault(part, {}).setdefault(rows, link)
                if wanted[part][rows].said.get("rows_sha256") != link.said.get("rows_sha256"):
                    yield f"two links say otherwise of {rows} rows of part {part} of {self.name}"
        for part in self.parts.values():
            yield from self._row_faults(part, wanted.get(part.number, {}))

    def _row_faults(self, part: Part, wanted: Mapping[int, Link]) -> Iterator[str]:
        where = f"{self.name}/{part.path.name}"
        if not wanted:
            return
        with _opened(part) as (schema, batches):
            content = ContentDigest(schema)
            due = sorted(wanted)
            for batch in batches:
                at = 0
                while at < batch.num_rows:
                    until = min([one - content.rows for one in due[:1]] + [batch.num_rows - at])
                    content.add(batch.slice(at, until))
                    at += until
                    while due and due[0] <= content.rows:
                        rows = due.pop(0)
                        if wanted[rows].said.get("rows_sha256") != content.hexdigest():
                            yield f"the first {rows} rows of {where} are not those written then"
                            return
        if due:
            yield f"{where} had {due[-1]} rows while it was written, and has {content.rows} now"

    def metadata_faults(self) -> Iterator[str]:
        """Where a part says otherwise of its writer than the writer's first link."""
        begun = {chain.links[0].said.get("metadata_sha256") for chain in self.chains if chain.links}
        for name, part in self.parts.items():
            raw = (_schema(part).metadata or {}).get(METADATA_KEY, b"")
            if sha256(raw).hexdigest() not in begun:
                yield f"{self.name}/{name} says otherwise of its writer than its chain"


def _link_faults(name: str, links: Sequence[Link], previous: str | None) -> Iterator[str]:
    """Where one chain's links do not follow each other, or the chain before."""
    at_us = 0
    for number, link in enumerate(links):
        where = f"link {number} of {name}"
        if link.number != number:
            yield f"{where} has the number {link.number}"
        if link.said.get("previous") != previous:
            yield f"{where} does not hold the link before it"
        if link.kind not in tuple(LinkKind):
            yield f"{where} is of no kind that there is: {link.kind}"
        elif (link.kind == LinkKind.BEGIN) != (number == 0):
            yield f"{where} is of the kind {link.kind}"
        if link.kind == LinkKind.END and number != len(links) - 1:
            yield f"{where} is its end, and more follow"
        now_us = link.said.get("monotonic_us")
        if type(now_us) is not int or now_us < at_us:
            yield f"{where} was made before the link before it"
        else:
            at_us = now_us
        previous = link.sha256


def chains_bytes(attempt: AttemptPaths) -> int:
    """How large an attempt's chains are, all of them."""
    return sum(path.lstat().st_size for path in attempt.folder.glob("shards/*/*/chain-*.jsonl"))


def read_shards(attempt: AttemptPaths) -> list[ShardChains]:
    """Every shard of an attempt by table and name.

    Raises:
        OSError: a chain cannot be read.
        ValueError: a whole line of a chain is no link; the message names it.
    """
    found = []
    for kind in TABLES:
        folder = attempt.shards(kind)
        if not folder.is_dir():
            continue
        for shard in sorted(child for child in folder.iterdir() if child.is_dir()):
            chains = tuple(read_chain(path) for path in list_chains(shard))
            name = f"{kind}/{shard.name}"
            found.append(ShardChains(name=name, folder=shard, chains=chains))
    return found


def seen_in(shard: ShardChains) -> Iterator[tuple[str, int, str, Link]]:
    """Heads of others that a shard's links hold: name, number, digest, and the link."""
    for link in shard.links():
        for name, (number, digest) in link.said.get("seen", {}).items():
            yield name, number, digest, link


def by_name(shards: list[ShardChains]) -> dict[str, ChainFile]:
    """All chains by the names that links of others have for them."""
    return {chain_name(chain.path): chain for shard in shards for chain in shard.chains}


@contextmanager
def _opened(part: Part) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """A part's columns and its rows, a row group or a batch at a time, within limits."""
    if part.closed:
        with open_parquet(part.path) as parquet:
            groups = (batch for group in parquet.groups() for batch in group.to_batches())
            yield parquet.schema, groups
    else:
        with StreamReader(part.path) as reader:
            yield reader.schema, (batch for _, batch in reader.batches())


def _schema(part: Part) -> pa.Schema:
    if part.closed:
        return parquet_schema(part.path)
    with StreamReader(part.path) as reader:
        return reader.schema

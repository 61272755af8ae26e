"""Chains: an attempt's links taken apart and made again, as who owns its folder can."""

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import METADATA_KEY
from telemetry.shards.chain import Binding
from telemetry.shards.links import Head, chain_path, link_line, list_chains, read_chain
from telemetry.shards.writer import ShardWriter, list_parts, shard_metadata
from telemetry.watcher.heads import Heads
from tests.support.record_answers import T0_US

Edit = Callable[[pa.Table], pa.Table]
"""A part's rows as the forger wants them."""
Said = dict[str, Any]
"""What a link says."""


class SeenAtOnce:
    """Others' chains, looked at whenever a link is made."""

    def __init__(self, attempt: AttemptPaths, host: str) -> None:
        self._heads = Heads(attempt, host)

    def take(self) -> dict[str, Head]:
        """What moved since the last look."""
        return self._heads.look()[0]

    def last(self) -> tuple[dict[str, Head], bool]:
        """The same, and that all was seen."""
        return self._heads.look()


def built_binding(attempt: AttemptPaths, host: str, *, watcher: bool) -> Binding:
    """What a built record's writer stands on: a link at each write, in the time that is built."""
    if watcher:
        binding = Binding.of_watcher(attempt, host, 0.0, SeenAtOnce(attempt, host))
    else:
        binding = Binding.of_rank(attempt, host, 0.0)
    ticks = itertools.count()

    def now() -> tuple[int, int]:
        since_us = next(ticks) * 100_000
        return T0_US + since_us, 1_000_000 + since_us

    return replace(binding, now=now)


def remake(attempt: AttemptPaths, name: str, edit: Edit = lambda rows: rows) -> str | None:
    """Write a shard again with our own code, its parts edited; the new key's public half."""
    kind, _, host = name.partition("/")
    folder = attempt.shards(kind) / host
    begin = read_chain(list_chains(folder)[0]).links[0].said
    tables = [pq.read_table(part.path, partitioning=None) for part in list_parts(folder)]
    told = shard_metadata(tables[0].schema)
    metadata = {key: told[key] for key in told if key not in ("schema_version", "chained")}
    schema = tables[0].schema.remove_metadata()
    shutil.rmtree(folder)
    binding = built_binding(attempt, str(begin["host"]), watcher=kind == "samples")
    with ShardWriter(folder, schema, metadata, binding=binding, part_rows=1) as writer:
        for table in tables:
            writer.write(edit(table).to_pydict())
    return binding.public_key


def remake_node(attempt: AttemptPaths, host: str, edit: Edit = lambda rows: rows) -> None:
    """Write a node's shards again, its watcher's first part of all edited, and its ready record."""
    key = remake(attempt, f"samples/{host}", edit)
    for name in ranks_of(attempt, host):
        remake(attempt, name)
    # A watcher's last link holds its ranks' ends, which were not there when it was made first.
    key = remake(attempt, f"samples/{host}")
    write_json(attempt.host(host), {**read_json(attempt.host(host)), "link_key": key})


def ranks_of(attempt: AttemptPaths, host: str) -> list[str]:
    """The shards of a node's ranks."""
    return [
        f"{path.parent.parent.name}/{path.parent.name}"
        for path in sorted(attempt.folder.glob("shards/*/rank-*/chain-00000.jsonl"))
        if read_chain(path).links[0].said["host"] == host
    ]


def edit_part(path: Path, edit: Edit) -> None:
    """Change a closed part's rows in place; what its writer said of it stays."""
    table = pq.read_table(path, partitioning=None)
    pq.write_table(edit(table).replace_schema_metadata(table.schema.metadata), path)


def relink(folder: Path, change: Callable[[list[Said]], list[Said]]) -> None:
    """Change what a shard's links say, and link them anew, without the key that is gone."""
    path = chain_path(folder, 0)
    said = change([dict(link.said) for link in read_chain(path).links])
    lines: list[bytes] = []
    previous: str | None = None
    for number, one in enumerate(said):
        line = link_line({**one, "number": number, "previous": previous}, None)
        lines.append(line)
        previous = hashlib.sha256(line).hexdigest()
    path.write_bytes(b"".join(lines))


def drop_links(folder: Path, count: int) -> None:
    """Take the last links off a shard's chain."""
    path = chain_path(folder, 0)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-count]))


def without_word(attempt: AttemptPaths, word: str) -> None:
    """Take a word out of what every part's writer says of itself."""
    for path in sorted(attempt.folder.glob("shards/*/*/part-*.parquet")):
        table = pq.read_table(path, partitioning=None)
        said = json.loads(table.schema.metadata[METADATA_KEY])
        said.pop(word, None)
        pq.write_table(table.replace_schema_metadata({METADATA_KEY: json.dumps(said)}), path)

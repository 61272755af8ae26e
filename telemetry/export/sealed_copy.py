"""Sealed copy: one sealed run without names, merged and sealed anew.

Names decide the order of rows, so tables and manifest are merged again of the copied shards. What
does not come out as the original has it is not exported: an export would mend what an audit of the
original finds.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from telemetry.clock import wall_us
from telemetry.export.identities import Identities
from telemetry.export.parquet_copy import copy_parquet, look_at_parquet, without_names
from telemetry.export.replacing import Replacing
from telemetry.merge.attempt import merge_attempt
from telemetry.merge.chunks import SORT_KEYS
from telemetry.record.exported import EXPORT, EXPORT_SCHEMA, EXPORT_VERSION
from telemetry.record.files import file_sha256, read_json, read_plain, write_bytes, write_json
from telemetry.record.parquet_file import read_parquet
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.schema import TABLES
from telemetry.record.seal import seal_attempt, verify_seal

# A watcher's log is some kilobytes.
_MOST_TEXT_BYTES: Final = 64 << 20
# Prompts of a data set, or a meter's log.
_MOST_COPIED_BYTES: Final = 512 << 20
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_TEXTS: Final = (".log",)
# What says how many bytes a part has, or which: the copy's are others.
_OF_BYTES: Final = frozenset({"bytes", "size_bytes", "sha256", "digest"})


@dataclass(frozen=True, kw_only=True)
class SealedCopy:
    """One sealed run that is to be exported."""

    run: RunPaths
    """The original."""
    attempt: AttemptPaths
    """Its sealed attempt."""

    def refusal(self) -> str | None:
        """Why it cannot be exported; None where it can."""
        differences = verify_seal(self.run, self.attempt)
        if differences:
            return f"not as sealed: {differences[0]}"
        names = read_json(self.attempt.seal)["files"]
        if any(".." in Path(name).parts for name in names):
            return "its seal names what lies elsewhere"
        if open_parts := [path.name for path in self._files() if _is_open_part(path)]:
            return f"{open_parts[0]} is an open part of a shard, which cannot be copied whole"
        return None

    def look_at(self, names: Identities) -> None:
        """Take in its names."""
        names.look_at(read_json(self.run.spec))
        for path in self._files():
            if path.suffix == ".json":
                names.look_at(read_json(path))
            elif path.suffix == ".parquet":
                look_at_parquet(path, names)
            elif path.suffix in _TEXTS:
                names.look_at_text(_text(path))
            # A host's file and folder bear its name.
            if path.parent.name in ("hosts", "clocks"):
                names.look_at(path.stem, "host")
            if path.parent.parent.name == "samples":
                names.look_at(path.parent.name, "host")
        for other in self._other_attempts():
            for _, content in json_files(sorted(other.folder.rglob("*.json"))):
                names.look_at(content)

    def words(self) -> Iterator[str]:
        """Words that are the record's own, and no names: keys, and what was run."""
        yield from _words(read_json(self.run.spec))
        for path in self._files():
            if path.suffix == ".json":
                yield from _keys(read_json(path))

    def write(self, results: Path, replacing: Replacing, key_id: str) -> list[str]:
        """Write it below `results`; what of it was left out, by name.

        Raises:
            OSError: it cannot be written.
            ValueError: it does not come out as the original has it.
        """
        copy = RunPaths(results=results, run_id=self.run.run_id)
        attempt = copy.attempt(self.attempt.number)
        attempt.folder.mkdir(parents=True)
        copy_plain(self.run.spec, copy.spec)
        derived = {self.attempt.manifest, *(self.attempt.table(kind) for kind in TABLES)}
        left_out = []
        for path in self._files():
            if path in derived:
                continue
            name = path.relative_to(self.attempt.folder).as_posix()
            target = attempt.folder / replacing.key(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not _write(path, target, replacing):
                left_out.append(replacing.key(name))
        sha256 = read_json(self.attempt.manifest)["prompts"]["sha256"]
        if isinstance(sha256, str) and _SHA256.fullmatch(sha256):
            copy.prompts(sha256).parent.mkdir(exist_ok=True)
            copy_plain(self.run.prompts(sha256), copy.prompts(sha256))
        write_json(
            attempt.folder / EXPORT,
            {
                "schema": EXPORT_SCHEMA,
                "version": EXPORT_VERSION,
                "original_seal_sha256": file_sha256(self.attempt.seal),
                "pseudonymised": True,
                "key_id": key_id,
                "exported_us": wall_us(),
                "left_out": sorted(left_out),
            },
        )
        manifest = merge_attempt(copy, attempt)
        self._require_same(attempt, manifest, replacing)
        seal_attempt(copy, attempt)
        for other in self._other_attempts():
            _write_json_files(other.folder, copy.attempt(other.number).folder, replacing)
        return left_out

    def _require_same(
        self, attempt: AttemptPaths, manifest: dict[str, Any], replacing: Replacing
    ) -> None:
        for kind in TABLES:
            if not self.attempt.table(kind).is_file():
                continue
            keys = [(name, "ascending") for name in SORT_KEYS[kind]]
            made = read_parquet(attempt.table(kind)).sort_by(keys)
            theirs = without_names(read_parquet(self.attempt.table(kind)), replacing).sort_by(keys)
            if not _same(made, theirs):
                raise ValueError(f"{kind}.parquet is not what the shards merge to")
        theirs_said = replacing.json(read_json(self.attempt.manifest))
        if _plain(manifest) != _plain(theirs_said):
            raise ValueError("manifest.json is not what the shards merge to")

    def _files(self) -> list[Path]:
        """Every file that the seal names below the attempt."""
        names = read_json(self.attempt.seal)["files"]
        paths = [self.run.results / name for name in sorted(names)]
        return [path for path in paths if path.is_relative_to(self.attempt.folder)]

    def _other_attempts(self) -> list[AttemptPaths]:
        return [one for one in self.run.attempts() if one.number != self.attempt.number]


def _is_open_part(path: Path) -> bool:
    return "shards" in path.parts and path.suffix not in (".parquet", ".json", ".jsonl")


def _write(path: Path, target: Path, replacing: Replacing) -> bool:
    """Write one file without names; False for one of a kind that is left out."""
    if path.suffix == ".json":
        write_json(target, replacing.json(read_json(path)))
    elif path.suffix == ".parquet":
        copy_parquet(path, target, replacing)
    elif path.suffix in _TEXTS:
        lines = _text(path).split("\n")
        write_bytes(target, "\n".join(replacing.text(line) for line in lines).encode())
    else:
        return False
    return True


def _write_json_files(source: Path, target: Path, replacing: Replacing) -> None:
    """The JSON files of an attempt that is not sealed: that there was one, and how it ended."""
    for path, content in json_files(sorted(source.rglob("*.json"))):
        name = replacing.key(path.relative_to(source).as_posix())
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        write_json(target / name, replacing.json(content))


def json_files(paths: Iterable[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The JSON objects of files that no seal names; one that is damaged is none of them."""
    for path in paths:
        try:
            yield path, read_json(path)
        except (OSError, ValueError):
            continue


def copy_plain(source: Path, target: Path) -> None:
    """Copy a plain file as it is: what a link leads to is not the record's.

    Raises:
        OSError: it cannot be read or written.
        ValueError: it is no plain file, or too large.
    """
    write_bytes(target, read_plain(source, most_bytes=_MOST_COPIED_BYTES))


def _text(path: Path) -> str:
    return read_plain(path, most_bytes=_MOST_TEXT_BYTES).decode(errors="replace")


def _words(content: object) -> Iterator[str]:
    yield from _keys(content)
    if isinstance(content, dict):
        for value in content.values():
            if isinstance(value, str):
                yield value


def _keys(content: object, above: str = "") -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            # These two are by host.
            if above not in ("hosts", "clocks"):
                yield key
            yield from _keys(value, key)
    elif isinstance(content, list):
        for value in content:
            yield from _keys(value, above)


def _same(one: pa.Table, other: pa.Table) -> bool:
    if one.column_names != other.column_names or one.num_rows != other.num_rows:
        return False
    return all(_same_column(one[name], other[name]) for name in one.column_names)


def _same_column(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    if one.equals(other):
        return True
    if not pa.types.is_floating(one.type) or one.null_count != other.null_count:
        return False
    # A reading that is no number is equal to itself.
    ours, theirs = (each.to_numpy() for each in (one, other))
    return bool(np.array_equal(ours, theirs, equal_nan=True))


def _plain(content: Any) -> Any:
    """A manifest whose lists are sorted, as names decide their order, without digests of bytes."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items() if key not in _OF_BYTES}
    if isinstance(content, list):
        return sorted(
            (_plain(value) for value in content), key=lambda one: json.dumps(one, sort_keys=True)
        )
    return content

"""Merged again: do the shards give the tables and the manifest that lie beside them?"""

import tempfile
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from analysis.audit.check import Case, Finding, judged
from telemetry.merge.attempt import merge_attempt
from telemetry.record.files import file_sha256, read_json
from telemetry.record.json_text import parse_json
from telemetry.record.parquet_file import BoundedParquet, open_parquet
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import METADATA_KEY

# Compared as codes, which may be few for very many rows.
_WORDS: Final = ("host", "device", "field", "reason")


def merge_repeats(case: Case) -> Finding:
    """Merging the shards again gives the same tables and the same manifest."""
    with tempfile.TemporaryDirectory(prefix="joulegrid-audit-") as scratch:
        # Nothing is copied: a foreign attempt may be of any size.
        again = AttemptPaths(folder=Path(scratch))
        merge_attempt(case.paths, case.attempt, into=again)
        faults = []
        rows = 0
        for kind in case.run.tables:
            with (
                open_parquet(again.table(kind), words=_WORDS) as ours,
                open_parquet(case.attempt.table(kind), words=_WORDS) as theirs,
            ):
                rows += ours.num_rows
                # Of one release of Arrow the bytes are the same too, which costs no decoding.
                alike = file_sha256(again.table(kind)) == file_sha256(case.attempt.table(kind))
                if not (alike or same_files(ours, theirs)):
                    faults.append(f"{kind}.parquet is not what its shards merge to")
        if read_json(again.manifest) != read_json(case.attempt.manifest):
            faults.append("manifest.json is not what the shards merge to")
    return judged(faults, f"{rows} rows and the manifest come out again")


def same_files(one: BoundedParquet, other: BoundedParquet) -> bool:
    """Whether two files hold the same table, however it is cut into row groups."""
    if one.schema != other.schema or one.num_rows != other.num_rows:
        return False
    if _said(one.schema) != _said(other.schema):
        return False
    ours, theirs = one.groups(), other.groups()
    left, right = one.schema.empty_table(), other.schema.empty_table()
    compared = 0
    while compared < one.num_rows:
        left = left if left.num_rows else next(ours)
        right = right if right.num_rows else next(theirs)
        rows = min(left.num_rows, right.num_rows)
        if not _same_rows(left.slice(0, rows), right.slice(0, rows)):
            return False
        left, right, compared = left.slice(rows), right.slice(rows), compared + rows
    return True


def same_tables(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables hold the same; a NaN is the same as a NaN, unlike in arithmetic."""
    if one.schema != other.schema or one.num_rows != other.num_rows:
        return False
    if _said(one.schema) != _said(other.schema):
        return False
    return _same_rows(one, other)


def _same_rows(one: pa.Table, other: pa.Table) -> bool:
    return all(_same_column(one[name], other[name]) for name in one.column_names)


def _said(schema: pa.Schema) -> Any:
    """What a table says of the shards that it was made of."""
    raw = (schema.metadata or {}).get(METADATA_KEY)
    return None if raw is None else parse_json(raw, "what a table says of itself")


def _same_column(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    if one.equals(other):
        return True
    if pa.types.is_dictionary(one.type):
        both = pa.chunked_array([*one.chunks, *other.chunks]).unify_dictionaries()
        codes = pa.chunked_array([chunk.indices for chunk in both.chunks])
        return bool(codes.slice(0, len(one)).equals(codes.slice(len(one))))
    if not pa.types.is_floating(one.type):
        return False
    ours, theirs = pc.is_nan(one), pc.is_nan(other)
    if not ours.equals(theirs):
        return False
    return bool(
        pc.if_else(pc.fill_null(ours, False), 0.0, one).equals(
            pc.if_else(pc.fill_null(theirs, False), 0.0, other)
        )
    )

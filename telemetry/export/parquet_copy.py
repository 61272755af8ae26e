"""Parquet copy: a table without names, in its columns and its metadata."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telemetry.export.identities import Identities
from telemetry.export.replacing import Replacing
from telemetry.record.parquet_file import read_parquet
from telemetry.record.schema import METADATA_KEY

# What a model answered is of its prompts, and no field of names.
_ANSWERS: Final = frozenset({"text"})
# As a shard's writer has them (telemetry/shards/writer.py).
_GROUP_ROWS: Final = 65_536
_NAMED: Final = ("host", "gpu_uuid", "device")


def look_at_parquet(path: Path, names: Identities) -> None:
    """Take in the names of a table."""
    table = read_parquet(path)
    names.look_at(_said(table.schema))
    for column in _NAMED:
        if column in table.column_names:
            for value in pc.unique(table[column]).to_pylist():
                if isinstance(value, str):
                    names.look_at(value, {"device": "uuid"}.get(column, column))


def without_names(table: pa.Table, replacing: Replacing) -> pa.Table:
    """The table with every text replaced, and what it says of itself."""
    for at, field in enumerate(table.schema):
        if _is_text(field) and field.name not in _ANSWERS:
            table = table.set_column(at, field, _column(table[field.name], field, replacing))
    metadata = dict(table.schema.metadata or {})
    if METADATA_KEY in metadata:
        said = replacing.json(_said(table.schema))
        metadata[METADATA_KEY] = json.dumps(said, sort_keys=True).encode()
    return table.replace_schema_metadata(metadata)


def copy_parquet(source: Path, target: Path, replacing: Replacing) -> None:
    """Write a table without names."""
    table = without_names(read_parquet(source), replacing)
    pq.write_table(table, target, compression="zstd", row_group_size=_GROUP_ROWS)


def texts_of(path: Path) -> Iterator[tuple[str, str]]:
    """Every text of a table that is no answer: where it stands, and the text, each once."""
    table = read_parquet(path)
    for key, value in (table.schema.metadata or {}).items():
        yield f"metadata {key.decode(errors='replace')}", value.decode(errors="replace")
    for field in table.schema:
        if _is_text(field):
            for value in pc.unique(_plain(table[field.name])).to_pylist():
                if value is not None:
                    yield f"column {field.name}", value


def is_answer(place: str) -> bool:
    """Whether a place of `texts_of` is of answers, which are left as they are."""
    return place.removeprefix("column ") in _ANSWERS


def _column(column: pa.ChunkedArray, field: pa.Field, replacing: Replacing) -> pa.ChunkedArray:
    known = pc.unique(_plain(column)).to_pylist()
    replaced = {value: None if value is None else replacing.text(value) for value in known}
    values = [replaced[value] for value in _plain(column).to_pylist()]
    return pa.chunked_array([pa.array(values, pa.string())]).cast(field.type)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string())


def _is_text(field: pa.Field) -> bool:
    of = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    return bool(pa.types.is_string(of) or pa.types.is_large_string(of))


def _said(schema: pa.Schema) -> Any:
    raw = (schema.metadata or {}).get(METADATA_KEY)
    return json.loads(raw) if raw else {}

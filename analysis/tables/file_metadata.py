"""File metadata: what Arrow and Parquet say of a table and its columns, read back."""

import json
from typing import Any, Final

import pyarrow as pa

from telemetry.record.schema import METADATA_KEY

PANDAS_KEY: Final = b"PANDAS_ATTRS"
"""Where pandas' own Parquet reader looks for `DataFrame.attrs` (pandas/io/parquet.py)."""
_EMPTY: Final[dict[bytes, bytes]] = {}


def field_metadata(field: pa.Field) -> dict[str, str]:
    """What an Arrow field says of its column, as text."""
    return {key.decode(): value.decode() for key, value in (field.metadata or _EMPTY).items()}


def table_metadata(schema: pa.Schema) -> dict[str, Any]:
    """What an Arrow schema says of its table; empty where it says nothing."""
    raw = (schema.metadata or _EMPTY).get(METADATA_KEY)
    content: dict[str, Any] = {} if raw is None else json.loads(raw)
    return content


def pandas_attrs(schema: pa.Schema) -> dict[str, Any]:
    """The same as pandas keeps it in `attrs`: `joulegrid` of the table, `columns` of each."""
    return {
        METADATA_KEY.decode(): table_metadata(schema),
        "columns": {field.name: field_metadata(field) for field in schema},
    }


def with_pandas_attrs(table: pa.Table) -> pa.Table:
    """The table with metadata that `pandas.read_parquet` puts into `attrs` by itself."""
    told = json.dumps(pandas_attrs(table.schema), sort_keys=True)
    return table.replace_schema_metadata({**(table.schema.metadata or _EMPTY), PANDAS_KEY: told})

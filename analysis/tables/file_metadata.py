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
    told = {key.decode(): value.decode() for key, value in (field.metadata or _EMPTY).items()}
    # Where Parquet numbers its fields it says so here.
    return {key: value for key, value in told.items() if not key.startswith("PARQUET:")}


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


def same_meanings(found: pa.Schema, made: pa.Schema) -> bool:
    """Whether a file's schema says of its columns and runs what it was made to say.

    Which release of the project said it is left aside.
    """
    raw = (found.metadata or _EMPTY).get(PANDAS_KEY)
    told = [pandas_attrs(found), *([] if raw is None else [json.loads(raw)])]
    wanted = _timeless(pandas_attrs(made))
    return all(_timeless(one) == wanted for one in told)


def _timeless(told: dict[str, Any]) -> dict[str, Any]:
    table = {**told[METADATA_KEY.decode()]}
    table.pop("project_version", None)
    return {**told, METADATA_KEY.decode(): table}

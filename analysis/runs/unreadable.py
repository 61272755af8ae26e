"""Unreadable: what a damaged record may raise, and what is refused before anything relies on it."""

from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from telemetry.record.schema import SCHEMA_VERSION, TABLES, schema_of

# All that reading foreign JSON or Parquet is known to raise: missing or damaged files, values of
# another type, keys that are not there, numbers out of range, nesting too deep.
UNREADABLE: Final = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,
    RecursionError,
    MemoryError,
    pa.ArrowException,
)

# A reason is one line of a table; Arrow's messages can be pages.
_REASON_CHARS: Final = 300


def shortened(error: BaseException) -> str:
    """What went wrong, on one line that fits a table."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _REASON_CHARS else text[: _REASON_CHARS - 1] + "…"


def require_shape(manifest: dict[str, Any]) -> None:
    """Refuse a manifest whose parts are of other types than every reader relies on.

    Raises:
        ValueError: the first part that is.
    """
    hosts = manifest.get("hosts")
    inventories = (
        [host.get("gpus", []) if isinstance(host, dict) else None for host in hosts.values()]
        if isinstance(hosts, dict)
        else [None]
    )
    for name, whole in (
        ("hosts", all(_is_objects(gpus) for gpus in inventories)),
        ("ranks", _is_objects(manifest.get("ranks"))),
        ("coverage", _is_objects(manifest.get("coverage"))),
        ("notes", isinstance(manifest.get("notes"), list)),
    ):
        if not whole:
            raise ValueError(
                f"`{name}` of the manifest must be as the merge writes it, "
                f"but is {shortened(ValueError(repr(manifest.get(name))))} instead"
            )


def require_columns(path: Path, found: pa.Schema, kind: str) -> None:
    """Refuse a merged table that has not the columns of its schema.

    Raises:
        ValueError: it has not.
    """
    if schema_of(kind, found) is None:
        raise ValueError(
            f"{path.name} must have the columns {', '.join(TABLES[kind].names)} "
            f"of schema version {SCHEMA_VERSION}, but has "
            f"{', '.join(f'{field.name}: {field.type}' for field in found)} instead"
        )


def _is_objects(content: object) -> bool:
    return isinstance(content, list) and all(isinstance(entry, dict) for entry in content)

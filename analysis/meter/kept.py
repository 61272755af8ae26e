"""Kept: an outside meter's log beside the runs, normalised, with the digest of what it was.

    results/meters/NAME.json      what was stated, and the digests of the log and its copy
    results/meters/NAME.parquet   t_us, power_w, energy_j by the meter's clock, uncalibrated

It is no part of any seal: whoever holds the meter answers for it.
"""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.meter.log import MeterLog
from analysis.meter.statement import Statement
from telemetry.clock import wall_us
from telemetry.record.files import create_json, read_json, read_plain, write_bytes
from telemetry.record.parquet_file import read_parquet

_SCHEMA: Final = "joulegrid.meter"
_VERSION: Final = 1
# 5 million rows of three columns, uncompressed.
_MOST_BYTES: Final = 128 << 20
_COLUMNS: Final = (("t_us", pa.int64()), ("power_w", pa.float64()), ("energy_j", pa.float64()))


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptMeter:
    """A meter's log as it is kept."""

    statement: Statement
    """What its user states."""
    log: MeterLog
    """Its readings."""
    source: str
    """Name of the file that it came from."""
    source_sha256: str
    """That file's SHA-256: who has the original can show that this is it."""
    imported_us: int
    """When it was taken in, by the wall clock."""

    def keep(self, results: Path) -> Path:
        """Write it down beside the runs; the JSON's path.

        Raises:
            OSError: it cannot be written.
            ValueError: another log is kept under that name.
        """
        folder = meters_folder(results)
        path = folder / f"{self.statement.name}.json"
        if path.exists():
            earlier = read_json(path)
            if earlier.get("source_sha256") == self.source_sha256 and (
                earlier.get("statement") == self.statement.to_mapping()
            ):
                return path
            raise ValueError(
                f"`name` must be one that no other log has, but {path} is of another log or "
                "another statement: remove it, or give --name"
            )
        folder.mkdir(exist_ok=True)
        data = _to_parquet(self.log)
        write_bytes(path.with_suffix(".parquet"), data)
        create_json(
            path,
            {
                "schema": _SCHEMA,
                "version": _VERSION,
                "statement": self.statement.to_mapping(),
                "source": self.source,
                "source_sha256": self.source_sha256,
                "parquet_sha256": hashlib.sha256(data).hexdigest(),
                "imported_us": self.imported_us,
                "readings": len(self.log.t_us),
                "nulls": self.log.nulls,
                "repeated": self.log.repeated,
                "gaps": self.log.gaps,
                "largest_gap_us": self.log.largest_gap_us,
                "resets": self.log.resets,
            },
        )
        return path

    @classmethod
    def of(cls, statement: Statement, log: MeterLog, source: Path, data: bytes) -> Self:
        """A log that was just read from `data`, the bytes of `source`."""
        return cls(
            statement=statement,
            log=log,
            source=source.name,
            source_sha256=hashlib.sha256(data).hexdigest(),
            imported_us=wall_us(),
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """A log that was kept.

        Raises:
            OSError: it cannot be read.
            ValueError: it is not as it was kept, or was never.
        """
        content = read_json(path)
        if content.get("schema") != _SCHEMA or content.get("version") != _VERSION:
            raise ValueError(f"{path} must be a meter's log of version {_VERSION}, but is not")
        parquet = path.with_suffix(".parquet")
        data = read_plain(parquet, most_bytes=_MOST_BYTES)
        if hashlib.sha256(data).hexdigest() != content.get("parquet_sha256"):
            raise ValueError(f"{parquet} must be as it was imported, but was changed since")
        return cls(
            statement=Statement.from_mapping(content.get("statement")),
            log=_from_parquet(parquet, data, repeated=content.get("repeated")),
            source=str(content.get("source")),
            source_sha256=str(content.get("source_sha256")),
            imported_us=int(content.get("imported_us", 0)),
        )


def meters_folder(results: Path) -> Path:
    """Where a results folder keeps the logs of outside meters."""
    return results / "meters"


def list_meters(results: Path) -> Iterator[Path]:
    """Every log that is kept, by name."""
    yield from sorted(meters_folder(results).glob("*.json"))


def _to_parquet(log: MeterLog) -> bytes:
    columns: dict[str, Any] = {
        "t_us": log.t_us,
        "power_w": _with_nulls(log.power_w, len(log.t_us)),
        "energy_j": _with_nulls(log.energy_j, len(log.t_us)),
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns, schema=pa.schema(_COLUMNS)), sink, compression="zstd")
    return sink.getvalue()


def _with_nulls(values: Any, count: int) -> pa.Array:
    if values is None:
        return pa.nulls(count, pa.float64())
    return pa.array(values, mask=~np.isfinite(values))


def _from_parquet(path: Path, data: bytes, *, repeated: object) -> MeterLog:
    table = read_parquet(pa.py_buffer(data))
    if table.schema.remove_metadata() != pa.schema(_COLUMNS):
        raise ValueError(f"{path} must have the columns of a meter's log, but has others")
    values: dict[str, Any] = {}
    for name in ("power_w", "energy_j"):
        column = table[name]
        told = column.null_count < len(column)
        values[name] = column.to_numpy().astype(np.float64) if told else None
    t_us = table["t_us"].to_numpy().astype(np.int64)
    if len(t_us) < 2 or (np.diff(t_us) <= 0).any():  # noqa: PLR2004 - a step takes two
        raise ValueError(f"{path} must have times that rise, but has not")
    return MeterLog(
        t_us=t_us,
        power_w=values["power_w"],
        energy_j=values["energy_j"],
        repeated=repeated if isinstance(repeated, int) else 0,
    )

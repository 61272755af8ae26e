"""Sealed table: one merged table of a run, read within limits from the bytes that were sealed."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analysis.runs.sealed_files import SealedFiles
from analysis.runs.series import IntArray, Series
from analysis.runs.table_arrays import to_series
from analysis.runs.unreadable import require_columns
from telemetry.record.json_text import parse_json
from telemetry.record.limits import SERIES, TEXTS_BYTES
from telemetry.record.parquet_file import BoundedParquet, open_parquet, parquet_schema, spelt
from telemetry.record.schema import METADATA_KEY, TABLES

# What names a series.
_NAMES: Final = ("host", "device", "field")
# Columns of samples of few values, repeated in every row: read as codes.
_WORDS: Final = (*_NAMES, "reason")
# The greatest number of two bytes.
_SHORT_CODE: Final = 2**16 - 1


@dataclass(frozen=True, kw_only=True)
class SealedTable:
    """One merged table of a run.

    Raises:
        ValueError: from each method, where its columns are not the schema's, it is not as it was
            sealed, or it is beyond a limit.
    """

    kind: str
    """Which table, named in `telemetry.record.schema.TABLES`."""
    path: Path
    """Its file."""
    files: SealedFiles
    """Where its bytes come from."""

    def read(self, columns: Sequence[str] | None) -> pa.Table:
        """All rows, columns that an older record lacks null throughout; None takes all columns."""
        with self._opened() as parquet:
            wanted = columns or TABLES[self.kind].names
            there = parquet.schema.names
            table = parquet.read([name for name in wanted if name in there])
            # What a row weighs may be little as codes.
            where = f"the texts of {self.kind}"
            table = spelt(table, _WORDS, parquet.schema, TEXTS_BYTES, where)
        for name in wanted:
            if name not in table.column_names:
                nothing = pa.nulls(table.num_rows, TABLES[self.kind].field(name).type)
                table = table.append_column(name, nothing)
        return table

    def said(self) -> dict[str, Any]:
        """What it says of itself and its shards; empty where it says nothing."""
        raw = (parquet_schema(self.files.source(self.path)).metadata or {}).get(METADATA_KEY)
        return parse_json(raw, f"what {self.path.name} says of itself") if raw else {}

    def groups(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some columns, a stretch of rows at a time; words of samples are codes."""
        with self._opened() as parquet:
            yield from parquet.groups(columns)

    def series(self, fields: Iterable[str]) -> dict[tuple[str, str, str], Series]:
        """The samples of `fields` by (host, device, field), by time, nulls counted apart."""
        wanted = pa.array(sorted(fields), pa.string())
        with self._opened() as parquet:
            table = parquet.read(
                ["t_us", *_WORDS, "value"], lambda group: _is_among(group["field"], wanted)
            )
            where = "the reasons of samples"
            table = spelt(table, ["reason"], parquet.schema, TEXTS_BYTES, where)
        if not table.num_rows:
            return {}
        table = table.combine_chunks()
        words = [table[name].chunk(0) for name in _NAMES]
        codes = np.zeros(table.num_rows, dtype=np.int64)
        for word in words:
            SERIES.require(len(word.dictionary), "samples")
            codes = codes * len(word.dictionary) + word.indices.to_numpy()
        if codes.max() <= _SHORT_CODE:
            # Numbers of two bytes are sorted by counting them.
            codes = codes.astype(np.uint16)
        order = np.argsort(codes, kind="stable")
        starts = _starts(codes[order])
        SERIES.require(len(starts), "samples")
        table = table.select(["t_us", "value", "reason"]).take(pa.array(order))
        found: dict[tuple[str, str, str], Series] = {}
        for start, stop in zip(starts, [*starts[1:], table.num_rows], strict=True):
            host, device, field = (word[int(order[start])].as_py() for word in words)
            found[host, device, field] = to_series(table.slice(start, stop - start))
        return found

    @contextmanager
    def _opened(self) -> Iterator[BoundedParquet]:
        words = _WORDS if self.kind == "samples" else ()
        with open_parquet(
            self.files.source(self.path), words=words, named=self.path.name
        ) as parquet:
            require_columns(self.path, parquet.schema, self.kind)
            yield parquet


def _starts(codes: NDArray[Any]) -> IntArray:
    """Where each of some sorted codes begins."""
    return np.concatenate(([0], np.flatnonzero(codes[1:] != codes[:-1]) + 1))


def _is_among(words: pa.ChunkedArray, wanted: pa.Array) -> pa.ChunkedArray:
    """For each row whether its word, held as a code, is one of some."""
    found = [
        pc.is_in(chunk.dictionary, value_set=wanted).take(chunk.indices) for chunk in words.chunks
    ]
    return pa.chunked_array(found, pa.bool_())

"""Trace: what one sealed run recorded, row by row: readings, spans, answers, steps."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analysis.results.frame import Frame
from analysis.results.trace_columns import LABELS, MEANINGS, TRACES
from analysis.runs.labels import RunLabels
from analysis.runs.rank_spans import measured_window_us, rank_spans
from analysis.runs.sealed_runs import Run
from analysis.runs.unreadable import UNREADABLE, shortened
from analysis.tables.about import about
from analysis.tables.labels import WORDS
from telemetry.clock import US_PER_S
from telemetry.nearest import one_of
from telemetry.record.fields import FIELDS
from telemetry.record.schema import METADATA_KEY


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """One run's rows; each table is read, and hashed against the seal, when first asked for."""

    run: Run
    """The sealed run."""
    labels: RunLabels
    """What its numbers are not."""

    @cached_property
    def samples(self) -> Frame:
        """Every reading of every sensor of every node; raises as the others do.

        Raises:
            ValueError: a file of the run is not as it was sealed, or cannot be read.
        """
        table = self._table("samples")
        units = {name: field.unit for name, field in FIELDS.items()}
        known = pc.dictionary_encode(table["field"]).unify_dictionaries().combine_chunks()
        unit = (
            pa.array(
                [units.get(name) for name in known.dictionary.to_pylist()] or [None], pa.string()
            ).take(known.indices)
            if len(known)
            else pa.array([], pa.string())
        )
        table = table.append_column("unit", unit)
        return self._frame("samples", self._timed(table, {"t_us": "t_s"}))

    @cached_property
    def spans(self) -> Frame:
        """What each rank did from when to when, by rank and time: phases, and tokens in them."""
        table = self._table("spans").sort_by([("rank", "ascending"), ("t_start_us", "ascending")])
        times = {"t_start_us": "t_start_s", "t_end_us": "t_end_s"}
        return self._frame("spans", self._timed(table, times))

    @cached_property
    def responses(self) -> Frame:
        """What was generated for each prompt, with when its first and last token came."""
        return self._frame("responses", self._table("responses"))

    @cached_property
    def steps(self) -> Frame | None:
        """When each step's tokens were chosen; None in a record from before they were written."""
        if "steps" not in self.run.tables:
            return None
        table = self._table("steps").sort_by([("batch", "ascending"), ("step", "ascending")])
        return self._frame("steps", self._timed(table, {"t_us": "t_s"}))

    @property
    def hosts(self) -> tuple[str, ...]:
        """The nodes that were watched, by name."""
        return tuple(sorted(self.run.hosts))

    def readings(
        self, field: str | None = None, host: str | None = None, device: str | None = None
    ) -> Frame:
        """The samples of one reading, node or device; None takes all of them.

        A reading that this run's sources did not have gives no rows.

        Raises:
            ValueError: there is no such reading, node or device.
        """
        content = self.samples.to_arrow()
        for name, wanted in (("field", field), ("host", host), ("device", device)):
            if wanted is None:
                continue
            there = pc.unique(content[name]).sort().to_pylist()
            known = {*there, *(FIELDS if name == "field" else ())}
            if wanted not in known:
                raise ValueError(one_of(name, sorted(known), wanted, things=f"{name}s"))
            content = content.filter(pc.equal(content[name], wanted))
        return Frame(name="samples", content=content)

    def __repr__(self) -> str:
        return f"<trace of {self.run.run_id}: {', '.join(self.run.tables)}>"

    def _table(self, kind: str) -> pa.Table:
        with self._told():
            return self.run.table(kind)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever a changed file raises, named by its run."""
        try:
            yield
        except UNREADABLE as error:
            raise ValueError(f"{self.run.run_id}: {shortened(error)}") from error

    @cached_property
    def _window_start_us(self) -> int | None:
        with self._told():
            window_us = measured_window_us(rank_spans(self.run))
        self.run.let_go()
        return None if window_us is None else window_us[0]

    def _timed(self, table: pa.Table, times: dict[str, str]) -> pa.Table:
        """The table with its stamps in seconds, too, since the measured window began."""
        start_us = self._window_start_us
        for stamp, name in times.items():
            seconds = (
                pa.nulls(table.num_rows, pa.float64())
                if start_us is None
                else pc.divide(pc.cast(pc.subtract(table[stamp], start_us), pa.float64()), US_PER_S)
            )
            table = table.append_column(name, seconds)
        return table

    def _frame(self, kind: str, table: pa.Table) -> Frame:
        """The table with the run's labels, and with what each column means."""
        labels = self.labels
        cells: dict[str, Any] = {
            "run_id": self.run.run_id,
            "simulated": labels.simulated,
            "labels": ", ".join(labels.labels or ()) or None,
            "random_weights": labels.random_weights,
            "changed_code": labels.changed_code,
            "partial_record": labels.partial_record,
        }
        for name in LABELS:
            what = pa.string() if name in ("run_id", WORDS) else pa.bool_()
            table = table.append_column(name, pa.repeat(pa.scalar(cells[name], what), len(table)))
        columns = {**TRACES[kind], **LABELS}
        table = table.select(list(columns))
        fields = [
            table.schema.field(name).with_metadata(column.to_metadata())
            for name, column in columns.items()
        ]
        told = about(kind, MEANINGS[kind], {self.run.run_id: labels})
        metadata = {METADATA_KEY: json.dumps(told, sort_keys=True)}
        return Frame(name=kind, content=table.cast(pa.schema(fields, metadata=metadata)))

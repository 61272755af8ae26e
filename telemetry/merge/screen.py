"""Screen: rows of old watchers whose readings cannot be, made null with their reason and counted.

A watcher of today leaves none. What is made null is told in the manifest, by host, device, field
and reason, so that nothing is lost in silence.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from telemetry.clock import US_PER_S
from telemetry.merge.sample_arrays import NullReasons, Samples
from telemetry.merge.series_keys import Codes, Key
from telemetry.record.fields import FIELDS
from telemetry.record.reading_bounds import (
    Bounds,
    CounterHistory,
    bounds_of,
    is_energy_counter,
    most_power_w,
)

Inventory = Mapping[tuple[str, str], Mapping[str, Any]]
"""By host and UUID the GPUs as the watchers described them."""

_COUNTER: Final = "energy_j"
_EDGES: Final = ("energy_start_j", "energy_end_j")
_REAL: Final = np.finfo(np.float64)
# What a reason tells of one reading alone, such as `, from 5.000 J to 1.000 J`.
_OWN: Final = re.compile(r"(, from | at )[-0-9.]+ J( to [-0-9.]+ J)?")


@dataclass(kw_only=True)
class _Refused:
    """Readings of one series and one reason; it grows as they are met."""

    readings: int
    """How many were made null."""
    first_us: int
    """When the first was read, on the reference host's clock."""
    first_value: str
    """What it said, as text: JSON has no word for what is not a number."""


class Refusals:
    """What was made null, for the manifest."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str, str], _Refused] = {}

    def add(self, key: Key, reason: str, t_us: int, value: float) -> None:
        """One reading more."""
        series = (*key, _OWN.sub("", reason))
        if (known := self._found.get(series)) is None:
            self._found[series] = _Refused(readings=1, first_us=t_us, first_value=f"{value:.10g}")
        else:
            known.readings += 1

    def listed(self) -> list[dict[str, Any]]:
        """All of them by host, device, field and reason."""
        return [
            {
                "host": host,
                "device": device,
                "field": name,
                "reason": reason,
                "readings": refused.readings,
                "first_us": refused.first_us,
                "first_value": refused.first_value,
            }
            for (host, device, name, reason), refused in sorted(self._found.items())
        ]


class SamplesScreen:
    """Looks at the sorted blocks of a samples table as they pass."""

    def __init__(self, gpus: Inventory, remarks: NullReasons, refusals: Refusals) -> None:
        self._gpus = gpus
        self._remarks = remarks
        self._refusals = refusals
        # One place for each code.
        self._bounds: list[Bounds] = []
        self._least = np.empty(0)
        self._most = np.empty(0)
        self._is_counter = np.empty(0, dtype=bool)
        self._counters: dict[int, CounterHistory] = {}

    def pass_on(self, rows: Samples, keys: Sequence[Key]) -> Samples:
        """The block with null in place of what cannot be; `keys` by code, all so far."""
        if len(rows) == 0:
            return rows
        self._grow(keys)
        code, value = rows.code, rows.value
        # What is not a number lies in no bounds, and nulls are not numbers here.
        outside = ~((value >= self._least[code]) & (value <= self._most[code]))
        is_null = np.zeros(len(rows), dtype=bool)
        if rows.remark is not None:
            listed = np.array([null for null, _ in self._remarks.listed()])
            is_null = listed[rows.remark]
            outside &= ~is_null
        reasons: dict[int, str] = {}
        for row in np.flatnonzero(outside).tolist():
            reason = self._bounds[code[row]].fault(float(value[row]))
            assert reason is not None
            reasons[row] = reason
        reasons |= self._count(rows, outside, is_null)
        return self._without(rows, reasons, keys) if reasons else rows

    def _count(
        self, rows: Samples, outside: npt.NDArray[np.bool_], is_null: npt.NDArray[np.bool_]
    ) -> dict[int, str]:
        """By row why a counter cannot show its value."""
        mine = np.flatnonzero(self._is_counter[rows.code])
        reasons: dict[int, str] = {}
        if len(mine) == 0:
            return reasons
        order = mine[np.argsort(rows.code[mine], kind="stable")]
        edges = np.flatnonzero(np.diff(rows.code[order])) + 1
        for places in np.split(order, edges):
            history = self._counters[int(rows.code[places[0]])]
            if not (outside[places].any() or is_null[places].any()) and history.follow(
                rows.t_us[places], rows.value[places]
            ):
                continue
            for row in places.tolist():
                if is_null[row]:
                    history.interrupt()
                elif not outside[row]:
                    reason = history.fault(int(rows.t_us[row]), float(rows.value[row]))
                    if reason is not None:
                        reasons[row] = reason
        return reasons

    def _without(self, rows: Samples, reasons: Mapping[int, str], keys: Sequence[Key]) -> Samples:
        places = sorted(reasons)
        for row in places:
            self._refusals.add(
                keys[rows.code[row]], reasons[row], int(rows.t_us[row]), float(rows.value[row])
            )
        remark: Codes = (
            np.zeros(len(rows), dtype=np.int32) if rows.remark is None else rows.remark.copy()
        )
        value = rows.value.copy()
        value[places] = np.nan
        remark[places] = self._remarks.encode([(True, reasons[row]) for row in places])
        return Samples(t_us=rows.t_us, code=rows.code, value=value, remark=remark)

    def _grow(self, keys: Sequence[Key]) -> None:
        if len(keys) == len(self._bounds):
            return
        for host, device, name in keys[len(self._bounds) :]:
            gpu = self._gpus.get((host, device))
            if is_energy_counter(FIELDS.get(name)):
                self._counters[len(self._bounds)] = CounterHistory(most_power_w(name, gpu))
            self._bounds.append(bounds_of(name, gpu))
        # An infinite value is above the greatest number there is.
        self._least = np.array([max(one.least, float(_REAL.min)) for one in self._bounds])
        self._most = np.array([min(one.most, float(_REAL.max)) for one in self._bounds])
        self._is_counter = np.zeros(len(keys), dtype=bool)
        self._is_counter[list(self._counters)] = True


def screen_spans(table: pa.Table, gpus: Inventory, refusals: Refusals) -> pa.Table:
    """Spans with null in place of what a rank's look at its GPU's counter cannot have told.

    A counter that went back, stood still or leapt between a span's edges has no difference over it:
    both edges are null.
    """
    doubtful = _doubtful(table, gpus)
    if len(doubtful) == 0:
        return table
    names = ("t_start_us", "t_end_us", "host", "rank", "gpu_uuid", *_EDGES, "energy_reason")
    columns = {name: table[name].to_pylist() for name in names}
    changed = False
    lost: dict[str, list[int]] = {name: [] for name in _EDGES}
    for row in doubtful.tolist():
        values = [columns[name][row] for name in _EDGES]
        host, uuid = columns["host"][row], columns["gpu_uuid"][row]
        faults = _edge_faults(
            (columns["t_start_us"][row], columns["t_end_us"][row]),
            values,
            gpus.get((host, uuid or "")),
        )
        for name, value, reason in zip(_EDGES, values, faults, strict=True):
            if reason is None:
                continue
            changed = True
            lost[name].append(row)
            columns[name][row] = None
            columns["energy_reason"][row] = columns["energy_reason"][row] or reason
            device = f"rank-{columns['rank'][row]:05d}"
            refusals.add((host, device, name), reason, columns["t_start_us"][row], value)
    if not changed:
        return table
    for name in (*_EDGES, "energy_reason"):
        table = _replaced(table, name, columns[name])
    for name, late in zip(_EDGES, ("energy_start_late_us", "energy_end_late_us"), strict=True):
        # Records from before have no such columns.
        if late in table.column_names:
            values = table[late].to_pylist()
            for row in lost[name]:
                values[row] = None
            table = _replaced(table, late, values)
    return table


def _doubtful(table: pa.Table, gpus: Inventory) -> npt.NDArray[np.intp]:
    """The rows that must be judged one by one: all that could be at fault, and few others."""
    start_j, end_j = (table[name].to_numpy() for name in _EDGES)
    told_start, told_end = (np.asarray(pc.is_valid(table[name])) for name in _EDGES)
    bounds = bounds_of(_COUNTER)
    outside = (told_start & bounds.faults(start_j)) | (told_end & bounds.faults(end_j))
    elapsed_us = table["t_end_us"].to_numpy() - table["t_start_us"].to_numpy()
    # A board of less power than all that are known would be judged by its own.
    least_w = min(most_power_w(_COUNTER, gpu) for gpu in (*gpus.values(), None))
    with np.errstate(invalid="ignore", over="ignore"):
        rise_j = end_j - start_j
        odd = ~(rise_j > 0) | (rise_j > least_w * elapsed_us / US_PER_S)
    return np.flatnonzero(outside | (told_start & told_end & odd))


def _edge_faults(
    t_us: tuple[int, int], values: Sequence[float | None], gpu: Mapping[str, Any] | None
) -> list[str | None]:
    """For each edge of a span why its value is no reading."""
    bounds = bounds_of(_COUNTER, gpu)
    faults = [None if value is None else bounds.fault(value) for value in values]
    start_j, end_j = values
    if faults != [None, None] or start_j is None or end_j is None:
        return faults
    history = CounterHistory(most_power_w(_COUNTER, gpu))
    history.fault(t_us[0], start_j)
    reason = history.fault(t_us[1], end_j)
    return [reason, reason]


def _replaced(table: pa.Table, name: str, values: Sequence[Any]) -> pa.Table:
    index = table.schema.get_field_index(name)
    field = table.schema.field(name)
    return table.set_column(index, field, pa.array(values, field.type))


def inventory(metadata: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The GPUs that the metadata of samples' parts tell of, each as its first watcher saw it."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for one in metadata:
        gpus = one.get("gpus")
        for gpu in gpus if isinstance(gpus, list) else ():
            if isinstance(gpu, Mapping):
                found.setdefault((str(one["host"]), str(gpu.get("uuid"))), gpu)
    return found

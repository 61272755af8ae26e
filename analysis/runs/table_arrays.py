"""Table arrays: columns of the record's tables as arrays."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.runs.series import FloatArray, IntArray, Series
from telemetry.record.reading_bounds import breaks_counter


def int_array(table: pa.Table, name: str, otherwise: int | None = None) -> IntArray:
    """A column of whole numbers; a null stands as `otherwise`, and is not expected without."""
    column = table[name] if otherwise is None else pc.fill_null(table[name], otherwise)
    return np.asarray(column.to_numpy(), dtype=np.int64)


def float_array(table: pa.Table, name: str) -> FloatArray:
    """A column of numbers; a null stands as NaN."""
    return np.asarray(pc.fill_null(table[name], np.nan).to_numpy(), dtype=np.float64)


def to_series(table: pa.Table) -> Series:
    """A samples table of one device and field as arrays, sorted by time.

    A value that is not finite is no reading and counts as a null.
    """
    t_us = int_array(table, "t_us")
    # Merged samples lie by time already.
    if (t_us[1:] < t_us[:-1]).any():
        table = table.sort_by("t_us")
        t_us = int_array(table, "t_us")
    if not table["value"].null_count:
        value = np.asarray(table["value"].to_numpy(), dtype=np.float64)
        if np.isfinite(value).all():
            return Series(t_us=t_us, value=value)
    readable = pc.fill_null(pc.is_finite(table["value"]), False)
    valid = table.filter(readable)
    t_us, value = int_array(valid, "t_us"), float_array(valid, "value")
    nulls = table.num_rows - valid.num_rows
    there = pc.is_valid(table["value"])
    impossible = int(pc.sum(pc.and_(there, pc.invert(readable))).as_py() or 0)
    reason: str | None = None
    breaks: tuple[tuple[int, str], ...] = ()
    null_us: IntArray | None = None
    if nulls:
        missing = table.filter(pc.invert(readable))
        null_us = int_array(missing, "t_us")
        told = zip(missing["t_us"].to_pylist(), missing["reason"].to_pylist(), strict=True)
        breaks = tuple((t_us, why) for t_us, why in told if breaks_counter(why))
        counts = pc.value_counts(missing["reason"]).to_pylist()
        counts.sort(key=lambda entry: (-entry["counts"], str(entry["values"])))
        reason = str(counts[0]["values"] or "not a number")
    return Series(
        t_us=t_us,
        value=value,
        nulls=nulls,
        null_reason=reason,
        breaks=breaks,
        null_us=null_us,
        impossible=impossible,
    )

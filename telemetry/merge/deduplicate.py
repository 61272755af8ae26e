"""Deduplicate: one row for each time, host, device and field.

Of several rows a value stands before a null, the smaller value before the larger, one that is not a
number last, the reason by alphabet, none last. So which row is kept does not depend on who was read
first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from telemetry.merge.sample_arrays import NullReason, Samples


@dataclass(frozen=True, kw_only=True)
class Deduplicated:
    """Rows that are all different."""

    rows: Samples
    """Those kept, by time, host, device and field."""
    dropped: int
    """Rows left out, as another tells of the same time, host, device and field."""
    conflicts: int
    """How many of the dropped rows said something else than the row kept."""


def take_once(
    rows: Samples,
    order: npt.NDArray[np.intp],
    repeats: npt.NDArray[np.bool_],
    remarks: Sequence[NullReason],
) -> Deduplicated:
    """The rows in `order`, each reading once.

    `repeats` is true where a row so ordered has the time, host, device and field of the one before;
    `remarks` are all by number.
    """
    dropped = int(np.count_nonzero(repeats))
    if dropped == 0:
        return Deduplicated(rows=rows.take(order), dropped=0, conflicts=0)
    # The rows told more than once, group by group; of all rows they are few.
    told_again = repeats.copy()
    told_again[:-1] |= repeats[1:]
    places = np.flatnonzero(told_again)
    first = ~repeats[places]
    group = np.cumsum(first) - 1
    again = _by_statement(rows.take(order[places]), group, remarks)
    best = np.flatnonzero(first)
    result = rows.take(order[~repeats])
    # What is kept of a group takes the place of its first row.
    where = places[best] - np.searchsorted(np.flatnonzero(repeats), places[best])
    result.value[where] = again.value[best]
    same = again.value == again.value[best][group]
    same |= np.isnan(again.value) & np.isnan(again.value[best][group])
    if result.remark is not None and again.remark is not None:
        result.remark[where] = again.remark[best]
        same &= again.remark == again.remark[best][group]
    return Deduplicated(rows=result, dropped=dropped, conflicts=int(np.count_nonzero(~same)))


def _by_statement(
    rows: Samples, group: npt.NDArray[np.intp], remarks: Sequence[NullReason]
) -> Samples:
    """The rows of each group, the one to keep first."""
    # numpy sorts what is not a number behind all numbers.
    if rows.remark is None:
        return rows.take(np.lexsort((rows.value, group)))
    ordered = sorted(range(len(remarks)), key=lambda number: _statement(remarks[number]))
    place = np.empty(len(remarks), dtype=np.int64)
    place[ordered] = np.arange(len(remarks))
    is_null = np.array([null for null, _ in remarks])
    return rows.take(np.lexsort((place[rows.remark], rows.value, is_null[rows.remark], group)))


def _statement(remark: NullReason) -> tuple[bool, bool, str]:
    """Where a remark stands among those of one value: by null, then reason, none last."""
    is_null, reason = remark
    return is_null, reason is None, reason or ""

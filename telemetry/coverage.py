"""Coverage: how many readings each field of each device should have given, and how many it did.

The window of a device is its host's, from the host's first reading to its last, so that a GPU that
fell silent shows; a rank's process lives shorter and has its own. `expected` is the window over
the field's period, `got` the values, `nulls` the absences by reason: one for each, however long it
lasted. `largest_gap_us` counts from the window's start and to its end too.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from telemetry.fields import FIELDS, Subject

_Key = tuple[str, str, str]
_Integers = npt.NDArray[np.int64]
_OWN_WINDOW: Final = frozenset(
    name for name, field in FIELDS.items() if field.subject is Subject.PROCESS
)
# First time of what has not been read yet: later than all others.
_NEVER: Final = np.iinfo(np.int64).max


class Coverage:
    """Counts the sorted blocks of a samples table as they pass."""

    def __init__(self) -> None:
        self._places: dict[_Key, int] = {}
        self._nulls: defaultdict[_Key, Counter[str]] = defaultdict(Counter)
        # One place for each field of each device, in the order they were first seen.
        self._seen_first_us = np.empty(0, dtype=np.int64)
        self._seen_last_us = np.empty(0, dtype=np.int64)
        self._got = np.empty(0, dtype=np.int64)
        self._first_us = np.empty(0, dtype=np.int64)
        self._last_us = np.empty(0, dtype=np.int64)
        self._gap_us = np.empty(0, dtype=np.int64)

    def add(self, block: pa.Table) -> None:
        """Count a block that follows those before it in time."""
        if block.num_rows == 0:
            return
        words = [_words(block[name]) for name in ("host", "device", "field")]
        codes = np.zeros(block.num_rows, dtype=np.int64)
        for indices, values in words:
            codes = codes * len(values) + indices
        order = np.argsort(codes, kind="stable")
        codes = codes[order]
        t_us = block["t_us"].to_numpy()[order]
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        keys = list(
            zip(
                *([values[i] for i in indices[order[starts]]] for indices, values in words),
                strict=True,
            )
        )
        places = self._places_of(keys)
        ends = np.append(starts[1:], len(codes)) - 1
        self._seen_first_us[places] = np.minimum(self._seen_first_us[places], t_us[starts])
        self._seen_last_us[places] = t_us[ends]
        has_value = ~np.isnan(block["value"].to_numpy())[order]
        groups = np.cumsum(np.diff(codes, prepend=-1) != 0) - 1
        self._count_values(places, groups[has_value], t_us[has_value])
        for row in np.flatnonzero(~has_value):
            # A value that is not a number is no reading either.
            reason = block["reason"][int(order[row])].as_py() or "not a number"
            self._nulls[keys[groups[row]]][reason] += 1

    def rows(self, periods_us: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
        """The coverage of every field seen; `periods_us` by host and field."""
        windows: dict[tuple[str, ...], tuple[int, int]] = {}
        for key, place in self._places.items():
            first_us, last_us = int(self._seen_first_us[place]), int(self._seen_last_us[place])
            for window in {key[:1], _window(key)}:
                known_us = windows.get(window, (first_us, last_us))
                windows[window] = (min(known_us[0], first_us), max(known_us[1], last_us))
        rows = []
        for key, place in sorted(self._places.items()):
            host, device, name = key
            start_us, end_us = windows[_window(key)]
            period_us = periods_us.get(host, {}).get(name)
            gap_us = end_us - start_us
            if self._got[place]:
                edges_us = (self._first_us[place] - start_us, end_us - self._last_us[place])
                gap_us = int(max(*edges_us, self._gap_us[place]))
            rows.append(
                {
                    "host": host,
                    "device": device,
                    "field": name,
                    "period_us": period_us,
                    "expected": (end_us - start_us) // period_us + 1 if period_us else None,
                    "got": int(self._got[place]),
                    "nulls": dict(sorted(self._nulls[key].items())),
                    "largest_gap_us": gap_us,
                }
            )
        return rows

    def _count_values(self, places: _Integers, groups: _Integers, t_us: _Integers) -> None:
        """Count values at `t_us`, by time within each of the neighbouring `groups`."""
        if len(t_us) == 0:
            return
        starts = np.flatnonzero(np.diff(groups, prepend=-1))
        ends = np.append(starts[1:], len(groups)) - 1
        here = places[groups[starts]]
        self._first_us[here] = np.minimum(self._first_us[here], t_us[starts])
        gaps_us = np.diff(t_us, prepend=t_us[0])
        before = self._got[here] > 0
        gaps_us[starts] = np.where(before, t_us[starts] - self._last_us[here], 0)
        self._gap_us[here] = np.maximum(self._gap_us[here], np.maximum.reduceat(gaps_us, starts))
        self._last_us[here] = t_us[ends]
        self._got[here] += ends - starts + 1

    def _places_of(self, keys: list[_Key]) -> _Integers:
        places = [self._places.setdefault(key, len(self._places)) for key in keys]
        new = len(self._places) - len(self._got)
        zeros = np.zeros(new, dtype=np.int64)
        self._seen_first_us = np.append(self._seen_first_us, zeros + _NEVER)
        self._seen_last_us = np.append(self._seen_last_us, zeros)
        self._got = np.append(self._got, zeros)
        self._first_us = np.append(self._first_us, zeros + _NEVER)
        self._last_us = np.append(self._last_us, zeros)
        self._gap_us = np.append(self._gap_us, zeros)
        return np.array(places, dtype=np.int64)


def _window(key: _Key) -> tuple[str, ...]:
    """Whose lifetime the field of a device is counted against."""
    host, device, name = key
    return (host, device) if name in _OWN_WINDOW else (host,)


def _words(column: pa.ChunkedArray) -> tuple[_Integers, list[str]]:
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return array.indices.to_numpy().astype(np.int64), array.dictionary.to_pylist()

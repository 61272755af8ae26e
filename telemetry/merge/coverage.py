"""Coverage: how many readings each field of each device should have given, and how many it did.

The window of a device is its host's, from the host's first reading to its last, so that a GPU that
fell silent shows; a rank's process lives shorter and has its own. `expected` is the window over
the field's period, `got` the values, `nulls` the absences by reason: one for each, however long it
lasted. `largest_gap_us` counts from the window's start and to its end too.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from telemetry.merge.sample_arrays import NullReason, Samples
from telemetry.merge.series_keys import Codes, Integers, Key
from telemetry.record.fields import FIELDS, Subject

_OWN_WINDOW: Final = frozenset(
    name for name, field in FIELDS.items() if field.subject is Subject.PROCESS
)
# First time of what has not been read yet: later than all others.
_NEVER: Final = np.iinfo(np.int64).max
# numpy sorts whole numbers of this many bits by digits, without comparing.
_DIGIT_BITS: Final = 16


class Coverage:
    """Counts the sorted blocks of a samples table as they pass."""

    def __init__(self) -> None:
        self._nulls: defaultdict[int, Counter[str]] = defaultdict(Counter)
        # One place for each code: a field of a device of a host.
        self._seen_first_us = np.empty(0, dtype=np.int64)
        self._seen_last_us = np.empty(0, dtype=np.int64)
        self._got = np.empty(0, dtype=np.int64)
        self._first_us = np.empty(0, dtype=np.int64)
        self._last_us = np.empty(0, dtype=np.int64)
        self._gap_us = np.empty(0, dtype=np.int64)

    def add(self, rows: Samples, remarks: Sequence[NullReason]) -> None:
        """Count a block that follows those before it in time; `remarks` are all by number."""
        if len(rows) == 0:
            return
        order = _by_code(rows.code)
        here, starts, ends = _groups(rows.code)
        t_us = rows.t_us[order]
        self._grow(int(here[-1]) + 1)
        self._seen_first_us[here] = np.minimum(self._seen_first_us[here], t_us[starts])
        self._seen_last_us[here] = t_us[ends]
        # Nulls are not numbers here; a value that is not a number is no reading either.
        is_silent = np.isnan(rows.value)
        silent = np.flatnonzero(is_silent)
        if len(silent) == 0:
            self._count_values(here, starts, ends, t_us)
            return
        if len(silent) < len(rows):
            self._count_values(*_groups(rows.code[~is_silent]), t_us[~is_silent[order]])
        for row in silent:
            reason = None if rows.remark is None else remarks[rows.remark[row]][1]
            self._nulls[int(rows.code[row])][reason or "not a number"] += 1

    def rows(
        self, keys: Sequence[Key], periods_us: Mapping[str, Mapping[str, int]]
    ) -> list[dict[str, Any]]:
        """The coverage of every field seen; `keys` by code, `periods_us` by host and field."""
        windows: dict[tuple[str, ...], tuple[int, int]] = {}
        seen = [
            (key, place)
            for place, key in enumerate(keys[: len(self._got)])
            if self._seen_first_us[place] != _NEVER
        ]
        for key, place in seen:
            first_us, last_us = int(self._seen_first_us[place]), int(self._seen_last_us[place])
            for window in {key[:1], _window(key)}:
                known_us = windows.get(window, (first_us, last_us))
                windows[window] = (min(known_us[0], first_us), max(known_us[1], last_us))
        rows = []
        for key, place in sorted(seen):
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
                    "nulls": dict(sorted(self._nulls[place].items())),
                    "largest_gap_us": gap_us,
                }
            )
        return rows

    def _count_values(
        self, here: Integers, starts: Integers, ends: Integers, t_us: Integers
    ) -> None:
        """Count the values of the codes `here`, each from its start to its end, by time."""
        self._first_us[here] = np.minimum(self._first_us[here], t_us[starts])
        gaps_us = np.diff(t_us, prepend=t_us[0])
        before = self._got[here] > 0
        gaps_us[starts] = np.where(before, t_us[starts] - self._last_us[here], 0)
        self._gap_us[here] = np.maximum(self._gap_us[here], np.maximum.reduceat(gaps_us, starts))
        self._last_us[here] = t_us[ends]
        self._got[here] += ends - starts + 1

    def _grow(self, codes: int) -> None:
        if (new := codes - len(self._got)) <= 0:
            return
        zeros = np.zeros(new, dtype=np.int64)
        self._seen_first_us = np.append(self._seen_first_us, zeros + _NEVER)
        self._seen_last_us = np.append(self._seen_last_us, zeros)
        self._got = np.append(self._got, zeros)
        self._first_us = np.append(self._first_us, zeros + _NEVER)
        self._last_us = np.append(self._last_us, zeros)
        self._gap_us = np.append(self._gap_us, zeros)


def _by_code(code: Codes) -> npt.NDArray[np.intp]:
    """Positions of the rows by code, those of one code as they stand."""
    order = np.argsort(code.astype(np.uint16), kind="stable")
    if (high := int(code.max()) >> _DIGIT_BITS) > 0:
        assert high < 1 << _DIGIT_BITS
        order = order[np.argsort((code[order] >> _DIGIT_BITS).astype(np.uint16), kind="stable")]
    return order


def _groups(code: Codes) -> tuple[Integers, Integers, Integers]:
    """The codes there are, and where each starts and ends when the rows are put by code."""
    counts = np.bincount(code)
    here = np.flatnonzero(counts)
    ends = np.cumsum(counts[here])
    return here, ends - counts[here], ends - 1


def _window(key: Key) -> tuple[str, ...]:
    """Whose lifetime the field of a device is counted against."""
    host, device, name = key
    return (host, device) if name in _OWN_WINDOW else (host,)

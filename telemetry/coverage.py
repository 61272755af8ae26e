"""Coverage: how many readings each field of each device should have given, and how many it did.

The window of a device is its host's, from the host's first reading to its last, so that a GPU that
fell silent shows; a rank's process lives shorter and has its own. `expected` is the window over
the field's period, `got` the values, `nulls` the absences by reason: one for each, however long it
lasted. `largest_gap_us` counts from the window's start and to its end too.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from telemetry.fields import FIELDS, Subject

_Key = tuple[str, str, str]
_OWN_WINDOW: Final = frozenset(
    name for name, field_ in FIELDS.items() if field_.subject is Subject.PROCESS
)


@dataclass(kw_only=True)
class _Track:
    """What was seen of one field of one device up to now."""

    got: int = 0
    nulls: Counter[str] = field(default_factory=Counter)
    first_us: int | None = None
    last_us: int = 0
    gap_us: int = 0

    def add(self, t_us: npt.NDArray[np.int64]) -> None:
        """Count values at these times, none before those counted already."""
        if self.first_us is None:
            self.first_us = self.last_us = int(t_us[0])
        gaps = np.diff(t_us, prepend=self.last_us)
        self.gap_us = max(self.gap_us, int(gaps.max()))
        self.last_us = int(t_us[-1])
        self.got += len(t_us)


class Coverage:
    """Counts the sorted blocks of a samples table as they pass."""

    def __init__(self) -> None:
        self._tracks: defaultdict[_Key, _Track] = defaultdict(_Track)
        self._windows: dict[tuple[str, ...], tuple[int, int]] = {}

    def add(self, block: pa.Table) -> None:
        """Count a block that follows those before it in time."""
        if block.num_rows == 0:
            return
        words = [_words(block[name]) for name in ("host", "device", "field")]
        codes = np.zeros(block.num_rows, dtype=np.int64)
        for indices, values in words:
            codes = codes * max(len(values), 1) + indices
        order = np.argsort(codes, kind="stable")
        t_us = block["t_us"].to_numpy()[order]
        has_value = ~np.isnan(block["value"].to_numpy())[order]
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
            row = order[start]
            host, device, name = (values[indices[row]] for indices, values in words)
            track = self._tracks[host, device, name]
            times = t_us[start:stop]
            valued = has_value[start:stop]
            if valued.any():
                track.add(times[valued])
            for missing in order[start:stop][~valued]:
                # A value that is not a number is no reading either.
                track.nulls[block["reason"][int(missing)].as_py() or "not a number"] += 1
            window = (host, device) if name in _OWN_WINDOW else (host,)
            first_us, last_us = self._windows.get(window, (int(times[0]), int(times[-1])))
            self._windows[window] = (min(first_us, int(times[0])), max(last_us, int(times[-1])))

    def rows(self, periods_us: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
        """The coverage of every field seen; `periods_us` by host and field."""
        rows = []
        for (host, device, name), track in sorted(self._tracks.items()):
            window = (host, device) if name in _OWN_WINDOW else (host,)
            start_us, end_us = self._windows[window]
            period_us = periods_us.get(host, {}).get(name)
            gap_us = end_us - start_us
            if track.first_us is not None:
                gap_us = max(track.first_us - start_us, track.gap_us, end_us - track.last_us)
            rows.append(
                {
                    "host": host,
                    "device": device,
                    "field": name,
                    "period_us": period_us,
                    "expected": (end_us - start_us) // period_us + 1 if period_us else None,
                    "got": track.got,
                    "nulls": dict(sorted(track.nulls.items())),
                    "largest_gap_us": gap_us,
                }
            )
        return rows


def _words(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], list[str]]:
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return array.indices.to_numpy().astype(np.int64), array.dictionary.to_pylist()

"""Noise: what is a trace's own in its power, apart from how high it is, when, and in which phase.

The work decides where a trace rises and falls, and honest repeats share it. What is left within
0.7 s is drawn anew by every measurement: a trace that has another's is a copy of it, though it was
scaled, shifted in time, sampled at other moments, cut, or had noise of its own added.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analysis.audit.check import Case
from analysis.runs.sealed_runs import Run
from analysis.runs.series import FloatArray, Series
from telemetry.clock import US_PER_MS

# The mean over a second is smoother than what it averages; of the others the one read most often.
_FIELDS: Final = ("power_sample_w", "power_instant_w")
# The slowest pace at which power is read: what is read at 20 ms and at 100 ms meet here.
CELL_US: Final = 100 * US_PER_MS
"""Length of a cell, whose mean power counts, in microseconds."""
# NVML's own samples are 20 ms apart: several a cell.
_FINE_US: Final = 20 * US_PER_MS
# Readings further apart than cells, gaps counted, have no noise to tell them by.
_SPARSE_US: Final = 5 * CELL_US
# Slower than 0.7 s is the work's doing, and its level follows within 2.1 s.
_SLOW_CELLS: Final = 7
_LEVEL_CELLS: Final = 21
# Sensors round to a thousandth of what they draw at most: below it nothing is to be seen.
_LEAST_SHARE: Final = 1e-3
# An edge between two phases must not outweigh all that is between edges.
_MOST: Final = 2.0
BLOCK_CELLS: Final = 128
"""Cells in a row that are held against each other: 12.8 s; in shorter ones edges say too much."""
LIVELY: Final = 0.7
"""Share of a block that moves where it tells anything: under a cap a GPU tells nothing."""
MOVES: Final = 0.1
"""Share of the level that is a move: where less is left nothing happened but rounding."""
# Twice the level fits a signed byte; a step is 1.6 % of it.
_STEPS: Final = 63.0


@dataclass(frozen=True, kw_only=True)
class TraceNoise:
    """The noise of one GPU's power."""

    host: str
    """Node that its GPU is said to be in."""
    device: str
    """The GPU's UUID."""
    cells: bytes
    """A signed byte a cell: deviation over its own level, 63 for 1; 0 where nothing moves."""

    @property
    def values(self) -> NDArray[np.float32]:
        """Shape (cells,): the deviations, within ±2."""
        return np.frombuffer(self.cells, dtype=np.int8).astype(np.float32) / np.float32(_STEPS)


def trace_noise(case: Case) -> tuple[TraceNoise, ...]:
    """The noise of each GPU whose power is read often and long enough; sorted by host and GPU."""
    return noise_of_run(case.run)


def noise_of_run(run: Run) -> tuple[TraceNoise, ...]:
    """The same of a run that was read already."""
    found: dict[tuple[str, str], Series] = {}
    for (host, device, _), series in run.series(_FIELDS).items():
        known = found.get((host, device))
        if known is None or len(series) > len(known):
            found[host, device] = series
    traces = [
        TraceNoise(host=host, device=device, cells=noise_of(*series.distinct()).tobytes())
        for (host, device), series in sorted(found.items())
    ]
    return tuple(trace for trace in traces if len(lively_blocks(trace.values)))


def noise_of(t_us: NDArray[np.int64], power_w: FloatArray) -> NDArray[np.int8]:
    """Shape (cells,): the noise of a trace; empty when it is shorter than a block or sparse."""
    per_cell = CELL_US // _FINE_US
    span_us = int(t_us[-1]) - int(t_us[0]) if len(t_us) else 0
    # Stamps are foreign: a reading in a year would make an array of gigabytes.
    if not BLOCK_CELLS * CELL_US <= span_us <= _SPARSE_US * len(t_us):
        return np.empty(0, dtype=np.int8)
    moments = np.arange(t_us[0], t_us[-1], _FINE_US)
    fine = np.interp(moments, t_us, power_w)
    cells = fine[: len(fine) // per_cell * per_cell].reshape(-1, per_cell).mean(axis=1)
    off = cells - _smoothed(cells, _SLOW_CELLS)
    least = _LEAST_SHARE * max(float(np.abs(cells).max()), np.finfo(float).tiny)
    level = np.maximum(np.sqrt(_smoothed(off * off, _LEVEL_CELLS)), least)
    return np.asarray(np.rint(np.clip(off / level, -_MOST, _MOST) * _STEPS), dtype=np.int8)


def lively_blocks(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Where a block of a trace's noise begins that moves nearly throughout."""
    if len(values) < BLOCK_CELLS:
        return np.empty(0, dtype=np.int64)
    moves = np.concatenate(([0], np.cumsum(np.abs(values) > MOVES)))
    return np.flatnonzero(moves[BLOCK_CELLS:] - moves[:-BLOCK_CELLS] >= LIVELY * BLOCK_CELLS)


def _smoothed(values: FloatArray, width: int) -> FloatArray:
    """The mean of the `width` values around each, of fewer at the ends."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    places = np.arange(len(values))
    first = np.maximum(places - width // 2, 0)
    last = np.minimum(places + width // 2 + 1, len(values))
    return np.asarray((sums[last] - sums[first]) / (last - first), dtype=np.float64)

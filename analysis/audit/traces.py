"""Traces: the digests by which a trace of readings is known again, whatever it is called.

The order of size within short stretches counts, neither stamps nor scale: what was shifted or
multiplied is no other measurement.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analysis.audit.check import Case
from analysis.runs.sealed_runs import Run
from analysis.runs.series import FloatArray

# Read often, with noise of their own. Ranks' loads have little: waiting for each other they go up
# and down together.
_TELLING: Final = ("power_instant_w", "power_average_w", "power_sample_w")
# So many readings in a row have 2e13 orders of size: noise gives each but once.
_STRETCH: Final = 16
# A constant or a handful of steps can come again.
_LEAST_DIFFERENT: Final = 8
# A ramp has the same order wherever it stands; noise goes up and down every other reading.
_LEAST_TURNS: Final = 6
# The least of a trace's marks: as many stand for it however long it is.
_MARKS: Final = 64
_LEAST_MARKS: Final = 16
# Stretches at a time: 8 MB of orders.
_BLOCK: Final = 1 << 16


@dataclass(frozen=True, kw_only=True)
class TraceMarks:
    """What stands for one trace of one GPU."""

    host: str
    """Node that its GPU is said to be in."""
    device: str
    """The GPU's UUID."""
    field: str
    """Which of its readings of power."""
    marks: bytes
    """The least of its digests, 8 bytes each, little-endian, rising."""

    @property
    def numbers(self) -> list[int]:
        """The digests as whole numbers."""
        return [int(mark) for mark in np.frombuffer(self.marks, dtype="<u8")]


def trace_marks(case: Case) -> tuple[TraceMarks, ...]:
    """Every trace of power of a run that is long and varied enough to be told from another."""
    return tuple(
        TraceMarks(host=host, device=device, field=field, marks=marks.astype("<u8").tobytes())
        for (host, device, field), series in sorted(case.run.series(_TELLING).items())
        for marks in [_marks(field, series.value)]
        if len(marks)
    )


def _marks(field: str, values: FloatArray) -> NDArray[np.uint64]:
    """The least of a trace's digests, one for each stretch of readings that tells.

    A trace with few of those is known by its values as a whole; none where it hardly varies.
    """
    if len(values) < _STRETCH or len(np.unique(values)) < _LEAST_DIFFERENT:
        return np.empty(0, dtype=np.uint64)
    # Odd numbers from the field's name: two fields of one GPU are no copies of each other.
    seed = int.from_bytes(hashlib.sha256(field.encode()).digest()[:8], "little")
    factors = np.random.default_rng(seed).integers(1, 1 << 62, _STRETCH, dtype=np.uint64) | 1
    stretches = np.lib.stride_tricks.sliding_window_view(values, _STRETCH)
    found = np.empty(0, dtype=np.uint64)
    for start in range(0, len(stretches), _BLOCK):
        block = stretches[start : start + _BLOCK]
        steps = np.diff(block, axis=-1)
        turns = (steps[:, 1:] * steps[:, :-1] < 0).sum(axis=-1)
        alike = (np.diff(np.sort(block, axis=-1), axis=-1) == 0).any(axis=-1)
        telling = block[(turns >= _LEAST_TURNS) & ~alike]
        orders = np.argsort(telling, axis=-1, kind="stable").astype(np.uint64)
        sums = (orders * factors).sum(axis=-1, dtype=np.uint64)
        # The sum's low digits hang on few factors; a multiplication spreads them.
        mixed = (sums ^ (sums >> np.uint64(31))) * factors[0]
        found = np.unique(np.concatenate((found, mixed)))[:_MARKS]
    if len(found) >= _LEAST_MARKS:
        return found
    whole = hashlib.sha256(field.encode() + np.ascontiguousarray(values, dtype="<f8").tobytes())
    return np.frombuffer(whole.digest()[:8], dtype="<u8")


def marks_of_run(run: Run) -> dict[tuple[str, str, str], list[int]]:
    """The digests of every trace of a run that tells, by host, device and field."""
    series = run.series(_TELLING)
    found = {name: _marks(name[2], each.value) for name, each in sorted(series.items())}
    return {name: [int(mark) for mark in marks] for name, marks in found.items() if len(marks)}

"""Copies: one trace of readings under two names is a copy, as no two measurements are alike."""

import hashlib
from collections import Counter
from typing import Final

import numpy as np

from analysis.audit.check import Case, Check, Finding, judged, skipped
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
# A copy shares all, one touched at every twentieth reading 0.95^16 = 44 %; of two GPUs at the same
# work in 34 recorded runs none shared more than 1.6 %.
_SHARED: Final = 0.3
# Stretches at a time: 8 MB of orders.
_BLOCK: Final = 1 << 16


def traces_differ(case: Case) -> Finding:
    """No trace of power stands under a second GPU, rank, node or run.

    The order of size within short stretches counts, neither stamps nor scale: what was shifted or
    multiplied is no other measurement. Of each trace some digests are kept, so that runs can be
    held against all those before them.
    """
    faults = []
    compared = 0
    for (host, device, field), series in sorted(case.run.series(_TELLING).items()):
        marks = _marks(field, series.value)
        if not marks:
            continue
        compared += 1
        name = (case.paths.run_id, host, device)
        seen = Counter(case.traces[mark] for mark in marks if mark in case.traces)
        for mark in marks:
            case.traces.setdefault(mark, name)
        if seen and (most := seen.most_common(1)[0])[1] >= _SHARED * len(marks):
            faults.append(f"{field} of {device} on {host} is a copy of {_told(most[0], case)}")
    if not compared:
        return skipped("no trace is long and varied enough to be told from another")
    return judged(faults, f"{compared} traces, none like another")


def _marks(field: str, values: FloatArray) -> list[int]:
    """The least of a trace's digests, one for each stretch of readings that tells.

    A trace with few of those is known by its values as a whole; none where it hardly varies.
    """
    if len(values) < _STRETCH or len(np.unique(values)) < _LEAST_DIFFERENT:
        return []
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
        return [int(mark) for mark in found]
    whole = hashlib.sha256(field.encode() + np.ascontiguousarray(values, dtype="<f8").tobytes())
    return [int.from_bytes(whole.digest()[:8], "little")]


def _told(other: tuple[str, str, str], case: Case) -> str:
    run_id, host, device = other
    elsewhere = "" if run_id == case.paths.run_id else f" in {run_id}"
    return f"{device} on {host}{elsewhere}"


COPY_CHECKS: Final = (
    Check(name="copies", claim="no trace stands under a second name", look=traces_differ),
)
"""Checks of runs against each other."""

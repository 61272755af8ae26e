"""Near copies: traces whose noise is another's, though no reading of them is the same.

Every two traces are laid over each other where they agree best, and held against each other in
blocks of 12.8 s. GPUs of one run go up and down together, by nearly all of their noise; those of
two runs, even one GPU at the same work, do not.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analysis.audit.campaign import Campaign, FolderCheck, RunFacts
from analysis.audit.check import Finding, Severity, failed, judged, skipped
from analysis.audit.noise import BLOCK_CELLS, LIVELY, MOVES

# Of 59 recorded runs at a board's full power no two agree to more than 0.853, two repeats of 13B on
# one H200; each of their 91 lively traces agrees to 0.91 and more with a copy of it that had 1 % of
# noise added.
_ALIKE: Final = 0.88
# Of a run of half a minute the edges of its phases are most: of 37 on one H200 GPT-2's and T5-3B's
# agree to 0.914. Copies with 1 % of noise agree to 0.965 and more in one block where the board was
# busy.
_ALIKE_SHORT: Final = 0.94
# 35 s.
_SHORT_CELLS: Final = 350
# GPUs of one run reach 0.986; a copy with 0.2 W of noise 0.998 and more.
_ALIKE_IN_RUN: Final = 0.997
# 51 s.
_LONG_CELLS: Final = 4 * BLOCK_CELLS
# Where two traces may lie over each other: a reused part of some ten seconds is the best of few.
_PLACES: Final = 5
# GPUs of one run lie where they are.
_PLACES_IN_RUN: Final = 1
# So many pairs times cells take some seconds; of more traces pairs are nominated first.
_MOST_CELLS: Final = 50_000_000
# A transform of 10 minutes has 64 kB; a run of 64 GPUs is held against itself.
_KEPT: Final = 256
# 6.4 s: chance gives the agreement below once in a million, and a reused part has some of its own.
_WINDOW: Final = 64
_NOMINATED: Final = 0.62
# 40,000 windows against each other are 2e11 multiplications: seconds of two cores.
_MOST_WINDOWS: Final = 40_000
_MOST_WINDOWS_EACH: Final = 32
_LEAST_WINDOWS_EACH: Final = 4
# Windows in common are counted in a byte.
_MOST_SHARED: Final = 255
# Rows of the product of all windows at a time: 64 MB of 40,000.
_ROWS: Final = 400

Floats = NDArray[np.float32]
Sums = NDArray[np.float64]


class _Trace:
    """A trace as it is held against others; what it is asked for again is kept."""

    def __init__(self, run_id: str, name: str, values: Floats) -> None:
        """Of `run_id` and called `name`; `values` is its noise, shape (cells,)."""
        self.run_id = run_id
        self.name = name
        self.values = values
        self._spectrum: tuple[int, NDArray[np.complex64]] | None = None
        self._sums: tuple[Sums, Sums] | None = None

    def spectrum(self, size: int) -> NDArray[np.complex64]:
        """Its transform over `size` cells."""
        if self._spectrum is None or self._spectrum[0] != size:
            self._spectrum = size, np.fft.rfft(self.values, size).astype(np.complex64)
        return self._spectrum[1]

    def sums(self) -> tuple[Sums, Sums]:
        """How often it moved up to each cell, and the sum of its squares."""
        if self._sums is None:
            moves = _summed(np.abs(self.values) > MOVES)
            self._sums = moves, _summed(self.values * self.values)
        return self._sums

    def forget(self) -> None:
        """Give the memory of what was asked for back."""
        self._spectrum = self._sums = None


def traces_are_own(campaign: Campaign) -> dict[str, Finding]:
    """No trace's noise is that of a trace of another GPU or run."""
    traces = [
        _Trace(facts.run_id, f"{noise.device} on {noise.host}", noise.values)
        for facts in campaign.runs
        for noise in facts.noise
    ]
    faults: dict[str, list[str]] = {facts.run_id: [] for facts in campaign.runs}
    nearest = dict.fromkeys(faults, 0.0)
    kept: deque[_Trace] = deque()
    for first, second in _pairs(traces):
        one, other = traces[first], traces[second]
        _keep(kept, one, other)
        in_run = one.run_id == other.run_id
        alike, limit = _agreement(one, other, _PLACES_IN_RUN if in_run else _PLACES)
        if in_run:
            limit = _ALIKE_IN_RUN
        for mine, its in ((one, other),) if in_run else ((one, other), (other, one)):
            nearest[mine.run_id] = max(nearest[mine.run_id], alike / limit)
            if alike >= limit:
                where = its.name if in_run else f"{its.name} in {its.run_id}"
                faults[mine.run_id].append(
                    f"{mine.name} has the noise of {where}: they agree to {alike:.3f}"
                )
    return {
        facts.run_id: _finding(facts, faults[facts.run_id], nearest[facts.run_id])
        for facts in campaign.runs
    }


def _keep(kept: "deque[_Trace]", *traces: _Trace) -> None:
    """Let go of the transforms of all but the traces that were looked at last."""
    for trace in traces:
        if all(trace is not one for one in kept):
            kept.append(trace)
    while len(kept) > _KEPT:
        kept.popleft().forget()


def _finding(facts: RunFacts, faults: Sequence[str], nearest: float) -> Finding:
    if (why := facts.missing.get("noise")) is not None:
        return failed(f"could not be checked: {why}")
    if not facts.noise:
        return skipped("no trace is lively for as long as would tell it from another")
    return judged(
        faults,
        f"{len(facts.noise)} traces, the nearest to another at {nearest:.2f} of the limit",
        strain=nearest,
    )


def alike(ones: Sequence[Floats], others: Sequence[Floats]) -> tuple[int, int] | None:
    """Which trace of `others` has the noise of which of `ones`, by their places; None for none.

    As the audit has it between runs: of one folder, or of two that are held against each other.
    """
    traces = [_Trace("", "", values) for values in (*ones, *others)]
    kept: deque[_Trace] = deque()
    for first, second in _pairs(traces):
        low, high = min(first, second), max(first, second)
        if not low < len(ones) <= high:
            continue
        _keep(kept, traces[low], traces[high])
        found, limit = _agreement(traces[low], traces[high], _PLACES)
        if found >= limit:
            return low, high - len(ones)
    return None


def agreement(one: Floats, other: Floats) -> float:
    """The highest correlation of any lively block of two traces, laid where they agree best.

    As a share of what tells a copy: 1.0 and more is one. 0.0 where no block of both is lively.
    """
    found, limit = _agreement(_Trace("", "", one), _Trace("", "", other), _PLACES)
    return found / limit


def _agreement(one: _Trace, other: _Trace, places: int) -> tuple[float, float]:
    """The highest correlation of a lively block by its limit, and that limit."""
    first, second = len(one.values), len(other.values)
    size = 1 << (first + second - 1).bit_length()
    product = one.spectrum(size) * np.conj(other.spectrum(size))
    sums = np.fft.irfft(product, size)
    # Only where at least a block lies over a block.
    lags = np.arange(BLOCK_CELLS - second, first - BLOCK_CELLS + 1)
    sums = sums[lags % size]
    count = min(places, len(lags))
    best = np.argpartition(sums, len(sums) - count)[-count:]
    found = [_block_agreement(one, other, int(lags[place])) for place in best]
    return max(found, key=lambda pair: pair[0] / pair[1])


def _block_agreement(one: _Trace, other: _Trace, lag: int) -> tuple[float, float]:
    """The highest correlation of a block, where `other` begins `lag` cells after `one`."""
    start, stop = max(lag, 0), min(lag + len(other.values), len(one.values))
    both = stop - start
    # The more places there are, the likelier is it that one agrees by chance.
    cells = BLOCK_CELLS * (2 if both >= _LONG_CELLS else 1)
    limit = _ALIKE_SHORT if both < _SHORT_CELLS else _ALIKE

    def blocks(sums: Sums, begin: int) -> Sums:
        own = sums[begin : begin + both + 1]
        return own[cells:] - own[:-cells]

    (moves, squares), (other_moves, other_squares) = one.sums(), other.sums()
    least = LIVELY * cells
    lively = (blocks(moves, start) >= least) & (blocks(other_moves, start - lag) >= least)
    if not lively.any():
        return 0.0, limit
    product = _summed(one.values[start:stop] * other.values[start - lag : stop - lag])
    norm = np.sqrt(blocks(squares, start) * blocks(other_squares, start - lag))
    alike = blocks(product, 0)[lively] / np.maximum(norm[lively], np.finfo(float).tiny)
    return float(alike.max()), limit


def _summed(values: NDArray[np.float32] | NDArray[np.bool_]) -> Sums:
    """Shape (n + 1,): the sums up to each place."""
    return np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))


def _pairs(traces: Sequence[_Trace]) -> Iterator[tuple[int, int]]:
    """Which traces are laid over each other: all while they are few, else those nominated."""
    count = len(traces)
    cells = max((len(trace.values) for trace in traces), default=0)
    if count * (count - 1) // 2 * cells <= _MOST_CELLS:
        return ((a, b) for b in range(count) for a in range(b))
    return iter(nominated([trace.values for trace in traces]))


def nominated(traces: Sequence[Floats]) -> list[tuple[int, int]]:
    """Pairs of traces with windows in common, of those by which each is known; sorted.

    Where work begins, the traces of a whole campaign may look alike: of more pairs than can be
    laid over each other those are taken that have most windows in common, as a copy has all.
    """
    each = min(_MOST_WINDOWS_EACH, max(_MOST_WINDOWS // len(traces), _LEAST_WINDOWS_EACH))
    windows, owners = [], []
    for number, values in enumerate(traces):
        found = _known_by(values, each)
        windows.append(found)
        owners += [number] * len(found)
    table = np.concatenate(windows)
    owner = np.array(owners)
    shared = np.zeros((len(traces), len(traces)), dtype=np.uint8)
    for start in range(0, len(table), _ROWS):
        rows, columns = np.nonzero(table[start : start + _ROWS] @ table[start:].T >= _NOMINATED)
        a, b = owner[start + rows], owner[start + columns]
        apart = a != b
        both = np.stack((np.minimum(a, b)[apart], np.maximum(a, b)[apart]))
        (first, second), counts = np.unique(both, axis=1, return_counts=True)
        room = _MOST_SHARED - shared[first, second]
        shared[first, second] += np.minimum(counts, room).astype(np.uint8)
    most = max(1, _MOST_CELLS // max(len(values) for values in traces))
    having = np.bincount(shared.ravel(), minlength=_MOST_SHARED + 1)
    # How many pairs have as many windows in common, or more.
    at_least = having[::-1].cumsum()[::-1]
    least = next((count for count in range(1, _MOST_SHARED) if at_least[count] <= most), None)
    pairs = np.argwhere(shared >= (_MOST_SHARED if least is None else least))[:most]
    return [(int(first), int(second)) for first, second in pairs]


def _known_by(values: Floats, count: int) -> Floats:
    """Shape (at most count, _WINDOW), norm 1: windows that a copy would be known by, too.

    A window is chosen by how it answers to a pattern, wherever it lies: the same window in another
    trace answers alike.
    """
    pattern = np.random.default_rng(_WINDOW).choice(np.array([-1.0, 1.0]), _WINDOW)
    windows = np.lib.stride_tricks.sliding_window_view(values, _WINDOW)
    norms = np.maximum(np.linalg.norm(windows, axis=1), 1.0)
    # Over their size: else all windows of all traces lie where work begins.
    answers = np.abs(np.correlate(values, pattern.astype(np.float32), "valid")) / norms
    chosen = np.argsort(answers, kind="stable")[::-1][:count]
    found = windows[chosen]
    return np.asarray(
        found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1.0), dtype=np.float32
    )


NEAR_COPY_CHECKS: Final = (
    FolderCheck(
        name="near-copies",
        claim="no trace has another's noise",
        look=traces_are_own,
        alone=True,
        severity=Severity.WRONG,
        rule=(
            "power in cells of 100 ms, less its mean over 0.7 s, over its level within 2.1 s; "
            "every two traces of the folder are laid over each other where they agree best, and "
            "correlate in no lively block of 12.8 s, or of 25.6 s where they share more than 51 s"
        ),
        tolerance="0.88 between runs, 0.94 where they share less than 35 s, 0.997 within a run",
        reason=(
            "the highest of 59 recorded runs is 0.853 between runs and 0.986 within one, where "
            "GPUs wait for each other; of each of their 91 lively traces a copy with noise of 1 % "
            "reaches 0.91, or 0.965 in one block, one sampled every 33 ms 0.95, of a GPU of the "
            "same run one with noise of 0.2 W 0.998; of 36 runs of half a minute at a third of a "
            "board's power, mostly edges, two agree to 0.914, and a copy with noise of 1 % seldom "
            "does to 0.94: of those only scaled, shifted or cut copies are found"
        ),
        rules_out="a measurement told as another's, with noise, scale, time or sampling changed",
    ),
)
"""Checks of noise, over all runs."""

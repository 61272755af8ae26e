"""Power trace: a run's power over time, thinned to what a page can carry.

The least and the greatest reading of every stretch are kept, so that no peak is lost, and a gap in
the readings stays a gap. Times are whole milliseconds since rank 0 began, power tenths of a watt:
the sensors' own resolution is coarser.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from analysis.energy.curves import GAP_PERIODS
from analysis.energy.gpu_energy import Gpu
from analysis.energy.gpu_state import HOLDS, THROTTLE
from analysis.energy.run_energy import RunEnergy
from analysis.runs.rank_spans import RankSpans
from analysis.runs.series import FloatArray, IntArray, Series
from telemetry.clock import US_PER_MS
from telemetry.terminal import printable

MOST_POINTS: Final = 1200
"""Points of one line: more than a laptop has pixels across say nothing more."""
LEAST_POINTS: Final = 240
"""Points that a line keeps however many there are: a peak in each 120th of its time."""
# All lines of a run together: eight boards, as many as a node has, at full breadth.
_POINTS_A_RUN: Final = 8 * MOST_POINTS
# Points of each of the three lines that stand for all boards.
_BAND_POINTS: Final = 300
_TENTHS: Final = 10.0
# One that no reading of a run is far from: a run of a day on a thousand boards.
_MOST_BYTES: Final = 64 << 20


@dataclass(frozen=True, kw_only=True)
class PowerTrace:
    """A run's power over time as compressed JSON: small beside its readings."""

    whole: bytes
    """With a line for every board."""
    band: bytes
    """With the least, the mean and the greatest of all boards in their places."""

    def content(self) -> dict[str, Any]:
        """What `whole` holds."""
        return unpacked(self.whole)


def packed(content: object) -> bytes:
    """JSON as its zlib stream (RFC 1950); the same content gives the same bytes by one zlib."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return zlib.compress(text.encode(errors="surrogateescape"), 9)


def unpacked(data: bytes) -> dict[str, Any]:
    """What was packed.

    Raises:
        ValueError: it is no such stream, or longer than any.
    """
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(data, _MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"a packed JSON object must be a zlib stream, but is not: {error}") from (
            error
        )
    if stream.unconsumed_tail or not stream.eof:
        raise ValueError("a packed JSON object must end, but is cut off or too long")
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError(
            f"what was packed must be a JSON object, but is {type(content).__name__} instead"
        )
    return content


def power_trace(run_energy: RunEnergy) -> PowerTrace:
    """Power of every board and node over time, what rank 0 did, and what held clocks down.

    Raises:
        OSError, ValueError: the record cannot be read; all of `UNREADABLE` may come.
    """
    zero_us = int(run_energy.ranks[0].start_us[0])
    gpus = (*run_energy.gpus, *run_energy.idle_gpus)
    read = [(gpu, *run_energy.power_series(gpu.host, gpu.uuid)) for gpu in gpus]
    known = [(gpu, series) for gpu, _, series in read if len(series)]
    points = max(LEAST_POINTS, min(MOST_POINTS, _POINTS_A_RUN // max(1, len(known))))
    told = {
        "fields": sorted({field for _, field, series in read if len(series)}),
        "silent": [
            [printable(gpu.uuid), series.null_reason or "no reading of its power"]
            for gpu, _, series in read
            if not len(series)
        ],
        "window": [_ms(edge_us, zero_us) for edge_us in run_energy.window_us],
        "phases": _phases(run_energy.ranks[0], zero_us),
        "held": [
            [number, *stretch]
            for number, (gpu, _) in enumerate(known)
            for stretch in _held(run_energy, gpu, zero_us)
        ],
        "nodes": [
            {"host": printable(host), **_line(series, zero_us, MOST_POINTS // 2)}
            for host, series in run_energy.node_powers().items()
        ],
    }
    boards = [
        {
            "gpu": printable(gpu.uuid),
            "host": printable(gpu.host),
            "rank": gpu.rank,
            **_line(series, zero_us, points),
        }
        for gpu, series in known
    ]
    band = _band([series for _, series in known], zero_us)
    return PowerTrace(
        whole=packed({**told, "boards": boards, "points": points}),
        band=packed({**told, "band": band, "points": _BAND_POINTS}),
    )


def thinned(t_us: IntArray, value: FloatArray, points: int) -> tuple[IntArray, FloatArray]:
    """At most some `points`: the least and the greatest of each stretch, the first and the last."""
    count = len(value)
    if count <= points:
        return t_us, value
    stretches = points // 2
    edges = np.linspace(0, count, stretches + 1).astype(np.int64)
    width = int(np.diff(edges).max())
    # Each stretch as a row, its last reading repeated where it is shorter than the longest.
    rows = np.minimum(edges[:-1, None] + np.arange(width)[None, :], edges[1:, None] - 1)
    held = value[rows]
    at = np.arange(stretches)
    chosen = np.concatenate(
        (rows[at, held.argmin(axis=1)], rows[at, held.argmax(axis=1)], [0, count - 1])
    )
    chosen = np.unique(chosen)
    return t_us[chosen], value[chosen]


def _line(series: Series, zero_us: int, points: int) -> dict[str, Any]:
    """Times as differences, in ms, and tenths of a watt; None where readings are missing."""
    t_us, value = series.distinct()
    steps_us = np.diff(t_us)
    parts = [(t_us, value)]
    if len(steps_us):
        apart = np.flatnonzero(steps_us > GAP_PERIODS * max(1.0, float(np.median(steps_us)))) + 1
        parts = list(zip(np.split(t_us, apart), np.split(value, apart), strict=True))
    times: list[int] = []
    powers: list[int | None] = []
    for own_us, own in parts:
        if times:
            times.append(times[-1])
            powers.append(None)
        share = max(2, round(points * len(own) / len(value)))
        kept_us, kept = thinned(own_us, own, share)
        times += [_ms(int(one), zero_us) for one in kept_us]
        powers += np.rint(kept * _TENTHS).astype(np.int64).tolist()
    return {"t": np.diff(times, prepend=0).tolist(), "w": powers}


def _band(series: Sequence[Series], zero_us: int) -> dict[str, Any] | None:
    """The least, mean and greatest reading of all boards in even stretches; None where none is."""
    if not series:
        return None
    start_us = min(int(one.t_us[0]) for one in series)
    end_us = max(int(one.t_us[-1]) for one in series)
    edges_us = np.linspace(start_us, end_us, _BAND_POINTS + 1)
    stretch = [
        np.minimum(np.searchsorted(edges_us, one.t_us, side="right") - 1, _BAND_POINTS - 1)
        for one in series
    ]
    at = np.concatenate(stretch)
    value = np.concatenate([one.value for one in series])
    least, greatest = np.full(_BAND_POINTS, np.inf), np.full(_BAND_POINTS, -np.inf)
    np.minimum.at(least, at, value)
    np.maximum.at(greatest, at, value)
    count = np.bincount(at, minlength=_BAND_POINTS)
    total = np.bincount(at, weights=value, minlength=_BAND_POINTS)
    return {
        "boards": len(series),
        "from": _ms(start_us, zero_us),
        "to": _ms(end_us, zero_us),
        **{
            name: [
                None if not seen else round(float(one) * _TENTHS)
                for one, seen in zip(values, count, strict=True)
            ]
            for name, values in (
                ("least", least),
                ("mean", total / np.maximum(count, 1)),
                ("greatest", greatest),
            )
        },
    }


def _phases(rank: RankSpans, zero_us: int) -> dict[str, list[int]]:
    """Stretches of each phase of a rank: begin, length, and so on, begins as differences."""
    found: dict[str, list[int]] = {}
    ends: dict[str, int] = {}
    for phase, start_us, end_us in zip(
        rank.phase, rank.start_us.tolist(), rank.end_us.tolist(), strict=True
    ):
        begun, ended = _ms(start_us, zero_us), _ms(end_us, zero_us)
        found.setdefault(phase, []).extend((begun - ends.get(phase, 0), ended - begun))
        ends[phase] = ended
    return found


def _held(run_energy: RunEnergy, gpu: Gpu, zero_us: int) -> Iterator[tuple[int, int, str]]:
    """When something held the board's clock down: from, to, and what."""
    series = run_energy.series(gpu.host, gpu.uuid, THROTTLE)
    if not len(series):
        return
    bits = series.value.astype(np.int64) & sum(HOLDS)
    if not bits.any():
        return
    begins = np.concatenate(([0], np.flatnonzero(np.diff(bits)) + 1))
    ends = np.concatenate((begins[1:], [len(bits) - 1]))
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if bits[begin]:
            names = [name for bit, name in HOLDS.items() if int(bits[begin]) & bit]
            start_us, stop_us = int(series.t_us[begin]), int(series.t_us[end])
            yield _ms(start_us, zero_us), _ms(stop_us, zero_us), ", ".join(names)


def _ms(t_us: int, zero_us: int) -> int:
    return round((t_us - zero_us) / US_PER_MS)

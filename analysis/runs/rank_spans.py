"""Rank spans: what each rank did and when, as arrays."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from analysis.runs.sealed_runs import Run
from analysis.runs.series import FloatArray, IntArray
from analysis.runs.table_arrays import float_array, int_array
from telemetry.clock import US_PER_S
from telemetry.record.limits import RANKS
from telemetry.record.schema import Phase


@dataclass(frozen=True, kw_only=True, eq=False)
class RankSpans:
    """What one rank did, by time; arrays of shape (spans,)."""

    rank: int
    """Number among all ranks, counted from 0."""
    host: str
    """Node that the rank ran on."""
    gpu_uuid: str | None
    """The rank's GPU; None when it has none, real or simulated."""
    start_us: IntArray
    """When each span began, int64, not falling, on the reference host's clock."""
    end_us: IntArray
    """When each span ended, int64, on the same clock."""
    phase: tuple[str, ...]
    """What the rank was doing in each, a value of `telemetry.record.schema.Phase`."""
    batch: tuple[int | None, ...]
    """Number of each one's batch: None outside batches, negative in the warm-up."""
    energy_start_j: FloatArray
    """The GPU's counter as the rank read it at each start; NaN where it did not."""
    energy_end_j: FloatArray
    """The same at each end."""
    start_late_us: IntArray
    """The counter was read between each start and this long after; 0 in a record from before."""
    end_late_us: IntArray
    """The same of each end."""
    energy_reason: str | None
    """The first reason why one of the two is NaN; None when none is."""

    @cached_property
    def _by_phase(self) -> dict[str, IntArray]:
        """Indices of the spans of each phase that there is."""
        names: dict[str, list[int]] = {}
        for index, name in enumerate(self.phase):
            names.setdefault(name, []).append(index)
        return {name: np.array(found, dtype=np.int64) for name, found in names.items()}

    @cached_property
    def _numbers(self) -> IntArray:
        """Number of each span's batch; one of the warm-up, -1, outside batches."""
        return np.array([-1 if one is None else one for one in self.batch], dtype=np.int64)

    def of(self, phase: str) -> IntArray:
        """Indices of the spans of one phase."""
        return self._by_phase.get(phase, np.empty(0, dtype=np.int64))

    def seconds(self, chosen: IntArray) -> FloatArray:
        """Length of each chosen span."""
        return np.asarray((self.end_us[chosen] - self.start_us[chosen]) / US_PER_S)

    @property
    def life_us(self) -> tuple[int, int]:
        """From the first span's start to the last one's end."""
        return int(self.start_us[0]), int(self.end_us[-1])

    def measured(self, phase: str) -> IntArray:
        """Indices of the spans of one phase in measured batches: none of the warm-up."""
        found = self.of(phase)
        return np.asarray(found[self._numbers[found] >= 0])

    def setting_spans(self, phase: str) -> Iterator[tuple[int, int, int]]:
        """Batch, begin and end of each stretch in which a phase's own settings are to stand.

        The prefill's hold from the begin of its batch's ENCODE, where it has one.
        """
        encoded = {
            int(self._numbers[at]): int(self.start_us[at]) for at in self.measured(Phase.ENCODE)
        }
        for at in self.measured(phase).tolist():
            batch, start_us = int(self._numbers[at]), int(self.start_us[at])
            if phase == Phase.PREFILL:
                start_us = encoded.get(batch, start_us)
            yield batch, start_us, int(self.end_us[at])

    def batches(self, chosen: IntArray) -> IntArray:
        """Number of each chosen span's batch; negative outside measured batches."""
        return np.asarray(self._numbers[chosen])

    def batch_edges(self) -> dict[int, tuple[int, int]]:
        """Of each measured batch, by number, when its first span began and its last ended."""
        edges: dict[int, tuple[int, int]] = {}
        for phase in (Phase.ENCODE, Phase.PREFILL, Phase.DECODE, Phase.ANSWER):
            for at in self.measured(phase):
                number, start_us, end_us = (
                    int(column[at]) for column in (self._numbers, self.start_us, self.end_us)
                )
                first, last = edges.get(number, (start_us, end_us))
                edges[number] = min(first, start_us), max(last, end_us)
        return edges


def rank_spans(run: Run) -> Iterator[RankSpans]:
    """Every rank of a run, by number."""
    spans = run.spans
    # They are sorted by rank: each has a stretch of its own.
    numbers = spans["rank"].to_numpy()
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
    RANKS.require(len(starts), "spans.parquet")
    for start, stop in pairwise([*starts.tolist(), len(numbers)]):
        rank = int(numbers[start])
        own = spans.slice(start, stop - start)
        columns: Mapping[str, list[Any]] = own.select(
            ["host", "gpu_uuid", "phase", "batch"]
        ).to_pydict()
        yield RankSpans(
            rank=rank,
            host=columns["host"][0],
            gpu_uuid=columns["gpu_uuid"][0],
            start_us=own["t_start_us"].to_numpy(),
            end_us=own["t_end_us"].to_numpy(),
            phase=tuple(columns["phase"]),
            batch=tuple(columns["batch"]),
            energy_start_j=float_array(own, "energy_start_j"),
            energy_end_j=float_array(own, "energy_end_j"),
            start_late_us=int_array(own, "energy_start_late_us", otherwise=0),
            end_late_us=int_array(own, "energy_end_late_us", otherwise=0),
            energy_reason=next(
                (reason for reason in own["energy_reason"].to_pylist() if reason), None
            ),
        )


def measured_window_us(ranks: Iterable[RankSpans]) -> tuple[int, int] | None:
    """From the first batch's start to the last one's end; None when no batch was answered.

    Warm-up batches (negative numbers) are outside.
    """
    starts: list[int] = []
    ends: list[int] = []
    for rank in ranks:
        for phase in (Phase.ENCODE, Phase.PREFILL, Phase.ANSWER):
            starts += rank.start_us[rank.measured(phase)].tolist()
        for phase in (Phase.PREFILL, Phase.DECODE, Phase.ANSWER):
            ends += rank.end_us[rank.measured(phase)].tolist()
    if not starts or max(ends) <= min(starts):
        return None
    return min(starts), max(ends)

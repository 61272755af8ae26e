"""RankSpans: what each rank did and when, as arrays."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from analysis.energy import US_PER_S, FloatArray, IntArray
from analysis.load import Run


@dataclass(frozen=True, kw_only=True, eq=False)
class RankSpans:
    """What one rank did, by time; arrays of shape (spans,)."""

    rank: int
    host: str
    gpu_uuid: str | None
    start_us: IntArray
    end_us: IntArray
    phase: tuple[str, ...]
    batch: tuple[int | None, ...]

    def of(self, phase: str) -> IntArray:
        """Indices of the spans of one phase."""
        found = [index for index, name in enumerate(self.phase) if name == phase]
        return np.array(found, dtype=np.int64)

    def seconds(self, chosen: IntArray) -> FloatArray:
        """Length of each chosen span."""
        return np.asarray((self.end_us[chosen] - self.start_us[chosen]) / US_PER_S)

    def measured(self, phase: str) -> IntArray:
        """Indices of the spans of one phase in measured batches: none of the warm-up."""
        found = [
            index
            for index, (name, batch) in enumerate(zip(self.phase, self.batch, strict=True))
            if name == phase and batch is not None and batch >= 0
        ]
        return np.array(found, dtype=np.int64)


def rank_spans(run: Run) -> Iterator[RankSpans]:
    """Every rank of a run, by number."""
    spans = run.spans
    for rank in pc.unique(spans["rank"]).sort().to_pylist():
        own = spans.filter(pc.equal(spans["rank"], rank))
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
        )

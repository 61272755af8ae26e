"""Run performance: how fast a run was, phase by phase, and how near to what its GPUs allow."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow.compute as pc

from analysis.energy.run_energy import RunEnergy
from analysis.performance.latency import Latency, read_latency
from analysis.performance.model_record import ModelFacts
from analysis.performance.roofline import PhaseWork, RowWork
from telemetry.boards.lookup import peaks_of
from telemetry.boards.peaks import Peaks
from telemetry.record.arithmetic import Arithmetic
from telemetry.record.schema import Phase

STATED: Final = "stated"
MEASURED: Final = "measured"
KINDS: Final = (STATED, MEASURED)
"""Peaks that work is held against: of the datasheet, and as seen on such a board."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What all GPUs of a run together can move and compute in a second."""

    bytes_per_s: float | None
    """None when nobody stated or measured it."""
    flop_per_s: float | None
    """Of the format that matrices multiply in, a multiply-add is two; None when nobody says."""

    def least_s(self, moved: int, flops: int) -> float | None:
        """The least time for so many bytes and operations; None when a limit is not known."""
        if self.bytes_per_s is None or self.flop_per_s is None:
            return None
        return max(moved / self.bytes_per_s, flops / self.flop_per_s)


class Performance:
    """The speed of one run."""

    def __init__(self, run_energy: RunEnergy) -> None:
        self.run_energy = run_energy
        self.run = run_energy.run
        self.model = ModelFacts(self.run)

    @cached_property
    def latency(self) -> Latency | str:
        """When tokens were chosen, or why that is not known."""
        first = next((rank for rank in self.run_energy.ranks if rank.rank == 0), None)
        return "rank 0 has no spans" if first is None else read_latency(self.run, first)

    @cached_property
    def peaks(self) -> Peaks | str:
        """The peaks of the run's GPUs, which must all be alike; or why there are none."""
        found = [
            peaks_of(entry)
            for host in self.run.hosts.values()
            for entry in host.get("gpus", [])
            if entry.get("uuid") in {gpu.uuid for gpu in self.run_energy.gpus}
        ]
        if not found:
            return "no rank has a GPU"
        fault = next((one for one in found if isinstance(one, str)), None)
        if fault is not None:
            return fault
        return found[0] if all(one == found[0] for one in found) else "its GPUs are not alike"

    def limits(self, kind: str) -> Limits:
        """The limits by one of `KINDS`, in the format that the run's matrices multiply in.

        Of fp8, attention and the output head are held against its rate too, though they multiply in
        the run's own format: a bound looser than need be.
        """
        if isinstance(self.peaks, str):
            return Limits(bytes_per_s=None, flop_per_s=None)
        count, dtype = self.run.spec.gpus, self.run.spec.product_format
        bytes_per_s: float | None = self.peaks.stated_bytes_per_s
        flop_per_s = self.peaks.stated_flop_per_s.get(dtype)
        if kind == MEASURED:
            bytes_per_s = self.peaks.measured_bytes_per_s
            flop_per_s = self.peaks.measured_flop_per_s.get(dtype)
        return Limits(
            bytes_per_s=None if bytes_per_s is None else bytes_per_s * count,
            flop_per_s=None if flop_per_s is None else flop_per_s * count,
        )

    @property
    def decoded_tokens(self) -> int:
        """Tokens chosen in DECODE: by the steps, else all but one of each answer."""
        if isinstance(self.latency, Latency):
            return self.latency.decoded_tokens
        responses = self.run.responses
        tokens = int(pc.sum(responses["generated_tokens"]).as_py() or 0)
        return max(0, tokens - int(responses.num_rows))

    @property
    def prefilled_tokens(self) -> int | None:
        """Tokens of prompts that PREFILL read; None when no step says, and where ENCODE did."""
        if not isinstance(self.latency, Latency) or self.encodes:
            return None
        return self.latency.prefilled_tokens

    @property
    def encodes(self) -> bool:
        """Whether an encoder read the prompts, which the phases of the batches say."""
        return any(len(rank.measured(Phase.ENCODE)) for rank in self.run_energy.ranks)

    def work(self, phase: Phase) -> PhaseWork | None:
        """What ENCODE, PREFILL or DECODE had to do, as the run shared prompts out between them."""
        return None if isinstance(self.latency, str) else self._works[phase]

    @cached_property
    def _works(self) -> dict[Phase, PhaseWork]:
        """The same of all phases; nothing without steps."""
        batches = () if isinstance(self.latency, str) else self.latency.batches
        return {
            phase: _sum([make(self._seen(batch.rows)) for batch in batches])
            for phase, make in _MAKE.items()
        }

    def _seen(self, rows: RowWork) -> RowWork:
        """What rows look at where the model looks back a window, or an encoder read them."""
        return replace(
            rows, window=self.model.window, windowed=self.model.windowed, encoded=self.encodes
        )

    def utilization(self, phase: Phase, kind: str) -> tuple[float | None, float | None]:
        """Share of the peak bandwidth, and of the peak operations, that a phase needed."""
        work, arithmetic = self.work(phase), self.model.arithmetic
        limits = self.limits(kind)
        seconds = self.run_energy.phase_seconds(phase)
        weights, kv = self.model.weight_bytes, self.model.kv_bytes
        if work is None or isinstance(arithmetic, str) or seconds <= 0:
            return None, None
        if weights is None or kv is None:
            return None, None
        moved, flops = work.bytes(weights, kv, arithmetic.encoder), work.flops(arithmetic)
        return (
            None if limits.bytes_per_s is None else moved / seconds / limits.bytes_per_s,
            None if limits.flop_per_s is None else flops / seconds / limits.flop_per_s,
        )

    @cached_property
    def reason(self) -> str | None:
        """Why there is no bound; None when there is one by the stated peaks."""
        for known in (self.latency, self.model.arithmetic, self.peaks):
            if isinstance(known, str):
                return known
        if self.model.weight_bytes is None:
            return f"nobody says what a step reads in {self.run.spec.quantization}"
        if self.limits(STATED).flop_per_s is None:
            return f"no peak is stated for {self.run.spec.product_format}"
        return None

    @cached_property
    def _whole_work(self) -> dict[Phase, list[PhaseWork]]:
        """What each batch has to do where prefill reads every prompt whole; none without steps."""
        if isinstance(self.latency, str):
            return {phase: [] for phase in _MAKE}
        batches = [self._seen(batch.rows).whole() for batch in self.latency.batches]
        return {phase: [make(rows) for rows in batches] for phase, make in _MAKE.items()}

    def least_s(self, phase: Phase, kind: str) -> float | None:
        """Roofline: the least time of a phase's work, had prefill read every prompt whole.

        Batch by batch the longer of moving the bytes and doing the arithmetic. Where bandwidth was
        measured and operations in the run's numbers were not, the stated ones stand in: a bound
        looser than need be, and a bound all the same.
        """
        arithmetic, limits = self.model.arithmetic, self.limits(kind)
        if limits.flop_per_s is None:
            limits = replace(limits, flop_per_s=self.limits(STATED).flop_per_s)
        weights, kv = self.model.weight_bytes, self.model.kv_bytes
        if isinstance(self.latency, str) or isinstance(arithmetic, str):
            return None
        if weights is None or kv is None:
            return None
        total = 0.0
        for work in self._whole_work[phase]:
            least_s = _least_s(work, arithmetic, limits, weights, kv)
            if least_s is None:
                return None
            total += least_s
        return total

    def bound_tokens_per_s(self, kind: str) -> float | None:
        """Generated tokens over the least time of encode, prefill and decode."""
        parts = [self.least_s(phase, kind) for phase in _MAKE]
        known = [part for part in parts if part is not None]
        tokens = int(pc.sum(self.run.responses["generated_tokens"]).as_py() or 0)
        return tokens / sum(known) if len(known) == len(parts) and sum(known) > 0 else None

    def decode_bound_tokens_per_s(self, kind: str) -> float | None:
        """Tokens after each answer's first over the least time of decode."""
        least_s = self.least_s(Phase.DECODE, kind)
        if least_s is None or least_s <= 0 or isinstance(self.latency, str):
            return None
        later = sum(int(np.maximum(0, batch.generated - 1).sum()) for batch in self.latency.batches)
        return later / least_s


def _least_s(
    work: PhaseWork, arithmetic: Arithmetic, limits: Limits, weights: int, kv: int
) -> float | None:
    return limits.least_s(work.bytes(weights, kv, arithmetic.encoder), work.flops(arithmetic))


def _sum(works: Sequence[PhaseWork]) -> PhaseWork:
    return functools.reduce(PhaseWork.plus, works, PhaseWork())


_MAKE: Final[dict[Phase, Callable[[RowWork], PhaseWork]]] = {
    Phase.ENCODE: PhaseWork.encode,
    Phase.PREFILL: PhaseWork.prefill,
    Phase.DECODE: PhaseWork.decode,
}

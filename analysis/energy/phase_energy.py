"""Phase energy: what each rank's GPU took in each phase of the job, and what idle GPUs took."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.energy.curves import Curve
from analysis.energy.gpu_energy import Gpu
from analysis.energy.methods import METHODS, RANK_COUNTER
from analysis.energy.uncertain import Uncertain, net_energy
from analysis.runs.rank_spans import RankSpans
from analysis.runs.series import IntArray
from telemetry.clock import US_PER_S

SHORT_PHASES: Final = "too short"
"""Row of a phase table that pools what is not attributable, so that rows sum to the total."""
NO_RANK: Final = "allocated, no rank"
"""Row of a GPU that the job held and no rank worked on."""


@dataclass(frozen=True, kw_only=True)
class PhaseEnergy:
    """One phase of one rank, or the whole job of a GPU without one."""

    rank: int | None
    """None for a GPU that no rank works on."""
    host: str
    """Node of the rank, or of the idle GPU."""
    gpu_uuid: str | None
    """The GPU's UUID; None when the rank has no GPU."""
    phase: str
    """A value of `telemetry.record.schema.Phase`, `SHORT_PHASES` or `NO_RANK`."""
    spans: int
    """How many spans are summed; 1 for an idle GPU's whole job."""
    seconds: float
    """Length of all of them together."""
    energy: Uncertain
    """Gross joules of the GPU."""
    net: Uncertain
    """Joules beyond what the GPU takes at rest in the same time."""


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """How phases are told apart: by one method for the whole run."""

    method: str | None
    """One of `analysis.energy.methods.METHODS`; None when there is none, for `reason`."""
    reason: str
    """Why there is no method; empty when there is one."""

    def energy(self, rank: RankSpans, gpu: Gpu | None, chosen: IntArray) -> Uncertain:
        """Energy of a rank's GPU in the chosen spans, if its sensor can tell them from others."""
        if not len(chosen):
            return Uncertain.unknown("no such phase")
        if gpu is not None and not gpu.attributable(self.method, rank.seconds(chosen)):
            return Uncertain.unknown(gpu.shortness(self.method, rank.seconds(chosen)))
        return self._summed(rank, gpu, chosen)

    def rows(self, rank: RankSpans, gpu: Gpu | None) -> Iterator[PhaseEnergy]:
        """The rank's phases in the order they began; those too short for the sensor pooled last."""
        pooled: list[IntArray] = []
        for phase in dict.fromkeys(rank.phase):
            chosen = rank.of(phase)
            if gpu is not None and not gpu.attributable(self.method, rank.seconds(chosen)):
                pooled.append(chosen)
            yield _row(rank, gpu, phase, chosen, self.energy(rank, gpu, chosen))
        if pooled:
            chosen = np.sort(np.concatenate(pooled))
            yield _row(rank, gpu, SHORT_PHASES, chosen, self._summed(rank, gpu, chosen))

    def _summed(self, rank: RankSpans, gpu: Gpu | None, chosen: IntArray) -> Uncertain:
        if gpu is None:
            return Uncertain.unknown("the rank has no GPU")
        if self.method is None:
            return Uncertain.unknown(self.reason)
        curve = gpu.curve(self.method)
        if isinstance(curve, str):
            return Uncertain.unknown(f"{gpu.uuid}: {curve}")
        return curve.summed(rank.start_us[chosen], rank.end_us[chosen])


def attribution(
    gpus: Sequence[Gpu], lives_us: Sequence[tuple[int, int]], *, otherwise: Attribution
) -> Attribution:
    """The method that tells the shortest phases of all GPUs apart over their ranks' lives.

    Of equally fine methods it is the first of `analysis.energy.methods.METHODS`; one with a gap
    in its readings stands back, as it is fine no more there. `otherwise` stands where none reaches
    over every life. `lives_us` are the ranks' of `gpus`, in the same order.
    """

    def reaches(method: str) -> bool:
        return all(
            gpu.energy(method, life_us).value is not None
            for gpu, life_us in zip(gpus, lives_us, strict=True)
        )

    def has_gap(method: str) -> bool:
        curves = [gpu.curve(method) for gpu in gpus]
        # A rank reads its counter where it matters: at the edges.
        return method != RANK_COUNTER and any(
            isinstance(one, Curve) and one.has_gap for one in curves
        )

    whole = [method for method in METHODS if gpus and reaches(method)]
    if not whole:
        return otherwise
    even = [method for method in whole if not has_gap(method)] or whole[:1]
    finest = min(even, key=lambda method: max(gpu.resolution_us(method) for gpu in gpus))
    return Attribution(method=finest, reason="")


def idle_row(gpu: Gpu, life_us: tuple[int, int], energy: Uncertain) -> PhaseEnergy:
    """A GPU that was allocated and left idle, over the job's life."""
    return PhaseEnergy(
        rank=None,
        host=gpu.host,
        gpu_uuid=gpu.uuid,
        phase=NO_RANK,
        spans=1,
        seconds=(life_us[1] - life_us[0]) / US_PER_S,
        energy=energy,
        net=Uncertain.unknown("no rank worked on it: all of it is idle energy"),
    )


def _row(
    rank: RankSpans, gpu: Gpu | None, phase: str, chosen: IntArray, energy: Uncertain
) -> PhaseEnergy:
    seconds = float(rank.seconds(chosen).sum())
    net = energy if gpu is None else net_energy(energy, gpu.idle_power, seconds)
    return PhaseEnergy(
        rank=rank.rank,
        host=rank.host,
        gpu_uuid=rank.gpu_uuid,
        phase=str(phase),
        spans=len(chosen),
        seconds=seconds,
        energy=energy,
        net=net,
    )

"""Account: one run's energy by GPU and phase, joined on GPU UUID and time."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from analysis.energy import (
    EDGE_PERIODS,
    US_PER_S,
    Amount,
    Curve,
    IntArray,
    Series,
    counter_curve,
    coverage,
    gap_share,
    integral_curve,
    net_energy,
    total,
)
from analysis.gpu import COUNTER, INTEGRAL, US_PER_MS, Gpu, idle_power
from analysis.load import Run
from analysis.spans import RankSpans, rank_spans
from telemetry.gpus import GPU_KINDS
from telemetry.schema import Phase

COUNTER_FIELD: Final = "energy_j"
POWER_FIELDS: Final = ("power_instant_w", "power_average_w")
"""In order of preference: the one-second average remembers what was before the window."""
SHORT_PHASES: Final = "too short"
"""Row of a phase table that pools what is not attributable, so that rows sum to the total."""

_FIELDS: Final = (
    COUNTER_FIELD,
    *POWER_FIELDS,
    "zone_energy_j",
    "gpu_utilization",
    "power_limit_w",
)


@dataclass(frozen=True, kw_only=True)
class PhaseEnergy:
    """One phase of one rank."""

    rank: int
    host: str
    gpu_uuid: str | None
    phase: str
    spans: int
    seconds: float
    energy: Amount
    """Gross joules of the rank's GPU."""
    net: Amount


class Account:
    """The energies of one run, each a number or the reason why there is none.

    The energy of a run is the sum over every GPU of every node. It is taken from the counters when
    every GPU has one, else from the integrals of power: one method for the whole run, never mixed.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.ranks = tuple(rank_spans(run))
        self._series = run.series(_FIELDS)

    @cached_property
    def window_us(self) -> tuple[int, int]:
        """From the first prefill's start to the last decode's end over all ranks.

        Warm-up batches (negative numbers) are outside.

        Raises:
            ValueError: no batch was answered.
        """
        starts: list[int] = []
        ends: list[int] = []
        for rank in self.ranks:
            for index, (phase, batch) in enumerate(zip(rank.phase, rank.batch, strict=True)):
                if batch is not None and batch >= 0:
                    if phase == Phase.PREFILL:
                        starts.append(int(rank.start_us[index]))
                    if phase in (Phase.PREFILL, Phase.DECODE):
                        ends.append(int(rank.end_us[index]))
        if not starts or max(ends) <= min(starts):
            raise ValueError(f"`spans` of {self.run.run_id} must hold an answered batch")
        return min(starts), max(ends)

    @property
    def duration_s(self) -> float:
        """Length of the window."""
        return (self.window_us[1] - self.window_us[0]) / US_PER_S

    @cached_property
    def gpus(self) -> tuple[Gpu, ...]:
        """Every GPU that a rank used, each once, by rank."""
        found: dict[str, Gpu] = {}
        for rank in self.ranks:
            if rank.gpu_uuid is not None and rank.gpu_uuid not in found:
                found[rank.gpu_uuid] = self._gpu(rank, rank.gpu_uuid)
        return tuple(found.values())

    @cached_property
    def method(self) -> str | None:
        """`counter` when every GPU has one, else `integral` when every GPU has that; else None."""
        for method in (COUNTER, INTEGRAL):
            amounts = [self.gpu_energy(gpu, method) for gpu in self.gpus]
            if amounts and all(amount.value is not None for amount in amounts):
                return method
        return None

    @property
    def method_text(self) -> str:
        """The method with the field that was integrated, for a table."""
        if self.method is None:
            return "none"
        if self.method == COUNTER:
            return COUNTER
        curves = {gpu.integral.method for gpu in self.gpus if isinstance(gpu.integral, Curve)}
        return " and ".join(sorted(curves))

    def gpu_energy(self, gpu: Gpu, method: str, window_us: tuple[int, int] | None = None) -> Amount:
        """Energy of one GPU in a window, the measured one by default."""
        curve = gpu.curve(method)
        if isinstance(curve, str):
            return Amount.unknown(f"{gpu.uuid}: {curve}")
        amount = curve.between(*(window_us or self.window_us))
        if amount.value is None:
            return Amount.unknown(f"{gpu.uuid}: {amount.reason}")
        return amount

    def energy_by(self, method: str) -> Amount:
        """Energy of all GPUs in the window by one method."""
        return total(
            [self.gpu_energy(gpu, method) for gpu in self.gpus], nothing="no rank has a GPU"
        )

    @property
    def energy(self) -> Amount:
        """Energy of all GPUs in the window, gross."""
        if self.method is not None:
            return self.energy_by(self.method)
        # The integral is the last resort, so its reason is the one that matters.
        return self.energy_by(INTEGRAL)

    @property
    def gap(self) -> Amount:
        """How far the integral lies from the counter, as a share, over all GPUs."""
        return gap_share(self.energy_by(COUNTER), self.energy_by(INTEGRAL))

    @property
    def idle_power(self) -> Amount:
        """Power of all GPUs at rest."""
        return total([gpu.idle_power for gpu in self.gpus], nothing="no rank has a GPU")

    @property
    def net(self) -> Amount:
        """Energy in the window less what the GPUs draw at rest in the same time."""
        return net_energy(self.energy, self.idle_power, self.duration_s)

    @cached_property
    def phases(self) -> tuple[PhaseEnergy, ...]:
        """Energy by rank and phase over the ranks' whole lives; rows of a rank sum to its total."""
        by_uuid = {gpu.uuid: gpu for gpu in self.gpus}
        rows: list[PhaseEnergy] = []
        for rank in self.ranks:
            gpu = by_uuid[rank.gpu_uuid] if rank.gpu_uuid is not None else None
            rows.extend(self._rank_phases(rank, gpu))
        return tuple(rows)

    def phase_seconds(self, phase: Phase) -> float:
        """Seconds in a phase's measured batches: the mean over the ranks."""
        sums = [float(rank.seconds(rank.measured(phase)).sum()) for rank in self.ranks]
        return sum(sums) / len(sums)

    def phase_energy(self, phase: Phase) -> Amount:
        """Energy of all GPUs in a phase's measured batches."""
        by_uuid = {gpu.uuid: gpu for gpu in self.gpus}
        amounts = [
            self._energy_of(rank, by_uuid[rank.gpu_uuid], rank.measured(phase))
            for rank in self.ranks
            if rank.gpu_uuid is not None
        ]
        return total(amounts, nothing="no rank has a GPU")

    @property
    def zone_energy(self) -> Amount:
        """Energy of all hosts' processors and their memory in the window (Linux powercap)."""
        amounts: list[Amount] = []
        for (host, device, field), series in sorted(self._series.items()):
            if field == "zone_energy_j":
                curve = counter_curve(series, edge_us=self._edge_us(host, device, field))
                amounts.append(
                    Amount.unknown(f"{host}, {device}: {curve}")
                    if isinstance(curve, str)
                    else curve.between(*self.window_us)
                )
        return total(amounts, nothing="the host shows no energy zone")

    @property
    def utilization(self) -> Amount:
        """Share of the window in which a kernel ran: the mean over GPUs and readings."""
        means = [
            float(inside.value.mean())
            for gpu in self.gpus
            if len(
                inside := self.series(gpu.host, gpu.uuid, "gpu_utilization").between(
                    *self.window_us
                )
            )
        ]
        if not means or len(means) < len(self.gpus):
            return Amount.unknown("not every GPU has a reading in the window")
        return Amount.of(sum(means) / len(means))

    def coverage(self) -> Iterator[tuple[str, str, float, int, int]]:
        """(device, field, share of expected readings, largest gap, period) in the window.

        Power and counter of every GPU; a field that no GPU has a reading of is left out.
        """
        for gpu in self.gpus:
            for field in (COUNTER_FIELD, *POWER_FIELDS):
                series = self.series(gpu.host, gpu.uuid, field)
                if not len(series):
                    continue
                period_us = self._sampling_us(gpu.host, gpu.uuid, field)
                share, gap_us = coverage(series, *self.window_us, period_us)
                yield gpu.uuid, field, share, gap_us, period_us

    def series(self, host: str, device: str, field: str) -> Series:
        """The readings of one device and field; empty when there are none."""
        empty = Series(t_us=np.empty(0, dtype=np.int64), value=np.empty(0))
        return self._series.get((host, device, field), empty)

    def power_series(self, host: str, uuid: str) -> tuple[str, Series]:
        """The preferred power field with readings, and those."""
        for field in POWER_FIELDS:
            series = self.series(host, uuid, field)
            if len(series):
                return field, series
        return POWER_FIELDS[0], self.series(host, uuid, POWER_FIELDS[0])

    def _gpu(self, rank: RankSpans, uuid: str) -> Gpu:
        host = rank.host
        power_field, power = self.power_series(host, uuid)
        counter = counter_curve(
            self.series(host, uuid, COUNTER_FIELD), edge_us=self._edge_us(host, uuid, COUNTER_FIELD)
        )
        integral = integral_curve(
            power, field=power_field, edge_us=self._edge_us(host, uuid, power_field)
        )
        period_us = max(
            self._sampling_us(host, uuid, COUNTER_FIELD), self._sampling_us(host, uuid, power_field)
        )
        kind = GPU_KINDS.get(self.run.spec.gpu_kind)
        if kind is not None:
            period_us = max(period_us, kind.sensor_period_ms * US_PER_MS)
        idle = idle_power(rank, counter, integral, period_us)
        return Gpu(
            uuid=uuid,
            host=rank.host,
            counter=counter,
            integral=integral,
            period_us=period_us,
            idle_power=idle,
        )

    def _sampling_us(self, host: str, device: str, field: str) -> int:
        stated = self.run.period_us(host, device, field)
        if stated:
            return stated
        steps = np.diff(self.series(host, device, field).t_us)
        return max(1, int(np.median(steps))) if len(steps) else 1

    def _edge_us(self, host: str, device: str, field: str) -> int:
        return int(EDGE_PERIODS * self._sampling_us(host, device, field))

    def _rank_phases(self, rank: RankSpans, gpu: Gpu | None) -> Iterator[PhaseEnergy]:
        pooled: list[IntArray] = []
        for phase in dict.fromkeys(rank.phase):
            chosen = rank.of(phase)
            if gpu is not None and not gpu.attributable(rank.seconds(chosen)):
                pooled.append(chosen)
                reason = gpu.shortness(rank.seconds(chosen))
                yield _phase_row(rank, phase, chosen, Amount.unknown(reason))
            else:
                energy = self._summed(rank, gpu, chosen)
                yield _phase_row(rank, phase, chosen, energy, gpu)
        if pooled:
            chosen = np.concatenate(pooled)
            yield _phase_row(rank, SHORT_PHASES, chosen, self._summed(rank, gpu, chosen), gpu)

    def _energy_of(self, rank: RankSpans, gpu: Gpu, chosen: IntArray) -> Amount:
        if not len(chosen):
            return Amount.unknown("no such phase")
        if not gpu.attributable(rank.seconds(chosen)):
            return Amount.unknown(gpu.shortness(rank.seconds(chosen)))
        return self._summed(rank, gpu, chosen)

    def _summed(self, rank: RankSpans, gpu: Gpu | None, chosen: IntArray) -> Amount:
        if gpu is None:
            return Amount.unknown("the rank has no GPU")
        if self.method is None:
            return Amount.unknown(self.energy.reason or "no method")
        curve = gpu.curve(self.method)
        if isinstance(curve, str):
            return Amount.unknown(f"{gpu.uuid}: {curve}")
        energies = curve.at(rank.end_us[chosen]) - curve.at(rank.start_us[chosen])
        if np.isnan(energies).any():
            return Amount.unknown("readings do not reach over the whole phase")
        return Amount.of(float(energies.sum()))


def _phase_row(
    rank: RankSpans, phase: str, chosen: IntArray, energy: Amount, gpu: Gpu | None = None
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

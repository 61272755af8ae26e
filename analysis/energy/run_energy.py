"""Run energy: one run's energy by GPU and phase, joined on GPU UUID and time."""

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Final

import numpy as np

from analysis.energy.coverage import Covered, covered
from analysis.energy.curves import Curve
from analysis.energy.gpu_energy import Gpu
from analysis.energy.gpu_state import STATE_FIELDS, GpuState, gpu_state
from analysis.energy.methods import METHODS, POLLED_COUNTER, POWER_INTEGRAL, RANK_COUNTER, in_words
from analysis.energy.phase_energy import Attribution, PhaseEnergy, attribution, idle_row
from analysis.energy.possible_readings import possible_readings
from analysis.energy.readings import Readings
from analysis.energy.uncertain import Uncertain, gap_share, net_energy, total
from analysis.runs.rank_spans import RankSpans, measured_window_us, rank_spans
from analysis.runs.sealed_runs import Run
from analysis.runs.series import Series
from telemetry.boards.sensor_timing import COUNTER as COUNTER_FIELD
from telemetry.boards.sensor_timing import POWER_FIELDS
from telemetry.clock import US_PER_S
from telemetry.record.schema import Phase

_ZONE_FIELD: Final = "zone_energy_j"
_NODE_FIELD: Final = "node_power_w"
_HOST_FIELDS: Final = (_ZONE_FIELD, _NODE_FIELD)
_FIELDS: Final = (
    *(COUNTER_FIELD, *POWER_FIELDS, *_HOST_FIELDS),
    *(*STATE_FIELDS, "gpu_utilization", "memory_copy_utilization", "power_limit_w"),
)


class RunEnergy:
    """The energies of one run, each a number or the reason why there is none.

    The energy of a run is the sum over every GPU that a rank works on, of all nodes. One method is
    taken for the whole run and never mixed: the first of `METHODS` that every GPU has. What GPUs
    took that were allocated and left idle is told apart and charged on top.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.ranks = tuple(rank_spans(run))
        gpus = {uuid: entry for uuid, (_, entry) in self._inventory.items()}
        self._readings = Readings(run, possible_readings(run.series(_FIELDS), gpus))

    @property
    def impossible_readings(self) -> int:
        """Readings that no sensor can mean, and that count as null here."""
        return sum(series.impossible for series in self._readings.series.values())

    @cached_property
    def window_us(self) -> tuple[int, int]:
        """From the first batch's start to the last one's end over all ranks.

        Raises:
            ValueError: no batch was answered.
        """
        window_us = measured_window_us(self.ranks)
        if window_us is None:
            raise ValueError(f"`spans` of {self.run.run_id} must hold an answered batch")
        return window_us

    @property
    def duration_s(self) -> float:
        """Length of the window."""
        return (self.window_us[1] - self.window_us[0]) / US_PER_S

    @property
    def life_us(self) -> tuple[int, int]:
        """From the first rank's start to the last one's end."""
        lives = [rank.life_us for rank in self.ranks]
        return min(start for start, _ in lives), max(end for _, end in lives)

    @cached_property
    def gpus(self) -> tuple[Gpu, ...]:
        """Every GPU that a rank worked on, each once, by rank."""
        found: dict[str, Gpu] = {}
        for rank in self.ranks:
            if rank.gpu_uuid is not None and rank.gpu_uuid not in found:
                entry = self._inventory.get(rank.gpu_uuid, (rank.host, {"uuid": rank.gpu_uuid}))[1]
                found[rank.gpu_uuid] = self._readings.gpu(rank.host, entry, rank, self.window_us)
        return tuple(found.values())

    @cached_property
    def idle_gpus(self) -> tuple[Gpu, ...]:
        """Every GPU that the job held and no rank worked on, by host and place."""
        working = {rank.gpu_uuid for rank in self.ranks}
        working |= {rank.get("gpu_uuid") for rank in self.run.manifest["ranks"]}
        return tuple(
            self._readings.gpu(host, entry, None, self.window_us)
            for uuid, (host, entry) in self._inventory.items()
            if uuid not in working
        )

    @cached_property
    def method(self) -> str | None:
        """The first of `METHODS` that every working GPU has in the window; None for none.

        One whose readings are too far apart for the window stands back behind those that are not.
        """
        whole = [
            method
            for method in METHODS
            if self.gpus
            and all(gpu.energy(method, self.window_us).value is not None for gpu in self.gpus)
        ]
        length = np.array([self.duration_s])
        fine = [
            method for method in whole if all(gpu.attributable(method, length) for gpu in self.gpus)
        ]
        return next(iter(fine or whole), None)

    @property
    def passed_over(self) -> str | None:
        """Which witnesses stand before the one that was taken, and why not they; None: it is first.

        Where none was taken it is all of them.
        """
        before = METHODS[: METHODS.index(self.method)] if self.method else METHODS
        told = []
        for method in before:
            reason = self.energy_by(method).reason
            told.append(f"{in_words(method)}: {reason or 'readings too far apart for the window'}")
        return "; ".join(told) or None

    @property
    def method_text(self) -> str:
        """The method with the field that was integrated, for a table."""
        return self._text_of(self.method)

    @property
    def phase_method_text(self) -> str:
        """The same of the phases."""
        return self._text_of(self.attribution.method)

    def energy_by(self, method: str) -> Uncertain:
        """Energy of all working GPUs in the window by one method."""
        return total(
            [gpu.energy(method, self.window_us) for gpu in self.gpus], nothing="no rank has a GPU"
        )

    @cached_property
    def energy(self) -> Uncertain:
        """Energy of all working GPUs in the window, gross."""
        # The power integral is the last resort, so its reason is the one that matters.
        return self.energy_by(self.method or POWER_INTEGRAL)

    @property
    def rank0_nodes(self) -> Uncertain:
        """Energy of the working GPUs of rank 0's node times the number of nodes, gross.

        So arXiv 2310.03003 has it. On one node it is `energy`.
        """
        first = next((rank.host for rank in self.ranks if rank.rank == 0), None)
        if first is None:
            return Uncertain.unknown("rank 0 left no span")
        method = self.method or POWER_INTEGRAL
        amounts = [gpu.energy(method, self.window_us) for gpu in self.gpus if gpu.host == first]
        node = total(amounts, nothing="rank 0's node has no GPU of a rank")
        return node.times(self.run.spec.nodes)

    @cached_property
    def whole_energy(self) -> Uncertain:
        """Energy of all working GPUs over their ranks' whole lives, STARTUP to SHUTDOWN, gross.

        By the method that tells phases apart: it is what they sum to.
        """
        lives = {rank.gpu_uuid: rank.life_us for rank in reversed(self.ranks)}
        method = self.attribution.method
        if method is None:
            return Uncertain.unknown(self.attribution.reason)
        return total(
            [gpu.energy(method, lives[gpu.uuid]) for gpu in self.gpus], nothing="no rank has a GPU"
        )

    @property
    def gain_j(self) -> float | None:
        """What the boards' own errors of gain may come to in `energy`; None when that is unknown.

        Each board's is its own, but the same in all phases and repeats: no repetition lessens it.
        """
        parts = [
            gpu.energy(self.method or POWER_INTEGRAL, self.window_us).value for gpu in self.gpus
        ]
        known = [part for part in parts if part is not None]
        if not parts or len(known) < len(parts):
            return None
        return math.hypot(
            *(gpu.sensor.gain_share * part for gpu, part in zip(self.gpus, known, strict=True))
        )

    @cached_property
    def idle_energy(self) -> Uncertain:
        """Energy in the window of the GPUs that were allocated and left idle; 0 when none was."""
        if not self.idle_gpus:
            return Uncertain.of(0.0, 0.0)
        amounts = [idle_gpu_energy(gpu, self.window_us) for gpu in self.idle_gpus]
        return total(amounts, nothing="no GPU was idle")

    @property
    def charged(self) -> Uncertain:
        """Energy of every GPU that the job held, at work or idle, in the window."""
        return total([self.energy, self.idle_energy], nothing="no GPU")

    @property
    def gap(self) -> Uncertain:
        """How far the power integral lies from the counters, as a share, over all working GPUs."""
        counters = [gpu.best_counter(self.window_us) for gpu in self.gpus]
        reference = total(counters, nothing="no rank has a GPU")
        names = ("counter", in_words(POWER_INTEGRAL))
        return gap_share(reference, self.energy_by(POWER_INTEGRAL), names=names)

    def apart(self, method: str, reference: str) -> Uncertain:
        """How far the energy by `method` lies from that by `reference`, as a share of it."""
        names = (in_words(reference), in_words(method))
        return gap_share(self.energy_by(reference), self.energy_by(method), names=names)

    @property
    def idle_power(self) -> Uncertain:
        """Power of all working GPUs at rest."""
        return total([gpu.idle_power for gpu in self.gpus], nothing="no rank has a GPU")

    @property
    def net(self) -> Uncertain:
        """Energy in the window less what the same GPUs draw at rest in the same time."""
        return net_energy(self.energy, self.idle_power, self.duration_s)

    @cached_property
    def attribution(self) -> Attribution:
        """How phases are told apart: the finest method that reaches over all ranks' lives."""
        lives = {rank.gpu_uuid: rank.life_us for rank in reversed(self.ranks)}
        return attribution(
            self.gpus,
            [lives[gpu.uuid] for gpu in self.gpus],
            otherwise=Attribution(method=self.method, reason=self.energy.reason or "no method"),
        )

    @cached_property
    def phases(self) -> tuple[PhaseEnergy, ...]:
        """Energy by rank and phase over the ranks' whole lives; rows of a rank sum to its total."""
        rows: list[PhaseEnergy] = []
        for rank in self.ranks:
            rows.extend(self.attribution.rows(rank, self.gpu_of(rank)))
        rows += [
            idle_row(gpu, self.life_us, idle_gpu_energy(gpu, self.life_us))
            for gpu in self.idle_gpus
        ]
        return tuple(rows)

    def gpu_of(self, rank: RankSpans) -> Gpu | None:
        """The GPU that a rank works on."""
        return next((gpu for gpu in self.gpus if gpu.uuid == rank.gpu_uuid), None)

    def phase_seconds(self, phase: Phase) -> float:
        """Seconds in a phase's measured batches: the mean over the ranks."""
        sums = [float(rank.seconds(rank.measured(phase)).sum()) for rank in self.ranks]
        return sum(sums) / len(sums)

    def phase_energy(self, phase: Phase) -> Uncertain:
        """Energy of all working GPUs in a phase's measured batches."""
        amounts = [
            self.attribution.energy(rank, self.gpu_of(rank), rank.measured(phase))
            for rank in self.ranks
            if rank.gpu_uuid is not None
        ]
        return total(amounts, nothing="no rank has a GPU")

    @property
    def zone_energy(self) -> Uncertain:
        """Energy of all hosts' processors and their memory in the window (Linux powercap)."""
        return self._readings.host_energy(
            _ZONE_FIELD, self.window_us, nothing="the host shows no energy zone"
        )

    @property
    def node_energy(self) -> Uncertain:
        """Energy of all nodes in the window, by their service processors' power (IPMI)."""
        nothing = "no node's service processor gave its power"
        energy = self._readings.host_energy(_NODE_FIELD, self.window_us, nothing=nothing)
        told = {host for host, _, field in self._readings.series if field == _NODE_FIELD}
        if energy.value is not None and (silent := sorted(set(self.run.hosts) - told)):
            return Uncertain.unknown(f"{silent[0]}: {nothing}")
        return energy

    @property
    def utilization(self) -> Uncertain:
        """Share of the window in which a kernel ran: the mean over working GPUs and readings."""
        means = self._in_window("gpu_utilization", lambda values: values.mean())
        if isinstance(means, str):
            return Uncertain.unknown(means)
        return Uncertain.of(sum(means) / len(means))

    @property
    def memory_copying_most(self) -> Uncertain:
        """Largest share of time in which a GPU's memory was read or written, of all readings."""
        most = self._in_window("memory_copy_utilization", lambda values: values.max())
        return Uncertain.unknown(most) if isinstance(most, str) else Uncertain.of(max(most))

    def _in_window(self, field: str, of: Callable[[Any], Any]) -> list[float] | str:
        """What becomes of each working GPU's readings in the window, or why not of all."""
        told = [
            float(of(inside.value))
            for gpu in self.gpus
            if len(inside := self.series(gpu.host, gpu.uuid, field).between(*self.window_us))
        ]
        if not told or len(told) < len(self.gpus):
            return "not every GPU has a reading in the window"
        return told

    def state(self, gpu: Gpu) -> GpuState:
        """How warm and how fast a GPU was at both ends of the window."""
        return gpu_state(
            lambda field: self.series(gpu.host, gpu.uuid, field),
            lambda field: self._readings.sampling_us(gpu.host, gpu.uuid, field),
            self.window_us,
        )

    def coverage(self) -> Iterator[Covered]:
        """Completeness of power and polled counter of every GPU, working or idle."""
        for gpu in (*self.gpus, *self.idle_gpus):
            yield from covered(self._readings, gpu, self.window_us)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the energies has to know, one sentence each."""
        found = {note: None for gpu in (*self.gpus, *self.idle_gpus) for note in gpu.notes}
        if self.method == RANK_COUNTER:
            polled = [gpu.energy(POLLED_COUNTER, self.window_us).reason for gpu in self.gpus]
            found |= dict.fromkeys(
                f"only the rank counters tell the energy: {why}"
                for why in polled
                if why is not None
            )
        if self.idle_gpus:
            gpus = len(self.idle_gpus) + len(self.gpus)
            found[f"{len(self.idle_gpus)} of {gpus} allocated GPUs had no rank"] = None
        return tuple(found)

    def series(self, host: str, device: str, field: str) -> Series:
        """The readings of one device and field; empty when there are none."""
        return self._readings.of(host, device, field)

    def sampling_us(self, host: str, device: str, field: str) -> int:
        """Time between two readings: as the record states it, else as it shows."""
        return self._readings.sampling_us(host, device, field)

    def power_series(self, host: str, uuid: str) -> tuple[str, Series]:
        """The finest power field with readings, and those."""
        for field in POWER_FIELDS:
            series = self.series(host, uuid, field)
            if len(series):
                return field, series
        return POWER_FIELDS[0], self.series(host, uuid, POWER_FIELDS[0])

    def node_powers(self) -> dict[str, Series]:
        """The power of each node as its service processor tells it, by host; of those that do."""
        return {
            host: series
            for (host, _, field), series in sorted(self._readings.series.items())
            if field == _NODE_FIELD and len(series)
        }

    @cached_property
    def _inventory(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """(host, entry) of every GPU that the hosts' sources name, by UUID."""
        return {
            str(entry["uuid"]): (host, entry)
            for host, record in sorted(self.run.hosts.items())
            for entry in record.get("gpus", [])
        }

    def _text_of(self, method: str | None) -> str:
        if method is None:
            return "none"
        if method != POWER_INTEGRAL:
            return method
        curves = {
            gpu.power_integral.method for gpu in self.gpus if isinstance(gpu.power_integral, Curve)
        }
        return " and ".join(sorted(curves))


def idle_gpu_energy(gpu: Gpu, window_us: tuple[int, int]) -> Uncertain:
    """Energy of a GPU without a rank: by its polled counter, else by its power integral."""
    polled = gpu.energy(POLLED_COUNTER, window_us)
    return polled if polled.value is not None else gpu.energy(POWER_INTEGRAL, window_us)

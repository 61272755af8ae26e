"""Source: a stated power model of named GPUs, driven by the ranks' real CPU work.

The ranks really compute, on CPU; what a GPU would have drawn meanwhile is a model and is labelled
so. Board power follows the utilization u of the rank with the GPU's local index since the last
poll, which is the CPU time of that rank's process over the time passed and its threads:

    P = idle + (limit - idle) u        limit: the power limit in force

No other process counts, so that a GPU whose rank rests is idle however busy the machine is. A rank
that waits for a core that others have, or for other ranks, draws less than one that need not.

The sensor is modelled too: every update averages the last window of P, as sensors of that GPU are
known to do (arXiv 2312.02741), and the energy counter is the exact integral of P at that update.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from telemetry.boards.simulation import SimulatedBoard
from telemetry.boards.table import BOARDS
from telemetry.clock import US_PER_MS, US_PER_S
from telemetry.sources.base import Assignment, Description, Reading
from telemetry.sources.host.powercap import POWERCAP_ROOT
from telemetry.sources.host.source import HostSource

_MODEL: Final = (
    "simulated: power_w = idle_w + (power_limit_w - idle_w) * process_cpu_utilization of the rank "
    "with the GPU's local index, constant between two polls; CPU time of that rank's process alone "
    "counts, so a rank that rests draws idle_w and one that waits for a core draws less; a power "
    "cap limits the simulated power and does not slow the real work on CPU; a clock lock is shown "
    "and changes nothing"
)
_NOT_MODELLED: Final = {
    "power_average_w": "simulated GPU: the one-second average is not modelled",
    "gpu_memory_used_bytes": "simulated GPU: the model lies in host memory",
}


class SimulatedSource:
    """All host readings, and those of `gpus_per_node` simulated GPUs of the spec's kind.

    Raises:
        ValueError: the spec's GPU is not `simulated-` and a known kind.
    """

    def __init__(self, assignment: Assignment, powercap_root: Path = POWERCAP_ROOT) -> None:
        spec = assignment.spec
        if not spec.simulated or spec.gpu_kind not in BOARDS:
            known = ", ".join(f"simulated-{name}" for name in BOARDS)
            raise ValueError(
                f"`gpu` must be one of {known} for simulated telemetry, but is {spec.gpu!r} instead"
            )
        self._board = SimulatedBoard.of(BOARDS[spec.gpu_kind])
        self._spec = spec
        self._clock = assignment.clock
        self._before = assignment.before
        self._period_us = assignment.launch.period_ms * US_PER_MS
        self._limit_w = self._board.power_in_force_w(spec.power_cap_w)
        self._sm_clock_mhz = min(
            spec.sm_clock_mhz or self._board.max_sm_clock_mhz, self._board.max_sm_clock_mhz
        )
        self._host = HostSource(assignment, powercap_root)
        start_us = self._clock.now_us()
        self._gpus = [
            SimulatedGpu(
                uuid=f"SIM-{self._board.name}-{assignment.host}-{index}",
                board=self._board,
                limit_w=self._limit_w,
                start_us=start_us,
                start_j=self._counted_j(
                    f"SIM-{self._board.name}-{assignment.host}-{index}", start_us
                ),
            )
            for index in range(spec.gpus_per_node)
        ]
        self._first = True

    def describe(self) -> Description:
        """The model with every constant, the GPUs it stands for, and the host's own source."""
        host = self._host.describe()
        sensor_us = self._board.sensor_period_ms * US_PER_MS
        return Description(
            name="simulated",
            simulated=True,
            gpus=[self._describe_gpu(index) for index in range(len(self._gpus))],
            periods_us={
                **host.periods_us,
                "power_instant_w": sensor_us,
                "energy_j": sensor_us,
                "gpu_utilization": self._period_us,
                "sm_clock_mhz": self._period_us,
                "power_limit_w": self._period_us,
            },
            identity={
                "model": _MODEL,
                "constants": dataclasses.asdict(self._board),
                "not_modelled": dict(_NOT_MODELLED),
                "host_readings": host.to_mapping(),
            },
        )

    def read(self) -> Sequence[Reading]:
        """The host's readings of now and every sensor update since the last call, by time."""
        t_us = self._clock.now_us()
        readings, uses = self._host.read_at(t_us)
        utilizations = {use.local_rank: use.utilization for use in uses}
        for index, gpu in enumerate(self._gpus):
            # CPU time is booked in steps and may run ahead of the clock: a GPU has no 101 %.
            utilization = min(utilizations.get(index, 0.0), 1.0)
            readings += gpu.advance(t_us, utilization)
            gauges = {
                "gpu_utilization": utilization,
                "sm_clock_mhz": float(self._sm_clock_mhz),
                "power_limit_w": self._limit_w,
            }
            readings += [
                Reading(t_us=t_us, device=gpu.uuid, field=name, value=value)
                for name, value in gauges.items()
            ]
            if self._first:
                readings += [
                    Reading(t_us=t_us, device=gpu.uuid, field=name, value=None, reason=reason)
                    for name, reason in _NOT_MODELLED.items()
                ]
        self._first = False
        readings.sort(key=lambda reading: reading.t_us)
        return readings

    def finish(self) -> Sequence[Reading]:
        """The readings of the end; nothing is late."""
        return self.read()

    def close(self) -> None:
        """Let go of the host's sensors."""
        self._host.close()

    def _counted_j(self, uuid: str, start_us: int) -> float:
        """Where the counter stands: a GPU's goes on, at its last power, while nobody watches."""
        last = {} if self._before is None else self._before.last
        if (uuid, "energy_j") not in last or (uuid, "power_instant_w") not in last:
            return 0.0
        t_us, energy_j = last[uuid, "energy_j"]
        _, power_w = last[uuid, "power_instant_w"]
        return energy_j + power_w * (start_us - t_us) / US_PER_S

    def _describe_gpu(self, index: int) -> Mapping[str, Any]:
        kind = self._board
        return {
            "uuid": self._gpus[index].uuid,
            "name": f"SIMULATED {kind.product}",
            "index": index,
            "kind": kind.name,
            "simulated": True,
            "memory_bytes": kind.memory_bytes,
            "power_limit_w": self._limit_w,
            "power_limit_requested_w": self._spec.power_cap_w,
            "power_limit_default_w": kind.power_limit_w,
            "sm_clock_mhz": self._sm_clock_mhz,
            "sm_clock_requested_mhz": self._spec.sm_clock_mhz,
        }


class SimulatedGpu:
    """One board: its power since the last poll, its counter and its sensor's next update."""

    def __init__(
        self,
        *,
        uuid: str,
        board: SimulatedBoard,
        limit_w: float,
        start_us: int,
        start_j: float = 0.0,
    ) -> None:
        self.uuid = uuid
        self._board = board
        self._limit_w = limit_w
        self._sensor_us = board.sensor_period_ms * US_PER_MS
        self._window_us = board.sensor_window_ms * US_PER_MS
        self._update_us = start_us + self._sensor_us
        # Ends of the stretches of constant power that the sensor's window can still reach, with
        # the energy up to each; before the start the board is idle.
        self._ends_us = [start_us - self._window_us, start_us]
        self._energies_j = [start_j - board.idle_w * self._window_us / US_PER_S, start_j]

    def advance(self, t_us: int, utilization: float) -> list[Reading]:
        """Work at `utilization` until `t_us`; the sensor's updates on the way."""
        power_w = self._board.idle_w + (self._limit_w - self._board.idle_w) * utilization
        elapsed_s = (t_us - self._ends_us[-1]) / US_PER_S
        self._energies_j.append(self._energies_j[-1] + power_w * elapsed_s)
        self._ends_us.append(t_us)
        readings = []
        while self._update_us <= t_us:
            now_us = self._update_us
            energy_j = self._energy_j(now_us)
            window_j = energy_j - self._energy_j(now_us - self._window_us)
            instant_w = window_j / (self._window_us / US_PER_S)
            readings += [
                Reading(t_us=now_us, device=self.uuid, field=name, value=value)
                for name, value in (("power_instant_w", instant_w), ("energy_j", energy_j))
            ]
            self._update_us += self._sensor_us
        oldest_us = self._update_us - self._window_us
        while len(self._ends_us) > 1 and self._ends_us[1] <= oldest_us:
            del self._ends_us[0], self._energies_j[0]
        return readings

    def _energy_j(self, t_us: int) -> float:
        """Energy up to `t_us`, linear between the ends of two stretches."""
        for right in range(len(self._ends_us) - 1, 0, -1):
            left_us, right_us = self._ends_us[right - 1], self._ends_us[right]
            if left_us <= t_us <= right_us and right_us > left_us:
                left_j, right_j = self._energies_j[right - 1], self._energies_j[right]
                return left_j + (right_j - left_j) * (t_us - left_us) / (right_us - left_us)
        raise AssertionError(f"no stretch of power holds {t_us}")

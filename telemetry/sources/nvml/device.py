"""Device: the readings of one GPU by NVML, each on its own schedule, and why one is missing."""

from collections.abc import Container, Mapping, Sequence
from typing import Final

import pynvml

from telemetry.boards.sensor_timing import POWER_SAMPLE
from telemetry.clock import US_PER_S, HostClock
from telemetry.sources.base import Absences, Reading, Remarks
from telemetry.sources.nvml.gpm import Gpm
from telemetry.sources.nvml.library import ask_nvml, code_reason, is_permanent
from telemetry.sources.nvml.power_samples import VALUE_OF_TYPE, SampleBuffer
from telemetry.sources.nvml.queries import (
    CALLS,
    ENERGY,
    FIELD_VALUES,
    J_PER_MJ,
    W_PER_MW,
    plain_power,
)
from telemetry.sources.nvml.visible_gpus import VisibleGpu
from telemetry.sources.schedule import Schedule, cadence_us

# A reading that failed is asked for again this much later; one that the board does not have, later
# still, as a driver may be replaced under a long run.
_AGAIN_US: Final = US_PER_S
_NEVER_MIND_US: Final = 60_000_000
# Half of the 100 ms that a counter stands still (`telemetry.boards.sensor_timing`): when a reading
# that took longer was made is less certain than what it tells. On an H200 one takes 3 ms and,
# rarely, 32 ms.
_BLURRED_US: Final = 50_000
# The monitors answer one question for all their readings.
_MONITORS: Final = "graphics_active"
_PLAIN_POWER: Final = "nvmlDeviceGetPowerUsage"
# Compute capability of GA100, the last board of which that call tells the instantaneous power;
# of all others from Ampere on it tells the mean over one second (NVML's reference manual).
_LAST_INSTANT: Final = (8, 0)


class Device:
    """One GPU, asked by one thread."""

    def __init__(
        self,
        gpu: VisibleGpu,
        clock: HostClock,
        remarks: Remarks,
        *,
        wanted: Container[str],
        period_us: int,
        skip_until_us: Mapping[str, int],
        start_us: int,
    ) -> None:
        """`skip_until_us` says by field up to when a buffer was told; else from `start_us` on."""
        self.uuid = gpu.uuid
        self._handle = gpu.handle
        self._clock = clock
        self._remarks = remarks
        self._wanted = wanted
        self._period_us = period_us
        # Looks come a little early or late: what is due before the next one is due now.
        self._schedule = Schedule(period_us // 2)
        self._absences = Absences()
        self._energy_j: float | None = None
        self._lost = False
        self._field_values = {name: place for name, place in FIELD_VALUES.items() if name in wanted}
        self._buffer: SampleBuffer | None = None
        self.sampled = False
        """True while the driver gives power samples of its own."""
        if POWER_SAMPLE in wanted:
            self._buffer = SampleBuffer(
                gpu.handle, pynvml.NVML_TOTAL_POWER_SAMPLES, W_PER_MW, clock
            )
            self._buffer.skip_until(skip_until_us.get(POWER_SAMPLE, start_us))
            self.sampled = self._buffer.is_filled()
        self._calls = [call for call in CALLS if any(name in wanted for name in call.names)]
        self.fallbacks: dict[str, str] = {}
        """Readings that come by another call than usual, by name."""
        self._take_plain_power()
        self._gpm = Gpm(gpu.handle, wanted)

    @property
    def profiled(self) -> Sequence[str]:
        """Readings that come from the board's performance monitors (GPM)."""
        return self._gpm.names

    def read(self) -> list[Reading]:
        """Everything whose turn it is: gauges, counter, what the driver has kept, monitors."""
        t_us = self._clock.now_us()
        if self._schedule.nobodys(t_us):
            return []
        readings = self._read_field_values(t_us)
        readings += self._poll(t_us)
        if ENERGY in self._wanted and self._has_turn(ENERGY, t_us):
            readings += self._count_energy()
        if self._buffer is not None and self._has_turn(POWER_SAMPLE, t_us):
            readings += self._drain(self._buffer)
        if self._has_turn(_MONITORS, t_us):
            readings += self._profile()
        return readings

    def hurry(self) -> None:
        """Read everything at the next call, whoever's turn it is."""
        self._schedule.hurry(self._clock.now_us())

    def close(self) -> None:
        """Let go of what NVML has set aside."""
        self._gpm.close()

    def _has_turn(self, name: str, t_us: int) -> bool:
        return self._schedule.take(
            name, cadence_us(name, self._period_us, sampled=self.sampled), t_us
        )

    def _poll(self, t_us: int) -> list[Reading]:
        """The gauges whose turn it is, as of now, `t_us`."""
        readings = []
        for call in self._calls:
            mine = [name for name in call.names if name in self._wanted]
            if not self._has_turn(mine[0], t_us):
                continue
            try:
                values = call.read(self._handle)
            except pynvml.NVMLError as error:
                for name in mine:
                    readings += self._miss(t_us, name, error.value)
                continue
            for name, value in zip(call.names, values, strict=True):
                if name in mine:
                    readings.append(self._value(t_us, name, value))
        return readings

    def _count_energy(self) -> list[Reading]:
        """The energy counter, with a null before it where it began anew."""
        t_us = self._clock.now_us()
        try:
            took_us, t_us, energy_j = self._read_counter()
            if took_us > _BLURRED_US:
                _, t_us, energy_j = min((took_us, t_us, energy_j), self._read_counter())
        except pynvml.NVMLError as error:
            return self._miss(t_us, ENERGY, error.value)
        readings = []
        if self._energy_j is not None and energy_j < self._energy_j:
            reason = f"the counter began anew, from {self._energy_j:.3f} J to {energy_j:.3f} J"
            readings += self._absences.note(t_us - 1, self.uuid, ENERGY, reason)
            self._remarks.note(
                t_us,
                "counter_reset",
                device=self.uuid,
                before_j=self._energy_j,
                after_j=energy_j,
            )
        self._energy_j = energy_j
        readings.append(self._value(t_us, ENERGY, energy_j))
        return readings

    def _read_counter(self) -> tuple[int, int, float]:
        """How long the call took, the middle of that time, when it may have been, and joules."""
        before_us = self._clock.now_us()
        energy_j = pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle) * J_PER_MJ
        took_us = self._clock.now_us() - before_us
        return took_us, before_us + took_us // 2, energy_j

    def _drain(self, buffer: SampleBuffer) -> list[Reading]:
        """The power samples that the driver has kept since the last drain."""
        t_us = self._clock.now_us()
        readings = []
        samples = buffer.drain()
        if buffer.reason is not None:
            readings += self._absences.note(t_us, self.uuid, POWER_SAMPLE, buffer.reason)
            if buffer.permanent:
                self._schedule.put_off(POWER_SAMPLE, t_us + _NEVER_MIND_US)
        readings += [self._value(sample_us, POWER_SAMPLE, value) for sample_us, value in samples]
        if samples or buffer.reason is not None:
            if self.sampled and not samples:
                # What is left carries the energy from now on.
                self._schedule.hurry(t_us)
            self.sampled = bool(samples)
        return readings

    def _profile(self) -> list[Reading]:
        """The performance monitors' means since the last call."""
        readings = []
        values, reasons = self._gpm.read()
        t_us = self._clock.now_us()
        for name, value in values.items():
            readings.append(self._value(t_us, name, value))
        for name, reason in reasons.items():
            readings += self._absences.note(t_us, self.uuid, name, reason)
        return readings

    def _take_plain_power(self) -> None:
        """Where a driver has no power by field id, take the older call for what it means."""
        capability, reason = ask_nvml(pynvml.nvmlDeviceGetCudaComputeCapability, self._handle)
        if reason is not None:
            return
        name = "power_instant_w" if tuple(capability) <= _LAST_INSTANT else "power_average_w"
        if name not in self._field_values:
            return
        told, reason = ask_nvml(
            pynvml.nvmlDeviceGetFieldValues, self._handle, [(self._field_values[name][0], 0)]
        )
        code = pynvml.NVML_SUCCESS if reason is not None else told[0].nvmlReturn
        # An older driver calls an id that it does not know an argument that it does not allow.
        if not is_permanent(code) and code != pynvml.NVML_ERROR_INVALID_ARGUMENT:
            return
        del self._field_values[name]
        self.fallbacks[name] = _PLAIN_POWER
        self._calls.append(plain_power(name))

    def _read_field_values(self, t_us: int) -> list[Reading]:
        """The gauges by field id whose turn it is, in one call."""
        names = [name for name in self._field_values if self._has_turn(name, t_us)]
        if not names:
            return []
        readings = []
        # An id alone would cost nvidia-ml-py an exception; scope 0 is the GPU.
        ids = [(self._field_values[name][0], 0) for name in names]
        try:
            told = pynvml.nvmlDeviceGetFieldValues(self._handle, ids)
        except pynvml.NVMLError as error:
            for name in names:
                readings += self._miss(t_us, name, error.value)
            return readings
        for name, one in zip(names, told, strict=True):
            if one.nvmlReturn != pynvml.NVML_SUCCESS:
                readings += self._miss(t_us, name, one.nvmlReturn)
                continue
            value = getattr(one.value, VALUE_OF_TYPE[one.valueType]) * self._field_values[name][1]
            readings.append(self._value(t_us, name, value))
        return readings

    def _value(self, t_us: int, name: str, value: float) -> Reading:
        self._absences.end(self.uuid, name)
        return Reading(t_us=t_us, device=self.uuid, field=name, value=value)

    def _miss(self, t_us: int, name: str, code: int) -> list[Reading]:
        self._schedule.put_off(name, t_us + (_NEVER_MIND_US if is_permanent(code) else _AGAIN_US))
        lost = code == pynvml.NVML_ERROR_GPU_IS_LOST
        if lost and not self._lost:
            self._remarks.note(t_us, "gpu_lost", device=self.uuid, reason=code_reason(code))
        self._lost = lost
        return self._absences.note(t_us, self.uuid, name, code_reason(code))

"""Board: the readings of one GPU by NVML, each with its own pace, and why one is missing."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pynvml

from telemetry.allotment import Allotted
from telemetry.buffer import VALUE_OF_TYPE, SampleBuffer
from telemetry.clock import HostClock
from telemetry.driver import ask, code_reason, is_permanent
from telemetry.gpm import Gpm
from telemetry.source import Absences, Reading, Remarks

ENERGY: Final = "energy_j"
POWER_SAMPLE: Final = "power_sample_w"

_W_PER_MW: Final = 1e-3
_J_PER_MJ: Final = 1e-3
_PERCENT: Final = 0.01
# A reading that failed is asked for again this much later; one that the board does not have, later
# still, as a driver may be replaced under a long run.
_AGAIN_US: Final = 1_000_000
_NEVER_MIND_US: Final = 60_000_000
# The driver fills its buffer by itself: from a start on, this many samples within its last second
# say that it does.
_FRESH_US: Final = 1_000_000
_FRESH_SAMPLES: Final = 3


@dataclass(frozen=True, kw_only=True)
class Call:
    """One NVML call and the readings it gives."""

    names: tuple[str, ...]
    read: Callable[[Any], tuple[float, ...]]
    """From a handle to one value for each name."""


def _utilization(handle: Any) -> tuple[float, ...]:
    rates = pynvml.nvmlDeviceGetUtilizationRates(handle)
    return rates.gpu * _PERCENT, rates.memory * _PERCENT


CALLS: Final = (
    Call(names=("gpu_utilization", "memory_copy_utilization"), read=_utilization),
    Call(
        names=("sm_clock_mhz",),
        read=lambda handle: (float(pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)),),
    ),
    Call(
        names=("memory_clock_mhz",),
        read=lambda handle: (float(pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_MEM)),),
    ),
    Call(
        names=("gpu_temperature_c",),
        read=lambda handle: (
            float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
        ),
    ),
    Call(
        names=("power_limit_w",),
        read=lambda handle: (pynvml.nvmlDeviceGetEnforcedPowerLimit(handle) * _W_PER_MW,),
    ),
    Call(
        names=("power_limit_requested_w",),
        read=lambda handle: (pynvml.nvmlDeviceGetPowerManagementLimit(handle) * _W_PER_MW,),
    ),
    Call(
        names=("throttle_reasons",),
        read=lambda handle: (float(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle)),),
    ),
    Call(
        names=("gpu_memory_used_bytes",),
        # The second version leaves out what the driver keeps for itself, as DCGM does.
        read=lambda handle: (
            float(pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2).used),
        ),
    ),
)
"""Gauges, one call each."""

_PLAIN_POWER: Final = "nvmlDeviceGetPowerUsage"
# Compute capability of GA100, the last board of which that call tells the instantaneous power;
# of all others from Ampere on it tells the mean over one second (NVML's reference manual).
_LAST_INSTANT: Final = (8, 0)

FIELD_VALUES: Final = {
    "power_instant_w": (pynvml.NVML_FI_DEV_POWER_INSTANT, _W_PER_MW),
    "power_average_w": (pynvml.NVML_FI_DEV_POWER_AVERAGE, _W_PER_MW),
    "memory_temperature_c": (pynvml.NVML_FI_DEV_MEMORY_TEMP, 1.0),
}
"""Gauges by NVML's field ids, asked for in one call, and the factor into our unit."""

BUFFERS: Final = {
    POWER_SAMPLE: (pynvml.NVML_TOTAL_POWER_SAMPLES, _W_PER_MW),
    "gpu_utilization": (pynvml.NVML_GPU_UTILIZATION_SAMPLES, _PERCENT),
    "memory_copy_utilization": (pynvml.NVML_MEMORY_UTILIZATION_SAMPLES, _PERCENT),
    "sm_clock_mhz": (pynvml.NVML_PROCESSOR_CLK_SAMPLES, 1.0),
    "memory_clock_mhz": (pynvml.NVML_MEMORY_CLK_SAMPLES, 1.0),
}
"""Readings that the driver may keep in a buffer, and the factor into our unit."""


class Board:
    """One GPU, asked by one thread."""

    def __init__(
        self,
        gpu: Allotted,
        clock: HostClock,
        remarks: Remarks,
        *,
        wanted: Container[str],
        skip_until_us: Mapping[str, int],
        start_us: int,
    ) -> None:
        """`skip_until_us` says by field up to when a buffer was told; else from `start_us` on."""
        self.uuid = gpu.uuid
        self._handle = gpu.handle
        self._clock = clock
        self._remarks = remarks
        self._absences = Absences()
        self._again_us: dict[str, int] = {}
        self._energy_j: float | None = None
        self._lost = False
        self._wants_energy = ENERGY in wanted
        self._field_values = {name: place for name, place in FIELD_VALUES.items() if name in wanted}
        self._buffers: dict[str, SampleBuffer] = {}
        for name, (kind, factor) in BUFFERS.items():
            if name not in wanted:
                continue
            buffer = SampleBuffer(gpu.handle, kind, factor, clock)
            if name == POWER_SAMPLE or _is_filled(gpu.handle, kind, clock):
                buffer.skip_until(skip_until_us.get(name, start_us))
                self._buffers[name] = buffer
        self._calls = [
            call
            for call in CALLS
            if any(name in wanted and name not in self._buffers for name in call.names)
        ]
        self._wanted = wanted
        self.fallbacks: dict[str, str] = {}
        """Readings that come by another call than usual, by name."""
        self._take_plain_power()
        self._gpm = Gpm(gpu.handle, wanted)

    @property
    def buffered(self) -> Sequence[str]:
        """Readings that come from the driver's buffer."""
        return tuple(self._buffers)

    @property
    def profiled(self) -> Sequence[str]:
        """Readings that come from the board's performance monitors (GPM)."""
        return self._gpm.names

    def poll(self, t_us: int) -> list[Reading]:
        """All gauges of now, `t_us`."""
        readings = self._read_field_values(t_us)
        for call in self._calls:
            first = call.names[0]
            if self._again_us.get(first, 0) > t_us:
                continue
            try:
                values = call.read(self._handle)
            except pynvml.NVMLError as error:
                for name in call.names:
                    self._wait_after(t_us, name, error.value)
                    if self._is_mine(name):
                        readings += self._miss(t_us, name, error.value)
                continue
            for name, value in zip(call.names, values, strict=True):
                if self._is_mine(name):
                    self._absences.end(self.uuid, name)
                    readings.append(Reading(t_us=t_us, device=self.uuid, field=name, value=value))
        return readings

    def count_energy(self) -> list[Reading]:
        """The energy counter, with a null before it where it began anew."""
        t_us = self._clock.now_us()
        if not self._wants_energy or self._again_us.get(ENERGY, 0) > t_us:
            return []
        try:
            energy_j = pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle) * _J_PER_MJ
        except pynvml.NVMLError as error:
            return self._miss(t_us, ENERGY, error.value)
        # The call takes milliseconds: the value is somewhere between.
        t_us = (t_us + self._clock.now_us()) // 2
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
        self._absences.end(self.uuid, ENERGY)
        readings.append(Reading(t_us=t_us, device=self.uuid, field=ENERGY, value=energy_j))
        return readings

    def drain(self) -> list[Reading]:
        """What the driver has kept since the last call."""
        t_us = self._clock.now_us()
        readings = []
        for name, buffer in self._buffers.items():
            if self._again_us.get(name, 0) > t_us:
                continue
            samples = buffer.drain()
            if buffer.reason is not None:
                readings += self._absences.note(t_us, self.uuid, name, buffer.reason)
                if buffer.permanent:
                    self._again_us[name] = t_us + _NEVER_MIND_US
            if samples:
                self._absences.end(self.uuid, name)
            readings += [
                Reading(t_us=sample_us, device=self.uuid, field=name, value=value)
                for sample_us, value in samples
            ]
        return readings

    def profile(self) -> list[Reading]:
        """The performance monitors' means since the last call."""
        readings = []
        values, reasons = self._gpm.read()
        t_us = self._clock.now_us()
        for name, value in values.items():
            self._absences.end(self.uuid, name)
            readings.append(Reading(t_us=t_us, device=self.uuid, field=name, value=value))
        for name, reason in reasons.items():
            readings += self._absences.note(t_us, self.uuid, name, reason)
        return readings

    def close(self) -> None:
        """Let go of what NVML has set aside."""
        self._gpm.close()

    def _take_plain_power(self) -> None:
        """Where a driver has no power by field id, take the older call for what it means."""
        capability, reason = ask(pynvml.nvmlDeviceGetCudaComputeCapability, self._handle)
        if reason is not None:
            return
        name = "power_instant_w" if tuple(capability) <= _LAST_INSTANT else "power_average_w"
        if name not in self._field_values:
            return
        told, reason = ask(
            pynvml.nvmlDeviceGetFieldValues, self._handle, [(self._field_values[name][0], 0)]
        )
        code = pynvml.NVML_SUCCESS if reason is not None else told[0].nvmlReturn
        # An older driver calls an id that it does not know an argument that it does not allow.
        if not is_permanent(code) and code != pynvml.NVML_ERROR_INVALID_ARGUMENT:
            return
        del self._field_values[name]
        self.fallbacks[name] = _PLAIN_POWER
        self._calls.append(
            Call(
                names=(name,),
                read=lambda handle: (pynvml.nvmlDeviceGetPowerUsage(handle) * _W_PER_MW,),
            )
        )

    def _read_field_values(self, t_us: int) -> list[Reading]:
        names = [name for name in self._field_values if self._again_us.get(name, 0) <= t_us]
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
            self._absences.end(self.uuid, name)
            readings.append(Reading(t_us=t_us, device=self.uuid, field=name, value=value))
        return readings

    def _is_mine(self, name: str) -> bool:
        return name in self._wanted and name not in self._buffers

    def _wait_after(self, t_us: int, name: str, code: int) -> None:
        self._again_us[name] = t_us + (_NEVER_MIND_US if is_permanent(code) else _AGAIN_US)

    def _miss(self, t_us: int, name: str, code: int) -> list[Reading]:
        self._wait_after(t_us, name, code)
        lost = code == pynvml.NVML_ERROR_GPU_IS_LOST
        if lost and not self._lost:
            self._remarks.note(t_us, "gpu_lost", device=self.uuid, reason=code_reason(code))
        self._lost = lost
        return self._absences.note(t_us, self.uuid, name, code_reason(code))


def _is_filled(handle: Any, kind: int, clock: HostClock) -> bool:
    """True when the driver puts samples of that kind into a buffer on this board."""
    answer, reason = ask(pynvml.nvmlDeviceGetSamples, handle, kind, 0)
    if reason is not None:
        return False
    newest = clock.now_us() + clock.step_us() - _FRESH_US
    fresh = [sample for sample in answer[1] if sample.timeStamp >= newest]
    return len(fresh) >= _FRESH_SAMPLES

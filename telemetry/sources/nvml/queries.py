"""Queries: how NVIDIA's management library is asked for each reading of a GPU."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pynvml

ENERGY: Final = "energy_j"

W_PER_MW: Final = 1e-3
"""NVML tells power in milliwatts."""
J_PER_MJ: Final = 1e-3
"""NVML tells energy in millijoules."""
_PERCENT: Final = 0.01


@dataclass(frozen=True, kw_only=True)
class Call:
    """One NVML call and the readings it gives."""

    names: tuple[str, ...]
    """Names in `telemetry.record.fields.FIELDS`, in the order of the call's values."""
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
        read=lambda handle: (pynvml.nvmlDeviceGetEnforcedPowerLimit(handle) * W_PER_MW,),
    ),
    Call(
        names=("power_limit_requested_w",),
        read=lambda handle: (pynvml.nvmlDeviceGetPowerManagementLimit(handle) * W_PER_MW,),
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


def plain_power(name: str) -> Call:
    """The older call for power, which has no field ids; the board decides what it means."""
    return Call(
        names=(name,), read=lambda handle: (pynvml.nvmlDeviceGetPowerUsage(handle) * W_PER_MW,)
    )


FIELD_VALUES: Final = {
    "power_instant_w": (pynvml.NVML_FI_DEV_POWER_INSTANT, W_PER_MW),
    "power_average_w": (pynvml.NVML_FI_DEV_POWER_AVERAGE, W_PER_MW),
    "memory_temperature_c": (pynvml.NVML_FI_DEV_MEMORY_TEMP, 1.0),
}
"""Gauges by NVML's field ids, asked for in one call, and the factor into our unit."""

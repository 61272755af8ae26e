"""Inventory: what a GPU is and how it is set, for the record and for whoever audits it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pynvml

from telemetry.boards.table import board_of
from telemetry.record.reading_bounds import SETTINGS, impossible_setting
from telemetry.sources.nvml.library import Driver, ask_nvml
from telemetry.sources.nvml.visible_gpus import VisibleGpu

_W_PER_MW: Final = 1e-3


def describe_gpu(driver: Driver, gpu: VisibleGpu) -> dict[str, Any]:
    """Everything that decides what the readings of `gpu` mean.

    What the board does not tell is null, and `unavailable` has the reason by key.
    """
    handle = gpu.handle
    told: dict[str, Any] = {}
    unavailable: dict[str, str] = {}

    def tell(
        key: str, call: Callable[..., Any], change: Callable[[Any], Any] = lambda value: value
    ) -> None:
        value, reason = ask_nvml(call, handle)
        told[key] = None if reason else change(value)
        if reason:
            unavailable[key] = reason

    tell("name", pynvml.nvmlDeviceGetName)
    tell("index", pynvml.nvmlDeviceGetIndex)
    tell("serial", pynvml.nvmlDeviceGetSerial)
    tell("vbios", pynvml.nvmlDeviceGetVbiosVersion)
    tell("pci_bus_id", pynvml.nvmlDeviceGetPciInfo, lambda info: _text(info.busId))
    tell("memory_bytes", pynvml.nvmlDeviceGetMemoryInfo, lambda memory: int(memory.total))
    tell("ecc", pynvml.nvmlDeviceGetEccMode, lambda modes: bool(modes[0]))
    tell("mig", pynvml.nvmlDeviceGetMigMode, lambda modes: bool(modes[0]))
    tell("persistence", pynvml.nvmlDeviceGetPersistenceMode, bool)
    tell("compute_capability", pynvml.nvmlDeviceGetCudaComputeCapability, _version)
    # Before the ranks work: whatever computes then is not the job's.
    tell("compute_processes", pynvml.nvmlDeviceGetComputeRunningProcesses, len)
    tell("power_limit_w", pynvml.nvmlDeviceGetEnforcedPowerLimit, _watts)
    tell("power_limit_requested_w", pynvml.nvmlDeviceGetPowerManagementLimit, _watts)
    tell("power_limit_default_w", pynvml.nvmlDeviceGetPowerManagementDefaultLimit, _watts)
    bounds, reason = ask_nvml(pynvml.nvmlDeviceGetPowerManagementLimitConstraints, handle)
    for key, place in (("power_limit_min_w", 0), ("power_limit_max_w", 1)):
        told[key] = None if reason else _watts(bounds[place])
        if reason:
            unavailable[key] = reason
    for key, clock in (
        ("max_sm_clock_mhz", pynvml.NVML_CLOCK_SM),
        ("max_memory_clock_mhz", pynvml.NVML_CLOCK_MEM),
    ):
        told[key], reason = ask_nvml(pynvml.nvmlDeviceGetMaxClockInfo, handle, clock)
        if reason:
            unavailable[key] = reason
    for key in SETTINGS:
        if (reason := impossible_setting(key, told[key])) is not None:
            told[key], unavailable[key] = None, reason
    told["kind"], reason = _kind(told["name"])
    if reason:
        unavailable["kind"] = reason
    return {
        "uuid": gpu.uuid,
        **told,
        "simulated": False,
        "driver": driver.version(),
        "nvml": driver.nvml_version(),
        "unavailable": unavailable,
    }


def _kind(name: str | None) -> tuple[str | None, str | None]:
    """The board that a GPU's own name says it is; None and why when none has that name."""
    if board := board_of(name):
        return board.name, None
    return None, f"no board that the project knows is called {name!r}"


def lost_gpu(known: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The entry of a GPU that an earlier watcher described and that does not answer any more."""
    return {**known, "lost": reason}


def _watts(milliwatts: int) -> float:
    return milliwatts * _W_PER_MW


def _version(numbers: tuple[int, int]) -> str:
    return ".".join(str(number) for number in numbers)


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value

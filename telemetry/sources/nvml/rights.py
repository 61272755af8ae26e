"""Rights: what this process may read and set of each GPU; told, and nothing is set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pynvml

from telemetry.sources.nvml.inventory import describe_gpu
from telemetry.sources.nvml.library import Driver, ask_nvml, code_reason
from telemetry.sources.nvml.visible_gpus import read_visible_gpus

# linux/capability.h: what NVIDIA's kernel module asks of whoever sets a limit.
_CAP_SYS_ADMIN: Final = 21
_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True, kw_only=True)
class GpuRights:
    """One GPU as far as this process may see it."""

    uuid: str
    """NVML's name of the board."""
    told: Mapping[str, Any]
    """Its entry of an inventory: name, limits, modes."""
    refused: Mapping[str, str]
    """Readings that cannot be had, with NVML's words; the others can."""
    sets_application_clocks: bool
    """True where the board lets every user set its application clocks, as a V100 may."""
    processes: tuple[int, ...] | None
    """Processes that compute on it, by their numbers on the host; None where it does not tell."""


@dataclass(frozen=True, kw_only=True)
class DriverRights:
    """What this process may do with a driver's GPUs."""

    version: str | None
    """The driver's version; None where it does not tell."""
    nvml: str | None
    """The library's version; None where it does not tell."""
    cuda: int | None
    """The newest CUDA that the driver runs, 12040 for 12.4; None where it does not tell."""
    rule: str
    """By what the GPUs were chosen among those of the node."""
    gpus: tuple[GpuRights, ...]
    """This process' GPUs."""
    lost: Mapping[str, str]
    """GPUs that do not tell who they are, with the reason."""
    sets_limits: bool
    """True where the kernel lets this process set power limits and clocks."""


READINGS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "power": pynvml.nvmlDeviceGetPowerUsage,
    "energy counter": pynvml.nvmlDeviceGetTotalEnergyConsumption,
    "SM clock": lambda handle: pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM),
    "throttle reasons": pynvml.nvmlDeviceGetCurrentClocksEventReasons,
    "process list": pynvml.nvmlDeviceGetComputeRunningProcesses,
}
"""What is asked of each GPU once."""


def read_rights(environment: Mapping[str, str]) -> DriverRights:
    """What this process may read and set of the GPUs that `environment` makes visible.

    Raises:
        NoDriverError: there is no driver.
        RuntimeError: it fails, there is no GPU, or a visible one that is not there.
    """
    with Driver() as driver:
        visible = read_visible_gpus(driver, environment)
        return DriverRights(
            version=driver.version(),
            nvml=driver.nvml_version(),
            cuda=ask_nvml(pynvml.nvmlSystemGetCudaDriverVersion_v2)[0],
            rule=visible.rule,
            gpus=tuple(
                _rights(gpu.uuid, gpu.handle, describe_gpu(driver, gpu)) for gpu in visible.gpus
            ),
            lost=visible.missing,
            sets_limits=may_administer(),
        )


def driver_cuda_version() -> int | None:
    """The newest CUDA that the driver runs, 12040 for 12.4; None without a driver that tells."""
    try:
        with Driver():
            version: int | None = ask_nvml(pynvml.nvmlSystemGetCudaDriverVersion_v2)[0]
            return version
    except RuntimeError:
        return None


def may_administer(status: Path = _STATUS) -> bool:
    """True where the kernel takes this process for an administrator, as it need not take root."""
    for line in status.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == "CapEff":
            return bool(int(value, 16) >> _CAP_SYS_ADMIN & 1)
    return False


def is_unsupported(reason: str) -> bool:
    """True of the reason that a board has no such thing, MIG for one."""
    return reason == code_reason(pynvml.NVML_ERROR_NOT_SUPPORTED)


def _rights(uuid: str, handle: Any, told: Mapping[str, Any]) -> GpuRights:
    refused: dict[str, str] = {}
    answers: dict[str, Any] = {}
    for name, call in READINGS.items():
        answers[name], reason = ask_nvml(call, handle)
        if reason is not None:
            refused[name] = reason
    there = answers["process list"]
    processes = None if there is None else tuple(sorted(int(each.pid) for each in there))
    restricted = ask_nvml(
        pynvml.nvmlDeviceGetAPIRestriction,
        handle,
        pynvml.NVML_RESTRICTED_API_SET_APPLICATION_CLOCKS,
    )[0]
    return GpuRights(
        uuid=uuid,
        told=told,
        refused=refused,
        sets_application_clocks=restricted == pynvml.NVML_FEATURE_DISABLED,
        processes=processes,
    )

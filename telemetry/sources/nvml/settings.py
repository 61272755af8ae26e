"""Settings: what of one GPU can be set by NVML, read and set one quantity at a time."""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pynvml

from telemetry.sources.nvml.library import ask_nvml, code_reason, reason_of
from telemetry.sources.nvml.visible_gpus import VisibleGpu

MW_PER_W: Final = 1000
"""NVML counts power in milliwatts."""
UNTOLD_LOCK: Final = "NVML sets a clock lock and tells of none: see the sampled clock"
"""Why a lock cannot be read back."""
_NO_FUNCTION: Final = "not offered by this driver"
_MASK_BITS: Final = 32
# nvml.h names profiles so; their numbers are the bits of the masks.
_PROFILE: Final = "NVML_POWER_PROFILE_"
# Of the same beginning, and no profile: the operations of an update, and the count of profiles.
_NO_PROFILES: Final = ("NVML_POWER_PROFILE_OPERATION_", "NVML_POWER_PROFILE_MAX\0")


class Card:
    """One GPU and what of it can be set; a value is in watts or megahertz.

    Quantities are named as `telemetry.power.record.Knob` has them.
    """

    def __init__(self, gpu: VisibleGpu) -> None:
        self.uuid = gpu.uuid
        self._handle = gpu.handle

    @property
    def index(self) -> int | None:
        """Its number on the node; None where it does not tell."""
        index: int | None = ask_nvml(pynvml.nvmlDeviceGetIndex, self._handle)[0]
        return index

    def read(self, quantity: str) -> tuple[float | None, str | None]:
        """What it is set to, or None and why that cannot be had."""
        if quantity == "power_limit_w":
            told, reason = ask_nvml(pynvml.nvmlDeviceGetPowerManagementLimit, self._handle)
            return (None, reason) if reason else (told / MW_PER_W, None)
        if quantity in _APPLICATION:
            return _number(
                ask_nvml(
                    pynvml.nvmlDeviceGetApplicationsClock, self._handle, _APPLICATION[quantity]
                )
            )
        return None, UNTOLD_LOCK

    def in_force(self, quantity: str) -> tuple[float | None, str | None]:
        """What is in force by now: a limit that was set is told at once and acts later."""
        if quantity != "power_limit_w":
            return self.read(quantity)
        told, reason = ask_nvml(pynvml.nvmlDeviceGetEnforcedPowerLimit, self._handle)
        return (None, reason) if reason else (told / MW_PER_W, None)

    def sampled(self, quantity: str) -> tuple[float | None, str | None]:
        """The clock or the power that a quantity acts on, as it is at this moment."""
        if quantity != "power_limit_w":
            clock = pynvml.NVML_CLOCK_MEM if "memory" in quantity else pynvml.NVML_CLOCK_SM
            return _number(ask_nvml(pynvml.nvmlDeviceGetClockInfo, self._handle, clock))
        field = pynvml.NVML_FI_DEV_POWER_INSTANT
        told, reason = ask_nvml(pynvml.nvmlDeviceGetFieldValues, self._handle, [field])
        if reason is None and told[0].nvmlReturn != pynvml.NVML_SUCCESS:
            reason = code_reason(told[0].nvmlReturn)
        # An average over a second, which other calls tell, would answer a second late.
        return (None, reason) if reason else (told[0].value.uiVal / MW_PER_W, None)

    def bounds(self, quantity: str) -> tuple[tuple[float, float] | None, str | None]:
        """The least and the most that it takes, or None and why it does not tell."""
        if quantity == "power_limit_w":
            told, reason = ask_nvml(
                pynvml.nvmlDeviceGetPowerManagementLimitConstraints, self._handle
            )
            return (None, reason) if reason else ((told[0] / MW_PER_W, told[1] / MW_PER_W), None)
        offered, reason = self.offered(quantity)
        return (None, reason) if not offered else ((min(offered), max(offered)), None)

    def offered(self, quantity: str) -> tuple[Sequence[float], str | None]:
        """The clocks that it can be locked to, none and why where it does not tell."""
        memory, reason = ask_nvml(pynvml.nvmlDeviceGetSupportedMemoryClocks, self._handle)
        if reason or not memory:
            return (), reason or "the driver lists no clock"
        if "memory" in quantity:
            return memory, None
        clocks, reason = ask_nvml(
            pynvml.nvmlDeviceGetSupportedGraphicsClocks, self._handle, max(memory)
        )
        return (clocks, None) if clocks else ((), reason or "the driver lists no clock")

    def default(self, quantity: str) -> tuple[float | None, str | None]:
        """What it has when nobody asks for anything, or None and why it does not tell."""
        if quantity == "power_limit_w":
            told, reason = ask_nvml(pynvml.nvmlDeviceGetPowerManagementDefaultLimit, self._handle)
            return (None, reason) if reason else (told / MW_PER_W, None)
        if quantity in _APPLICATION:
            clock = _APPLICATION[quantity]
            asked = pynvml.nvmlDeviceGetDefaultApplicationsClock
            return _number(ask_nvml(asked, self._handle, clock))
        clock = pynvml.NVML_CLOCK_MEM if "memory" in quantity else pynvml.NVML_CLOCK_SM
        return _number(ask_nvml(pynvml.nvmlDeviceGetMaxClockInfo, self._handle, clock))

    def set(self, quantity: str, value: float) -> str | None:
        """Set one quantity; why the driver does not, None where it did.

        A board that MIG splits is not set: its caps and clocks are of all who have a part of it.
        """
        modes, _ = ask_nvml(pynvml.nvmlDeviceGetMigMode, self._handle)
        if modes is not None and any(modes):
            return "the board is split by MIG, or will be: what is set is of all who have a part"
        if quantity == "power_limit_w":
            milliwatts = round(value * MW_PER_W)
            return _tried(pynvml.nvmlDeviceSetPowerManagementLimit, self._handle, milliwatts)
        clock = round(value)
        if quantity == "memory_clock_mhz":
            return _tried(pynvml.nvmlDeviceSetMemoryLockedClocks, self._handle, clock, clock)
        if quantity == "sm_clock_mhz":
            return _tried(pynvml.nvmlDeviceSetGpuLockedClocks, self._handle, clock, clock)
        return self._set_application(quantity, clock)

    def unlock(self, quantity: str) -> str | None:
        """Take a clock lock off; why the driver does not, None where it did.

        Nothing else is one: what a reset would bring is the default, and not what stood there.
        """
        if quantity not in {"sm_clock_mhz", "memory_clock_mhz"}:
            return f"the {quantity} of before is not known, and a reset brings the default"
        call = (
            pynvml.nvmlDeviceResetMemoryLockedClocks
            if quantity == "memory_clock_mhz"
            else pynvml.nvmlDeviceResetGpuLockedClocks
        )
        return _tried(call, self._handle)

    def profiles(self) -> tuple[Mapping[str, tuple[str, ...]] | None, str | None]:
        """Workload power profiles `offered`, `asked` and `enforced`, or None and why none."""
        try:
            info = pynvml.c_nvmlWorkloadPowerProfileProfilesInfo_v1_t()
            now = pynvml.c_nvmlWorkloadPowerProfileCurrentProfiles_v1_t()
            # nvidia-ml-py hands on what it is given: a structure by value would end the process.
            pynvml.nvmlDeviceWorkloadPowerProfileGetProfilesInfo(self._handle, ctypes.byref(info))
            pynvml.nvmlDeviceWorkloadPowerProfileGetCurrentProfiles(self._handle, ctypes.byref(now))
        # An older nvidia-ml-py has no such name, an older driver no such function.
        except AttributeError:
            return None, _NO_FUNCTION
        except pynvml.NVMLError as error:
            missing = error.value == pynvml.NVML_ERROR_FUNCTION_NOT_FOUND
            return None, _NO_FUNCTION if missing else reason_of(error)
        return {
            "offered": _names(info.perfProfilesMask.mask),
            "asked": _names(now.requestedProfilesMask.mask),
            "enforced": _names(now.enforcedProfilesMask.mask),
        }, None

    def _set_application(self, quantity: str, clock: int) -> str | None:
        """Application clocks are set as a pair: the other one stays as it is."""
        other = next(name for name in _APPLICATION if name != quantity)
        kept, reason = self.read(other)
        if kept is None:
            return reason
        memory, sm = (clock, round(kept)) if "memory" in quantity else (round(kept), clock)
        return _tried(pynvml.nvmlDeviceSetApplicationsClocks, self._handle, memory, sm)


_APPLICATION: Final = {
    "application_sm_clock_mhz": pynvml.NVML_CLOCK_SM,
    "application_memory_clock_mhz": pynvml.NVML_CLOCK_MEM,
}


def is_refusal(reason: str) -> bool:
    """True of the reason that this process may not set anything."""
    return reason == code_reason(pynvml.NVML_ERROR_NO_PERMISSION)


def is_missing(reason: str) -> bool:
    """True of the reason that the board or the driver has no such setting."""
    codes = (pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
    return reason in {code_reason(code) for code in codes}


def _number(told: tuple[Any, str | None]) -> tuple[float | None, str | None]:
    value, reason = told
    return (None, reason) if reason else (float(value), None)


def _tried(call: Callable[..., Any], *given: Any) -> str | None:
    return ask_nvml(call, *given)[1]


def _names(mask: Sequence[int]) -> tuple[str, ...]:
    """The names of the bits of a mask of 255; one without a name is told by its number."""
    known = {
        value: name.removeprefix(_PROFILE).lower()
        for name, value in vars(pynvml).items()
        if name.startswith(_PROFILE) and not f"{name}\0".startswith(_NO_PROFILES)
    }
    return tuple(
        known.get(number, f"profile {number}")
        for number in range(len(mask) * _MASK_BITS)
        if mask[number // _MASK_BITS] >> number % _MASK_BITS & 1
    )

"""Xid: the driver's error reports about GPUs, as they come."""

from collections.abc import Sequence
from ctypes import c_void_p, cast
from typing import Any, Final

import pynvml

from telemetry.sources.base import Absences, Reading, Remarks
from telemetry.sources.nvml.library import ask_nvml, reason_of
from telemetry.sources.nvml.visible_gpus import VisibleGpu

XID: Final = "xid"
# No wait: what has been reported is told, the rest comes with the next look.
_AT_ONCE_MS: Final = 0
# A driver in a bad way may report without end.
_MOST: Final = 100


class XidReports:
    """XID errors of some GPUs since the watching began, in the order they were reported."""

    def __init__(self, gpus: Sequence[VisibleGpu], remarks: Remarks) -> None:
        self._remarks = remarks
        self._absences = Absences()
        self._uuids = {_address(gpu.handle): gpu.uuid for gpu in gpus}
        self._lacking: dict[str, str] = {}
        self._told = False
        self._set, reason = ask_nvml(pynvml.nvmlEventSetCreate)
        for gpu in gpus:
            why = reason
            if why is None:
                _, why = ask_nvml(
                    pynvml.nvmlDeviceRegisterEvents,
                    gpu.handle,
                    pynvml.nvmlEventTypeXidCriticalError,
                    self._set,
                )
            if why is not None:
                self._lacking[gpu.uuid] = why

    def read(self, t_us: int) -> list[Reading]:
        """Reports since the last call; the first call says for each GPU that none was seen."""
        readings = []
        if not self._told:
            self._told = True
            for uuid in self._uuids.values():
                if (why := self._lacking.get(uuid)) is not None:
                    readings += self._absences.note(t_us, uuid, XID, why)
                else:
                    readings.append(Reading(t_us=t_us, device=uuid, field=XID, value=0.0))
        if len(self._lacking) == len(self._uuids):
            return readings
        for _ in range(_MOST):
            try:
                event = pynvml.nvmlEventSetWait_v2(self._set, _AT_ONCE_MS)
            except pynvml.NVMLError as error:
                if error.value != pynvml.NVML_ERROR_TIMEOUT:
                    for uuid in self._uuids.values():
                        readings += self._absences.note(t_us, uuid, XID, reason_of(error))
                break
            uuid = self._uuids.get(_address(event.device), "")
            if uuid:
                value = float(event.eventData)
                # One time for several reports would make them one row.
                t_us += 1
                readings.append(Reading(t_us=t_us, device=uuid, field=XID, value=value))
                self._remarks.note(t_us, "xid", device=uuid, code=int(event.eventData))
        return readings

    def close(self) -> None:
        """Listen no more."""
        if self._set is not None:
            ask_nvml(pynvml.nvmlEventSetFree, self._set)


def _address(handle: Any) -> int | None:
    return cast(handle, c_void_p).value

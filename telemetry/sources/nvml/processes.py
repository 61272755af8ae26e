"""Processes: does anything but the job's own ranks compute on its GPUs?

Before the ranks work no process does, which the inventory tells. Afterwards a board has one rank's;
what is more is told in the watcher's log, once for each number of them.
"""

from collections.abc import Sequence
from typing import Final

import pynvml

from telemetry.clock import US_PER_S
from telemetry.sources.base import Remarks
from telemetry.sources.nvml.library import ask_nvml
from telemetry.sources.nvml.visible_gpus import VisibleGpu

FOREIGN: Final = "foreign_processes"
"""The word of the watcher's log."""
# A call takes some 20 us a board; who shares one for less than this takes little of a window.
_PERIOD_US: Final = 10 * US_PER_S
# A board is one rank's.
_OWN: Final = 1


class ForeignProcesses:
    """Asks every board now and then how many processes compute on it."""

    def __init__(self, gpus: Sequence[VisibleGpu], remarks: Remarks) -> None:
        """`gpus` are those of the job, `remarks` is told of what is not its own."""
        self._gpus = tuple(gpus)
        self._remarks = remarks
        self._most: dict[str, int] = {}
        self._due_us = 0

    def look(self, now_us: int, *, at_once: bool = False) -> None:
        """Ask if it is time, or `at_once`."""
        if now_us < self._due_us and not at_once:
            return
        self._due_us = now_us + _PERIOD_US
        for gpu in self._gpus:
            there, _ = ask_nvml(pynvml.nvmlDeviceGetComputeRunningProcesses, gpu.handle)
            count = 0 if there is None else len(there)
            if count > max(self._most.get(gpu.uuid, 0), _OWN):
                self._most[gpu.uuid] = count
                self._remarks.note(now_us, FOREIGN, device=gpu.uuid, processes=count)

"""Dcmi: power of the whole node as its service processor tells it, by `ipmitool`.

DCMI (Data Center Manageability Interface, Intel, version 1.5, "Get Power Reading") is a part of
IPMI that most servers have. The service processor answers in whole watts, in up to a second.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.clock import HostClock
from telemetry.sources.base import Absences, Reading

NODE_FIELD: Final = "node_power_w"
PERIOD_US: Final = 5_000_000
"""Starting a program takes 10 ms of a core: more often would be a visible share of the watcher's
cost, and service processors average over seconds."""

# What ipmitool itself opens.
IPMI_DEVICES: Final = (Path("/dev/ipmi0"), Path("/dev/ipmi/0"), Path("/dev/ipmidev/0"))
# A service processor that answers at all answers in this time.
_PATIENCE_S: Final = 10.0
_INSTANT: Final = re.compile(r"Instantaneous power reading:\s+(\d+) Watts")
_ACTIVE: Final = re.compile(r"Power reading state is:\s+(\w+)")
_DEVICE: Final = "host"


class Dcmi:
    """The node's own power meter."""

    def __init__(
        self, clock: HostClock, *, tool: str = "ipmitool", devices: Sequence[Path] = IPMI_DEVICES
    ) -> None:
        self._clock = clock
        self._absences = Absences()
        self._tool = shutil.which(tool)
        self.missing = _why_not(tool, self._tool, devices)
        """Why it cannot be asked at all; None when it can."""

    def read(self) -> Sequence[Reading]:
        """The node's power, or a null row with its reason."""
        start_us = self._clock.now_us()
        if self.missing is not None or self._tool is None:
            return self._miss(start_us, self.missing or "")
        try:
            done = subprocess.run(
                [self._tool, "dcmi", "power", "reading"],
                capture_output=True,
                check=False,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                errors="replace",
                stdin=subprocess.DEVNULL,
                text=True,
                timeout=_PATIENCE_S,
            )
        except subprocess.TimeoutExpired:
            return self._miss(start_us, f"ipmitool did not answer in {_PATIENCE_S:g} s")
        except OSError as error:
            return self._miss(start_us, f"ipmitool cannot be started: {error}")
        if done.returncode != 0:
            words = " ".join(done.stderr.split())[:200] or f"exit code {done.returncode}"
            return self._miss(start_us, f"ipmitool failed: {words}")
        watts, state = _INSTANT.search(done.stdout), _ACTIVE.search(done.stdout)
        if watts is None:
            return self._miss(start_us, "ipmitool told no instantaneous power reading")
        if state is not None and state[1] != "activated":
            return self._miss(start_us, f"the service processor's power reading is {state[1]}")
        self._absences.end(_DEVICE, NODE_FIELD)
        # Asked and answered: the reading is somewhere between.
        t_us = (start_us + self._clock.now_us()) // 2
        return [Reading(t_us=t_us, device=_DEVICE, field=NODE_FIELD, value=float(watts[1]))]

    def _miss(self, t_us: int, reason: str) -> list[Reading]:
        return self._absences.note(t_us, _DEVICE, NODE_FIELD, reason)


def _why_not(name: str, tool: str | None, devices: Sequence[Path]) -> str | None:
    there = [device for device in devices if device.exists()]
    if not there:
        return f"no service processor: none of {', '.join(map(str, devices))} is there"
    if not any(os.access(device, os.R_OK | os.W_OK) for device in there):
        return f"no permission to open {there[0]}"
    if tool is None:
        return f"{name} is not installed"
    return None

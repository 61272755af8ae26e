"""Hwmon: power of rails, CPUs and modules as Linux' hardware monitors tell it.

Grace shows its sockets' module, CPU and system I/O power so, and servers with an ACPI power meter
the whole node (kernel documentation: hwmon/sysfs-interface, hwmon/acpi_power_meter). Zones may lie
within one another, so nothing here adds them up.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telemetry.clock import US_PER_MS, HostClock
from telemetry.sources.base import Absences, Reading

HWMON_ROOT: Final = Path("/sys/class/hwmon")
"""Where Linux shows its monitors."""

POWER_FIELD: Final = "zone_power_w"
# A GPU's own monitor: its power stands in the GPU's readings.
_GPU_CHIPS: Final = frozenset({"amdgpu", "i915", "nouveau", "nvidia", "radeon", "xe"})
_SENSOR: Final = re.compile(r"power(\d+)_(average|input)")
_NOT_SLUG: Final = re.compile(r"[^a-z0-9]+")
_UW_PER_W: Final = 1e6


@dataclass(frozen=True, kw_only=True)
class Rail:
    """One power sensor."""

    device: str
    """Its own label in lower case, such as `cpu-power-socket-0`."""
    path: Path
    """The file that holds microwatts."""
    interval_us: int | None
    """What it averages over; None when it does not tell."""


class Hwmon:
    """All power sensors of a host but its GPUs'."""

    def __init__(self, root: Path, clock: HostClock) -> None:
        self._root = root
        self._clock = clock
        self._absences = Absences()
        self.rails = find_rails(root)
        """The sensors, by name of the monitor."""

    def read(self) -> Sequence[Reading]:
        """A reading of each sensor, each with its own time; one null row where there is none."""
        if not self.rails:
            reason = f"no power sensor under {self._root}"
            return self._absences.note(self._clock.now_us(), "host", POWER_FIELD, reason)
        readings: list[Reading] = []
        for rail in self.rails:
            start_us = self._clock.now_us()
            try:
                power_uw = int(rail.path.read_text())
            except (OSError, ValueError) as error:
                reason = f"{rail.path.name} cannot be read: {error}"
                readings += self._absences.note(start_us, rail.device, POWER_FIELD, reason)
                continue
            # The firmware may take long to answer: the value is somewhere between.
            t_us = (start_us + self._clock.now_us()) // 2
            self._absences.end(rail.device, POWER_FIELD)
            value = power_uw / _UW_PER_W
            readings.append(Reading(t_us=t_us, device=rail.device, field=POWER_FIELD, value=value))
        return readings


def find_rails(root: Path) -> list[Rail]:
    """Every power sensor under `root`, each named once; none where there is no such folder."""
    rails: dict[str, Rail] = {}
    for monitor in sorted(root.glob("hwmon*"), key=_number):
        if _text(monitor / "name") in _GPU_CHIPS:
            continue
        for path in _sensors(monitor):
            slug = _slug(monitor, path)
            device, count = slug, 1
            while device in rails:
                count += 1
                device = f"{slug}-{count}"
            interval = _text(path.with_name(f"{path.name.partition('_')[0]}_average_interval"))
            averaged = path.name.endswith("_average") and interval.isdecimal()
            rails[device] = Rail(
                device=device,
                path=path,
                interval_us=int(interval) * US_PER_MS if averaged else None,
            )
    return list(rails.values())


def _sensors(monitor: Path) -> Iterator[Path]:
    """The monitor's power files, an average before an instant; older drivers show them below."""
    for folder in (monitor, monitor / "device"):
        found: dict[int, Path] = {}
        for path in sorted(folder.glob("power*_*")):
            if match := _SENSOR.fullmatch(path.name):
                found.setdefault(int(match[1]), path)
        if found:
            yield from (found[number] for number in sorted(found))
            return


def _slug(monitor: Path, path: Path) -> str:
    number = path.name.partition("_")[0]
    label = _text(path.with_name(f"{number}_oem_info")) or _text(path.with_name(f"{number}_label"))
    label = label or f"{_text(monitor / 'name') or monitor.name} {number}"
    return _NOT_SLUG.sub("-", label.lower()).strip("-") or monitor.name


def _number(monitor: Path) -> tuple[int, str]:
    digits = monitor.name.removeprefix("hwmon")
    return (int(digits) if digits.isdecimal() else 0, monitor.name)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""

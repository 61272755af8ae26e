"""Powercap: energy of CPU packages and their memory as Linux counts it (RAPL)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telemetry.clock import US_PER_S
from telemetry.sources.base import Absences, Reading

POWERCAP_ROOT: Final = Path("/sys/class/powercap")
"""Where Linux shows its zones (kernel documentation, power/powercap)."""

ZONE_FIELD: Final = "zone_energy_j"
# intel-rapl is the name on AMD too; intel-rapl-mmio shows the same packages a second time.
_PACKAGE: Final = re.compile(r"intel-rapl:\d+")
_MEMORY: Final = re.compile(r"(intel-rapl:\d+):\d+")
_UJ_PER_J: Final = 1e6
# No CPU package draws as much: those of 2025 are sold with 500 W.
_MOST_W: Final = 2_000.0


@dataclass(kw_only=True)
class _Zone:
    """One counter and how often it wrapped; it changes with every reading."""

    folder: Path
    """The zone's folder among those of powercap."""
    device: str
    """Its name in the record, such as `package-0` or `dram-0`."""
    range_uj: int | None = None
    """Where the counter wraps, in microjoules; None before the first reading."""
    last_uj: int | None = None
    """What the counter showed last, in microjoules; None before the first reading."""
    last_us: int = 0
    """When that was, on the host's steady clock; 0 before the first reading."""
    wrapped_uj: int = 0
    """What the counter has lost by wraps and new beginnings, in microjoules."""

    def read_j(self, t_us: int) -> float:
        """Energy since the counter's own zero, wraps undone.

        Two wraps between two readings are one to it: at 400 W a range of 262 kJ takes 11 minutes.

        Raises:
            OSError: it cannot be read; since Linux 5.10 only by root unless a center allows more.
            ValueError: it fell by more than a wrap explains; it goes on from where it was.
        """
        if self.range_uj is None:
            self.range_uj = int((self.folder / "max_energy_range_uj").read_text())
        now_uj = int((self.folder / "energy_uj").read_text())
        last_uj, elapsed_s = self.last_uj, (t_us - self.last_us) / US_PER_S
        self.last_uj, self.last_us = now_uj, t_us
        if last_uj is not None and now_uj < last_uj:
            # Two readings of one moment may still be an update apart.
            most_uj = _MOST_W * max(elapsed_s, 1.0) * _UJ_PER_J
            if self.range_uj - last_uj + now_uj > most_uj:
                self.wrapped_uj += last_uj
                raise ValueError(f"the counter began anew, from {last_uj} uJ to {now_uj} uJ")
            self.wrapped_uj += self.range_uj
        return (now_uj + self.wrapped_uj) / _UJ_PER_J


class Powercap:
    """All package and memory zones of a host."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._zones = _find_zones(root)
        self._absences = Absences()

    @property
    def devices(self) -> list[str]:
        """Names of the zones, such as `package-0` and `dram-0`."""
        return [zone.device for zone in self._zones]

    def read(self, t_us: int) -> Sequence[Reading]:
        """A reading of each zone; one null row where there is no zone, or none to be read."""
        if not self._zones:
            reason = f"no package zone of powercap under {self._root}"
            return self._absences.note(t_us, "package-0", ZONE_FIELD, reason)
        readings = []
        for zone in self._zones:
            try:
                energy_j = zone.read_j(t_us)
            except (OSError, ValueError) as error:
                reason = f"{zone.folder.name} cannot be read: {error}"
                readings += self._absences.note(t_us, zone.device, ZONE_FIELD, reason)
                continue
            self._absences.end(zone.device, ZONE_FIELD)
            readings.append(
                Reading(t_us=t_us, device=zone.device, field=ZONE_FIELD, value=energy_j)
            )
        return readings


def _find_zones(root: Path) -> list[_Zone]:
    if not root.is_dir():
        return []
    folders = sorted(child for child in root.iterdir() if child.name.startswith("intel-rapl:"))
    packages: dict[str, str] = {}
    for folder in folders:
        if _PACKAGE.fullmatch(folder.name):
            name = _zone_name(folder)
            # The platform zone (psys) holds the packages: adding it would count them twice.
            if name.startswith("package-"):
                packages[folder.name] = name
    zones = [_Zone(folder=root / key, device=name) for key, name in packages.items()]
    for folder in folders:
        match = _MEMORY.fullmatch(folder.name)
        if match and match[1] in packages and _zone_name(folder) == "dram":
            device = packages[match[1]].replace("package", "dram", 1)
            zones.append(_Zone(folder=folder, device=device))
    return zones


def _zone_name(folder: Path) -> str:
    try:
        return (folder / "name").read_text().strip()
    except OSError:
        return ""

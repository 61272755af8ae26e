"""Host sensors: what the node tells of its own power: CPU packages, rails, service processor.

The record's own readers are asked. They load libraries that a bare Python lacks: each in its look.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from launcher.doctor.examination import Probe
from launcher.doctor.observation import Observation, missing, there
from telemetry.clock import HostClock

_CPU: Final = "CPU package energy is null; GPU energy stands."
_RAILS: Final = "Power of rails and modules is null; GPU energy stands."
_NODE: Final = "The node's own power is null: the GPUs' share of it is not told; GPU energy stands."


def probes() -> list[Probe]:
    """Three meters, each of which stands for itself."""
    return [
        Probe(name="cpu-energy", look=cpu_energy, costs=_CPU),
        Probe(name="rails", look=rails, costs=_RAILS),
        # ipmitool is itself given ten seconds.
        Probe(name="node-power", look=node_power, costs=_NODE, patience_s=15.0),
    ]


def cpu_energy(root: Path | None = None) -> Sequence[Observation]:
    """The energy counters of CPU packages, read once; None looks where Linux shows them."""
    from telemetry.sources.host.powercap import POWERCAP_ROOT, Powercap  # noqa: PLC0415

    powercap = Powercap(root or POWERCAP_ROOT)
    readings = powercap.read(0)
    refused = [reading for reading in readings if reading.value is None]
    if not powercap.devices:
        remedy = "modprobe intel_rapl_common and intel_rapl_msr; a virtual machine has none"
        return [missing("cpu-energy", str(refused[0].reason), costs=_CPU, remedy=remedy)]
    if refused:
        found = f"{len(refused)} of {len(readings)} zones: {refused[0].reason}"
        remedy = "slurm/prolog.sh on exclusive nodes, or chmod a+r energy_uj as root"
        return [missing("cpu-energy", found, costs=_CPU, remedy=remedy)]
    return [there("cpu-energy", f"readable: {', '.join(powercap.devices)}")]


def rails(root: Path | None = None) -> Sequence[Observation]:
    """Power sensors of Linux' hardware monitors, read once; None looks where Linux shows them."""
    from telemetry.sources.host.hwmon import HWMON_ROOT, find_rails  # noqa: PLC0415

    root = root or HWMON_ROOT
    found = find_rails(root)
    if not found:
        return [missing("rails", f"no power sensor under {root}", costs=_RAILS)]
    dead = []
    for rail in found:
        try:
            int(rail.path.read_text())
        except (OSError, ValueError) as error:
            dead.append(f"{rail.device}: {error}")
    if dead:
        text = f"{len(dead)} of {len(found)} sensors: {dead[0]}"
        return [missing("rails", text, costs=_RAILS, remedy="chmod a+r the sensor's file as root")]
    return [there("rails", f"readable: {', '.join(rail.device for rail in found)}")]


def node_power() -> Sequence[Observation]:
    """The service processor's power reading by IPMI, read once."""
    from telemetry.sources.host.dcmi import Dcmi  # noqa: PLC0415

    (reading,) = Dcmi(HostClock.set_now()).read()
    if reading.value is None:
        remedy = "ipmitool, and read and write on /dev/ipmi0 for the users"
        return [missing("node-power", str(reading.reason), costs=_NODE, remedy=remedy)]
    return [there("node-power", f"{reading.value:g} W by IPMI DCMI")]

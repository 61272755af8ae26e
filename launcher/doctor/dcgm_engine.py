"""DCGM engine: its bindings, an engine that answers, and who may read its profiling fields."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from launcher.doctor.examination import Probe
from launcher.doctor.gpu import absent
from launcher.doctor.observation import Observation, elsewhere, missing, there, unseen
from launcher.doctor.situation import Situation
from telemetry.sources.dcgm.bindings import DcgmMissingError, find_bindings, load_bindings
from telemetry.sources.dcgm.connection import DEFAULT_ADDRESS, connect, probe

_COSTS: Final = (
    "Profiling fields come from NVML on Hopper and newer and are null before; energy stands."
)
_PROFILING: Final = "DCGM's profiling fields (SM, tensor, DRAM activity) are null; energy stands."
_PARAMETERS: Final = Path("/proc/driver/nvidia/params")
# NVIDIA's documentation calls the module's option NVreg_RestrictProfilingToAdminUsers; the kernel
# shows it under the driver's own name.
_ADMIN_ONLY: Final = re.compile(r"^Rm(?:Profiling|Prof)AdminOnly:\s*(\d)", re.MULTILINE)


def probes(situation: Situation, bindings: str | None, address: str | None) -> list[Probe]:
    """The engine, and the driver's rule for profiling."""
    return [
        Probe(
            name="dcgm",
            look=lambda: engine(situation, bindings, address),
            costs=_COSTS,
            patience_s=15.0,
        ),
        Probe(name="profiling", look=lambda: profiling(situation), costs=_PROFILING),
    ]


def engine(situation: Situation, folder: str | None, address: str | None) -> Sequence[Observation]:
    """The bindings, and an engine that answers at the address."""
    if why := absent(situation):
        return [elsewhere("dcgm", why)]
    remedy = "install datacenter-gpu-manager-4-core and start nv-hostengine (docs/dcgm.md)"
    try:
        bindings = load_bindings(find_bindings(folder))
    except DcgmMissingError as error:
        listens = probe(address or DEFAULT_ADDRESS) is None
        also = f"; an engine listens at {address or DEFAULT_ADDRESS}" if listens else ""
        return [missing("dcgm", f"{error}{also}", costs=_COSTS, remedy=remedy)]
    try:
        handle, place = connect(bindings, address, embed=False)
    except RuntimeError as error:
        found = f"bindings {bindings.version} in {bindings.folder}, but {error}"
        return [missing("dcgm", found, costs=_COSTS, remedy="start nv-hostengine")]
    try:
        found = f"libdcgm {bindings.version}, engine at {place['engine']} answers"
        return [there("dcgm", found)]
    finally:
        handle.Shutdown()


def profiling(situation: Situation, parameters: Path = _PARAMETERS) -> Sequence[Observation]:
    """Whether the driver lets users profile: the option of its kernel module."""
    if why := absent(situation):
        return [elsewhere("profiling", why)]
    try:
        text = parameters.read_text(errors="replace")
    except OSError as error:
        return [unseen("profiling", f"{parameters}: {error.strerror}", costs=_PROFILING)]
    match = _ADMIN_ONLY.search(text)
    if match is None:
        return [unseen("profiling", f"{parameters} has no RmProfilingAdminOnly", costs=_PROFILING)]
    if match[1] == "0":
        return [there("profiling", "the driver lets every user profile (RmProfilingAdminOnly: 0)")]
    return [
        missing(
            "profiling",
            "the driver lets administrators alone profile (RmProfilingAdminOnly: 1)",
            costs=f"Unless an nv-hostengine runs as root, {_PROFILING}",
            remedy="NVreg_RestrictProfilingToAdminUsers=0 in /etc/modprobe.d, or nv-hostengine "
            "as root",
        )
    ]

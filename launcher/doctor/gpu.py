"""GPU: is the driver there, and what does it let this process read and set?"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from launcher.doctor.examination import Probe
from launcher.doctor.observation import Observation, elsewhere, missing, there, unseen
from launcher.doctor.situation import GpuPlace, Situation

if TYPE_CHECKING:
    from telemetry.sources.nvml.rights import DriverRights, GpuRights

_NOTHING: Final = "No GPU is read: its energy is null, and there is nothing to measure."
_KERNEL_DRIVER: Final = Path("/proc/driver/nvidia/version")
# Without it, what a measurement loses; energy is told by the counter or by the integral of power.
_COSTS_OF: Final = {
    "power": "There is no power trace; energy comes from the counter alone, without its witness.",
    "energy counter": "Energy is the integral of power, without the counter as its witness.",
    "SM clock": "Clocks are null: whether one was held or throttled is not on record.",
    "throttle reasons": "Why a clock fell is null.",
    "process list": "Nobody sees whether another's work drew power on the same GPU.",
}


def probes(situation: Situation) -> list[Probe]:
    """The driver and its library, and what they let this process do."""
    return [
        Probe(
            name="driver",
            look=lambda: driver(situation),
            costs=_NOTHING,
            patience_s=30.0,
            silence_stops="the driver hangs: see dmesg for Xid; reload it or restart the node",
        )
    ]


def absent(situation: Situation) -> str | None:
    """Why no GPU is asked here; None where one is to be."""
    if situation.gpu is GpuPlace.NODES:
        return "this is a login node without a GPU: run doctor on a node, by srun"
    if situation.gpu is GpuPlace.SIMULATED and situation.board_seen is None:
        return "no GPU is here: it is simulated, and everything says so"
    return None


def driver(
    situation: Situation,
    environment: Mapping[str, str] = os.environ,
    kernel: Path = _KERNEL_DRIVER,
) -> Sequence[Observation]:
    """The driver, its library, each GPU's readings, rights and modes."""
    if why := absent(situation):
        return [elsewhere("driver", why)]
    # NVIDIA's library is loaded where somebody asks for it.
    from telemetry.sources.nvml.rights import read_rights  # noqa: PLC0415

    stops = situation.gpu is not GpuPlace.SIMULATED
    try:
        rights = read_rights(environment)
    except RuntimeError as error:
        seen = situation.board_seen or f"cluster {situation.cluster} names {situation.board}"
        return [
            missing(
                "driver",
                f"{seen}, but {error}",
                costs=_NOTHING,
                remedy=_remedy(situation, kernel),
                stops=stops,
            )
        ]
    cuda = f", CUDA {rights.cuda // 1000}.{rights.cuda % 1000 // 10}" if rights.cuda else ""
    names = ", ".join(f"{gpu.told['name']}" for gpu in rights.gpus)
    found = (
        f"driver {rights.version}, NVML {rights.nvml}{cuda}: {len(rights.gpus)} GPUs "
        f"({rights.rule}): {names}"
    )
    seen_here = [there("driver", found)]
    if rights.lost:
        lost = "; ".join(f"GPU {name}: {reason}" for name, reason in rights.lost.items())
        costs = "A run that is given such a GPU fails, or has no reading of it."
        remedy = "see dmesg for Xid; drain the node"
        seen_here = [missing("driver", f"{found}; lost: {lost}", costs=costs, remedy=remedy)]
    return [
        *seen_here,
        *_readings(rights, stops=stops),
        _strangers(rights, situation.container),
        _limits(rights),
        _persistence(rights),
        _mig(rights, stops=stops),
    ]


def _remedy(situation: Situation, kernel: Path) -> str:
    if kernel.is_file() and situation.container is not None:
        return (
            f"the driver is loaded, but its libraries are not in this {situation.container} "
            "container: start it with --nv (Apptainer) or --gpus all (Docker)"
        )
    if situation.job is not None:
        return "ask for GPUs: srun --gpus-per-node=1"
    return "install NVIDIA's driver, or see dmesg why it is not loaded"


def _readings(rights: "DriverRights", *, stops: bool) -> list[Observation]:
    """One line a reading over all GPUs."""
    found = []
    # Either is energy; a board that tells neither is not measured.
    blind = [gpu for gpu in rights.gpus if {"power", "energy counter"} <= set(gpu.refused)]
    for name, costs in _COSTS_OF.items():
        label = f"nvml-{name.replace(' ', '-').lower()}"
        refused = [(gpu, gpu.refused[name]) for gpu in rights.gpus if name in gpu.refused]
        if not refused:
            found.append(there(label, f"readable on all {len(rights.gpus)} GPUs"))
            continue
        where = f"{_names([gpu for gpu, _ in refused])}: {refused[0][1]}"
        is_energy = name in {"power", "energy counter"} and bool(blind)
        found.append(
            missing(
                label,
                f"refused on {len(refused)} of {len(rights.gpus)} GPUs ({where})",
                costs=_NOTHING if is_energy else costs,
                remedy="a newer driver, or a site rule that lets users read it",
                stops=stops and is_energy,
            )
        )
    return found


def _strangers(rights: "DriverRights", container: str | None) -> Observation:
    busy = [gpu for gpu in rights.gpus if gpu.processes]
    costs = "Their energy is counted as the run's: a GPU's sensor does not tell users apart."
    if any(gpu.processes is None for gpu in rights.gpus):
        why = "a GPU does not tell which processes compute on it"
        return unseen("gpu-alone", why, costs=costs)
    if busy:
        count = sum(len(gpu.processes or ()) for gpu in busy)
        return missing(
            "gpu-alone",
            f"{count} processes compute on {_names(busy)} now",
            costs=costs,
            remedy="measure on a GPU of one's own: exclusive nodes, or CUDA_VISIBLE_DEVICES",
        )
    if container is not None:
        why = f"a {container} container is told of no process but its own"
        return unseen("gpu-alone", why, costs=costs, remedy="run doctor on the node itself")
    return there("gpu-alone", "nobody computes on these GPUs now")


def _limits(rights: "DriverRights") -> Observation:
    bounds = {(gpu.told["power_limit_min_w"], gpu.told["power_limit_max_w"]) for gpu in rights.gpus}
    told = ", ".join(f"{least} to {most} W" for least, most in sorted(bounds, key=str))
    if rights.sets_limits:
        return there(
            "nvml-limits",
            f"this process may set power limits ({told}) and clocks; it was not tried",
        )
    return missing(
        "nvml-limits",
        f"setting power limits ({told}) and clocks needs CAP_SYS_ADMIN, which this process lacks",
        costs="Points under a power cap or a clock lock run only where the site sets it.",
        remedy="slurm/power's prolog, or nvidia-smi -pl, -lgc as root: docs/power.md",
    )


def _persistence(rights: "DriverRights") -> Observation:
    label, modes = "persistence", {gpu.uuid: gpu.told["persistence"] for gpu in rights.gpus}
    costs = "The idle baseline begins with the driver being loaded, and a counter may begin anew."
    if any(mode is None for mode in modes.values()):
        return unseen(label, "a GPU does not tell its persistence mode", costs=costs)
    off = [gpu for gpu in rights.gpus if not modes[gpu.uuid]]
    if off:
        remedy = "nvidia-smi -pm 1, or nvidia-persistenced, as root"
        return missing(label, f"off on {_names(off)}", costs=costs, remedy=remedy)
    return there(label, f"on on all {len(rights.gpus)} GPUs")


def _mig(rights: "DriverRights", *, stops: bool) -> Observation:
    from telemetry.sources.nvml.rights import is_unsupported  # noqa: PLC0415

    costs = "A board's sensors do not tell its instances apart: such a GPU is refused."
    on = [gpu for gpu in rights.gpus if gpu.told["mig"]]
    silent = [
        gpu.told["unavailable"]["mig"]
        for gpu in rights.gpus
        if gpu.told["mig"] is None and not is_unsupported(gpu.told["unavailable"]["mig"])
    ]
    if silent and not on:
        return unseen("mig", f"a GPU does not tell: {silent[0]}", costs=costs)
    if not on:
        return there("mig", f"off on all {len(rights.gpus)} GPUs, or not a thing of theirs")
    return missing(
        "mig",
        f"on on {_names(on)}",
        costs=costs,
        remedy="nvidia-smi -mig 0 as root, or nodes without MIG",
        stops=stops and len(on) == len(rights.gpus),
    )


def _names(gpus: "Sequence[GpuRights]") -> str:
    return ", ".join(f"GPU {gpu.told['index']}" for gpu in gpus)

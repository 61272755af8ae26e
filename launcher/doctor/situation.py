"""Situation: what kind of place this is, as far as it decides what is asked of it."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import conf

CLUSTERS: Final = Path(conf.__file__).parent / "cluster"
"""Where the clusters' files lie."""
AUTO: Final = "auto"
"""The cluster that is settled here: `slurm` where sbatch is on PATH, else `local`."""
# PCI's number of NVIDIA and the class of display and 3D controllers (pciids.sourceforge.net).
_NVIDIA: Final = "0x10de"
_DISPLAY: Final = "0x03"


class GpuPlace(StrEnum):
    """Where the GPU is that a measurement begun here would read."""

    HERE = "here"
    """In this machine."""
    NODES = "on the nodes"
    """In nodes of the batch system: this is none of them."""
    SIMULATED = "simulated"
    """In no machine: the cluster's file says so, or nobody named a board and there is none."""
    LACKING = "lacking"
    """It should be here, and is not."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What kind of place this is."""

    cluster: str
    """The cluster's name in conf/cluster."""
    executor: str
    """`local` or `slurm`, as that file says."""
    board: str
    """The board that the file names, or `auto`."""
    partition: str | None
    """The partition that it names; None for Slurm's default."""
    account: str | None
    """The account that it names; None for Slurm's default."""
    qos: str | None
    """The quality of service that it names; None for Slurm's default."""
    gpu_type: str | None
    """Slurm's type of GPUs that it names; None for any."""
    gpus_per_node: int | None
    """GPUs of each node, as it says; None where it leaves that to Slurm."""
    timeout_min: int
    """Minutes of one point's job, as it says."""
    gpu: GpuPlace
    """Where the GPU is."""
    board_seen: str | None
    """How an NVIDIA board shows here: the kernel's words; None where none does."""
    job: str | None
    """The Slurm job that this process is in; None outside of one."""
    container: str | None
    """What kind of container this is, as far as one tells; None where none does."""
    results: str
    """The results folder as it was named."""

    @property
    def slurm(self) -> bool:
        """True where measurements are begun through Slurm."""
        return self.executor == "slurm"

    @property
    def login(self) -> bool:
        """True on a machine of a Slurm cluster outside of any job."""
        return self.slurm and self.job is None

    def launcher(self, *words: str) -> list[str]:
        """Those words of a `launcher` command after those that name this cluster and folder."""
        place = [] if self.cluster == AUTO else [f"cluster={self.cluster}"]
        return [*place, *words]


def cluster_names() -> list[str]:
    """Names of the clusters that have a file."""
    return sorted(path.stem for path in CLUSTERS.glob("*.yaml"))


def settle(
    cluster: str, results: str, environment: Mapping[str, str] = os.environ, root: Path = Path("/")
) -> Situation:
    """The situation of this machine.

    Args:
        cluster: a cluster's name, or `auto`.
        results: the results folder as it was named; nobody looks at it here, as it may hang.
        environment: that of this process.
        root: where /proc, /sys and /dev lie.

    Raises:
        ValueError: there is no such cluster, or its file is none.
    """
    if cluster == AUTO:
        cluster = "slurm" if shutil.which("sbatch", path=environment.get("PATH")) else "local"
    content = _read(cluster)
    slurm = content.get("slurm") or {}
    executor = str(content.get("executor", "local"))
    board = str(content.get("gpu", "auto"))
    job = environment.get("SLURM_JOB_ID")
    seen = _board_seen(root)
    if content.get("device") == "cpu" or board == "cpu" or board.startswith("simulated-"):
        gpu = GpuPlace.SIMULATED
    elif seen is not None:
        gpu = GpuPlace.HERE
    elif executor == "slurm":
        gpu = GpuPlace.NODES if job is None else GpuPlace.LACKING
    else:
        gpu = GpuPlace.SIMULATED if board == "auto" else GpuPlace.LACKING
    return Situation(
        cluster=cluster,
        executor=executor,
        board=board,
        partition=slurm.get("partition"),
        account=slurm.get("account"),
        qos=slurm.get("qos"),
        gpu_type=slurm.get("gpu_type"),
        gpus_per_node=_count(content, "gpus_per_node", cluster),
        timeout_min=_count(content, "timeout_min", cluster) or 1,
        gpu=gpu,
        board_seen=seen,
        job=job,
        container=_container(environment, root),
        results=results,
    )


def _read(cluster: str) -> Mapping[str, Any]:
    """A cluster's file; what it does not tell, or cannot without a reader of YAML, is not there.

    Of the two clusters of every installation enough is known without one.
    """
    if cluster not in cluster_names():
        known = [AUTO, *cluster_names()]
        try:
            from telemetry.nearest import one_of  # noqa: PLC0415 -- a bare Python has no such library
        except ModuleNotFoundError:
            raise ValueError(
                f"`--cluster` must be one of {', '.join(known)}, but is {cluster!r} instead"
            ) from None
        raise ValueError(one_of("--cluster", known, cluster, things="clusters"))
    try:
        # It comes with extra `launch`, which may be what is looked for.
        yaml: Any = import_module("yaml")
    except ModuleNotFoundError:
        executor = "local" if cluster == "local" else "slurm"
        return {"executor": executor, "gpu": AUTO}
    try:
        content = yaml.safe_load((CLUSTERS / f"{cluster}.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise ValueError(
            f"`--cluster` must be a cluster's file that can be read, but {cluster}.yaml is not: "
            f"{' '.join(str(error).split())}"
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"`--cluster` must be a file of keys, but {cluster}.yaml holds none")
    return content


def _count(content: Mapping[str, Any], key: str, cluster: str) -> int | None:
    value = content.get(key, AUTO)
    if value == AUTO:
        return None
    if type(value) is not int or value < 1:
        raise ValueError(
            f"`{key}` of cluster {cluster} must be a whole number of at least 1, "
            f"but is {value!r} instead"
        )
    return value


def _board_seen(root: Path) -> str | None:
    """How the kernel shows a board of NVIDIA's: by its driver, its device files, or the bus."""
    # The driver's folder has one entry a board; it stays when the board itself is another's.
    boards = _names(root / "proc/driver/nvidia/gpus")
    if boards:
        return f"the driver has {len(boards)}"
    devices = [
        name for name in _names(root / "dev") if name[:6] == "nvidia" and name[6:].isdecimal()
    ]
    if devices:
        return f"/dev/{devices[0]}"
    bus = root / "sys/bus/pci/devices"
    for name in _names(bus):
        kind = _text(bus / name / "class")
        if _text(bus / name / "vendor") == _NVIDIA and kind.startswith(_DISPLAY):
            return f"PCI device {name}"
    return None


def _container(environment: Mapping[str, str], root: Path) -> str | None:
    for name, kind in (
        ("APPTAINER_CONTAINER", "Apptainer"),
        ("SINGULARITY_CONTAINER", "Singularity"),
    ):
        if environment.get(name):
            return kind
    if (root / ".dockerenv").exists():
        return "Docker"
    if (root / "run/.containerenv").exists():
        return "Podman"
    # systemd's own word to what it starts (container interface, systemd.io).
    return environment.get("container")


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 -- names alone, of folders with thousands
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""

"""Placement: what a rank stands on: its host's clock, its GPU and its threads, registered."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch

from telemetry.clock import HostClock
from telemetry.record.files import read_json, write_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from workers.distributed.rank import Rank
from workers.session.granted_gpus import grant_fault
from workers.session.software import describe_software

# The watcher is ready before any rank starts; this long a shared file system may hide its record.
_WATCHER_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where one rank works."""

    rank: Rank
    """Which rank it is and where it stands."""
    device: torch.device
    """Where it computes."""
    clock: HostClock
    """The clock of its host's watcher."""
    ready_us: int
    """When the host was first watched."""
    threads: int
    """CPU threads it may use."""
    gpu: Mapping[str, Any] | None
    """Its GPU as the watcher described it; None when the run has none, real or simulated."""

    @property
    def gpu_uuid(self) -> str | None:
        """The GPU's UUID, which joins spans to samples."""
        return None if self.gpu is None else str(self.gpu["uuid"])


def take_placement(
    spec: RunSpec, launch: LaunchConfig, attempt: AttemptPaths, rank: Rank
) -> Placement:
    """Find what the rank works with and write its registration.

    Raises:
        RuntimeError: the host is not watched, or the rank's GPU is not there or not watched.
    """
    host = _read_host(attempt, rank)
    if launch.device == "cuda" and (fault := grant_fault(os.environ)):
        raise RuntimeError(fault)
    device = take_device(rank, launch.device)
    threads = launch.threads or max(1, len(os.sched_getaffinity(0)) // rank.local_world)
    torch.set_num_threads(threads)
    placement = Placement(
        rank=rank,
        device=device,
        clock=HostClock(offset_us=host["clock_offset_us"]),
        ready_us=host["ready_us"],
        threads=threads,
        gpu=_find_gpu(spec, host["gpus"], rank, device),
    )
    attempt.ranks.mkdir(parents=True, exist_ok=True)
    write_json(
        attempt.rank(rank.rank),
        {
            "rank": rank.rank,
            "local_rank": rank.local_rank,
            "host": rank.host,
            "pid": os.getpid(),
            "threads": threads,
            "gpu_uuid": placement.gpu_uuid,
            "started_us": placement.clock.now_us(),
            # One a node tells for all of it: eight ranks need not hash the same files.
            **(describe_software() if rank.local_rank == 0 else {}),
        },
    )
    return placement


def _read_host(attempt: AttemptPaths, rank: Rank) -> dict[str, Any]:
    path = attempt.host(rank.host)
    deadline = time.monotonic() + _WATCHER_TIMEOUT_S
    while not path.is_file():
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"{path} must be written by the watcher of {rank.host} before its ranks work, "
                f"but is missing after {_WATCHER_TIMEOUT_S:g} s"
            )
        time.sleep(_POLL_S)
    record = read_json(path)
    for name in ("clock_offset_us", "gpus", "ready_us"):
        if name not in record:
            raise RuntimeError(f"{path} must hold `{name}`, but does not")
    return record


def _find_gpu(
    spec: RunSpec, gpus: list[dict[str, Any]], rank: Rank, device: torch.device
) -> dict[str, Any] | None:
    if device.type == "cuda":
        # CUDA_VISIBLE_DEVICES and CUDA's own order may differ from the watcher's: ask the device.
        bare = str(torch.cuda.get_device_properties(device).uuid)
        uuid = f"GPU-{bare.removeprefix('GPU-')}"
        for gpu in gpus:
            if gpu["uuid"] == uuid:
                return gpu
        watched = ", ".join(gpu["uuid"] for gpu in gpus) or "none"
        raise RuntimeError(
            f"the GPU of rank {rank.rank} on {rank.host} must be watched, but is {uuid} and the "
            f"watcher sees {watched} instead"
        )
    if spec.gpu == "cpu" and not gpus:
        return None
    if rank.local_rank >= len(gpus):
        raise RuntimeError(
            f"rank {rank.rank} must have GPU {rank.local_rank} of {rank.host}, "
            f"but its watcher sees {len(gpus)} instead"
        )
    return gpus[rank.local_rank]


def take_device(rank: Rank, device: str) -> torch.device:
    """The device that a rank computes on, made current.

    Raises:
        RuntimeError: the rank's GPU is not there.
    """
    if device == "cpu":
        return torch.device("cpu")
    visible = torch.cuda.device_count()
    # Slurm's --gpus-per-task shows each rank one GPU alone, which is then number 0.
    index = 0 if visible == 1 else rank.local_rank
    if index >= visible:
        raise RuntimeError(
            f"rank {rank.rank} on {rank.host} must have GPU {index} of its node, "
            f"but CUDA sees {visible} instead"
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)

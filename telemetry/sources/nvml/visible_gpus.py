"""Visible GPUs: which of a node's GPUs are this job's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pynvml

from telemetry.sources.nvml.library import Driver, reason_of

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
"""What CUDA and Slurm say a process may use (CUDA C++ programming guide, environment variables)."""


@dataclass(frozen=True, kw_only=True)
class VisibleGpu:
    """One GPU of the job."""

    uuid: str
    """NVML's name of the board, under which it stands in the record."""
    handle: Any
    """NVML's own; good until the driver is closed."""


@dataclass(frozen=True, kw_only=True)
class VisibleGpus:
    """The GPUs of this job in CUDA's order, which is that of local ranks."""

    gpus: tuple[VisibleGpu, ...]
    """Those that are there, in that order."""
    rule: str
    """By what they were chosen."""
    missing: Mapping[str, str]
    """GPUs that do not tell who they are or are not there, by number or name, with the reason."""


def read_visible_gpus(
    driver: Driver, environment: Mapping[str, str], *, incomplete: bool = False
) -> VisibleGpus:
    """The GPUs that `environment` names, all of the node when it names none.

    Numbers count as NVML does, by PCI bus; CUDA does the same among equal boards. `incomplete`
    puts up with GPUs that are gone, for a node that has been watched before.

    Raises:
        RuntimeError: there is no GPU, or one that is named is not there or is a part of one (MIG).
    """
    found: dict[int, VisibleGpu] = {}
    missing: dict[str, str] = {}
    for index in range(driver.count()):
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            found[index] = VisibleGpu(uuid=str(pynvml.nvmlDeviceGetUUID(handle)), handle=handle)
        except pynvml.NVMLError as error:
            missing[str(index)] = reason_of(error)
    asked = environment.get(VISIBLE)
    gpus: list[VisibleGpu] = []
    if asked is None:
        gpus = list(found.values())
        if not gpus and not incomplete:
            lost = "; ".join(f"GPU {word}: {reason}" for word, reason in missing.items())
            raise RuntimeError(f"the node must have a GPU, but has none{lost and ': '}{lost}")
        return VisibleGpus(gpus=tuple(gpus), rule="all GPUs of the node", missing=missing)
    words = [word.strip() for word in asked.split(",") if word.strip()]
    if not words or words == ["-1"]:
        raise RuntimeError(f"`{VISIBLE}` must name a GPU, but is {asked!r} instead")
    for word in words:
        try:
            gpus.append(_find(word, found, missing))
        except RuntimeError as error:
            if not incomplete:
                raise
            missing.setdefault(word, str(error))
    if len({gpu.uuid for gpu in gpus}) < len(gpus):
        raise RuntimeError(f"`{VISIBLE}` must name each GPU once, but is {asked!r} instead")
    return VisibleGpus(gpus=tuple(gpus), rule=f"{VISIBLE}={asked}", missing=missing)


def _find(word: str, found: Mapping[int, VisibleGpu], missing: Mapping[str, str]) -> VisibleGpu:
    if word.isdecimal():
        index = int(word)
        if index in found:
            return found[index]
        reason = missing.get(word, f"the node has {len(found) + len(missing)}")
        raise RuntimeError(f"`{VISIBLE}` must name GPUs of this node, but names {word}: {reason}")
    if word.startswith("MIG-"):
        raise RuntimeError(
            f"`{VISIBLE}` must name whole GPUs, but names {word} instead: a board's sensors do not "
            "tell its MIG instances apart"
        )
    # CUDA takes any beginning of a UUID that only one GPU has.
    matches = [gpu for gpu in found.values() if gpu.uuid.startswith(word)]
    if word.startswith("GPU-") and len(matches) == 1:
        return matches[0]
    raise RuntimeError(
        f"`{VISIBLE}` must name GPUs of this node, but names {word}, which {len(matches)} have"
    )

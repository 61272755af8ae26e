"""Memory usage: the memory that one rank takes of its GPU, beside what was estimated."""

import dataclasses
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psutil
import torch

from telemetry.record.schema import Phase
from telemetry.record.spec import RunSpec
from workers.distributed.out_of_memory import (
    RankOutOfMemoryError,
    asked_bytes,
    find_shortage,
    is_of_host,
)
from workers.distributed.rank import Rank
from workers.planning.engine_facts import engine_facts
from workers.planning.memory import estimate

_READINGS: Final = (
    "allocated_bytes",
    "peak_allocated_bytes",
    "reserved_bytes",
    "peak_reserved_bytes",
    "device_used_bytes",
    "device_total_bytes",
)
_ON_CPU: Final = "the work was done on CPU"


def read_footprint(device: torch.device) -> dict[str, int | None]:
    """What this process has of its GPU, and what of it is used by all; null without a GPU.

    `allocated` is torch's tensors, `reserved` what torch holds of the device for them; the device's
    use holds the context, NCCL's and cuBLAS' buffers too, and other processes'.
    """
    if device.type != "cuda":
        return dict.fromkeys(_READINGS)
    free, total = torch.cuda.mem_get_info(device)
    return dict(
        zip(
            _READINGS,
            (
                torch.cuda.memory_allocated(device),
                torch.cuda.max_memory_allocated(device),
                torch.cuda.memory_reserved(device),
                torch.cuda.max_memory_reserved(device),
                total - free,
                total,
            ),
            strict=True,
        )
    )


def describe_footprints(
    spec: RunSpec, ranks: Sequence[dict[str, int | None]], *, longest_prompt: int
) -> dict[str, Any]:
    """The ranks' footprints for the record: the largest of each reading, and all by rank.

    Beside the plan's estimate stands, of an engine whose cache grows, the same estimate for the
    `longest_prompt` that came, in tokens: the plan knows what a prompt may have at most alone.
    """
    highest: dict[str, int | None] = {}
    for name in _READINGS:
        readings = [reading for rank in ranks if (reading := rank[name]) is not None]
        highest[name] = max(readings) if readings else None
    on_gpu = highest["allocated_bytes"] is not None
    return {
        "estimated": describe_estimate(spec),
        "at_lengths": _describe_at(spec, longest_prompt),
        **highest,
        "reason": None if on_gpu else _ON_CPU,
        "ranks": [{"rank": number, **rank} for number, rank in enumerate(ranks)] if on_gpu else [],
    }


def _describe_at(spec: RunSpec, longest_prompt: int) -> dict[str, int] | None:
    """The estimate for prompts as they are; None of an engine that makes room beforehand."""
    if not engine_facts(spec.engine).grows:
        return None
    asked = dataclasses.replace(spec, max_prompt_len=longest_prompt)
    return {"longest_prompt": longest_prompt, **describe_estimate(asked)}


def describe_estimate(spec: RunSpec) -> dict[str, int]:
    """The estimate that the plan went by, in bytes for each GPU."""
    estimated = estimate(spec)
    return {
        **dataclasses.asdict(estimated),
        "allocated_bytes": estimated.allocated_bytes,
        "total_bytes": estimated.total_bytes,
    }


@contextmanager
def shortages_told(
    spec: RunSpec, rank: Rank, device: torch.device, phase: Callable[[], Phase | None]
) -> Iterator[None]:
    """A block in which memory that runs out is told with the figures that explain it.

    Raises:
        RankOutOfMemoryError: memory ran out, of the GPU or of the host.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if (shortage := find_shortage(error)) is None:
            raise
        raise _tell(spec, rank, device, phase(), shortage) from error


def _tell(
    spec: RunSpec, rank: Rank, device: torch.device, phase: Phase | None, error: BaseException
) -> RankOutOfMemoryError:
    on_gpu = device.type == "cuda" and not is_of_host(error)
    asked = asked_bytes(error)
    facts: dict[str, Any] = {
        "where": "gpu" if on_gpu else "host",
        "rank": rank.rank,
        "host": rank.host,
        "phase": None if phase is None else phase.value,
        "asked_bytes": asked,
        "estimated": describe_estimate(spec),
        "error": " ".join(str(error).split())[:500] or type(error).__name__,
    }
    if on_gpu:
        free, total = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_allocated(device)
        facts |= {**read_footprint(device), "free_bytes": free, "total_bytes": total}
    else:
        memory = psutil.virtual_memory()
        held = psutil.Process(os.getpid()).memory_info().rss
        free, total = memory.available, memory.total
        facts |= {"resident_bytes": held, "free_bytes": free, "total_bytes": total}
        facts["limit_bytes"] = _limit_bytes()
    wanted = "memory" if asked is None else _gb(asked)
    what = f"GPU of rank {rank.rank}" if on_gpu else f"host of rank {rank.rank}"
    text = (
        f"the {what} on {rank.host} had no room for {wanted} more in "
        f"{facts['phase'] or 'an unknown phase'}: {_gb(held)} held, {_gb(free)} of {_gb(total)} "
        f"free, {_gb(facts['estimated']['total_bytes'])} estimated in all"
    )
    if limit := facts.get("limit_bytes"):
        text += f", {_gb(limit)} allowed to the process"
    return RankOutOfMemoryError(text, facts)


def _limit_bytes() -> int | None:
    """What `ulimit -v` leaves the process; None without a limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.2f} GB"

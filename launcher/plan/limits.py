"""Limits: what this version, a cluster and a GPU's memory allow of a point."""

import math
from typing import Final

import psutil

from launcher.config.errors import BadInputError
from launcher.plan.cluster import Cluster
from telemetry.boards.board import Board
from telemetry.boards.simulation import SimulatedBoard
from telemetry.boards.spellings import board_names
from telemetry.boards.table import BOARDS
from telemetry.nearest import did_you_mean, one_of
from telemetry.record.launch import LaunchConfig
from telemetry.record.source_registry import NVIDIA_SOURCES, has_source, source_names
from telemetry.record.spec import RunSpec
from workers.planning.engine_facts import engine_names
from workers.planning.memory import MemoryEstimate, flops
from workers.planning.weight_formats import FP8, QUANTIZATIONS, WEIGHT_ONLY

# The rest is fragmentation and what the driver keeps for itself.
MEMORY_SHARE: Final = 0.94
# A rank's interpreter with torch, measured 0.33 GB resident on CPU.
RANK_OVERHEAD_BYTES: Final = 350_000_000
_GB: Final = 1e9
# As many as show what a board's name is like.
_MOST_BOARDS: Final = 4


def check_gpu(spec: RunSpec, cluster: Cluster) -> None:
    """Refuse a GPU that is not known, or not one of this cluster's.

    Raises:
        BadInputError: it is neither.
    """
    if spec.gpu != "cpu" and spec.gpu_kind not in BOARDS:
        near = did_you_mean(spec.gpu, board_names())
        rest = f"{', '.join(list(BOARDS)[:_MOST_BOARDS])} … (docs/grid.md#the-board)"
        raise BadInputError(
            "`gpu` must be auto, cpu, a board's name, or simulated- and a board's name, but is "
            f"{spec.gpu!r} instead{near or f'; boards are {rest}'}"
        )
    real = spec.gpu != "cpu" and not spec.simulated
    if real != (cluster.device == "cuda"):
        allowed = "a real kind of GPU" if cluster.device == "cuda" else "cpu or a simulated- kind"
        raise BadInputError(
            f"`gpu` must be {allowed} on cluster {cluster.name}, whose device is "
            f"{cluster.device}, but is {spec.gpu!r} instead"
        )


def check_work(spec: RunSpec) -> None:
    """Refuse an engine or a quantization that there is not.

    Raises:
        BadInputError: there is none of that name.
    """
    for name, known in (("engine", engine_names()), ("quantization", QUANTIZATIONS)):
        value = getattr(spec, name)
        if value not in known:
            raise BadInputError(one_of(name, known, value, things=f"{name}s"))


def _format_fault(spec: RunSpec) -> str | None:
    """Why a board cannot multiply in the format asked for; None when it can, or nobody knows.

    A simulated board is refused what its own kind would be; a CPU multiplies the same numbers by
    other means, and its record says so.
    """
    if spec.quantization != FP8 or spec.gpu == "cpu":
        return None
    if spec.dtype == "fp32" and not spec.simulated:
        return (
            f"`dtype` must be fp16 or bf16 with quantization {FP8} on a GPU, "
            f"but is {spec.dtype} instead"
        )
    board = BOARDS[spec.gpu_kind]
    if board.has_fp8_units is not False:
        return None
    return (
        f"`quantization` must be {', '.join(WEIGHT_ONLY)} on {board.product}, which has no units "
        f"for fp8 (compute capability {board.compute_capability}, and 8.9 has), "
        f"but is {spec.quantization} instead"
    )


def setting_fault(spec: RunSpec) -> str | None:
    """Why a board cannot take the format, cap or clock asked for; None when it can."""
    if fault := _format_fault(spec):
        return fault
    if spec.gpu == "cpu" or (spec.power_cap_w is None and spec.sm_clock_mhz is None):
        return None
    if not spec.simulated:
        return _real_fault(spec, BOARDS[spec.gpu_kind])
    board = SimulatedBoard.of(BOARDS[spec.gpu_kind])
    cap_w, clock_mhz = spec.power_cap_w, spec.sm_clock_mhz
    low_w, high_w = board.min_power_limit_w or board.idle_w, board.power_limit_w
    if cap_w is not None and not low_w <= cap_w <= high_w:
        return (
            f"`power_cap_w` must be from {low_w:g} to {high_w:g} for {board.product}, "
            f"but is {cap_w:g} instead"
        )
    if clock_mhz is not None and clock_mhz > board.max_sm_clock_mhz:
        return (
            f"`sm_clock_mhz` must be at most {board.max_sm_clock_mhz} for {board.product}, "
            f"but is {clock_mhz} instead"
        )
    return None


def _real_fault(spec: RunSpec, board: Board) -> str | None:
    """The same of a real board, as far as its row says; its cards say the rest on the node."""
    cap_w, clock_mhz = spec.power_cap_w, spec.sm_clock_mhz
    low_w, high_w = board.min_power_limit_w or 0.0, board.max_power_limit_w or math.inf
    if cap_w is not None and not low_w <= cap_w <= high_w:
        return (
            f"`power_cap_w` must be from {low_w:g} to {high_w:g} for {board.product}, "
            f"but is {cap_w:g} instead"
        )
    most_mhz = board.max_sm_clock_mhz
    if clock_mhz is not None and most_mhz is not None and clock_mhz > most_mhz:
        return (
            f"`sm_clock_mhz` must be at most {most_mhz} for {board.product}, "
            f"but is {clock_mhz} instead"
        )
    return None


def telemetry_source(spec: RunSpec, asked: object) -> str:
    """Which source watches a point.

    Raises:
        BadInputError: there is none of that name, or it does not go with the GPU.
    """
    if asked == "auto" and (spec.simulated or spec.gpu == "cpu"):
        return "simulated" if spec.simulated else "host"
    if not isinstance(asked, str) or not has_source(asked):
        raise BadInputError(one_of("telemetry.source", source_names(), asked, things="sources"))
    if (asked == "simulated") != spec.simulated:
        raise BadInputError(
            f"`telemetry` must be simulated for a simulated GPU and only then, "
            f"but is {asked} with gpu {spec.gpu} instead"
        )
    if spec.gpu == "cpu" and asked in NVIDIA_SOURCES:
        raise BadInputError(
            f"`telemetry` must be host without a GPU, but is {asked} with gpu cpu instead"
        )
    return asked


def check_period(spec: RunSpec, launch: LaunchConfig) -> None:
    """Refuse to poll a GPU's power faster than its sensor has anything new.

    Raises:
        BadInputError: the readings would be repeats.
    """
    if launch.telemetry not in NVIDIA_SOURCES:
        return
    least_ms = BOARDS[spec.gpu_kind].sensor_period_ms
    if launch.period_ms < least_ms:
        raise BadInputError(
            f"`telemetry.period_ms` must be at least {least_ms} for gpu {spec.gpu}, whose power "
            f"sensor has nothing new before, but is {launch.period_ms} instead"
        )


def too_large(
    spec: RunSpec, cluster: Cluster, memory: MemoryEstimate, share: float = 1.0
) -> str | None:
    """Why a point does not fit `share` of the room that its memory has; None when it does."""
    if spec.gpu != "cpu":
        board = BOARDS[spec.gpu_kind]
        room_bytes = board.memory_bytes * MEMORY_SHARE * share
        if memory.total_bytes > room_bytes:
            over_bytes = memory.total_bytes - room_bytes
            return (
                f"weights {memory.weights_bytes / _GB:.1f} GB, KV cache "
                f"{memory.kv_cache_bytes / _GB:.1f}, work {memory.workspace_bytes / _GB:.1f}, "
                f"context {memory.context_bytes / _GB:.1f}: {over_bytes / _GB:.1f} GB more than "
                f"the {room_bytes / _GB:.1f} that {board.product} has room for"
            )
    if cluster.device == "cpu" and cluster.executor == "local":
        needed_bytes = spec.gpus * (memory.total_bytes - memory.context_bytes + RANK_OVERHEAD_BYTES)
        room_bytes = psutil.virtual_memory().total * MEMORY_SHARE * share
        if needed_bytes > room_bytes:
            return (
                f"its ranks need {needed_bytes / _GB:.1f} GB of this machine's memory, "
                f"{(needed_bytes - room_bytes) / _GB:.1f} more than the {room_bytes / _GB:.1f} "
                "it has room for"
            )
    return None


def too_long(spec: RunSpec, cluster: Cluster) -> str | None:
    """Why a point cannot end within the time limit; None when it can."""
    if cluster.core_gflops is None:
        return None
    least_min = flops(spec) / (cluster.core_gflops * 1e9 * cluster.cores) / 60
    if least_min > cluster.timeout_min:
        return (
            f"needs at least {least_min:.0f} min on {cluster.cores} cores, "
            f"but cluster.timeout_min is {cluster.timeout_min}"
        )
    return None

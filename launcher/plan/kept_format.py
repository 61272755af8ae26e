"""Kept format: in which numbers a point keeps keys and values, and which boards can."""

from collections.abc import Mapping
from typing import Any, Final

from launcher.plan.limits import setting_fault
from telemetry.boards.table import BOARDS
from telemetry.nearest import one_of
from telemetry.record.spec import KV_DTYPES, RunSpec

_AUTO: Final = "auto"
_FP8: Final = "fp8"


def kv_dtype_asked(config: Mapping[str, Any]) -> Any:
    """What a spec says of a composed configuration's `kv_dtype`; None where it is the run's own.

    Raises:
        ValueError: it is null, which a spec alone may say.
    """
    asked = config["kv_dtype"]
    if asked is None:
        raise ValueError(one_of("kv_dtype", KV_DTYPES, asked, things="formats"))
    return None if asked in (_AUTO, config["dtype"]) else asked


def board_fault(spec: RunSpec) -> str | None:
    """Why a board can neither keep numbers nor be set as a point asks; None when it can both."""
    return kept_fault(spec) or setting_fault(spec)


def kept_fault(spec: RunSpec) -> str | None:
    """Why a board, or the one that is simulated, cannot keep keys so; None when it can."""
    if spec.kv_dtype != _FP8 or spec.gpu == "cpu":
        return None
    board = BOARDS[spec.gpu_kind]
    # Triton, as CUDA's own headers do, converts e4m3 by an instruction that came with the units
    # that multiply it (PTX ISA, cvt: .e4m3x2).
    if board.has_fp8_units:
        return None
    told = board.compute_capability
    has = "nobody told its own" if told is None else f"it has {told}"
    return (
        f"`kv_dtype` must be auto on {board.product}, as e4m3 is converted from compute capability "
        f"8.9 on and {has}, but is {_FP8} instead"
    )

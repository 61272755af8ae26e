"""Peaks: the most that a board can move and compute in a second, as stated and as measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_TERA: Final = 1e12
_GIGA: Final = 1e9
# Driver's prefix on newer boards' names: no part of what they can do.
_PREFIX: Final = "NVIDIA "


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """Upper limits of one board."""

    stated_bytes_per_s: float
    """Memory bandwidth of its datasheet."""
    stated_flop_per_s: Mapping[str, float]
    """By `RunSpec.dtype`: dense matrix products of its datasheet; none where it has no unit."""
    source: str
    """Where the stated figures come from."""
    measured_bytes_per_s: float | None = None
    """Bytes read and written in a second by a large copy; None when nobody measured it."""
    measured_flop_per_s: Mapping[str, float] = field(default_factory=dict)
    """By dtype: large matrix products; empty when nobody measured them."""
    measured_source: str | None = None
    """How the measured figures were had."""

    def __post_init__(self) -> None:
        limits = [self.stated_bytes_per_s, *self.stated_flop_per_s.values()]
        if not all(limit > 0 for limit in limits):
            raise ValueError(f"`Peaks` must be above 0, but are {limits} instead")


def peaks_of(gpu: Mapping[str, Any]) -> Peaks | str:
    """The peaks of a board of a host's inventory, by its exact name, or why there are none."""
    name = str(gpu.get("name") or "")
    if gpu.get("simulated"):
        return "the work of a simulated GPU is done on CPU"
    return _PEAKS.get(name.removeprefix(_PREFIX)) or f"no peak is on file for {name or 'the GPU'}"


def _peaks(
    bytes_per_s: float, half_flop_per_s: float, fp32_flop_per_s: float, source: str, **more: Any
) -> Peaks:
    """A board whose tensor cores take fp16 and bf16 alike; fp32 runs on its ordinary cores."""
    flop_per_s = dict.fromkeys(("fp16", "bf16"), half_flop_per_s * _TERA)
    return Peaks(
        stated_bytes_per_s=bytes_per_s * _GIGA,
        stated_flop_per_s={**flop_per_s, "fp32": fp32_flop_per_s * _TERA},
        source=source,
        **more,
    )


def _volta(bytes_per_s: float, half_flop_per_s: float, fp32_flop_per_s: float) -> Peaks:
    """Volta's tensor cores know no bf16."""
    return Peaks(
        stated_bytes_per_s=bytes_per_s * _GIGA,
        stated_flop_per_s={"fp16": half_flop_per_s * _TERA, "fp32": fp32_flop_per_s * _TERA},
        source="NVIDIA V100 datasheet",
    )


_A100: Final = "NVIDIA A100 datasheet"
_H100: Final = "NVIDIA H100 datasheet, without sparsity"
_H200: Final = "NVIDIA H200 datasheet, without sparsity"
_PEAKS: Final = {
    "Tesla V100-PCIE-16GB": _volta(900, 112, 14),
    "Tesla V100-PCIE-32GB": _volta(900, 112, 14),
    "Tesla V100S-PCIE-32GB": _volta(1134, 130, 16.4),
    "Tesla V100-SXM2-16GB": _volta(900, 125, 15.7),
    "Tesla V100-SXM2-32GB": _volta(900, 125, 15.7),
    "A100-PCIE-40GB": _peaks(1555, 312, 19.5, _A100),
    "A100-SXM4-40GB": _peaks(1555, 312, 19.5, _A100),
    "A100-PCIE-80GB": _peaks(1935, 312, 19.5, _A100),
    "A100 80GB PCIe": _peaks(1935, 312, 19.5, _A100),
    "A100-SXM4-80GB": _peaks(2039, 312, 19.5, _A100),
    "H100 PCIe": _peaks(2000, 756, 51, _H100),
    "H100 80GB HBM3": _peaks(3350, 989, 67, _H100),
    "H200": _peaks(
        4800,
        989,
        67,
        _H200,
        # One H200, driver 580, torch: a copy of gigabytes within the card, read and written bytes
        # counted; a square bf16 product of thousands.
        measured_bytes_per_s=4270 * _GIGA,
        measured_flop_per_s={"bf16": 788 * _TERA},
        measured_source="one H200: a large copy, a large bf16 matrix product",
    ),
}
"""By the name that a driver gives the board."""

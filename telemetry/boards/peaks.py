"""Peaks: the most that a board can move and compute in a second, as stated and as measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_TERA: Final = 1e12
_GIGA: Final = 1e9


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """Upper limits of one board."""

    stated_bytes_per_s: float
    """Memory bandwidth of its datasheet."""
    stated_flop_per_s: Mapping[str, float]
    """By `RunSpec.dtype`, and `fp8`: dense matrix products of its datasheet; none where it has no
    unit, and fp32 on ordinary cores."""
    source: str
    """Where the stated figures come from."""
    stated_int8_op_per_s: float | None = None
    """Dense matrix products of whole numbers of 8 bits; None when its datasheet has none."""
    measured_bytes_per_s: float | None = None
    """Bytes read and written in a second by a large copy; None when nobody measured it."""
    measured_flop_per_s: Mapping[str, float] = field(default_factory=dict)
    """By dtype: large matrix products; empty when nobody measured them."""
    measured_source: str | None = None
    """How the measured figures were had."""

    def __post_init__(self) -> None:
        limits = [
            *(self.stated_bytes_per_s, *self.stated_flop_per_s.values()),
            *self.measured_flop_per_s.values(),
            *(
                limit
                for limit in (self.stated_int8_op_per_s, self.measured_bytes_per_s)
                if limit is not None
            ),
        ]
        if not all(limit > 0 for limit in limits):
            raise ValueError(f"`Peaks` must be above 0, but are {limits} instead")


def datasheet_peaks(
    *,
    gigabytes_per_s: float,
    teraflop_per_s: Mapping[str, float],
    source: str,
    int8_teraop_per_s: float | None = None,
    measured_gigabytes_per_s: float | None = None,
    measured_teraflop_per_s: Mapping[str, float] | None = None,
    measured_source: str | None = None,
) -> Peaks:
    """The peaks in the units that datasheets use."""
    measured = measured_teraflop_per_s or {}
    return Peaks(
        stated_bytes_per_s=gigabytes_per_s * _GIGA,
        stated_flop_per_s={dtype: value * _TERA for dtype, value in teraflop_per_s.items()},
        source=source,
        stated_int8_op_per_s=None if int8_teraop_per_s is None else int8_teraop_per_s * _TERA,
        measured_bytes_per_s=(
            None if measured_gigabytes_per_s is None else measured_gigabytes_per_s * _GIGA
        ),
        measured_flop_per_s={dtype: value * _TERA for dtype, value in measured.items()},
        measured_source=measured_source,
    )

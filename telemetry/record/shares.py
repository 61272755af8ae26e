"""Shares: caps and clocks that are asked for in per cent of the board's own."""

import re
from typing import Final

from telemetry.boards.table import BOARDS
from telemetry.record.spec import CAP_FIELDS

_PER_CENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?) ?%")
_WHOLE: Final = 100.0
# No board's table has its highest memory clock.
_UNKNOWN: Final = "memory_clock_mhz"


def per_cent(text: str) -> float | None:
    """The number of `70%` or `70 %`, above 0 and at most 100; None for all else."""
    found = _PER_CENT.fullmatch(text.strip())
    return float(found[1]) if found is not None and 0 < float(found[1]) <= _WHOLE else None


def own_value(gpu: str, field: str) -> float | None:
    """What a share of `field` is taken of: the board's default limit in W or highest clock in MHz.

    `gpu` and `field` are those of a spec; None where `telemetry.boards` does not have it.
    """
    board = BOARDS.get(gpu.removeprefix("simulated-"))
    if board is None or field == _UNKNOWN:
        return None
    return board.power_limit_w if field in CAP_FIELDS else board.max_sm_clock_mhz


def of_board(own: float, share: float) -> int:
    """A share in per cent of the board's own value, in whole watts or MHz."""
    return round(own * share / _WHOLE)

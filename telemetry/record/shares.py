"""Shares: caps and clocks that are asked for in per cent of the board's own."""

import re
from typing import Final

from telemetry.boards.table import BOARDS
from telemetry.record.spec import CAP_FIELDS

_PER_CENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?) ?%")
_WHOLE: Final = 100.0
CLOCK_STEP_MHZ: Final = 15
"""Neighbours of nvmlDeviceGetSupportedGraphicsClocks lie so far apart on the H100 and H200 on
record, down from the highest; a V100 offers clocks between them too."""
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


def of_board(field: str, own: float, share: float) -> int:
    """A share in per cent of the board's own value, in what it can be set to.

    A cap is in whole watts. A clock is the one nearest to it that boards offer, in steps of
    `CLOCK_STEP_MHZ` below the highest: a card refuses every other.
    """
    if field in CAP_FIELDS:
        return round(own * share / _WHOLE)
    steps = round((own - own * share / _WHOLE) / CLOCK_STEP_MHZ)
    return max(round(own) - steps * CLOCK_STEP_MHZ, CLOCK_STEP_MHZ)


def was_of_board(own: float, share: float) -> int:
    """The same as records from before have it: a clock in whole MHz, which few boards took."""
    return round(own * share / _WHOLE)

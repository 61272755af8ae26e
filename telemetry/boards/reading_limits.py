"""Reading limits: the most that readings can be, from a board's row and what its driver told."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from telemetry.boards.board import Board
from telemetry.boards.sensor_timing import POWER_FIELDS
from telemetry.boards.table import BOARDS, board_of

POWER_FACTOR: Final = 2.0
"""A board passes its limit for moments: to 1.34 of it, 937 W of 700 W, in 26 recorded runs of H200,
whose shortest window is 20 ms. What feeds a board must bear 160 % for 10 ms and 200 % for 100 us
(Intel's ATX12VO power supply design guide, document 613768, table 3-3): nothing that a sensor
averages over as long is above."""
# What may be said of a limit by rounding, and by a board that a maker has set a little higher.
_CLOCK_FACTOR: Final = 1.1
_MEMORY_FACTOR: Final = 1.01
# Boards of 2026 take 1,400 W at most (NVIDIA GB300); a limit beyond this is a driver's sentinel,
# such as 4294967.295 W for 2^32 - 1 mW.
MOST_LIMIT_W: Final = 3_000.0
# The same for a clock, such as 2^32 - 1 MHz: memory of RTX 5090 goes to 14001 MHz.
_MOST_CLOCK_MHZ: Final = 20_000.0
# And for a board's memory, 2^43: thirty times that of a GB300.
_MOST_MEMORY_BYTES: Final = float(1 << 43)

# The highest limit that a driver tells of; what is in force may be far below it by a cap, and the
# first moments of a cap are above it.
_LIMIT_KEYS: Final = ("power_limit_max_w", "power_limit_default_w", "power_limit_w")


@dataclass(frozen=True, kw_only=True)
class ReadingLimit:
    """The most that one reading of one board can be."""

    most: float
    """In the field's unit."""
    why: str
    """Where it comes from, such as `twice the board's power limit of 400 W`."""


def reading_limits(gpu: Mapping[str, Any]) -> dict[str, ReadingLimit]:
    """The limits by field of a GPU of a host's inventory; a field without one is left out.

    A number of the board's row bounds the driver's; what the row does not have is taken from the
    inventory, unless it is no number that any board has.
    """
    modelled = BOARDS.get(str(gpu.get("kind"))) if gpu.get("simulated") else None
    row = modelled or board_of(str(gpu.get("name") or ""))
    limits: dict[str, ReadingLimit] = {}
    if (limit_w := _power_limit_w(row, gpu)) is not None:
        power = ReadingLimit(
            most=POWER_FACTOR * limit_w,
            why=f"{POWER_FACTOR:g} times the board's power limit of {limit_w:g} W",
        )
        limits |= dict.fromkeys((*POWER_FIELDS, "power_limit_w", "power_limit_requested_w"), power)
    clocks = {
        "sm_clock_mhz": ("max_sm_clock_mhz", row.max_sm_clock_mhz if row else None),
        "memory_clock_mhz": ("max_memory_clock_mhz", row.max_memory_clock_mhz if row else None),
    }
    for field, (key, known) in clocks.items():
        if (most := _greatest(known, gpu.get(key), most=_MOST_CLOCK_MHZ)) is not None:
            why = f"{_CLOCK_FACTOR:g} times the board's highest of {most:g} MHz"
            limits[field] = ReadingLimit(most=_CLOCK_FACTOR * most, why=why)
    told = _greatest(gpu.get("memory_bytes"), most=_MOST_MEMORY_BYTES)
    if (memory_bytes := told or (row.memory_bytes if row else None)) is not None:
        limits["gpu_memory_used_bytes"] = ReadingLimit(
            most=_MEMORY_FACTOR * memory_bytes, why=f"the board's memory of {memory_bytes:.0f} B"
        )
    return limits


def _power_limit_w(row: Board | None, gpu: Mapping[str, Any]) -> float | None:
    """The highest limit of the board: its row's, or less where its own driver tells less."""
    known = None if row is None else row.max_power_limit_w or row.power_limit_w
    if known is None:
        return _greatest(*(gpu.get(key) for key in _LIMIT_KEYS), most=MOST_LIMIT_W)
    told = _greatest(gpu.get(_LIMIT_KEYS[0]), most=MOST_LIMIT_W)
    return known if told is None else min(known, told)


def _greatest(*values: object, most: float) -> float | None:
    """The greatest of those that can be; None when there is none."""
    numbers = [
        float(value)
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return max((one for one in numbers if math.isfinite(one) and 0 < one <= most), default=None)

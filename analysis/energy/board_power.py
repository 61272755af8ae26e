"""Board power: what a board can draw at most, and at least while it answers."""

from collections.abc import Mapping
from typing import Any, Final

from telemetry.boards.board import Board
from telemetry.boards.table import BOARDS, board_of

# The word before a modelled board's name.
_MODELLED: Final = "SIMULATED "


def board_row(gpu: Mapping[str, Any]) -> Board | None:
    """The row of a GPU of a host's inventory, real or modelled; None when it is in none."""
    name = str(gpu.get("name") or "")
    named = board_of(name.removeprefix(_MODELLED))
    return BOARDS.get(str(gpu.get("kind")), named) if gpu.get("simulated") else named


def board_limit_w(gpu: Mapping[str, Any]) -> float | None:
    """The highest power limit that the board takes: by its row, else as its driver told.

    None when neither says. A limit that was set lower is another: `limit_in_force_w`.
    """
    row = board_row(gpu)
    if row is not None and (known := row.max_power_limit_w or row.power_limit_w) is not None:
        return known
    told = [gpu.get(key) for key in ("power_limit_max_w", "power_limit_default_w", "power_limit_w")]
    return max(
        (float(one) for one in told if isinstance(one, int | float) and one > 0), default=None
    )


def limit_in_force_w(gpu: Mapping[str, Any]) -> float | None:
    """The limit that the watcher found set, else the highest that the board takes; None: unknown.

    A record without a limit, or with one above what the board takes, does not free the board of it.
    """
    found, most = gpu.get("power_limit_w"), board_limit_w(gpu)
    set_w = float(found) if isinstance(found, int | float) and found > 0 else None
    known = [limit for limit in (set_w, most) if limit is not None]
    return min(known, default=None)

"""Table: every board that the project knows, by short name and by what its driver calls it."""

from typing import Final

from telemetry.boards.ada import L4, L40S, RTX_4090, RTX_6000_ADA
from telemetry.boards.ampere import A10, A30, A40, A100_40GB, A100_80GB
from telemetry.boards.blackwell import B200, RTX_5090
from telemetry.boards.board import UNLISTED, Board, bare_name
from telemetry.boards.hopper import GH200, H100_NVL, H100_PCIE, H100_SXM, H200
from telemetry.boards.sensors_only import SENSORS_ONLY
from telemetry.boards.volta import V100_16GB, V100_32GB

BOARDS: Final[dict[str, Board]] = {}
"""All rows by short name."""
# What a driver tells of a board that is not listed is taken as it is: only rows must be so.
_RISING: Final = ("idle_w", "min_power_limit_w", "power_limit_w", "max_power_limit_w")


def register(board: Board) -> None:
    """Put a row into the table.

    Raises:
        ValueError: its short name or one of its driver's names is another board's, or its limits
            are not in order.
    """
    if board.name in BOARDS or board.name.startswith(UNLISTED):
        raise ValueError(
            f"`name` must be no other board's and not begin with {UNLISTED}, "
            f"but is {board.name!r} instead"
        )
    for driver_name in board.driver_names:
        if board_of(driver_name) is not None or bare_name(driver_name) in SENSORS_ONLY:
            raise ValueError(
                f"`driver_names` must be no other board's, but {driver_name!r} of "
                f"{board.name} is one"
            )
    limits = {name: getattr(board, name) for name in _RISING}
    known = [limit for limit in limits.values() if limit is not None]
    if known != sorted(known):
        raise ValueError(
            f"{', '.join(_RISING)} must not fall in this order, but are {limits} instead"
        )
    BOARDS[board.name] = board


def adopt(board: Board) -> None:
    """Know a board that its driver described, for as long as this process lives."""
    if board.name.startswith(UNLISTED):
        BOARDS.setdefault(board.name, board)


def board_of(driver_name: str | None) -> Board | None:
    """The board that its driver calls `driver_name`; None when it is none of them."""
    if not driver_name:
        return None
    return next((board for board in BOARDS.values() if board.form_of(driver_name)), None)


for _row in (
    *(V100_32GB, V100_16GB),
    *(A100_80GB, A100_40GB, A30, A40, A10),
    *(L4, L40S, RTX_4090, RTX_6000_ADA),
    *(H100_SXM, H100_PCIE, H100_NVL, GH200, H200),
    *(B200, RTX_5090),
):
    register(_row)

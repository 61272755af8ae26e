"""Spelling: the row of a board that somebody wrote in another way."""

import re
from typing import Final

from telemetry.boards.board import GIB
from telemetry.boards.table import BOARDS, board_of
from telemetry.nearest import settled

SIMULATED: Final = "simulated-"
"""What stands before a board's name where its model is meant."""
_WITH_MEMORY: Final = re.compile(r"(?P<name>.+?)[-_ ]?(?P<gib>\d+) ?gi?b?", re.IGNORECASE)
# A vendor's 80 GB are 79.6 GiB of an H100's driver, its 141 GB are 140.4 of an H200's.
_MEMORY_SHARE: Final = 0.02


def board_called(given: str) -> str | None:
    """The name of the row, or simulated row, that `given` is; None where it is none.

    Case and the marks between words count for nothing, a driver's own name is a board's
    (`NVIDIA A100-SXM4-80GB`), and so is a row's with its memory (`A100-80GB`).
    """
    text = given.strip()
    if text.casefold().startswith(SIMULATED):
        modelled = board_called(text[len(SIMULATED) :])
        return modelled and f"{SIMULATED}{modelled}"
    if row := settled(text, BOARDS):
        return row
    if board := board_of(text):
        return board.name
    memory = _WITH_MEMORY.fullmatch(text)
    row = memory and settled(memory["name"], BOARDS)
    if memory is None or row is None:
        return None
    has_gib = BOARDS[row].memory_bytes / GIB
    return row if abs(int(memory["gib"]) / has_gib - 1) <= _MEMORY_SHARE else None


def board_names() -> list[str]:
    """All names that `gpu` may hold of a board: the rows, and each simulated."""
    return [*BOARDS, *(f"{SIMULATED}{name}" for name in BOARDS)]

"""Task: what a run was asked to do, and a clock as a share of its board's highest."""

from collections.abc import Mapping
from typing import Final

from analysis.findings.works import WorkPoint
from telemetry.boards.table import BOARDS, board_of

GENERATION: Final = "generation"
"""Task of prompts that nothing is held against: text is to go on."""
# Before the name of a modelled board, as the simulated source has it.
_MODELLED: Final = "SIMULATED "


def task_of(point: WorkPoint) -> str:
    """The kind of a point's task, as its launch has it; `GENERATION` of prompts without one."""
    task = point.runs[0].launch.get("task")
    kind = task.get("kind") if isinstance(task, Mapping) else None
    return kind if isinstance(kind, str) else GENERATION


def clock_share(point: WorkPoint, clock_mhz: float | None) -> float | None:
    """A clock over the highest of the point's boards; None without one, or of several boards."""
    name = point.board.removeprefix(_MODELLED)
    # The simulated source calls a board by its name for people, drivers by theirs.
    modelled = (board for board in BOARDS.values() if board.product == name)
    board = board_of(name) or next(modelled, None)
    if clock_mhz is None or board is None or not board.max_sm_clock_mhz:
        return None
    return clock_mhz / board.max_sm_clock_mhz

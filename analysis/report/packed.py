"""Packed: what a page carries but does not show at once, small, and inert until it is asked for."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from analysis.energy.power_trace import PowerTrace, packed

PAGE_BYTES: Final = 15_000_000
"""What a page is at most, which a browser on a phone still opens: single runs get what is left."""
RUNS_BYTES: Final = 11_000_000
"""What a page carries of single runs at most, and less where the rest leaves no room for it."""
# As many boards as a node has: their lines can still be told apart.
_FEW_BOARDS: Final = 8


def inert(data: bytes) -> Markup:
    """Packed bytes as letters, which neither end an element nor mean anything to a browser."""
    return Markup(base64.b64encode(data).decode("ascii"))  # noqa: S704 - letters of base64 alone


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What the page carries of single runs, by run, and what it leaves out."""

    details: Mapping[str, bytes]
    """What the run's page says, packed."""
    traces: Mapping[str, bytes]
    """Its power over time, packed; a run may lack one."""
    left_out: tuple[str, ...]
    """What is not in the page that would make it too large, one sentence each."""
    rows: bool
    """Whether the rows of every GPU and phase are there, too."""

    @property
    def letters(self) -> int:
        """How many letters of the page they take."""
        return _size(self.details, self.traces)


def carried(
    heads: Mapping[str, Mapping[str, Any]],
    sheets: Mapping[str, Mapping[str, Any]],
    traces: Mapping[str, PowerTrace],
    boards: Mapping[str, int],
    most: int | None = None,
) -> Carried:
    """The most of what there is on single runs that fits into so many bytes, by this rule.

    All of it; else, of runs on more than eight boards, the least, mean and greatest power of all
    boards in place of a line for each; else without the rows of each GPU and phase; else the power
    of as many runs as there is room for, in the order of the table of runs.

    Args:
        heads: what the page says of each run in any case.
        sheets: its rows of tables with many rows a run.
        traces: its power over time.
        boards: how many boards it has.
        most: how many letters there is room for; None: `RUNS_BYTES`.
    """
    most = RUNS_BYTES if most is None else most
    whole = {run: packed({**heads[run], "sheets": sheets[run]}) for run in heads}
    lines = {run: trace.whole for run, trace in traces.items()}
    if _size(whole, lines) <= most:
        return Carried(details=whole, traces=lines, left_out=(), rows=True)
    lines = {
        run: trace.band if boards[run] > _FEW_BOARDS else trace.whole
        for run, trace in traces.items()
    }
    mega = f"{most / 1_000_000:.3g} MB of single runs"
    told = [
        f"with a line for each board of each run it would carry more than {mega}: a run on more "
        f"than {_FEW_BOARDS} boards shows the least, the mean and the greatest of them"
    ]
    if _size(whole, lines) <= most:
        return Carried(details=whole, traces=lines, left_out=tuple(told), rows=True)
    short = {run: packed({**heads[run], "sheets": {}}) for run in heads}
    told.append(
        "nor are the rows of each GPU and each phase in it, beyond those that are seen: they "
        "stand in tables/"
    )
    left = most - _size(short)
    kept: dict[str, bytes] = {}
    for run, line in lines.items():
        left -= _letters(line)
        if left < 0:
            told.append(
                f"the power over time of {len(lines) - len(kept)} of {len(lines)} runs, the last "
                "in the table of runs, is left out too: a report of such a run's folder alone "
                "has it"
            )
            break
        kept[run] = line
    return Carried(details=short, traces=kept, left_out=tuple(told), rows=False)


def _size(*parts: Mapping[str, bytes]) -> int:
    return sum(_letters(data) for part in parts for data in part.values())


def _letters(data: bytes) -> int:
    """How many letters of base64 that many bytes are."""
    return (len(data) + 2) // 3 * 4

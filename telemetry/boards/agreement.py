"""Agreement: is the board that a driver names the one that was asked for?

    cpu            no GPU is part of the run
    simulated-X    the entry says that it is simulated, and of which row: X
    X, a row       the driver's name is one of the row's, whatever its form; another row's is not
    nvidia-...     the driver's own name, as `Board.from_driver` spells it

Where the driver tells memory and compute capability too, they must be what the name promises.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from telemetry.boards.board import Board, unlisted_name
from telemetry.boards.table import BOARDS, board_of

SIMULATED: Final = "simulated-"
"""What `RunSpec.gpu` begins with where a stated power model stands in for the board."""
# The word before a modelled board's name.
_MODELLED: Final = "SIMULATED "
# ECC of GDDR takes a sixteenth (an A40 tells 46068 MiB with it, 49140 without), and drivers from
# 510 on leave out what they reserve. The next board of a name, H100 of 80 and 94 GB, has 17 % more.
_MEMORY_SHARE: Final = 0.1
# What all GPUs of a run must have in common, as readings mean other things under another driver.
_COMMON: Final = ("name", "driver", "memory_bytes")
# A message is one line.
_MOST_CHARS: Final = 60


def board_fault(asked: str, gpu: Mapping[str, Any]) -> str | None:
    """Why `gpu`, an entry of a host's inventory, is not the board `asked` for; None when it is.

    `asked` is a `RunSpec.gpu`. The entry may be anybody's: what is no text or number is a fault.
    """
    simulated = gpu.get("simulated")
    name, kind = gpu.get("name"), gpu.get("kind")
    if not isinstance(simulated, bool):
        return f"`simulated` of a GPU must be true or false, but is {_said(simulated)} instead"
    if not isinstance(name, str) or not name:
        return (
            f"`gpu` must be the board that the driver names, but is {_said(asked)} (asked) and "
            "the driver names none instead"
        )
    if asked == "cpu" or simulated is not asked.startswith(SIMULATED):
        return _unlike(asked, name, simulated=simulated)
    if not isinstance(kind, str | None):
        return f"`kind` of a GPU must be a board's name or null, but is {_said(kind)} instead"
    row = _row_named(name.removeprefix(_MODELLED), kind, simulated=simulated)
    known = {kind} if simulated else {unlisted_name(name)}
    if row is not None:
        known.add(row.name)
    if asked.removeprefix(SIMULATED) not in known:
        return _unlike(asked, name, simulated=simulated, row=row)
    if row is not None and kind not in (None, row.name):
        return (
            f"`kind` of a GPU must be what its name says, {row.name} for {_said(name)}, "
            f"but is {_said(kind)} instead"
        )
    return None if row is None else _detail_fault(row, gpu)


def boards_fault(asked: str, gpus: Sequence[Mapping[str, Any]]) -> str | None:
    """Why these GPUs of one run are not all the one board `asked` for; None when they are.

    Each must agree, none be split (MIG), and all have one name, driver and memory.
    """
    for gpu in gpus:
        if fault := board_fault(asked, gpu):
            return f"{fault}: {_said(gpu.get('uuid'))}"
        if gpu.get("mig"):
            return (
                "`mig` of a GPU must be off, as a board's sensors do not tell its instances "
                f"apart, but is on instead: {_said(gpu.get('uuid'))}"
            )
    for key in _COMMON:
        told = {_said(gpu[key]): gpu for gpu in gpus if gpu.get(key) is not None}
        if len(told) > 1:
            one, other = list(told)[:2]
            return (
                f"`{key}` must be the same of all GPUs of a run, but is {one} of "
                f"{_said(told[one].get('uuid'))} and {other} of {_said(told[other].get('uuid'))} "
                "instead"
            )
    return None


def _row_named(name: str, kind: str | None, *, simulated: bool) -> Board | None:
    """The row that an entry's name says it is."""
    if not simulated:
        return board_of(name)
    products = [board for board in BOARDS.values() if name == board.product]
    if products:
        return products[0]
    # An unlisted board, or one whose name for people was another when the entry was written.
    return None if kind is None else BOARDS.get(kind)


def _detail_fault(row: Board, gpu: Mapping[str, Any]) -> str | None:
    memory, capability = gpu.get("memory_bytes"), gpu.get("compute_capability")
    if memory is not None:
        whole = isinstance(memory, int) and not isinstance(memory, bool)
        if not whole or abs(memory - row.memory_bytes) > _MEMORY_SHARE * row.memory_bytes:
            return (
                f"`memory_bytes` of {row.product} must be {row.memory_bytes} within "
                f"{_MEMORY_SHARE:.0%}, but is {_said(memory)} instead"
            )
    if None not in (capability, row.compute_capability) and capability != row.compute_capability:
        return (
            f"`compute_capability` of {row.product} must be {row.compute_capability}, "
            f"but is {_said(capability)} instead"
        )
    return None


def _unlike(asked: str, name: str, *, simulated: bool, row: Board | None = None) -> str:
    row = row or (None if simulated else board_of(name))
    who = "simulated" if simulated else "driver"
    hint = f"; that board is gpu={SIMULATED if simulated else ''}{row.name}" if row else ""
    if row is None and not simulated:
        hint = f"; that board is gpu={unlisted_name(name)}"
    return (
        f"`gpu` must be the board that the driver names, but is {_said(asked)} (asked) and "
        f"{_said(name)} ({who}) instead{hint}"
    )


def _said(value: object) -> str:
    """A foreign value on one line, without characters that a terminal would obey."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}…"

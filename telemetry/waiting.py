"""Waiting: how far a command is, told while it says nothing else.

On standard error where that is a terminal, as a line that moves and leaves no trace; in a log as
lines, so that what the command tells stays whole. A step that is over before anybody wonders says
nothing.
"""

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TextIO, TypeVar

from rich.cells import cell_len, set_cell_size

from telemetry.document import due
from telemetry.output import takes_escapes
from telemetry.paragraph import columns, seen, wrapped

T = TypeVar("T")

QUIET_S: Final = 2.0
"""Nobody is left without a word for longer: people wait two seconds without wondering."""
PROGRESS: Final = "JOULEGRID_PROGRESS"
"""Environment variable: `NEVER` lets no command tell how far it is."""
NEVER: Final = "never"
# Earlier by what a busy machine may be late.
_FIRST_LINE_S: Final = 1.3
# A step that follows so soon on one that said nothing goes on with its silence.
_AT_ONCE_S: Final = 0.3
_LINE_S: Final = 1.8
# A log of a whole night is read too: after a minute a line each ten seconds will do, after ten
# minutes one a minute.
_SELDOM_AFTER_S: Final = 60.0
_SELDOM_S: Final = 10.0
_RARE_AFTER_S: Final = 600.0
_RARE_S: Final = 60.0
# A terminal shows at once that it was heard, but does not flicker for what is done in a moment.
_FIRST_FRAME_S: Final = 0.3
_FRAME_S: Final = 0.2
_FRAMES: Final = "|/-\\"
_CLEAR: Final = "\r\x1b[K"


def fitting(text: str, room: int) -> str:
    """As many words of a text as there is room for; of the first one as much of it."""
    line = wrapped(text, width=room)[0]
    return line if cell_len(line) <= room else set_cell_size(line, room)


def line_pause_s(waited_s: float) -> float:
    """How long a log is left alone after a line, by how long the step has lasted."""
    if waited_s < _SELDOM_AFTER_S:
        return _LINE_S
    return _SELDOM_S if waited_s < _RARE_AFTER_S else _RARE_S


# When the last step ended, and since when nothing was said then.
_QUIET: Final[list[tuple[float, float]]] = []


class Waiting:
    """One step of a command, told from a thread of its own until it is over."""

    def __init__(self, what: str, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = takes_escapes(self._stream)
        self._what = what
        self._at = ""
        self._start_s = self._quiet_since_s = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def at(self, where: str) -> None:
        """How far it is, in words."""
        self._at = where

    def name(self, what: str) -> str:
        """Give the step another name; the one that it had."""
        before, self._what, self._at = self._what, what, ""
        return before

    def begin(self) -> None:
        """Start to tell."""
        ended_s, since_s = _QUIET.pop() if _QUIET else (0.0, 0.0)
        if self._start_s - ended_s < _AT_ONCE_S:
            self._quiet_since_s = since_s
        self._thread.start()

    def end(self) -> None:
        """Stop, and leave no trace on a terminal."""
        self._over.set()
        self._thread.join()
        _QUIET[:] = [(time.monotonic(), self._quiet_since_s)]

    def _tell(self) -> None:
        try:
            if self._live:
                self._draw()
            else:
                self._log()
        except (OSError, ValueError):
            # Who waited is gone, or closed the stream: the work goes on.
            return

    def _draw(self) -> None:
        frame = 0
        pause_s = _FIRST_FRAME_S
        while not self._over.wait(pause_s):
            pause_s = _FRAME_S
            frame += 1
            text = fitting(self._text(), columns(self._stream) - 3)
            self._stream.write(f"{_CLEAR}{_FRAMES[frame % len(_FRAMES)]} {text}")
            self._stream.flush()
        if frame:
            self._stream.write(_CLEAR)
            self._stream.flush()

    def _log(self) -> None:
        pause_s = max(_FIRST_LINE_S - (time.monotonic() - self._quiet_since_s), 0.0)
        while not self._over.wait(pause_s):
            waited_s = time.monotonic() - self._start_s
            pause_s = line_pause_s(waited_s)
            ending = f" ({waited_s:.0f} s)"
            text = fitting(self._text(), columns(self._stream) - len(ending))
            self._stream.write(f"{text}{ending}\n")
            self._stream.flush()
            self._quiet_since_s = time.monotonic()

    def _text(self) -> str:
        text = f"{self._what}: {self._at}" if self._at else self._what
        return seen(text, self._stream)


_NOW: ContextVar[Waiting | None] = ContextVar("waiting", default=None)


@contextmanager
def waiting(what: str, *, aside: bool = True, in_log: bool = True) -> Iterator[Waiting]:
    """Within it whoever waits is told of `what`, and of what `at` says; nothing else may print.

    Within another it is a part of that one.

    Args:
        what: what the command is at.
        aside: whether a log's lines go to standard error. Not where a fault is to be the one line
            of that; beside a document they do in any case.
        in_log: False tells a terminal alone.
    """
    if (outer := _NOW.get()) is not None:
        before = outer.name(what)
        try:
            yield outer
        finally:
            outer.name(before)
        return
    aside = aside or due() is not None or takes_escapes(sys.stderr)
    step = Waiting(what, sys.stderr if aside else sys.stdout)
    token = _NOW.set(step)
    tells = os.environ.get(PROGRESS) != NEVER and (in_log or takes_escapes(sys.stderr))
    if tells:
        step.begin()
    try:
        yield step
    finally:
        _NOW.reset(token)
        if tells:
            step.end()


def at(where: str) -> None:
    """Say how far the step at work is; goes nowhere where nobody waits."""
    if (step := _NOW.get()) is not None:
        step.at(where)


def counted(items: Iterable[T], what: str) -> Iterator[T]:
    """`items` one by one, telling which of how many is at work, such as `run 3 of 21`."""
    items = items if isinstance(items, Sized) else list(items)
    total = len(items)
    for number, item in enumerate(items, 1):
        at(f"{what} {number} of {total}")
        yield item

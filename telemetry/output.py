"""Output: what a command tells people, at the width of their terminal, in colour only where one is.

A command that owes a document (`--json`) tells people nothing but errors and how far it is: what
it says here goes nowhere, and notes and the next command stand in the document.
"""

import os
import sys
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from telemetry.document import due
from telemetry.paragraph import Paragraph, columns
from telemetry.terminal import printable

# Terminals that take no escapes say so; one without a name is not trusted to.
_DUMB: Final = frozenset({"", "dumb", "unknown"})


def takes_escapes(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that is to be coloured and drawn on.

    `NO_COLOR`, if it is not empty, and a `TERM` that says so keep every escape away.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "") in _DUMB:
        return False
    try:
        return stream.isatty()
    except ValueError:
        # It is closed.
        return False


class Output(Console):
    """A stream for people; standard output where none is named.

    Args:
        stream: where to.
        always: also beside a document.
    """

    def __init__(self, stream: TextIO | None = None, *, always: bool = False) -> None:
        stream = stream or sys.stdout
        live = takes_escapes(stream)
        super().__init__(
            file=stream,
            force_terminal=live,
            force_jupyter=False,
            force_interactive=live,
            color_system="auto" if live else None,
            # A terminal may be made wider while one looks; what is none has one width.
            width=None if live else columns(stream),
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
            quiet=due() is not None and not always,
        )

    def say(
        self, text: str, *, indent: int = 0, hang: int = 2, style: str = "", styled: int = 0
    ) -> None:
        """Print a paragraph; what would steer a terminal stands as an escape.

        Args:
            text: the paragraph, without a line break.
            indent: columns before the first line.
            hang: columns before the others, beside `indent`.
            style: of its beginning, where there is colour.
            styled: how many characters of it are its beginning.
        """
        self.print(Paragraph(text=text, indent=indent, hang=hang, style=style, styled=styled))

    def exact(self, text: str) -> None:
        """Print one line, however long: a program may read it, or somebody copy it."""
        self.print(Text(printable(text), no_wrap=True))

    def note(self, text: str) -> None:
        """Tell what a reader should know beside the rest."""
        if (document := due()) is not None:
            document.notes.append(text)
        self.say(f"note: {text}")

    def next(self, line: str | None) -> None:
        """Name the command that comes next, as `telemetry.next_line` types it; None names none."""
        if line is None:
            return
        if (document := due()) is not None:
            document.next = line
        self.exact(f"next: {line}")

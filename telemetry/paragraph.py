"""Paragraph: prose for people, as wide as their terminal and broken between words.

A line that a program reads, such as `next:` or an error on standard error, is no paragraph: it
stays one line, however long.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from rich.console import Console, ConsoleOptions
from rich.text import Text

from telemetry.terminal import printable, spelt

NO_TERMINAL_COLUMNS: Final = 80
"""What fits where there is no terminal: a mail, a log, an editor's half of a screen."""
# Below this a word a line is all that there is room for, and indents would push words out.
_LEAST_COLUMNS: Final = 20
# A blank alone parts words: what is not to be parted (a thin one in a number) is none.
_WORD: Final = re.compile(" *[^ ]+")
_THIN: Final = "\N{NARROW NO-BREAK SPACE}"


def columns(stream: IO[str] | None = None) -> int:
    """How many columns a line on `stream` may take; `stream` is standard output where None.

    `COLUMNS` where the environment sets it, else the terminal's width, else 80.
    """
    asked = os.environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdigit() and int(asked):
        return max(int(asked), _LEAST_COLUMNS)
    stream = stream or sys.stdout
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):
        width = 0
    # A terminal that does not know its width says 0.
    return max(width, _LEAST_COLUMNS) if width else NO_TERMINAL_COLUMNS


def seen(text: str, stream: IO[str]) -> str:
    """`text` on one line as `stream` will show it: it steers no terminal, and can be measured.

    The thin blank that groups a number's digits is no escape.
    """
    return spelt(_THIN.join(printable(part) for part in text.split(_THIN)), stream)


def wrapped(text: str, *, width: int, indent: int = 0, hang: int = 2) -> list[str]:
    """The lines of a paragraph of at most `width` columns, broken at blanks.

    A word that is longer than a line, such as a path, stands whole in a line of its own: it can
    still be copied.

    Args:
        text: the paragraph, without a line break.
        width: columns of a line.
        indent: columns before the first line.
        hang: columns before the others, beside `indent`.
    """
    lines: list[str] = []
    line, begun = " " * indent, False
    for word in _WORD.findall(text):
        if begun and _width(line) + _width(word) > width:
            lines.append(line)
            line = " " * (indent + hang) + word.lstrip()
        else:
            line += word
        begun = True
    return [*lines, line] if begun else [""]


@dataclass(frozen=True, kw_only=True)
class Paragraph:
    """A paragraph that rich lays out by the width there is."""

    text: str
    """The paragraph; what would steer a terminal is shown as an escape."""
    indent: int = 0
    """Columns before the first line."""
    hang: int = 2
    """Columns before the others, beside `indent`."""
    style: str = ""
    """Style of its beginning, where there is colour."""
    styled: int = 0
    """How many characters of it are its beginning."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        shown = seen(self.text, console.file)
        lines = wrapped(shown, width=options.max_width, indent=self.indent, hang=self.hang)
        text = Text("\n".join(lines), no_wrap=True, overflow="ignore")
        if self.style:
            text.stylize(self.style, self.indent, self.indent + self.styled)
        yield text


def say(text: str, *, stream: IO[str] | None = None, indent: int = 0, hang: int = 2) -> None:
    """Print a paragraph at once; what would steer a terminal stands as an escape.

    Args:
        text: the paragraph.
        stream: where to; standard output where None.
        indent: columns before the first line.
        hang: columns before the others, beside `indent`.
    """
    stream = stream or sys.stdout
    shown = seen(text, stream)
    lines = wrapped(shown, width=columns(stream), indent=indent, hang=hang)
    stream.write("".join(f"{line}\n" for line in lines))
    stream.flush()


def _width(text: str) -> int:
    """Columns that a text takes; its letters' number where nothing is installed that knows."""
    try:
        # What `doctor` says of a bare Python is said by one.
        from rich.cells import cell_len  # noqa: PLC0415
    except ModuleNotFoundError:
        return len(text)
    return cell_len(text)

"""Terminal: text that comes from elsewhere cannot steer it, and it need not be UTF-8.

A run's folder may come from another centre: a name in it may hold what clears a screen, turns a
line's direction round or hides a word. And a terminal may know ASCII alone: a character that it
cannot show must not end a command with a traceback.
"""

import codecs
import io
import sys
from typing import IO, Final

# What the outputs of this project say beside ASCII, spelt in ASCII.
_SPELT: Final = {
    **{"±": "+-", "\N{MULTIPLICATION SIGN}": "x", "·": ".", "…": "...", "→": "->"},
    **{"\N{EN DASH}": "-", "\N{MINUS SIGN}": "-", "≤": "<=", "≥": ">=", "²": "^2"},
    **{"\N{NARROW NO-BREAK SPACE}": " ", "╌": " ", "─": "-", "━": "-", "╸": "-", "╺": "-"},
    **{"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"},
}
_HANDLER: Final = "joulegrid.spelt"


def printable(text: str) -> str:
    r"""`text` on one line, as it may be shown: what would not be seen as it is stands as an escape.

    That is what `repr` escapes: C0 and C1 controls (line breaks too, as \n), marks of direction
    and other characters without a shape, lone surrogates, what Unicode has not assigned. A
    backslash stays one.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def printable_lines(text: str) -> str:
    """The same for text of several lines, which keeps its line breaks."""
    return "\n".join(printable(line) for line in text.split("\n"))


def replace_unencodable() -> None:
    """Let standard output and error spell or escape what their encoding lacks, instead of raising.

    Rich's consoles write to the same two streams. A stream that a test or a program has put in
    their place is left alone where it has no encoding.
    """
    codecs.register_error(_HANDLER, _spell)
    for stream in (sys.stdout, sys.stderr):
        # Either is None where the process was started without it.
        if isinstance(stream, io.TextIOWrapper) and stream.errors != _HANDLER:
            stream.reconfigure(errors=_HANDLER)


def spelt(text: str, stream: IO[str]) -> str:
    """`text` as `stream` will show it: what its encoding lacks is spelt or escaped.

    The longer spelling (±, which becomes +-) is there before a line is cut to its length.
    """
    encoding = getattr(stream, "encoding", None)
    if not encoding:
        return text
    codecs.register_error(_HANDLER, _spell)
    return text.encode(encoding, _HANDLER).decode(encoding)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_SPELT.get(each) or _escape(each) for each in lacking), error.end

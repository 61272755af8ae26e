"""Document: the one JSON text that `--json` makes of what a command tells.

Standard output then holds that text and nothing else, whatever comes of the command: a program
reads what could not be done as well as what was. docs/machine_output.md has the keys.
"""

import contextlib
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, TextIO

JSON_WORD: Final = "--json"
"""What asks for a document, in every command that has one."""
VERSION: Final = 1
"""Of the keys: it grows when one goes or changes its meaning, not when one is added."""
_NAME: Final = "joulegrid"
_ERROR: Final = "error"


class Document:
    """What a command has told so far, for the one JSON text at its end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._kind: str | None = None
        self._content: Mapping[str, Any] = {}
        self.errors: list[str] = []
        """Lines of error, as standard error has them, without the command's name."""
        self.notes: list[str] = []
        """What a reader should know beside the content."""
        self.next: str | None = None
        """The command that comes next; None at the end of the way, and where none is known."""

    def fill(self, kind: str, content: Mapping[str, Any]) -> None:
        """Give it its content; `kind` is the last word of its `schema`, such as `plan`."""
        self._kind, self._content = kind, content

    def close(self, exit_code: int) -> None:
        """Write it. A command that was refused has an `error` to show, one that did well none.

        Raises:
            OSError: nobody reads it any more.
        """
        kind = self._kind
        if kind is None and exit_code:
            kind = _ERROR
        if kind is None:
            return
        whole = {
            "schema": f"{_NAME}.{kind}",
            "version": VERSION,
            "exit_code": int(exit_code),
            "errors": self.errors,
            "notes": self.notes,
            "next": self.next,
            **self._content,
        }
        self._stream.write(json.dumps(strict(whole), allow_nan=False) + "\n")
        self._stream.flush()


_DUE: ContextVar[Document | None] = ContextVar("document", default=None)


def due() -> Document | None:
    """The document that the command at work owes; None where it was not asked for one."""
    return _DUE.get()


@contextlib.contextmanager
def owed(words: Sequence[str]) -> Iterator[Document | None]:
    """Within it the command's own prints go to standard error, if its words ask for a document.

    None where they do not, and where a command that called this one owes it already.
    """
    if JSON_WORD not in words or due() is not None:
        yield None
        return
    document = Document(sys.stdout)
    token = _DUE.set(document)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield document
    finally:
        _DUE.reset(token)


def strict(value: Any) -> Any:
    """`value` as JSON knows it: no NaN, no infinity, no half of a surrogate pair, no other type.

    A number that is none becomes null; what JSON has no form for becomes its text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        # An enum's member is a str of its own.
        return str(value).encode(errors="backslashreplace").decode()
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {strict(str(key)): strict(each) for key, each in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        return [strict(each) for each in value]
    return strict(str(value))

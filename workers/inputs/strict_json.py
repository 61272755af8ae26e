"""Strict JSON: what a user's JSON says, and a refusal where it says two things or none.

A byte order mark is skipped. A key that an object has twice is refused, as readers differ in which
of the two they take; so are NaN and infinities, which are no JSON.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from workers.inputs.kinds import file_fault, one_line

BOM: Final = b"\xef\xbb\xbf"
"""The byte order mark that some editors put before UTF-8."""
_MOST_CHARS: Final = 60


class MalformedError(ValueError):
    """The text is no JSON."""


class CutShortError(MalformedError):
    """The text ends before what it began."""


def parse_json(data: bytes, place: str) -> Any:
    """What `data` says; `place` ends each message, such as `on line 3 of 'rows.jsonl'`.

    Raises:
        CutShortError: it ends too early.
        MalformedError: it is no JSON otherwise.
        ValueError: it is no UTF-8, holds no finite number, or an object has a key twice.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        held = dict(pairs)
        if len(held) < len(pairs):
            twice = _first_again([key for key, _ in pairs])
            raise _RefusedError(
                f"`{one_line(twice, _MOST_CHARS)}` must be given once in an object, but is given "
                f"twice {place}"
            )
        return held

    def no_number(word: str) -> Any:
        raise _RefusedError(f"numbers must be finite, but {word} is given {place}")

    data = data.removeprefix(BOM)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"the text must be UTF-8, but byte {error.start + 1} is not {place}: save it as UTF-8"
        ) from error
    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=no_number)
    except _RefusedError:
        raise
    except json.JSONDecodeError as error:
        # What is missing at the very end was cut off; a string that began is told where it began.
        ended = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        at = f"character {error.colno}"
        if "\n" in text.rstrip():
            at = f"line {error.lineno}, {at}"
        what = f"it ends too early: {error.msg}" if ended else error.msg
        raise (CutShortError if ended else MalformedError)(
            f"the text must be JSON, but is not {place}: {one_line(what)}, at {at}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise MalformedError(
            f"the text must be JSON, but is not {place}: {one_line(error)}"
        ) from error


def read_object(path: Path) -> Mapping[str, Any]:
    """The JSON object that a user's file is.

    Raises:
        ValueError: it is another kind of file, no JSON, no object, or ambiguous; in one line that
            names the file.
    """
    if fault := file_fault(path):
        raise ValueError(f"{one_line(path)} must be a JSON object, but {fault}")
    try:
        content = parse_json(path.read_bytes(), "in it")
    except ValueError as error:
        raise ValueError(f"{one_line(path)} must be a JSON object, but: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{one_line(path)} must be a JSON object, but is a {type(content).__name__} instead"
        )
    return content


def _first_again(keys: list[str]) -> str:
    """The first key that was there before."""
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    raise AssertionError("no key is there twice")


class _RefusedError(ValueError):
    """Raised from within the parser, with the whole message."""

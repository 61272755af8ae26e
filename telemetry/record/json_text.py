"""JSON text: an object out of bytes that anybody may have written."""

import json
import math
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from telemetry.record.limits import JSON_BITS, JSON_BYTES, JSON_DEPTH, JSON_VALUES

# Every value but the first of a list or an object follows one of these.
_BEFORE_VALUES: Final = (b",", b"[", b"{", b":")


def parse_json(data: bytes, where: str) -> dict[str, Any]:
    """A JSON object (RFC 8259) in UTF-8, each key once, every number finite.

    Args:
        data: the text.
        where: the file, as a message is to name it.

    Raises:
        ValueError: it is none, or beyond a limit of `telemetry.record.limits`.
    """
    JSON_BYTES.require(len(data), where)
    # Brackets and commas within words count too: an upper bound is had without reading.
    JSON_VALUES.require(sum(map(data.count, _BEFORE_VALUES)), where)
    try:
        content = json.loads(
            data.decode(), parse_constant=_refuse_constant, object_pairs_hook=_object
        )
    except RecursionError:
        raise ValueError(
            f"{where} must have at most {JSON_DEPTH.most} {JSON_DEPTH.what}, but has many more"
        ) from None
    except ValueError as error:
        raise ValueError(f"{where} must be a JSON object, but is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{where} must be a JSON object, but is a {type(content).__name__} instead"
        )
    _require_values(content, where)
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return found


def _require_values(content: dict[str, Any], where: str) -> None:
    """Refuse what is too deep, and words and numbers that no honest writer can have meant."""
    level: list[Any] = [content]
    depth = 0
    while level:
        depth += 1
        JSON_DEPTH.require(depth, where)
        inner: list[Any] = []
        for holder in level:
            if isinstance(holder, dict):
                _require_leaves(holder, where)
                held: Iterable[Any] = holder.values()
            else:
                held = holder
            _require_leaves(held, where)
            inner += [each for each in held if isinstance(each, dict | list)]
        level = inner


def _require_leaves(values: Iterable[Any], where: str) -> None:
    for value in values:
        if isinstance(value, str):
            if not value.isascii():
                _require_encodable(value, where)
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise ValueError(f"{where} must hold finite numbers, but holds {value}")
        elif isinstance(value, int):
            JSON_BITS.require(value.bit_length(), f"a number of {where}")


def _require_encodable(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{where} must hold characters, but holds half of one: {text[error.start]!r}"
        ) from error

"""Identifiers: the `@id` of what a crate names; no word of a record is ever one.

A file's is its path as a URI reference (RFC 3986), whatever is in its name. All else has the digest
of what it is: a name such as `../x` or `http://...` stays a value.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes, urlsplit

# 64 bits: a campaign has some thousand things, which do not meet.
_DIGITS: Final = 16


def reference_of(name: str) -> str:
    """A file's or folder's path in the crate as a URI reference: `a b#1` is `a%20b%231`.

    Raises:
        ValueError: the path is absolute, leads outside, or is no UTF-8.
    """
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"`name` must be a path below the crate, but is {name!r} instead")
    try:
        return quote(name, safe="/")
    except UnicodeEncodeError as error:
        raise ValueError(f"`name` must be UTF-8, but is {name!r} instead") from error


def path_of(reference: object) -> str:
    """The path that a file's `@id` names, which a crate from elsewhere may have of any form.

    Raises:
        ValueError: it is no relative reference, or leads outside the crate.
    """
    if not isinstance(reference, str) or not reference:
        raise ValueError(f"`@id` must be a relative reference, but is {reference!r} instead")
    try:
        parts = urlsplit(reference)
        name = unquote_to_bytes(parts.path).decode()
    except ValueError as error:
        raise ValueError(f"`@id` must be a reference, but is {reference!r}: {error}") from error
    is_relative = not (parts.scheme or parts.netloc or parts.query or parts.fragment)
    path = PurePosixPath(name)
    inside = bool(path.parts) and not path.is_absolute() and ".." not in path.parts
    if not is_relative or not inside or "\0" in name:
        raise ValueError(f"`@id` must be a path below the crate, but is {reference!r} instead")
    return str(path)


def local_id(kind: str, content: Mapping[str, Any]) -> str:
    """The `@id` of what is no file: its kind, and a digest of what tells it from others."""
    return f"#{kind}-{_digest(content).hex()[:_DIGITS]}"


def action_id(content: Mapping[str, Any]) -> str:
    """The same of an action, in the form of a UUID, as Process Run Crate 0.6 recommends."""
    return f"#{uuid.UUID(bytes=_digest(content)[:16], version=4)}"


def _digest(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode(errors="backslashreplace")).digest()

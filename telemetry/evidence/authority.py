"""Authority: asks a time stamp authority, which may be slow, lie, or lead elsewhere.

It is asked once, by POST as RFC 3161 (section 3.4) has it. Time and size are bounded whatever it
does, no redirection is followed, and nothing but http and https is spoken.
"""

import http.client
import urllib.error
import urllib.request
from typing import Final
from urllib.parse import urlsplit

from telemetry.evidence.bounded import within
from telemetry.evidence.time_stamp import MOST_BYTES

PATIENCE_S: Final = 20.0
"""An authority that signs in hardware answers within a second or two; a night's queue is no reason
to hold a job."""
_TYPE: Final = "application/timestamp-query"


class NoStampError(RuntimeError):
    """An authority that did not answer, or not with what is asked for."""


def authority_url(name: str, given: str) -> str:
    """The URL of an authority.

    Raises:
        ValueError: it is none of http or https, or holds a password.
    """
    try:
        parts = urlsplit(given)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_one = urlsplit(""), False
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_one:
        raise ValueError(f"`{name}` must be a URL of http or https, but is {given!r} instead")
    if parts.username is not None or parts.password is not None:
        # It would stand in the record.
        raise ValueError(f"`{name}` must be a URL without a name or password, but holds one")
    if not given.isprintable() or not given.isascii() or " " in given:
        raise ValueError(f"`{name}` must be a URL of ASCII signs, but is {given!r} instead")
    return given


def ask(url: str, query: bytes, *, patience_s: float = PATIENCE_S) -> bytes:
    """What an authority answers.

    Raises:
        NoStampError: it does not answer in time, answers too much, or refuses.
    """
    try:
        return within(
            lambda: _answer(url, query, patience_s),
            patience_s,
            (NoStampError, OSError, http.client.HTTPException, ValueError),
        )
    except urllib.error.HTTPError as error:
        where = error.headers.get("Location") if error.headers else None
        led = f" and leads to {where[:200]}, which is not followed" if where else ""
        raise NoStampError(f"{url} answers {error.code}{led}") from error
    except urllib.error.URLError as error:
        raise NoStampError(f"{url} cannot be reached: {error.reason}") from error
    except TimeoutError as error:
        raise NoStampError(f"{url} must answer within {patience_s:g} s, but did not") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise NoStampError(f"{url} cannot be reached: {said}") from error


def _answer(url: str, query: bytes, patience_s: float) -> bytes:
    opener = urllib.request.OpenerDirector()
    # Of urllib's own neither that for files nor that for redirections.
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    asked = urllib.request.Request(url, data=query, headers={"Content-Type": _TYPE})  # noqa: S310
    with opener.open(asked, timeout=patience_s) as response:
        answer = response.read(MOST_BYTES + 1)
    if len(answer) > MOST_BYTES:
        raise NoStampError(f"{url} must answer with at most {MOST_BYTES} bytes, but has more")
    assert isinstance(answer, bytes)
    return answer

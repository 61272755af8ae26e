"""Broker: power caps and clock locks for jobs without root, as prolog and epilog of Slurm.

It is started by root as `/usr/bin/python3 -I -S` and takes nothing of its environment. What a user
can say to it is one word of the job's comment: docs/power_broker.md has its grammar, what is
remembered, and for what it withstands. Standard library alone, for Python 3.9 and later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

WISHES: Final = "joulegrid-power:"
"""What a comment begins with that holds a wish."""
# Slurm's own limit is 64 KiB; a wish has 50 bytes, and a head that is lodged after it 120.
MOST_COMMENT_BYTES: Final = 1024
# re.ASCII is not needed: [0-9] is ten signs, \d would be hundreds.
_SETTING: Final = re.compile(r"(cap_w|sm_mhz|mem_mhz)=([1-9][0-9]{0,4})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class RefusedError(Exception):
    """What was asked is not done; the message is one line, and holds no word of a user's."""


@dataclass(frozen=True)
class Wish:
    """What a job wishes for each of its GPUs."""

    cap_w: int | None = None
    """Power cap in watts; None where none is wished."""
    sm_mhz: int | None = None
    """Clock of graphics and SMs to be locked to, in MHz; None where none is wished."""
    mem_mhz: int | None = None
    """Memory clock to be locked to, in MHz; None where none is wished."""


def parse_wish(comment: bytes) -> Wish | None:
    """The wish in a job's comment; None where it holds none.

    Raises:
        RefusedError: it begins as a wish and is none.
    """
    if not comment.startswith(WISHES.encode()):
        return None
    if len(comment) > MOST_COMMENT_BYTES:
        raise RefusedError(
            f"a comment with a wish must have at most {MOST_COMMENT_BYTES} bytes, but has "
            f"{len(comment)} instead"
        )
    try:
        text = comment.decode("utf-8")
    except UnicodeDecodeError:
        raise RefusedError("a comment with a wish must be UTF-8, but is not") from None
    if _CONTROL.search(text):
        raise RefusedError("a comment with a wish must be one line without control characters")
    found: dict[str, int] = {}
    for place, word in enumerate(text[len(WISHES) :].split(" ", 1)[0].split(","), start=1):
        setting = _SETTING.fullmatch(word)
        if setting is None:
            raise RefusedError(
                f"setting {place} of the wish must be cap_w, sm_mhz or mem_mhz, `=` and a whole "
                "number from 1 to 99999, but is not"
            )
        if setting[1] in found:
            raise RefusedError(f"`{setting[1]}` must be wished once, but is wished twice")
        found[setting[1]] = int(setting[2])
    return Wish(**found)

"""Out of memory: a rank that is out of memory, told with what it asked for and what there was.

No torch at import: the launcher writes a shortage into an attempt's end.
"""

import errno
import re
from collections.abc import Mapping
from typing import Any, Final

# What CUDA, its libraries, NCCL and torch's CPU allocator say, wherever they raise RuntimeError.
_WORDS: Final = (
    "out of memory",
    "alloc_failed",
    "can't allocate memory",
    "not enough memory",
    "failed to cuda calloc",
)
_UNITS: Final = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_ASKED: Final = re.compile(r"[Tt]ried to allocate ([\d.]+) (bytes|[KMG]iB)")


class RankOutOfMemoryError(RuntimeError):
    """A rank was out of memory; `facts` is what the attempt's end says of it beside the text."""

    def __init__(self, text: str, facts: Mapping[str, Any]) -> None:
        super().__init__(text)
        self.facts: Final = dict(facts)


def is_shortage(error: BaseException) -> bool:
    """True when memory ran out, of a GPU or of the host."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if not isinstance(error, RuntimeError) or isinstance(error, RankOutOfMemoryError):
        return False
    text = str(error).casefold()
    return any(word in text for word in _WORDS)


def is_of_host(error: BaseException) -> bool:
    """True when it was the host's memory that a shortage is of, whatever the device."""
    return isinstance(error, MemoryError | OSError) or "cpuallocator" in str(error).casefold()


def find_shortage(error: BaseException) -> BaseException | None:
    """The want of memory that an error is, or that it was raised over; None when there is none.

    A graph whose capture runs out of memory, for one, is told of by the capture's own failure.
    """
    seen: BaseException | None = error
    while seen is not None and not is_shortage(seen):
        seen = seen.__cause__ or seen.__context__
    return seen


def asked_bytes(error: BaseException) -> int | None:
    """What the allocation that failed asked for, as far as its message says; None when not."""
    found = _ASKED.search(str(error))
    return None if found is None else round(float(found[1]) * _UNITS[found[2]])

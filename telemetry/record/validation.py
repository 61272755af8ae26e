"""Validation: what a number of a spec or a launch must be."""

import math
import re
from typing import Final

# Signed 64 bit: what a Parquet column, a C program's argument and a generator's seed hold.
MOST_WHOLE: Final = 2**63 - 1
# A host names a file; one of RFC 1123, whose labels cannot climb out of a folder.
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


def is_host_name(value: object) -> bool:
    """True of a host's name that may name a file."""
    return isinstance(value, str) and _HOST.fullmatch(value) is not None


def require_whole(
    name: str,
    value: object,
    least: int | None = None,
    *,
    most: int = MOST_WHOLE,
    null_allowed: bool = False,
) -> None:
    """Check that `value` is a whole number of at least `least` and at most `most`.

    A `least` of None takes any below `most`.

    Raises:
        ValueError: it is not.
    """
    if value is None and null_allowed:
        return
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or (least is not None and value < least):  # type: ignore[operator]
        bound = "" if least is None else f" of at least {least}"
        null = " or null" if null_allowed else ""
        raise ValueError(f"`{name}` must be a whole number{bound}{null}, but is {value!r} instead")
    if value > most:  # type: ignore[operator]
        raise ValueError(
            f"`{name}` must be a whole number of at most {most}, but is {value!r} instead"
        )


def require_number(name: str, value: object, *, low: float, low_allowed: bool, high: float) -> None:
    """Check that `value` is a finite number above `low`, or from it on, and at most `high`.

    Raises:
        ValueError: it is not.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number:
        number = float(value)  # type: ignore[arg-type]
        above = number >= low if low_allowed else number > low
        if math.isfinite(number) and above and number <= high:
            return
    bound = "at least" if low_allowed else "above"
    raise ValueError(
        f"`{name}` must be a number {bound} {low:g} and at most {high:g}, but is {value!r} instead"
    )

"""Validation: what a number of a spec or an order must be."""

import math


def require_whole(name: str, value: object, least: int) -> None:
    """Check that `value` is a whole number of at least `least`.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(
            f"`{name}` must be a whole number of at least {least}, but is {value!r} instead"
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

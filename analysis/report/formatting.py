"""Formatting: numbers and their absence as people read them."""

import math
from typing import Any, Final

from analysis.tables.column import Column, Row

_DIGITS: Final = 4
_THIN: Final = "\N{NARROW NO-BREAK SPACE}"
_NO_VALUE: Final = "\N{EN DASH}"
_PERCENT: Final = 100.0
# Where a number is written with grouped thousands, and where with an exponent.
_THOUSAND: Final = 1000.0
_GIGA: Final = 1e9
_TINY: Final = 1e-3

# Digits that an uncertainty is given with; its value ends at the same place (JCGM 100, 7.2.6).
_WIDTH_DIGITS: Final = 2
NOT_ATTRIBUTABLE: Final = "not attributable"
"""Begins the reason of a number that the sensor is too slow for."""


def cell_text(row: Row, column: Column[Any]) -> str:
    """A cell as people read it; a dash for null."""
    value = row.get(column.name)
    if value is None:
        return (
            NOT_ATTRIBUTABLE if reason_text(row, column).startswith(NOT_ATTRIBUTABLE) else _NO_VALUE
        )
    if isinstance(value, bool):
        return "simulated" if value and column.name == "simulated" else ("yes" if value else "no")
    width = None if column.plus_minus is None else row.get(column.plus_minus)
    if column.type == "share":
        sign = "+" if "_over_" in column.name and float(value) > 0 else ""
        around = "" if width is None else f" ± {float(width) * _PERCENT:.2f}"
        return f"{sign}{float(value) * _PERCENT:.2f}{around} %"
    if isinstance(value, float):
        return number_text(value) if width is None else measured_text(value, float(width))
    return str(value)


def reason_text(row: Row, column: Column[Any]) -> str:
    """Why a cell is empty; empty itself where it is not or nobody said."""
    if column.reason is None or row.get(column.name) is not None:
        return ""
    return str(row.get(column.reason) or "")


def measured_text(value: float, width: float) -> str:
    """A number with its uncertainty, both to the same place."""
    if not (math.isfinite(value) and math.isfinite(width)) or width <= 0:
        return number_text(value)
    places = max(0, _WIDTH_DIGITS - 1 - math.floor(math.log10(width)))
    texts = [f"{number:,.{places}f}".replace(",", _THIN) for number in (value, width)]
    return " ± ".join(texts)


def sort_key(row: Row, column: Column[Any]) -> str:
    """What the page sorts a cell by: the number in full; empty for null."""
    value = row.get(column.name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return repr(value) if isinstance(value, float) else str(value)


def number_text(value: float) -> str:
    """A number with four significant digits, thousands apart by a thin space."""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    size = abs(value)
    if size >= _GIGA or size < _TINY:
        return f"{value:.{_DIGITS - 1}e}"
    if size >= _THOUSAND:
        return f"{value:,.0f}".replace(",", _THIN)
    return f"{value:.{_DIGITS}g}"

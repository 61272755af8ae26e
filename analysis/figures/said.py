"""Said: a mark and its interval in words, for whoever points at it or prints its value."""

import math
from typing import Final

from analysis.figures.chart import Mark, Panel, unit_of
from telemetry.terminal import printable_lines

_THIN: Final = "\N{NARROW NO-BREAK SPACE}"
_PERCENT: Final = 100.0
_DIGITS: Final = 6
# Numbers outside are written with a power of ten.
_LEAST, _MOST = 1e-4, 1e6
# Ends that differ from one half width by less than this share of it are printed as one.
_SAME: Final = 1e-6


def shown(text: str) -> str:
    """Text without what is not seen as it is; the blank between thousands is."""
    return _THIN.join(printable_lines(part) for part in text.split(_THIN))


def digits(value: float) -> str:
    """Six digits of a number at most, without noughts behind."""
    plain = not value or _LEAST <= abs(value) < _MOST
    return (
        f"{value:,.{_DIGITS}g}".replace(",", "\N{NARROW NO-BREAK SPACE}")
        if plain
        else f"{value:.4e}"
    )


def hover_lines(panel: Panel, mark: Mark, series: str) -> list[str]:
    """What is said of a mark: its name, value with ±, argument, axes, then what it is not."""
    told = [line for line in mark.hover.splitlines() if line]
    if series and series not in told:
        told.append(series)
    if mark.y is not None:
        told.append(_with_interval(panel.y_label, mark.y, mark.low, mark.high, panel.y_percent))
        if mark.interval:
            told[-1] += f" ({mark.interval})"
    if panel.categories is None:
        told.append(_with_interval(panel.x_label, mark.x, mark.x_low, mark.x_high, percent=False))
    if mark.labels:
        told.append("Labels: " + ", ".join(mark.labels))
    return told


def _with_interval(
    label: str, value: float, low: float | None, high: float | None, percent: bool
) -> str:
    unit = unit_of(label)
    name = label.removesuffix(f"[{unit}]").strip() if unit else label
    by = _PERCENT if percent else 1.0
    behind = "\N{NARROW NO-BREAK SPACE}%" if percent else f" {unit}" if unit else ""
    text = digits(by * value)
    if low is not None and high is not None:
        below, above = value - low, high - value
        if math.isclose(below, above, rel_tol=_SAME, abs_tol=_SAME * abs(value)):
            text += f" ± {by * above:.2g}"
        else:
            text += f", from {digits(by * low)} to {digits(by * high)}"
    return f"{name}: {text}{behind}" if name else f"{text}{behind}"

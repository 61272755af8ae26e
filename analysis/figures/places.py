"""Places: where the bars of a panel stand, the same for every renderer."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from analysis.figures.chart import Panel

# Share of a category's room that its bars fill, and of a bar's own room that it fills.
_FILLED: Final = 0.84
_OWN: Final = 0.92


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar: a mark of a series."""

    at: float
    """Its middle on the axis of arguments."""
    width: float
    """How wide it is there."""
    base: float
    """Where it begins on the axis of values."""


def bars(panel: Panel) -> Mapping[tuple[int, int], Bar]:
    """Every bar of a panel by the indices of its series and its mark.

    Bars of one argument stand side by side in the order of their series, each category's as wide
    as it has room for; in a stacked panel one on the other.
    """
    of: dict[float, list[tuple[int, int]]] = {}
    for index, series in enumerate(panel.series):
        if series.kind == "bar":
            for number, mark in enumerate(series.marks):
                if mark.y is not None:
                    of.setdefault(mark.x, []).append((index, number))
    widest = max((len(keys) for keys in of.values()), default=1)
    room = _room(panel, sorted(of))
    found: dict[tuple[int, int], Bar] = {}
    for x, keys in of.items():
        base = 0.0
        own = room if panel.stacked else room / widest
        for place, (index, number) in enumerate(keys):
            value = panel.series[index].marks[number].y or 0.0
            off = 0.0 if panel.stacked else (place - (len(keys) - 1) / 2) * own
            found[index, number] = Bar(at=x + off, width=own * _OWN, base=base)
            base += value if panel.stacked else 0.0
    return found


def _room(panel: Panel, at: list[float]) -> float:
    """Room for all bars of one argument: of a category, or of the two that stand closest."""
    if panel.categories is not None or len(at) < len("12"):
        return _FILLED
    return _FILLED * min(after - before for before, after in pairwise(at))

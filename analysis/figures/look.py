"""Look: how a series is told from others on paper, and words as a picture shows them."""

import textwrap
from typing import Final, Literal

from analysis.figures.canvas import HATCHES
from analysis.figures.chart import COLOURS, Panel
from analysis.figures.said import shown

LINES: Final[dict[str, Literal["-", "--", ":", "-."]]] = {
    **{"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."},
}
"""Styles of lines, as matplotlib calls those of a chart."""
MARKERS_OF: Final = {
    **{"circle": "o", "square": "s", "triangle-up": "^", "diamond": "D", "triangle-down": "v"},
    **{"cross": "P", "x": "X"},
}
"""Shapes of marks, as matplotlib calls those of a chart."""


def hatch_of(panel: Panel, index: int) -> str:
    """Tells bars apart for who sees no colours; of a stack those whose colour comes again."""
    colour = panel.series[index].colour or 0
    if panel.stacked:
        return HATCHES[colour // COLOURS % len(HATCHES)]
    return HATCHES[colour % len(HATCHES)]


def wrapped_seen(text: str, chars: int) -> list[str]:
    """Text as a picture shows it, in lines of so many letters."""
    return textwrap.wrap(seen(text), chars)


def seen(text: str) -> str:
    """Text as a picture shows it: matplotlib hides what begins with `_`."""
    return shown(text).lstrip("_")

"""Panel: one pair of axes of a picture, with all that stands on them."""

import math
from collections.abc import Sequence
from typing import Any, Final

from matplotlib.axes import Axes

from analysis.figures.axes import set_axes
from analysis.figures.canvas import INK
from analysis.figures.chart import ChartSeries, Mark, Panel
from analysis.figures.look import LINES, MARKERS_OF, hatch_of, seen
from analysis.figures.palette import FAINT, hex_of
from analysis.figures.places import bars

# Height of a panel that stands, and what one that lies needs beside its bars.
_PANEL_IN: Final = 3.0
_AROUND_IN: Final = 0.8
# Height of a bar, of a line of its name, and of the room between two categories.
_BAR_IN, _NAME_IN, _GAP_IN = 0.24, 0.165, 0.12


def height_in(panel: Panel) -> float:
    """How high a panel has to be for its bars and their names, in inches."""
    if not (panel.sideways and panel.categories is not None):
        return _PANEL_IN + (_NAME_IN if panel.title else 0.0)
    counts = [0.0] * len(panel.categories)
    for series in panel.series:
        if series.printed:
            for index in {round(mark.x) for mark in series.marks}:
                counts[index] += 1.0 if series.kind == "bar" else 0.5
    most = 1.0 if panel.stacked else max((1.0, *counts))
    lines = max((name.count("\n") + 1 for name in panel.categories), default=1)
    row = max(_BAR_IN * most, _NAME_IN * lines) + _GAP_IN
    return _AROUND_IN + row * len(panel.categories)


def draw_panel(axes: Axes, panel: Panel, *, named: bool, columns: int) -> None:
    """Draw all that a panel holds; `named` and `columns` as `set_axes` takes them."""
    for shade in panel.shades:
        across = (shade.axis == "x") != panel.sideways
        (axes.axvspan if across else axes.axhspan)(
            shade.low, shade.high, color=hex_of(shade.colour, INK), alpha=0.18, linewidth=0
        )
    for line in panel.lines:
        across = (line.axis == "x") != panel.sideways
        (axes.axvline if across else axes.axhline)(
            line.at, color=hex_of(line.colour, INK), linestyle=LINES[line.dash], linewidth=0.9
        )
    partly = panel.partly_labelled
    for index, series in enumerate(panel.series):
        if series.printed and series.marks:
            if series.kind == "bar":
                _draw_bars(axes, panel, index, hollow=partly)
            elif series.kind in {"band", "area"}:
                _fill(axes, panel, series)
            else:
                _join(axes, panel, series, hollow=partly)
    set_axes(axes, panel, named=named, columns=columns)


def _draw_bars(axes: Axes, panel: Panel, index: int, *, hollow: bool) -> None:
    series = panel.series[index]
    placed = bars(panel)
    drawn_marks = [
        (placed[index, number], mark)
        for number, mark in enumerate(series.marks)
        if mark.y is not None
    ]
    for faint in (False, True):
        own = [(bar, mark) for bar, mark in drawn_marks if (hollow and bool(mark.labels)) == faint]
        if not own:
            continue
        look: dict[str, Any] = {
            "color": hex_of(series.colour, INK),
            "hatch": hatch_of(panel, index),
            "edgecolor": "white",
            "linewidth": 0.4,
            "alpha": FAINT if faint else 1.0,
        }
        at, values = [bar.at for bar, _ in own], [mark.y or 0.0 for _, mark in own]
        widths, bases = [bar.width for bar, _ in own], [bar.base for bar, _ in own]
        if panel.sideways:
            axes.barh(at, values, height=widths, left=bases, **look)
        else:
            axes.bar(at, values, width=widths, bottom=bases, **look)
    _whiskers(axes, panel, [(mark, bar.at, bar.base) for bar, mark in drawn_marks], INK)
    for bar, mark in drawn_marks:
        if mark.text:
            _print(axes, panel, mark, at=bar.at, base=bar.base)


def _join(axes: Axes, panel: Panel, series: ChartSeries, *, hollow: bool) -> None:
    colour = hex_of(series.colour, INK)
    symbol = series.symbol or ("circle" if series.kind == "points" else None)
    if series.kind != "points":
        axes.plot(
            *_turned(
                panel,
                [mark.x for mark in series.marks],
                [math.nan if mark.y is None else mark.y for mark in series.marks],
            ),
            color=colour,
            linestyle=LINES[series.dash],
            linewidth=1.4,
            drawstyle="steps-post" if series.kind == "step" else "default",
        )
    known = [mark for mark in series.marks if mark.y is not None]
    _whiskers(axes, panel, [(mark, mark.x, 0.0) for mark in known], colour)
    for empty in (False, True):
        own = [mark for mark in known if (hollow and bool(mark.labels)) == empty]
        if symbol and own:
            axes.plot(
                *_turned(panel, [mark.x for mark in own], [mark.y or 0.0 for mark in own]),
                color=colour,
                linestyle="none",
                marker=MARKERS_OF[symbol],
                markersize=5,
                markerfacecolor="none" if empty else colour,
            )
    for mark in known:
        if mark.text:
            _print(axes, panel, mark, at=mark.x)


def _turned(
    panel: Panel, arguments: list[float], values: list[float]
) -> tuple[list[float], list[float]]:
    """What runs across, and what up."""
    return (values, arguments) if panel.sideways else (arguments, values)


def _fill(axes: Axes, panel: Panel, series: ChartSeries) -> None:
    x = [mark.x for mark in series.marks]
    if series.kind == "band":
        low = [math.nan if mark.low is None else mark.low for mark in series.marks]
        high = [math.nan if mark.high is None else mark.high for mark in series.marks]
    else:
        low = [0.0 for _ in series.marks]
        high = [math.nan if mark.y is None else mark.y for mark in series.marks]
    fill = axes.fill_betweenx if panel.sideways else axes.fill_between
    fill(x, low, high, color=hex_of(series.colour, INK), alpha=0.22, linewidth=0)


def _whiskers(
    axes: Axes, panel: Panel, marks: Sequence[tuple[Mark, float, float]], colour: str
) -> None:
    """Intervals of marks that stand at an argument on a base; in a stack each stretch's own."""
    look: dict[str, Any] = {"color": colour, "linewidth": 1.2, "zorder": 3}
    told = [
        (at, mark.low + base, mark.high + base)
        for mark, at, base in marks
        if mark.low is not None and mark.high is not None
    ]
    if told:
        at, low, high = (list(values) for values in zip(*told, strict=True))
        (axes.hlines if panel.sideways else axes.vlines)(at, low, high, **look)
        # Ends that are seen where a whisker is shorter than its mark.
        axes.plot(
            *_turned(panel, [*at, *at], [*low, *high]),
            **{**look, "marker": "|" if panel.sideways else "_"},
            linestyle="none",
            markersize=5,
        )
    beside = [
        (mark.y or 0.0, mark.x_low, mark.x_high) for mark, _, _ in marks if mark.x_low is not None
    ]
    if beside:
        (axes.vlines if panel.sideways else axes.hlines)(*zip(*beside, strict=True), **look)


def _print(axes: Axes, panel: Panel, mark: Mark, *, at: float, base: float = 0.0) -> None:
    """The mark's text stands past its whisker, so that neither hides the other."""
    edge = base + max(mark.y or 0.0, mark.high if mark.high is not None else mark.y or 0.0)
    across = panel.sideways
    axes.annotate(
        seen(mark.text),
        (edge, at) if across else (at, edge),
        xytext=(4, 0) if across else (0, 4),
        textcoords="offset points",
        va="center" if across else "bottom",
        ha="left" if across else "center",
        fontsize=8.5,
    )

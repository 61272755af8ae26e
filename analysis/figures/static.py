"""Static: a chart on paper, by matplotlib: SVG and PDF that are the same every time.

What is drawn stands whole inside the picture: the legend has as many columns as fit the width, and
names that are wider than the picture are broken.
"""

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)

from analysis.figures.canvas import HATCHES, INK, WIDTH_IN, plain, style, to_svg, watermark
from analysis.figures.chart import COLOURS, Chart, Mark, Panel, Series
from analysis.figures.palette import FAINT, hex_of, with_variables
from analysis.figures.places import bars
from analysis.figures.said import digits

_LINES: Final = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}
_MARKERS: Final = {
    **{"circle": "o", "square": "s", "triangle-up": "^", "diamond": "D", "triangle-down": "v"},
    **{"cross": "P", "x": "X"},
}
# Height of a panel that stands, and what one that lies needs beside its bars.
_PANEL_IN: Final = 3.0
_AROUND_IN: Final = 0.8
# Height of a bar, of a line of its name, and of the room between two categories.
_BAR_IN, _NAME_IN, _GAP_IN = 0.24, 0.165, 0.12
# Height of a line of the title, of the labels under it, and of the legend.
_TITLE_IN, _TOLD_IN, _LEGEND_IN = 0.192, 0.145, 0.21
# Between the title and the picture's edge.
_EDGE_IN: Final = 0.06
# Letters of the labels and the legend, and of the title, that stand side by side in the width.
_WIDE_CHARS, _TITLE_CHARS = 100, 70
# Ticks of values, and room for texts behind bars as a share, by how many panels stand abreast.
_TICKS: Final = {1: 7, 2: 4, 3: 3}
_ROOM: Final = {1: 0.16, 2: 0.32, 3: 0.46}
# A handle and the room around an entry of the legend.
_ENTRY_IN: Final = 0.62
_THIN: Final = "\N{NARROW NO-BREAK SPACE}"
_POINTS_PER_IN: Final = 72.0
# Names of categories under standing bars that are longer in all are turned.
_FLAT_CHARS: Final = 60
# An axis of more decades has ticks at tens alone.
_FEW_DECADES: Final = 2.5


def svg(chart: Chart) -> str | None:
    """The chart as an SVG element of a page; None when there is nothing to draw."""
    if not chart.panels:
        return None
    with style():
        return with_variables(to_svg(drawn(chart), chart.key))


def pdf(chart: Chart, width_in: float = WIDTH_IN) -> bytes | None:
    """The chart as a PDF for a paper, its text as text; None when there is nothing to draw.

    A narrower one has fewer panels side by side, and letters of the same size.
    """
    if not chart.panels:
        return None
    sink = io.BytesIO()
    nothing = dict.fromkeys(("CreationDate", "Creator", "ModDate", "Producer"))
    with style():
        drawn(chart, width_in).savefig(sink, format="pdf", metadata=nothing)
    return sink.getvalue()


def drawn(chart: Chart, width_in: float = WIDTH_IN) -> Figure:
    """The chart as matplotlib has it; within `style()`."""
    share = width_in / WIDTH_IN
    columns = max(1, int(min(chart.columns, len(chart.panels)) * share))
    # A narrow picture has no more room a panel than a wide one of several.
    dense = min(max(_TICKS), max(1, round(columns / share)))
    rows = math.ceil(len(chart.panels) / columns)
    entries = _entries(chart, int(_WIDE_CHARS * share))
    abreast = _abreast(list(entries), width_in)
    lines = math.ceil(len(entries) / abreast) * max(
        (name.count("\n") + 1 for name in entries), default=1
    )
    heights = [
        max(map(_height_in, chart.panels[row * columns : (row + 1) * columns]))
        for row in range(rows)
    ]
    title = _wrapped(chart.title, int(_TITLE_CHARS * share))
    told = "; ".join(chart.told_labels())
    labels = _wrapped(told[:1].upper() + told[1:], int(_WIDE_CHARS * share))
    head_in = _TITLE_IN * len(title) + _TOLD_IN * len(labels) + _EDGE_IN
    figure = Figure(figsize=(width_in, sum(heights) + head_in + _LEGEND_IN * lines))
    grid = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
    axes = [each for row in grid for each in row]
    for spare in axes[len(chart.panels) :]:
        spare.remove()
    for index, (panel, each) in enumerate(zip(chart.panels, axes, strict=False)):
        same = index % columns and chart.panels[index - 1].categories == panel.categories
        _draw(each, panel, named=not same, columns=dense)
        if chart.simulated:
            watermark(each, small=dense > 1)
    _head(figure, title, labels)
    if entries:
        figure.legend(
            list(entries.values()), list(entries), loc="outside lower center", ncols=abreast
        )
    return figure


def _head(figure: Figure, title: Sequence[str], labels: Sequence[str]) -> None:
    """The title, and under it what the numbers are not: a picture travels without its caption."""
    blank = math.ceil(_TOLD_IN * len(labels) / _TITLE_IN)
    figure.suptitle(
        "\n".join([*title, *[" "] * blank]),
        **{"x": 0.012, "ha": "left", "fontsize": 11.5, "fontweight": "bold"},
    )
    if labels:
        under_in = _EDGE_IN + _TITLE_IN * len(title)
        below = 1.0 - under_in / float(figure.get_figheight())
        figure.text(0.012, below, "\n".join(labels), ha="left", va="top", fontsize=8.5)


def _entries(chart: Chart, chars: int) -> Mapping[str, Any]:
    """What the legend has, each name once, with what stands for it."""
    found: dict[str, Any] = {}
    for panel in chart.panels:
        for index, series in enumerate(panel.series):
            if series.name and series.printed and series.marks:
                found.setdefault(_entry(series.name, chars), _handle(series, _hatch(panel, index)))
        for shade in panel.shades:
            if shade.name:
                colour = hex_of(shade.colour, INK)
                found.setdefault(
                    _entry(shade.name, chars), Patch(color=colour, alpha=0.22, linewidth=0)
                )
        for line in panel.lines:
            if line.name:
                look = {"color": hex_of(line.colour, INK), "linestyle": _LINES[line.dash]}
                found.setdefault(_entry(line.name, chars), Line2D([], [], **look))
    # One thing alone needs no name that the title and the axis do not have.
    return found if len(found) > 1 or any(one.shades for one in chart.panels) else {}


def _entry(name: str, chars: int) -> str:
    return "\n".join(_wrapped(name, chars)) or "-"


def _wrapped(text: str, chars: int) -> list[str]:
    return textwrap.wrap(_seen(text), chars)


def _seen(text: str) -> str:
    """Text as it is, but for what no picture shows; the blank between thousands is seen."""
    return _THIN.join(plain(part) for part in text.split(_THIN))


def _handle(series: Series, hatch: str) -> Any:
    colour = hex_of(series.colour, INK)
    if series.kind in {"bar", "band", "area"}:
        if series.kind == "bar":
            return Patch(facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0.4)
        return Patch(facecolor=colour, alpha=0.25, linewidth=0)
    symbol = series.symbol or ("circle" if series.kind == "points" else None)
    return Line2D(
        *([], []),
        color=colour,
        linestyle="none" if series.kind == "points" else _LINES[series.dash],
        marker=_MARKERS[symbol] if symbol else "none",
        markersize=5,
    )


def _abreast(names: Sequence[str], width_in: float) -> int:
    """How many entries of the legend stand side by side and are whole."""
    if not names:
        return 1
    renderer = FigureCanvasAgg(Figure(dpi=_POINTS_PER_IN)).get_renderer()
    font = FontProperties(family="DejaVu Sans", size=9.0)
    widest = max(
        renderer.get_text_width_height_descent(line, font, ismath=False)[0]
        for name in names
        for line in name.splitlines()
    )
    room = (width_in - 0.2) / (widest / _POINTS_PER_IN + _ENTRY_IN)
    return max(1, min(len(names), int(room)))


def _height_in(panel: Panel) -> float:
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


def _hatch(panel: Panel, index: int) -> str:
    """Tells bars apart for who sees no colours; of a stack those whose colour comes again."""
    colour = panel.series[index].colour or 0
    if panel.stacked:
        return HATCHES[colour // COLOURS % len(HATCHES)]
    return HATCHES[colour % len(HATCHES)]


def _draw(axes: Axes, panel: Panel, *, named: bool, columns: int) -> None:
    for shade in panel.shades:
        across = (shade.axis == "x") != panel.sideways
        (axes.axvspan if across else axes.axhspan)(
            shade.low, shade.high, color=hex_of(shade.colour, INK), alpha=0.18, linewidth=0
        )
    for line in panel.lines:
        across = (line.axis == "x") != panel.sideways
        (axes.axvline if across else axes.axhline)(
            line.at, color=hex_of(line.colour, INK), linestyle=_LINES[line.dash], linewidth=0.9
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
    _set_axes(axes, panel, named=named, columns=columns)


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
            "hatch": _hatch(panel, index),
            "edgecolor": "white",
            "linewidth": 0.4,
            "alpha": FAINT if faint else 1.0,
        }
        at, values = [bar.at for bar, _ in own], [mark.y for _, mark in own]
        widths, bases = [bar.width for bar, _ in own], [bar.base for bar, _ in own]
        if panel.sideways:
            axes.barh(at, values, height=widths, left=bases, **look)
        else:
            axes.bar(at, values, width=widths, bottom=bases, **look)
    _whiskers(axes, panel, [(mark, bar.at, bar.base) for bar, mark in drawn_marks], INK)
    for bar, mark in drawn_marks:
        if mark.text:
            _print(axes, panel, mark, at=bar.at, base=bar.base)


def _join(axes: Axes, panel: Panel, series: Series, *, hollow: bool) -> None:
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
            linestyle=_LINES[series.dash],
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
                marker=_MARKERS[symbol],
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


def _fill(axes: Axes, panel: Panel, series: Series) -> None:
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
        _seen(mark.text),
        (edge, at) if across else (at, edge),
        xytext=(4, 0) if across else (0, 4),
        textcoords="offset points",
        va="center" if across else "bottom",
        ha="left" if across else "center",
        fontsize=8.5,
    )


def _set_axes(axes: Axes, panel: Panel, *, named: bool, columns: int) -> None:
    value, argument = (axes.xaxis, axes.yaxis) if panel.sideways else (axes.yaxis, axes.xaxis)
    argument.set_label_text(plain(panel.x_label))
    value.set_label_text(plain(panel.y_label))
    axes.grid(visible=False, axis="y" if panel.sideways else "x")
    axes.grid(visible=True, axis="x" if panel.sideways else "y")
    texts = any(mark.text for mark in panel.marks())
    room = _ROOM[columns] if texts and panel.sideways else _ROOM[1] if texts else 0.05
    along = 0.1 if texts and not panel.sideways else 0.04
    axes.margins(**{"x": room, "y": along} if panel.sideways else {"x": along, "y": room})
    set_scale = {"x": axes.set_xscale, "y": axes.set_yscale}
    set_range = {"x": axes.set_xlim, "y": axes.set_ylim}
    of = {"x": ("y" if panel.sideways else "x"), "y": ("x" if panel.sideways else "y")}
    for name, axis, scale in (("x", argument, panel.x_scale), ("y", value, panel.y_scale)):
        if scale == "log":
            set_scale[of[name]]("log")
            _log_ticks(axes, axis, of[name])
        elif name == "y" or panel.categories is None:
            axis.set_major_locator(MaxNLocator(nbins=_TICKS[columns]))
            axis.set_major_formatter(FuncFormatter(lambda at, _: digits(at)))
    if panel.y_percent:
        value.set_major_formatter(PercentFormatter(xmax=1))
    if panel.from_zero and panel.y_scale == "linear":
        set_range[of["y"]](0.0)
    if panel.categories is not None:
        _name_categories(axes, panel, named=named)
    elif panel.ticks:
        argument.set_ticks(list(panel.ticks), [digits(tick) for tick in panel.ticks])
        argument.set_ticks([], minor=True)
    for name, given in (("x", panel.x_range), ("y", panel.y_range)):
        if given is not None:
            set_range[of[name]](given)
    if panel.title:
        axes.set_title(plain(panel.title), loc="left", fontsize=9.5)


def _name_categories(axes: Axes, panel: Panel, *, named: bool) -> None:
    names = [plain(name) for name in panel.categories or ()]
    at = list(range(len(names)))
    ends = (-0.5, len(names) - 0.5)
    if panel.sideways:
        axes.set_yticks(at, names if named else [""] * len(names), fontsize=9)
        axes.set_ylim(*reversed(ends))
        return
    long = sum(map(len, names)) > _FLAT_CHARS
    turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if long else {}
    axes.set_xticks(at, names, fontsize=9, **turned)
    axes.set_xlim(*ends)


def _log_ticks(axes: Axes, axis: Any, name: str) -> None:
    """Ticks at 1, 2 and 5 of each decade where there are few, as plain numbers."""
    low, high = axes.get_xlim() if name == "x" else axes.get_ylim()
    few = low > 0 and math.log10(high / low) < _FEW_DECADES
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda at, _: digits(at)))
    axis.set_minor_formatter(NullFormatter())

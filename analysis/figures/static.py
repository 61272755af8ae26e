"""Static: a chart on paper, by matplotlib: SVG and PDF that are the same every time.

What is drawn stands whole inside the picture: the legend has as many columns as fit the width, and
names that are wider than the picture are broken.
"""

import io
import math
from collections.abc import Sequence
from typing import Final

from matplotlib.figure import Figure

from analysis.figures.axes import TICKS
from analysis.figures.canvas import WIDTH_IN, style, to_svg, watermark
from analysis.figures.chart import Chart
from analysis.figures.legend import abreast, entries
from analysis.figures.look import wrapped_seen
from analysis.figures.palette import with_variables
from analysis.figures.panel import draw_panel, height_in

# Height of a line of the title, of the labels under it, and of the legend.
_TITLE_IN, _TOLD_IN, _LEGEND_IN = 0.192, 0.145, 0.21
# Between the title and the picture's edge.
_EDGE_IN: Final = 0.06
# Letters of the labels and the legend, and of the title, that stand side by side in the width.
_WIDE_CHARS, _TITLE_CHARS = 100, 70


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
    dense = min(max(TICKS), max(1, round(columns / share)))
    rows = math.ceil(len(chart.panels) / columns)
    named = entries(chart, int(_WIDE_CHARS * share))
    beside = abreast(list(named), width_in)
    lines = math.ceil(len(named) / beside) * max(
        (name.count("\n") + 1 for name in named), default=1
    )
    heights = [
        max(map(height_in, chart.panels[row * columns : (row + 1) * columns]))
        for row in range(rows)
    ]
    title = wrapped_seen(chart.title, int(_TITLE_CHARS * share))
    told = "; ".join(chart.told_labels())
    labels = wrapped_seen(told[:1].upper() + told[1:], int(_WIDE_CHARS * share))
    head_in = _TITLE_IN * len(title) + _TOLD_IN * len(labels) + _EDGE_IN
    figure = Figure(figsize=(width_in, sum(heights) + head_in + _LEGEND_IN * lines))
    grid = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
    axes = [each for row in grid for each in row]
    for spare in axes[len(chart.panels) :]:
        spare.remove()
    for index, (panel, each) in enumerate(zip(chart.panels, axes, strict=False)):
        same = index % columns and chart.panels[index - 1].categories == panel.categories
        draw_panel(each, panel, named=not same, columns=dense)
        if chart.simulated:
            watermark(each, small=dense > 1)
    _head(figure, title, labels)
    if named:
        figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=beside)
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

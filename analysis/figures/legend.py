"""Legend: what tells the series of a picture apart, whole in its width."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures.canvas import INK
from analysis.figures.chart import Chart, ChartSeries
from analysis.figures.look import LINES, MARKERS_OF, hatch_of, wrapped_seen
from analysis.figures.palette import hex_of

# A handle and the room around an entry.
_ENTRY_IN: Final = 0.62
_POINTS_PER_IN: Final = 72.0


def entries(chart: Chart, chars: int) -> Mapping[str, Any]:
    """What the legend has, each name once, with what stands for it."""
    found: dict[str, Any] = {}
    for panel in chart.panels:
        for index, series in enumerate(panel.series):
            if series.name and series.printed and series.marks:
                found.setdefault(
                    _entry(series.name, chars), _handle(series, hatch_of(panel, index))
                )
        for shade in panel.shades:
            if shade.name:
                colour = hex_of(shade.colour, INK)
                found.setdefault(
                    _entry(shade.name, chars), Patch(color=colour, alpha=0.22, linewidth=0)
                )
        for line in panel.lines:
            if line.name:
                colour = hex_of(line.colour, INK)
                handle = Line2D([], [], color=colour, linestyle=LINES[line.dash])
                found.setdefault(_entry(line.name, chars), handle)
    # One thing alone needs no name that the title and the axis do not have.
    return found if len(found) > 1 or any(one.shades for one in chart.panels) else {}


def _entry(name: str, chars: int) -> str:
    return "\n".join(wrapped_seen(name, chars)) or "-"


def _handle(series: ChartSeries, hatch: str) -> Any:
    colour = hex_of(series.colour, INK)
    if series.kind in {"bar", "band", "area"}:
        if series.kind == "bar":
            return Patch(facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0.4)
        return Patch(facecolor=colour, alpha=0.25, linewidth=0)
    symbol = series.symbol or ("circle" if series.kind == "points" else None)
    return Line2D(
        *([], []),
        color=colour,
        linestyle="none" if series.kind == "points" else LINES[series.dash],
        marker=MARKERS_OF[symbol] if symbol else "none",
        markersize=5,
    )


def abreast(names: Sequence[str], width_in: float) -> int:
    """How many entries of the legend stand side by side and are whole."""
    if not names:
        return 1
    # matplotlib does not type it.
    renderer = FigureCanvasAgg(Figure(dpi=_POINTS_PER_IN)).get_renderer()  # type: ignore[no-untyped-call]
    font = FontProperties(family="DejaVu Sans", size=9.0)
    widest = max(
        renderer.get_text_width_height_descent(line, font, ismath=False)[0]
        for name in names
        for line in name.splitlines()
    )
    room = (width_in - 0.2) / (widest / _POINTS_PER_IN + _ENTRY_IN)
    return max(1, min(len(names), int(room)))

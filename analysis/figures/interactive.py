"""Interactive: a chart as the data and layout of plotly, which the page draws.

Plotly itself is not needed here: its figures are JSON. A colour is the name of a style variable of
the page, `@plot-3` or `@ink`, which `chart.js` resolves in light and in dark.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from analysis.figures.chart import COLOURS, Chart, ChartSeries, Mark, Panel
from analysis.figures.palette import FAINT, name_of
from analysis.figures.places import bars
from analysis.figures.plot_axes import lay_out, rounded, rows_of, safe
from analysis.figures.said import hover_lines, shown

# Room between two panels, as a share of the whole.
_BETWEEN: Final = 0.09
# Hatches tell bars apart for who sees no colours, in the words of plotly.
_SHAPES: Final = ("", "/", ".", "x", "\\", "+", "-")
# More marks that differ in their numbers alone are said by one template.
_FEW: Final = 8


def plot(chart: Chart) -> dict[str, Any] | None:
    """Data and layout of the chart; None when there is nothing to draw.

    Traces carry in `meta` what the page filters and redraws them by: `axes` and `labels` of each
    mark by its place in the trace, shared ones once, and whether whiskers belong to it.
    """
    if not chart.panels:
        return None
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"shapes": [], "annotations": []}
    columns = min(chart.columns, len(chart.panels))
    for index, panel in enumerate(chart.panels):
        # Plotly counts axes as x, x2, x3.
        number = "" if not index else str(index + 1)
        data.extend(_traces(panel, number))
        lay_out(layout, panel, number, named=not _same_names(chart, index, columns))
    layout["meta"] = {
        "columns": columns,
        "panels": len(chart.panels),
        "rows": [rows_of(panel) for panel in chart.panels],
        "sideways": [panel.sideways for panel in chart.panels],
        "labels": list(chart.told_labels()),
        "simulated": chart.simulated,
        "between": _BETWEEN,
    }
    return {"data": data, "layout": layout}


def _same_names(chart: Chart, index: int, columns: int) -> bool:
    """Whether the panel to the left names the same categories."""
    own = chart.panels[index]
    left = chart.panels[index - 1] if index % columns else None
    return left is not None and own.sideways and left.categories == own.categories


def _traces(panel: Panel, number: str) -> list[dict[str, Any]]:
    traces: list[dict[str, Any]] = []
    placed = bars(panel)
    partly = panel.partly_labelled
    for index, series in enumerate(panel.series):
        if not series.marks:
            continue
        common: dict[str, Any] = {
            "name": shown(series.name),
            "xaxis": f"x{number}",
            "yaxis": f"y{number}",
        }
        if series.kind == "bar":
            own = [placed.get((index, place)) for place in range(len(series.marks))]
            common |= {
                "type": "bar",
                "width": [0 if bar is None else rounded(bar.width) for bar in own],
                "marker": {
                    "color": f"@{name_of(series.colour)}",
                    "line": {"width": 0},
                    "pattern": {
                        "shape": _shape(panel, series),
                        "fgcolor": "@card",
                        "fillmode": "overlay",
                        "size": 7,
                        "solidity": 0.25,
                    },
                },
            }
            if partly:
                common["marker"]["opacity"] = [FAINT if mark.labels else 1 for mark in series.marks]
            at = [
                mark.x if bar is None else bar.at
                for mark, bar in zip(series.marks, own, strict=True)
            ]
            base = [0.0 if bar is None else bar.base for bar in own]
            if any(base):
                # Without one a bar begins at 0, and on a logarithmic axis at its foot.
                common["base"] = [rounded(each) for each in base]
        else:
            common |= _look(series, partly=partly)
            at, base = [mark.x for mark in series.marks], [0.0] * len(series.marks)
        traces.extend(_fillings(panel, series, common) if series.kind == "band" else ())
        if series.kind != "band":
            traces.append(_values(panel, series, common, at, base))
    return traces


def _shape(panel: Panel, series: ChartSeries) -> str:
    """Tells bars apart for who sees no colours; of a stack those whose colour comes again."""
    colour = series.colour or 0
    return _SHAPES[(colour // COLOURS if panel.stacked else colour) % len(_SHAPES)]


def _values(
    panel: Panel,
    series: ChartSeries,
    trace: dict[str, Any],
    at: Sequence[float],
    base: Sequence[float],
) -> dict[str, Any]:
    """A trace of the values with their intervals, texts and what is said of each."""
    marks = series.marks
    along, across = ("y", "x") if panel.sideways else ("x", "y")
    trace = {
        **trace,
        along: [rounded(each) for each in at],
        across: [rounded(mark.y) for mark in marks],
    }
    if series.kind == "bar" and panel.sideways:
        trace["orientation"] = "h"
    whiskers = _whiskers([(mark.y, mark.low, mark.high) for mark in marks], series)
    if whiskers:
        trace[f"error_{across}"] = whiskers
    beside = _whiskers([(mark.x, mark.x_low, mark.x_high) for mark in marks], series)
    if beside:
        trace[f"error_{along}"] = beside
    meta = _meta(marks)
    if len(marks) > _FEW and _alike(marks):
        trace["hovertemplate"] = _template(panel, series)
    else:
        trace["hovertext"] = [
            "<br>".join(safe(line) for line in hover_lines(panel, mark, series.name))
            for mark in marks
        ]
        trace["hoverinfo"] = "text"
    if any(mark.text for mark in marks):
        if series.kind == "bar":
            # Bars of plotly would write it over their own whiskers.
            meta["printed"] = [
                [safe(mark.text), rounded(each), rounded(_edge(mark, start))]
                for mark, each, start in zip(marks, at, base, strict=True)
            ]
        else:
            trace["text"] = [safe(mark.text) for mark in marks]
            trace["textposition"] = "middle right" if panel.sideways else "top right"
            trace["mode"] = f"{trace['mode']}+text"
    trace["meta"] = meta
    return trace


def _edge(mark: Mark, base: float) -> float:
    value = mark.y or 0.0
    return base + max(value, mark.high if mark.high is not None else value)


def _look(series: ChartSeries, *, partly: bool) -> dict[str, Any]:
    colour = f"@{name_of(series.colour)}"
    symbol = series.symbol or ("circle" if series.kind == "points" else None)
    look: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers" if series.kind == "points" else "lines+markers" if symbol else "lines",
        "line": {"color": colour, "dash": series.dash, "width": 1.8},
    }
    if series.kind == "step":
        look["line"]["shape"] = "hv"
    if series.kind == "area":
        look |= {"fill": "tozeroy", "fillcolor": f"{colour}/0.22"}
    if symbol:
        look["marker"] = {"color": colour, "symbol": symbol, "size": 8}
        if partly:
            look["marker"]["symbol"] = [
                f"{symbol}-open" if mark.labels else symbol for mark in series.marks
            ]
    return look


def _fillings(panel: Panel, series: ChartSeries, common: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A band is two lines without ink, and what lies between them."""
    along, across = ("y", "x") if panel.sideways else ("x", "y")
    at = [rounded(mark.x) for mark in series.marks]
    edges = [[rounded(getattr(mark, end)) for mark in series.marks] for end in ("low", "high")]
    made = []
    for values, fill in zip(edges, (None, f"tonext{across}"), strict=True):
        trace: dict[str, Any] = {
            **common,
            "mode": "lines",
            "line": {"width": 0, "color": f"@{name_of(series.colour)}"},
            along: at,
            across: values,
            "hoverinfo": "skip",
            "meta": _meta(series.marks),
        }
        if fill is not None:
            trace |= {"fill": fill, "fillcolor": f"@{name_of(series.colour)}/0.22"}
        made.append(trace)
    return made


def _whiskers(
    ends: Sequence[tuple[float | None, float | None, float | None]], series: ChartSeries
) -> dict[str, Any] | None:
    """Error bars of plotly: how far each end lies from the value; None where none is known."""
    if all(low is None or value is None for value, low, _ in ends):
        return None
    below, above = [], []
    for value, low, high in ends:
        known = value is not None and low is not None and high is not None
        below.append(rounded(value - low) if known else 0)  # type: ignore[operator]
        above.append(rounded(high - value) if known else 0)  # type: ignore[operator]
    look = {"thickness": 1.4, "width": 3}
    colour = "@ink" if series.kind == "bar" else f"@{name_of(series.colour)}"
    return {
        **{"type": "data", "symmetric": False, "array": above, "arrayminus": below},
        **{"color": colour, **look},
    }


def _meta(marks: Sequence[Mark]) -> dict[str, Any]:
    """Axes of the marks: those that all share once, else one a mark."""
    axes = [{shown(name): shown(value) for name, value in mark.axes.items()} for mark in marks]
    if all(own == axes[0] for own in axes):
        return {"axes": axes[0]} if axes[0] else {}
    return {"axes": axes}


def _alike(marks: Sequence[Mark]) -> bool:
    """Whether marks differ in their numbers alone, and those have no interval."""
    first = marks[0]
    return all(
        mark.hover == first.hover and mark.labels == first.labels and mark.low is None
        for mark in marks
    )


def _template(panel: Panel, series: ChartSeries) -> str:
    """What is said of a point of a long line, whose numbers plotly fills in."""
    across, along = ("x", "y") if panel.sideways else ("y", "x")
    first = next(iter(series.marks))
    head = [*first.hover.splitlines(), series.name]
    told = [safe(line) for line in dict.fromkeys(head) if line]
    told.append(f"{safe(panel.y_label)}: %{{{across}:.5~g}}")
    told.append(f"{safe(panel.x_label)}: %{{{along}:.5~g}}")
    if first.labels:
        told.append(safe("Labels: " + ", ".join(first.labels)))
    return "<br>".join(told) + "<extra></extra>"

"""Rendered: a chart as the report takes it, as a picture and as a plot of its page."""

from analysis.figures.bounded import bounded
from analysis.figures.canvas import DrawnFigure
from analysis.figures.chart import Chart
from analysis.figures.interactive import plot
from analysis.figures.static import svg


def figure_of(chart: Chart) -> DrawnFigure:
    """One figure of the report, of as many marks as it has room for; without a drawing, why."""
    chart = bounded(chart)
    return DrawnFigure(
        key=chart.key,
        title=f"{chart.number}: {chart.title}" if chart.number else chart.title,
        caption=chart.caption,
        alt=chart.alt_text() if chart.panels else "",
        svg=svg(chart),
        reason=chart.reason,
        simulated=chart.simulated,
        plot=plot(chart),
        chart=chart,
    )

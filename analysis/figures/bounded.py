"""Bounded: a chart of no more marks than are told apart, which says what it leaves out and where.

Only marks that stand by themselves are left out: lines, bands and bars are bounded by who draws
them, by their own rules.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from analysis.figures.chart import Chart, ChartSeries, Mark

MOST_POINTS: Final = 480
"""Points of one figure: twice what a figure of findings marks, each 2 kB of a page."""
# The first and the last.
_FEWEST: Final = 2


def bounded(chart: Chart) -> Chart:
    """The chart with at most about `MOST_POINTS` points, and a caption that says so.

    Every series keeps its share of the points, evenly chosen, its first and last among them; those
    of other labels are chosen apart, so that no label vanishes with what carries it.
    """
    points = [
        mark
        for panel in chart.panels
        for series in panel.series
        if _loose(series)
        for mark in series.marks
    ]
    if len(points) <= MOST_POINTS:
        return chart
    share = MOST_POINTS / len(points)
    panels = tuple(
        replace(panel, series=tuple(_thinned(one, share) for one in panel.series))
        for panel in chart.panels
    )
    kept = sum(len(series.marks) for panel in panels for series in panel.series if _loose(series))
    told = (
        f" {kept} of {len(points)} marks are drawn, evenly chosen of each series; the tables in "
        "tables/ have all."
    )
    return replace(chart, panels=panels, caption=chart.caption.rstrip() + told)


def _loose(series: ChartSeries) -> bool:
    return series.kind == "points"


def _thinned(series: ChartSeries, share: float) -> ChartSeries:
    if not _loose(series):
        return series
    alike: dict[tuple[str, ...], list[int]] = {}
    for place, mark in enumerate(series.marks):
        alike.setdefault(mark.labels, []).append(place)
    kept = sorted(place for own in alike.values() for place in _evenly(own, share))
    marks: tuple[Mark, ...] = tuple(series.marks[place] for place in kept)
    return replace(series, marks=marks)


def _evenly(places: Sequence[int], share: float) -> list[int]:
    most = max(_FEWEST, round(len(places) * share))
    if len(places) <= most:
        return list(places)
    step = (len(places) - 1) / (most - 1)
    return [places[round(at * step)] for at in range(most)]

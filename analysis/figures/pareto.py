"""Pareto: time against energy of points of the same work, and the front of them."""

from typing import Final

from analysis.figures.chart import Chart, ChartSeries, Mark, Panel, undrawn
from analysis.figures.finding_marks import MOST_PANELS, axes_by_row, brief_works, cut, finding_mark
from analysis.figures.labels import number_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables

_SEVERAL: Final = 2
_MS: Final = 1000.0
_LOOKS: Final = {
    "on the front": (2, "circle"),
    "not told apart": (1, "diamond"),
    "dominated": (0, "x"),
}


def time_against_energy(_loaded: Loaded, tables: Tables) -> Chart:
    """Seconds against joules a token, a panel a work."""
    key, title = "pareto", "Time against energy"
    works: dict[str, list[tuple[Row, dict[str, str]]]] = {}
    numbers = ("verdict", "time_per_token_s", "energy_per_token_j")
    rows = [row for row in tables.pareto.rows if all(row[name] is not None for name in numbers)]
    for row, axes in zip(rows, axes_by_row(tables, rows), strict=True):
        works.setdefault(str(row["work"]), []).append((row, axes))
    several = {name: own for name, own in works.items() if len(own) >= _SEVERAL}
    if not several:
        return undrawn(key, title, "no work was done at two grid points with an energy")
    panels = []
    names = brief_works(rows)
    for work, own in list(several.items())[:MOST_PANELS]:
        series = []
        front = sorted(
            (_MS * number_of(row["time_per_token_s"]), number_of(row["energy_per_token_j"]), labels)
            for row, axes in own
            for labels in (_mark(row, axes).labels,)
            if row["front_by_means"]
        )
        if len(front) >= _SEVERAL:
            marks = tuple(Mark(x=x, y=y, labels=labels) for x, y, labels in front)
            series.append(
                ChartSeries(
                    name="front by means", kind="line", marks=marks, colour=None, dash="dot"
                )
            )
        for verdict, (colour, symbol) in _LOOKS.items():
            marks = tuple(_mark(row, axes) for row, axes in own if row["verdict"] == verdict)
            if marks:
                series.append(
                    ChartSeries(
                        name=verdict, kind="points", marks=marks, colour=colour, symbol=symbol
                    )
                )
        panels.append(
            Panel(
                series=tuple(series),
                title=names[work].replace(", ", "\n", 1),
                x_label="time per token [ms]",
                y_label="energy per token [J]",
                y_scale="log",
            )
        )
    return Chart(
        key=key,
        title=title,
        caption="Grid points that did the same work. Whiskers: 95 % intervals. Dominated: another "
        "point is faster and takes less energy, by both intervals. On the front: none can be."
        + cut(list(several), MOST_PANELS, "works"),
        panels=tuple(panels),
        columns=2,
    )


def _mark(row: Row, axes: dict[str, str]) -> Mark:
    x = _MS * number_of(row["time_per_token_s"])
    low, high = row["time_per_token_s_low"], row["time_per_token_s_high"]
    known = low is not None and high is not None
    # An end at or below 0 has no place on a logarithmic axis.
    return finding_mark(
        row if number_of(row["energy_per_token_j_low"] or 1.0) > 0 else _without(row),
        "energy_per_token_j",
        x,
        x_low=_MS * number_of(low) if known else None,
        x_high=_MS * number_of(high) if known else None,
        hover=str(row["sentence"]),
        axes=axes,
    )


def _without(row: Row) -> Row:
    return {**row, "energy_per_token_j_low": None}

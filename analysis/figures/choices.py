"""Choices: what a bound of time saves, and energy times time."""

from typing import Final

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Line, Panel, undrawn
from analysis.figures.finding_marks import (
    MOST_BARS,
    axes_by_row,
    brief,
    brief_works,
    cut,
    finding_mark,
)
from analysis.figures.labels import number_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables

_PERCENT: Final = 100.0


def energy_saved(_loaded: Loaded, tables: Tables) -> Chart:
    """Energy saved against how much slower than the fastest a token may be."""
    key, title = "best", "What a bound of time saves"
    lines: dict[tuple[str, str], list[tuple[Row, dict[str, str]]]] = {}
    rows = tables.best.rows
    for row, axes in zip(rows, axes_by_row(tables, rows), strict=True):
        lines.setdefault((str(row["work"]), str(row["board"])), []).append((row, axes))
    if not lines:
        return undrawn(key, title, "no work was done at two grid points of one board")
    names = brief_works(rows)
    series = tuple(
        ChartSeries(
            name=f"{names[work]}, {board}",
            kind="line",
            marks=tuple(
                finding_mark(
                    row,
                    "energy_saved_share",
                    _PERCENT * number_of(row["slower_limit_share"]),
                    hover=str(row["sentence"]),
                    axes=axes,
                )
                for row, axes in own
            ),
            colour=index,
            symbol=SYMBOLS[index % len(SYMBOLS)],
        )
        for index, ((work, board), own) in enumerate(lines.items())
    )
    panel = Panel(
        series=series,
        x_label="at most slower than the fastest [%]",
        y_label="energy saved",
        y_percent=True,
        ticks=tuple(sorted({_PERCENT * number_of(row["slower_limit_share"]) for row in rows})),
    )
    return Chart(
        key=key,
        title=title,
        caption="Energy a token that the thriftiest point within each bound saves over the fastest "
        "of the same work on the same board. Whiskers: 95 % intervals.",
        panels=(panel,),
    )


def energy_delay(_loaded: Loaded, tables: Tables) -> Chart:
    """Energy-delay product of each point over the least of its work."""
    key, title = "energy-delay", "Energy times time"
    rows = [row for row in tables.energy_delay.rows if row["verdict"] is not None]
    if not rows:
        return undrawn(key, title, "no work was done at two grid points with an energy")
    chosen = rows[:MOST_BARS]
    marks = [
        finding_mark(
            row,
            "energy_delay_over_least",
            float(index),
            hover=str(row["sentence"]),
            axes=axes,
        )
        for index, (row, axes) in enumerate(zip(chosen, axes_by_row(tables, chosen), strict=True))
    ]
    panel = Panel(
        series=(ChartSeries(name="", kind="points", marks=tuple(marks)),),
        categories=tuple(map(brief, chosen)),
        y_label="over the least of the same work",
        y_scale="log",
        sideways=True,
        lines=(Line(at=1.0, name="the least"),),
    )
    return Chart(
        key=key,
        title=title,
        caption="Energy a token times time a token, over the least of the same work. Whiskers: "
        "95 % intervals." + cut(rows, MOST_BARS, "points"),
        panels=(panel,),
    )

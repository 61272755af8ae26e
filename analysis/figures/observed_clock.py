"""Observed clock: time of a step and energy of a token against clocks that nobody set."""

from collections.abc import Sequence
from typing import Final

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Line, Mark, Panel, undrawn
from analysis.figures.finding_marks import runs_by_id
from analysis.figures.labels import number_of
from analysis.figures.marks import axes_among, axes_of, labels_of
from analysis.power.observed import ALL, observed
from analysis.power.regression import beside_position
from analysis.runs.sealed_runs import Loaded
from analysis.tables.table import Tables

# What is drawn of each reading, and its name at the axis.
_DRAWN: Final = {
    "step_s": "time of a step",
    "energy_per_token_j": "energy of a token",
}
# So that no mark lies on a panel's edge.
_MARGIN_MHZ: Final = 30.0
# More than that, and most marks of a linear scale lie on one another.
_WIDE: Final = 3.0


def observed_clock(_loaded: Loaded, tables: Tables) -> Chart:
    """Both engines on every board, one mark a reading, its place in the answer taken off."""
    key, title = "observed-clock", "Speed and energy against the clock, observed, not set"
    rows = [row for row in tables.clock_readings.rows if row["energy_per_token_j"] is not None]
    if not rows:
        return undrawn(key, title, "no clock was read while tokens came, or no power beside it")
    runs = runs_by_id(tables)
    columns = axes_among(tables)
    panels = []
    for board in dict.fromkeys(str(row["board"]) for row in rows):
        own = [row for row in rows if row["board"] == board]
        # A clock that stood still has no range of its own; beside the other engine's it shows it.
        seen = [number_of(row["sm_clock_read_mhz"]) for row in own]
        x_range = (min(seen) - _MARGIN_MHZ, max(seen) + _MARGIN_MHZ)
        engines = list(dict.fromkeys(str(row["engine"]) for row in tables.clock_readings.rows))
        for index, engine in enumerate(engines):
            mine = [row for row in own if row["engine"] == engine]
            for outcome, label in _DRAWN.items():
                found = observed(mine, outcome)
                marks = tuple(
                    Mark(
                        x=one.clock_mhz,
                        y=float(value),
                        hover=f"{one.run}\n{engine}, {one.clock_mhz:.5g} MHz, observed, not set",
                        axes=axes_of(runs[one.run], columns),
                        labels=labels_of(runs[one.run]),
                    )
                    for one, value in zip(found, beside_position(found), strict=True)
                )
                if not marks:
                    continue
                symbol = SYMBOLS[index % len(SYMBOLS)]
                series = ChartSeries(
                    name=engine, kind="points", marks=marks, colour=index, symbol=symbol
                )
                panels.append(
                    Panel(
                        series=(series,),
                        title=f"{board}, {engine}",
                        x_label="clock of the multiprocessors, read [MHz]",
                        y_label=f"{label}, the point's = 1",
                        x_range=x_range,
                        y_scale="log" if _wide(marks) else "linear",
                        lines=(Line(at=1.0, dash="dot"),),
                    )
                )
    return Chart(
        key=key,
        title=title,
        caption="One mark a reading of the clock in decode and the second around it; its grid "
        "point's geometric mean is 1, and what its place in the answer does is taken off in "
        "proportion. A panel an engine, each with a scale of its own. Nobody set these "
        f"clocks: the boards moved them. {_slopes(tables)}",
        panels=tuple(panels),
        columns=2,
    )


def _wide(marks: Sequence[Mark]) -> bool:
    """Whether the largest is several times the smallest."""
    values = [mark.y for mark in marks if mark.y is not None]
    return max(values) > _WIDE * min(values)


def _slopes(tables: Tables) -> str:
    """What the regression of time by clock says of each board and engine."""
    told = []
    for row in tables.observed_clock.rows:
        if row["scope"] != ALL or row["outcome"] != "step_s":
            continue
        name = f"{row['board']}, {row['engine']}"
        if row["change_over_clock"] is None:
            told.append(f"{name}: {str(row['clock_reason']).split(',')[0]}")
            continue
        slope, low, high = (
            number_of(row[f"change_over_clock{end}"]) for end in ("", "_low", "_high")
        )
        told.append(f"{name}: {slope:+.2g} % of time by 1 % of clock ({low:+.2g} to {high:+.2g})")
    return "; ".join(told) + "." if told else ""

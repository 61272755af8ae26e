"""Witnesses: what each reading of a run's energy says, over what an outside meter says."""

from typing import Final

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Line, Mark, Panel, undrawn
from analysis.figures.labels import number_of
from analysis.figures.marks import axes_among, axes_of, labels_of
from analysis.meter.witness import WINDOW
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables

_WITNESSES: Final = {
    "rank_counter_energy_j": "rank counter",
    "polled_counter_energy_j": "polled counter",
    "power_integral_energy_j": "power integral",
}
_OUTSIDE: Final = "outside meter"
_WIDTH: Final = "expanded uncertainty, k = 2"
# As many as fit on a screen; the table has all.
_MOST_ROWS: Final = 24
# Between the marks of one run, in rows.
_APART: Final = 0.2


def witnesses(_loaded: Loaded, tables: Tables) -> Chart:
    """Each witness of a run's energy over the outside meter's, where both are of the same GPUs."""
    key, title = "witnesses", "Witnesses of each run's energy"
    runs = {str(row["run_id"]): row for row in tables.runs.rows}
    rows = [
        row
        for row in tables.outside_meters.rows
        if row["part"] == WINDOW
        and row["meter_energy_j"] is not None
        and row["boundary"] == "gpu"
        and str(row["run_id"]) in runs
    ]
    if not rows:
        return undrawn(key, title, "no outside meter of GPUs alone saw a run")
    shown = rows[:_MOST_ROWS]
    columns = axes_among(tables)

    def mark(row: Row, energy_j: object, beside: object, place: float) -> Mark:
        meter_j = number_of(row["meter_energy_j"])
        ratio = number_of(energy_j) / meter_j
        width = None if beside is None else number_of(beside) / meter_j
        run = runs[str(row["run_id"])]
        return Mark(
            x=place,
            y=ratio,
            low=None if width is None else ratio - width,
            high=None if width is None else ratio + width,
            interval="" if width is None else _WIDTH,
            hover=f"{row['run_id']}, {row['meter']}",
            axes=axes_of(run, columns),
            labels=labels_of(run),
        )

    series = [
        ChartSeries(
            name=_OUTSIDE,
            kind="points",
            marks=tuple(
                mark(row, row["meter_energy_j"], row["meter_energy_uncertainty_j"], place - _APART)
                for place, row in enumerate(shown)
            ),
            colour=None,
            symbol="x",
        )
    ]
    for index, (name, label) in enumerate(_WITNESSES.items()):
        marks = tuple(
            mark(
                row,
                runs[str(row["run_id"])][name],
                runs[str(row["run_id"])].get(name.replace("_energy_j", "_energy_uncertainty_j")),
                place + index * _APART,
            )
            for place, row in enumerate(shown)
            if runs[str(row["run_id"])].get(name) is not None
        )
        series.append(
            ChartSeries(name=label, kind="points", marks=marks, colour=index, symbol=SYMBOLS[index])
        )
    more = f" The first {len(shown)} of {len(rows)}." if len(rows) > len(shown) else ""
    return Chart(
        key=key,
        title=title,
        caption="Energy of the window by each of the record's readings over that of a meter which "
        f"is no part of the record; whiskers: expanded uncertainties (k = 2).{more}",
        panels=(
            Panel(
                series=tuple(series),
                y_label="energy over the outside meter's",
                categories=tuple(f"{row['run_id']}\n{row['meter']}" for row in shown),
                sideways=True,
                lines=(Line(at=1.0),),
            ),
        ),
    )

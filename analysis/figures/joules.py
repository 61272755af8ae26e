"""Joules: where the joules of each run went, in shares of its window."""

from analysis.figures.chart import Chart, ChartSeries, Mark, Panel, undrawn
from analysis.figures.finding_marks import MOST_BARS, axes_by_row, brief, cut, runs_by_id
from analysis.figures.labels import number_of
from analysis.figures.marks import labels_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables


def where_joules_go(_loaded: Loaded, tables: Tables) -> Chart:
    """Shares of each run's window, part by part."""
    key, title = "joules", "Where a joule goes"
    by_run: dict[str, list[Row]] = {}
    for row in tables.joules.rows:
        if row["phase"] == "window" and row["part_share"] is not None:
            by_run.setdefault(str(row["run_id"]), []).append(row)
    if not by_run:
        return undrawn(key, title, "no run has an energy and a power at rest")
    chosen = list(by_run)[:MOST_BARS]
    runs = [runs_by_id(tables)[run] for run in chosen]
    axes = axes_by_row(tables, runs)
    parts = dict.fromkeys(str(row["part"]) for run in chosen for row in by_run[run])
    order = sorted(parts, key=lambda part: (part != "idle", part == "not explained"))
    series = tuple(
        ChartSeries(
            name=part,
            kind="bar",
            marks=tuple(
                _mark(row, float(index), axes[index])
                for index, run in enumerate(chosen)
                for row in by_run[run]
                if row["part"] == part
            ),
            colour=place,
        )
        for place, part in enumerate(order)
    )
    panel = Panel(
        series=series,
        categories=tuple(_named(row) for row in runs),
        y_label="share of the energy of the window",
        y_percent=True,
        sideways=True,
        stacked=True,
    )
    return Chart(
        key=key,
        title=title,
        caption="At rest is measured; what work took is by costs that all runs of the same boards "
        "and engine tell together. Not explained is what these do not reach. Where they reach "
        "too far it is below 0, drawn from the others' end back to 100 %. Intervals are in the "
        "table." + cut(list(by_run), MOST_BARS, "runs"),
        panels=(panel,),
    )


def _named(row: Row) -> str:
    return f"{brief(row)}, r{row['repeat']}"


def _mark(row: Row, x: float, axes: dict[str, str]) -> Mark:
    joules = number_of(row["part_energy_j"])
    return Mark(
        x=x,
        y=number_of(row["part_share"]),
        hover=f"{row['run_id']}: {row['part']}, {joules:.4g} J",
        axes=axes,
        labels=labels_of(row),
    )

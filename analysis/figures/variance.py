"""Variance: how much of the scatter is between runs, nodes and GPUs, one bar a level."""

from typing import Final

from analysis.figures.chart import Chart, ChartSeries, Mark, Panel, undrawn
from analysis.figures.labels import number_of, plural_s
from analysis.figures.marks import labels_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables

# Of power the parts within a run are the same: the table has both.
_METRIC: Final = "energy per token"


def variance(_loaded: Loaded, tables: Tables) -> Chart:
    """Standard deviations with their intervals, and shares of the variance where they are told."""
    key, title = "variance", "Where the scatter comes from"
    rows = [row for row in tables.variance.rows if row["metric"] == _METRIC]
    told = [row for row in rows if row["scatter"] is not None]
    chosen = [row for row in told if not row["simulated"]] or told
    if not chosen:
        return undrawn(
            key, title, "no point was run more than once, and no run on more than one GPU"
        )
    shapes = list(dict.fromkeys(map(_shape, chosen)))
    panels = [_panel(chosen, shapes, "scatter", "scatter of joules a token")]
    shared = [row for row in chosen if row["share"] is not None]
    if shared:
        panels.append(_panel(shared, list(dict.fromkeys(map(_shape, shared))), "share", "share"))
    left = len(rows) - len(chosen)
    return Chart(
        key=key,
        title=title,
        caption="Energy per token of each GPU on logarithms: between the runs of a point, the "
        "nodes of a run and the GPUs of a node. Whiskers: the 95 % interval."
        + (f" {left} part{plural_s(left)} cannot be told or are in the table." if left else ""),
        panels=tuple(panels),
    )


def _panel(rows: list[Row], shapes: list[str], name: str, label: str) -> Panel:
    levels = list(dict.fromkeys(str(row["between"]) for row in rows))
    return Panel(
        series=tuple(
            ChartSeries(
                name=level,
                kind="bar",
                marks=tuple(
                    _mark(row, shapes.index(_shape(row)), name)
                    for row in rows
                    if row["between"] == level
                ),
                colour=index,
            )
            for index, level in enumerate(levels)
        ),
        y_label=label,
        title="of the variance" if name == "share" else "",
        categories=tuple(shapes),
        y_percent=True,
        from_zero=True,
    )


def _shape(row: Row) -> str:
    return f"{row['gpus']} x {row['gpu']},\n{row['nodes']} node{plural_s(row['nodes'])}"


def _mark(row: Row, index: int, name: str) -> Mark:
    value = number_of(row[name])
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    known = low is not None and high is not None
    return Mark(
        x=float(index),
        y=value,
        # A part that is below 0 by its mean square is 0, and its interval may begin above it.
        low=min(value, number_of(low)) if known else None,
        high=max(value, number_of(high)) if known else None,
        interval="95 %" if known else f"no interval: {row['reason']}",
        hover=f"{_shape(row)}\nbetween the {row['between']}, n = {row['n']}",
        axes={"GPU": str(row["gpu"]), "GPUs": str(row["gpus"]), "between": str(row["between"])},
        labels=labels_of(row),
    )

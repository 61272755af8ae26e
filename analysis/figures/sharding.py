"""Sharding: one model on more GPUs, one line an engine."""

from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Final

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Panel, undrawn
from analysis.figures.labels import names_of, notes, number_of
from analysis.figures.marks import axes_among, axes_of, groups_by_point, metric_mark, point_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.point import engines_in_order
from analysis.tables.table import Tables

# What a caption calls each style of lines, in the order in which engines take them.
_STYLES: Final = (
    ("dash", "dashed"),
    ("solid", "full"),
    ("dot", "dotted"),
    ("dashdot", "dash-dotted"),
)


def sharding(_loaded: Loaded, tables: Tables) -> Chart:
    """Joules a token, watts and share of the bound against the number of GPUs."""
    key, title = "sharding", "One model on more GPUs"
    lines: dict[tuple[str, str, str], list[Row]] = {}
    rows = [row for row in tables.sharding.rows if row["energy_per_token_j"] is not None]
    said = ("model", "engine", "gpus", "gpus_per_node", "nodes")
    # Two points on as many GPUs of one line would stand one above the other.
    per = ("model", "engine", "gpus")
    groups = groups_by_point(tables)
    for row, more in zip(rows, names_of(rows, but=said, per=per), strict=True):
        group = groups[point_of(row, row["energy_per_token_j"])]
        lines.setdefault((str(row["model"]), more, str(row["engine"])), []).append(group)
    if not rows:
        return undrawn(key, title, "no model was run on two numbers of GPUs with an energy")
    engines = engines_in_order(str(row["engine"]) for row in rows)
    styles = dict(zip(engines, cycle(_STYLES), strict=False))
    bounded = any(row["bound_share"] is not None for row in rows)
    measures = [("energy_per_token_j", "energy per token [J]"), ("power_w", "power of all [W]")]
    measures.append(("bound_share", "share of bound") if bounded else ("tokens_per_s", "tokens/s"))
    subjects = list(dict.fromkeys((model, more) for model, more, _ in lines))
    columns = axes_among(tables)
    panels = []
    for name, label in measures:
        series = []
        for (model, more, engine), own in lines.items():
            index = subjects.index((model, more))
            marks = tuple(
                metric_mark(row, name, number_of(row["gpus"]), axes=axes_of(row, columns))
                for row in own
                if row[f"{name}_mean"] is not None
            )
            series.append(
                ChartSeries(
                    name=", ".join(filter(None, (model, more, engine))),
                    kind="line",
                    marks=marks,
                    colour=index,
                    symbol=SYMBOLS[index % len(SYMBOLS)],
                    dash=styles[engine][0],
                )
            )
        share = name == "bound_share"
        panels.append(
            Panel(
                series=tuple(series),
                x_label="GPUs",
                y_label=label,
                x_scale="log",
                y_scale="linear" if share else "log",
                ticks=tuple(sorted({number_of(row["gpus"]) for row in rows})),
                y_percent=share,
                y_range=(0.0, 1.0) if share and _under_one(lines.values(), name) else None,
                from_zero=share,
            )
        )
    return Chart(
        key=key,
        title=title,
        caption="Energy per generated token, power of all working GPUs"
        + (", and tokens a second over the roofline bound by the stated peaks" if bounded else "")
        + "; mean over repeats, "
        + ", ".join(f"{styles[engine][1]} lines for engine {engine}" for engine in engines)
        + ". Whiskers: the 95 % interval of two repeats or more, else the sensor's part alone."
        + notes(rows),
        panels=tuple(panels),
    )


def _under_one(lines: Iterable[Sequence[Row]], name: str) -> bool:
    """Whether no share passes the bound: one that does is a fault to be seen."""
    ends = [
        number_of(value)
        for rows in lines
        for row in rows
        for value in (row[f"{name}_mean"], row.get(f"{name}_high"))
        if value is not None
    ]
    return max(ends, default=0.0) <= 1.0

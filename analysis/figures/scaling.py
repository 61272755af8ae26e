"""Scaling: what becomes of speed and energy on more GPUs, a line a family."""

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Line, Panel, undrawn
from analysis.figures.finding_marks import axes_by_row, finding_mark
from analysis.figures.labels import names_of, number_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables

_SPREAD = ("gpus", "gpus_per_node", "nodes")


def scaling(_loaded: Loaded, tables: Tables) -> Chart:
    """Parallel and energy efficiency against the number of GPUs."""
    key, title = "scaling", "Efficiency on more GPUs"
    rows = tables.scaling.rows
    if not rows:
        return undrawn(key, title, "no work was done on two numbers of GPUs with an energy")
    lines: dict[str, list[tuple[Row, dict[str, str]]]] = {}
    names = names_of(rows, but=_SPREAD)
    for row, name, axes in zip(rows, names, axes_by_row(tables, rows), strict=True):
        lines.setdefault(f"{name}, {row['board']}".removeprefix(", "), []).append((row, axes))
    panels = []
    for column, label in (
        ("parallel_efficiency_share", "speedup over GPUs"),
        ("energy_efficiency_share", "energy on the fewest over its own"),
    ):
        series = tuple(
            ChartSeries(
                name=name,
                kind="line",
                marks=tuple(
                    finding_mark(
                        row,
                        column,
                        number_of(row["gpus"]),
                        hover=str(row["sentence"]),
                        axes=axes,
                    )
                    for row, axes in own
                ),
                colour=index,
                symbol=SYMBOLS[index % len(SYMBOLS)],
            )
            for index, (name, own) in enumerate(lines.items())
        )
        panels.append(
            Panel(
                series=series,
                x_label="GPUs",
                y_label=label,
                x_scale="log",
                ticks=tuple(sorted({number_of(row["gpus"]) for row in rows})),
                y_percent=True,
                lines=(Line(at=1.0, name="in proportion"),),
                from_zero=True,
            )
        )
    return Chart(
        key=key,
        title=title,
        caption="Speedup a GPU, and energy a token, against the fewest GPUs that did the same "
        "work. Whiskers: 95 % intervals.",
        panels=tuple(panels),
    )

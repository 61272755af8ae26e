"""Goodput: tokens of answers in time per joule, under each pair of bounds."""

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Mark, Panel, undrawn
from analysis.figures.finding_marks import axes_by_row, chosen, evenly
from analysis.figures.labels import number_of
from analysis.figures.marks import labels_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.point import engines_in_order
from analysis.tables.table import Tables


def goodput(_loaded: Loaded, tables: Tables) -> Chart:
    """Tokens per joule in time, a mark a run, an engine a colour."""
    key, title = "goodput", "What a joule gives in time"
    known = [row for row in tables.goodput.rows if row["goodput_tokens_per_j"] is not None]
    rows = evenly(known)
    if not rows:
        return undrawn(key, title, "no run has both an energy and the times of its tokens")
    bounds = list(dict.fromkeys(_bounds(row) for row in rows))
    axes = axes_by_row(tables, rows)
    engines = engines_in_order(str(row["engine"]) for row in rows)
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    series = tuple(
        ChartSeries(
            name=f"{model}, {engine}",
            kind="points",
            marks=tuple(
                _mark(row, float(bounds.index(_bounds(row))), own)
                for row, own in zip(rows, axes, strict=True)
                if (row["model"], row["engine"]) == (model, engine)
            ),
            colour=index,
            symbol=SYMBOLS[place % len(SYMBOLS)],
        )
        for index, model in enumerate(models)
        for place, engine in enumerate(engines)
        if any((row["model"], row["engine"]) == (model, engine) for row in rows)
    )
    panel = Panel(
        series=series,
        categories=tuple(
            f"first {first:g} s,\nnext {1000 * between:g} ms" for first, between in bounds
        ),
        y_label="tokens in time per joule [1/J]",
        from_zero=True,
    )
    return Chart(
        key=key,
        title=title,
        caption="Generated tokens of answers whose first token came within the first bound and "
        "whose mean time between tokens kept the second, over the energy of all: one mark a run. "
        "Whiskers: the sensor's ±, k = 2." + chosen(known, "runs' bounds"),
        panels=(panel,),
    )


def _bounds(row: Row) -> tuple[float, float]:
    return number_of(row["first_token_limit_s"]), number_of(row["inter_token_limit_s"])


def _mark(row: Row, x: float, axes: dict[str, str]) -> Mark:
    y, width = number_of(row["goodput_tokens_per_j"]), row["goodput_tokens_per_uncertainty_j"]
    half = 0.0 if width is None else number_of(width)
    return Mark(
        x=x,
        y=y,
        low=None if width is None else y - half,
        high=None if width is None else y + half,
        interval="" if width is None else "by the sensor, k = 2",
        hover=f"{row['run_id']}\n{row['sentence']}",
        axes=axes,
        labels=labels_of(row),
    )

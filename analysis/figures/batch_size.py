"""Batch size: the energy of a token against how many prompts are answered together."""

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Panel, undrawn
from analysis.figures.labels import known, names_of, notes, number_of
from analysis.figures.marks import axes_among, axes_of, metric_mark
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables


def energy_against_batch(_loaded: Loaded, tables: Tables) -> Chart:
    """Joules a token, one line for each model, data set and GPUs."""
    key, title = "energy-against-batch", "Energy per token against batch size"
    points = [row for row in tables.groups.rows if known(row, "energy_per_token_j")]
    said = ("model", "gpu", "gpus", "batch_size")
    lines: dict[str, list[Row]] = {}
    for row, more in zip(points, names_of(points, but=said, per=said), strict=True):
        head = f"{row['model']}, {row['gpus']} x {row['gpu']}"
        lines.setdefault(", ".join(filter(None, (head, more))), []).append(row)
    several = {
        name: sorted(rows, key=lambda row: number_of(row["batch_size"]))
        for name, rows in lines.items()
        if len({row["batch_size"] for row in rows}) > 1
    }
    if not several:
        return undrawn(key, title, "no point was run with two batch sizes and all else the same")
    columns = axes_among(tables)
    drawn = [row for rows in several.values() for row in rows]
    series = tuple(
        ChartSeries(
            name=name,
            kind="line",
            marks=tuple(
                metric_mark(
                    row,
                    "energy_per_token_j",
                    number_of(row["batch_size"]),
                    axes=axes_of(row, columns),
                )
                for row in rows
            ),
            colour=index,
            symbol=SYMBOLS[index % len(SYMBOLS)],
        )
        for index, (name, rows) in enumerate(several.items())
    )
    panel = Panel(
        series=series,
        x_label="batch size [prompts]",
        y_label="energy per token [J]",
        x_scale="log",
        ticks=tuple(sorted({number_of(row["batch_size"]) for row in drawn})),
        from_zero=True,
    )
    return Chart(
        key=key,
        title=title,
        caption="Mean over repeats; the points of a line are the same but for the batch. "
        "Whiskers: the 95 % interval of two repeats or more, else the sensor's part alone."
        + notes(drawn),
        panels=(panel,),
    )

"""Bars: figures with one bar a grid point."""

from collections.abc import Sequence
from typing import Final

from analysis.figures.chart import Chart, ChartSeries, Panel, undrawn
from analysis.figures.labels import known, names_of, notes, number_of, plural_s, short, wrapped
from analysis.figures.marks import axes_among, axes_of, metric_mark
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables

# As many bars as fit on two screens; the tables have all.
_MOST_ROWS: Final = 48


def energy_per_token(_loaded: Loaded, tables: Tables) -> Chart:
    """Joules a generated token, one bar a grid point."""
    return _bars(
        tables,
        key="energy-per-token",
        title="Energy per generated token",
        caption="Gross energy of all GPUs that worked over generated tokens, mean over repeats. "
        "Whiskers: the 95 % interval of two repeats or more, else the sensor's part alone.",
        metrics=(("energy_per_token_j", "energy per token [J]"),),
    )


def throughput(_loaded: Loaded, tables: Tables) -> Chart:
    """Words, tokens and responses a second, one bar a grid point."""
    return _bars(
        tables,
        key="throughput",
        title="Throughput",
        caption="Words, tokens and responses per second of the measured window, mean over repeats. "
        "Whiskers: the 95 % interval of two repeats or more.",
        metrics=(
            ("words_per_s", "words/s"),
            ("tokens_per_s", "tokens/s"),
            ("responses_per_s", "responses/s"),
        ),
    )


def _bars(
    tables: Tables, *, key: str, title: str, caption: str, metrics: Sequence[tuple[str, str]]
) -> Chart:
    names = [name for name, _ in metrics]
    rows = [row for row in tables.groups.rows if all(known(row, name) for name in names)]
    if not rows:
        return undrawn(key, title, f"no run has {' and '.join(names)}")
    shown = rows[:_MOST_ROWS]
    if len(rows) > len(shown):
        caption += f" The first {len(shown)} of {len(rows)} grid points; the table has all."
    datasets = sorted({str(row["dataset"]) for row in shown})
    called = _labels(shown)
    categories = tuple(dict.fromkeys(called))
    columns = axes_among(tables)
    panels = []
    for name, label in metrics:
        series = []
        for index, dataset in enumerate(datasets):
            marks = tuple(
                metric_mark(
                    row,
                    name,
                    float(categories.index(title_of)),
                    hover=title_of.replace("\n", " "),
                    text=short(number_of(row[f"{name}_mean"])),
                    axes=axes_of(row, columns),
                )
                for row, title_of in zip(shown, called, strict=True)
                if row["dataset"] == dataset
            )
            series.append(ChartSeries(name=dataset, kind="bar", marks=marks, colour=index))
        panels.append(
            Panel(series=tuple(series), y_label=label, categories=categories, sideways=True)
        )
    kinds = sorted({str(row["gpu"]) for row in shown})
    if len(kinds) == 1:
        caption += f" GPU: {kinds[0]}."
    if len(datasets) == 1:
        caption += f" Prompts: {datasets[0]}."
    return Chart(key=key, title=title, caption=caption + notes(shown), panels=tuple(panels))


def _labels(rows: Sequence[Row]) -> list[str]:
    """What tells each row from the others, and no more than that; the colour tells the dataset.

    Points that are told apart by nothing but the way they were measured stand one by one.
    """
    several = len({row["gpu"] for row in rows}) > 1
    said = ("model", "gpu", "gpus", "dataset")
    texts: list[str] = []
    for row, name in zip(rows, names_of(rows, but=said, per=said), strict=True):
        kind = f" x {row['gpu']}" if several else f" GPU{plural_s(row['gpus'])}"
        head = f"{row['model']}, {row['gpus']}{kind}"
        texts.append("\n".join(filter(None, (head, wrapped(name)))))
    return texts

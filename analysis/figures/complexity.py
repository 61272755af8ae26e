"""Complexity: energy of a response against what was asked and answered."""

from collections.abc import Callable

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Mark, Panel, undrawn
from analysis.figures.finding_marks import axes_by_row, chosen, evenly
from analysis.figures.labels import number_of
from analysis.figures.marks import labels_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables


def complexity(_loaded: Loaded, tables: Tables) -> Chart:
    """Joules a response against the tokens of its prompt, of its answer, and entropy."""
    key, title = "complexity", "Energy against what was asked"
    known = [row for row in tables.complexity.rows if row["energy_per_response_j"] is not None]
    rows = evenly(known)
    if not rows:
        return undrawn(key, title, "no batch is long enough for its energy to be told")
    axes = axes_by_row(tables, rows)
    names = list(dict.fromkeys(_name(row) for row in rows))
    panels = []
    for label, value in (
        ("prompt tokens per response", lambda row: _per_response(row, "prompt_tokens")),
        ("generated tokens per response", lambda row: _per_response(row, "generated_tokens")),
        ("entropy of prompts [bit]", lambda row: row["prompt_entropy_bits"]),
    ):
        series = tuple(
            ChartSeries(
                name=name,
                kind="points",
                marks=_marks(rows, axes, name, value),
                colour=index,
                symbol=SYMBOLS[index % len(SYMBOLS)],
            )
            for index, name in enumerate(names)
        )
        panels.append(
            Panel(
                series=series,
                x_label=label,
                y_label="energy per response [J]",
                y_scale="log",
            )
        )
    return Chart(
        key=key,
        title=title,
        caption="One mark a batch, or several batches of like prompt lengths. Entropy is of the "
        "bytes of each prompt's text, in bits a byte. Whiskers: the sensor's ±, k = 2. What a "
        "token costs by itself is in the table of models." + chosen(known, "such batches"),
        panels=tuple(panels),
    )


def _marks(
    rows: list[Row],
    axes: list[dict[str, str]],
    name: str,
    value: Callable[[Row], object],
) -> tuple[Mark, ...]:
    found = []
    for row, own in zip(rows, axes, strict=True):
        x = value(row)
        if _name(row) != name or x is None:
            continue
        y, width = number_of(row["energy_per_response_j"]), row["energy_per_response_uncertainty_j"]
        half = 0.0 if width is None else number_of(width)
        known = width is not None and y > half
        found.append(
            Mark(
                x=float(str(x)),
                y=y,
                low=y - half if known else None,
                high=y + half if known else None,
                interval="by the sensor, k = 2" if known else "",
                hover=f"{row['run_id']}, {row['batches']} batches of {row['dataset']}",
                axes=own,
                labels=labels_of(row),
            )
        )
    return tuple(found)


def _per_response(row: Row, name: str) -> float:
    return number_of(row[name]) / number_of(row["responses"])


def _name(row: Row) -> str:
    return f"{row['model']}, {row['engine']}, {row['gpus']} x {row['board']}"

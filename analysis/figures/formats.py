"""Formats: what fewer bits save, and what they cost the logits."""

from collections.abc import Sequence
from typing import Final

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Panel, undrawn
from analysis.figures.labels import names_of, notes, number_of
from analysis.figures.marks import axes_among, axes_of, half_width_mark
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.point import kept_words
from analysis.tables.table import Tables

_PERCENT: Final = 100.0


def formats(_loaded: Loaded, tables: Tables) -> Chart:
    """Joules a token against the logits' error, one point a format."""
    key, title = "formats", "What fewer bits save and cost"
    rows = [
        row
        for row in tables.formats.rows
        if row["energy_per_token_j"] is not None and row["logit_relative_rms"]
    ]
    if not rows:
        return undrawn(key, title, "no two formats have an energy and a logit error")
    lines: dict[str, list[Row]] = {}
    for row, subject in zip(rows, _subjects(rows), strict=True):
        lines.setdefault(subject, []).append(row)
    columns = axes_among(tables)
    series = tuple(
        ChartSeries(
            name=subject,
            kind="line",
            marks=tuple(
                half_width_mark(
                    row,
                    "energy_per_token_j",
                    "energy_per_token_uncertainty_j",
                    _PERCENT * number_of(row["logit_relative_rms"]),
                    hover=_format(row),
                    text=_format(row),
                    axes=axes_of(row, columns),
                )
                for row in sorted(own, key=lambda row: number_of(row["logit_relative_rms"]))
            ),
            colour=index,
            symbol=SYMBOLS[index % len(SYMBOLS)],
        )
        for index, (subject, own) in enumerate(lines.items())
    )
    panel = Panel(
        series=series,
        x_label="error of the logits against fp32, root mean square [%]",
        y_label="energy per token [J]",
        x_scale="log",
        from_zero=True,
    )
    return Chart(
        key=key,
        title=title,
        caption="Energy per generated token against the logits' difference from fp32 with the same "
        "weights. Whiskers: half of the 95 % interval of two repeats or more, else the sensor's "
        "part alone; the logits' error comes of the same weights and probe in every repeat."
        + notes(rows),
        panels=(panel,),
    )


def _subjects(rows: Sequence[Row]) -> list[str]:
    """What the line of each row is about: all but the format."""
    said = ("model", "gpu", "gpus", "engine", "dtype", "quantization", "kv_dtype")
    return [
        ", ".join(
            filter(None, (f"{row['model']}, {row['gpus']} x {row['gpu']}, {row['engine']}", more))
        )
        for row, more in zip(rows, names_of(rows, but=said, per=said), strict=True)
    ]


def _format(row: Row) -> str:
    """A format's short name: the quantization where there is one, and what it is made of."""
    quantized = row["quantization"] != "none"
    whole = f"{row['quantization']} of {row['dtype']}" if quantized else str(row["dtype"])
    return ", ".join((whole, *kept_words(row)))

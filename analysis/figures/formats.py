"""Formats: what fewer bits save, and what they cost the logits."""

from collections.abc import Sequence
from typing import Final

from analysis.figures.canvas import (
    MARKERS,
    PALETTE,
    DrawnFigure,
    new_figure,
    nothing,
    plain,
    to_svg,
    watermark,
)
from analysis.figures.labels import log_ticks, names_of, notes, number_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables

_PERCENT: Final = 100.0


def formats(_loaded: Loaded, tables: Tables) -> DrawnFigure:
    """Joules a token against the logits' error, one point a format."""
    key, title = "formats", "What fewer bits save and cost"
    rows = [
        row
        for row in tables.formats.rows
        if row["energy_per_token_j"] is not None and row["logit_relative_rms"]
    ]
    if not rows:
        return nothing(key, title, "no two formats have an energy and a logit error")
    figure, (panel,) = new_figure(1, 3.6)
    lines: dict[str, list[Row]] = {}
    for row, subject in zip(rows, _subjects(rows), strict=True):
        lines.setdefault(subject, []).append(row)
    for index, (subject, own) in enumerate(lines.items()):
        own.sort(key=lambda row: number_of(row["logit_relative_rms"]))
        panel.plot(
            [_PERCENT * number_of(row["logit_relative_rms"]) for row in own],
            [number_of(row["energy_per_token_j"]) for row in own],
            color=PALETTE[index % len(PALETTE)],
            marker=MARKERS[index % len(MARKERS)],
            linewidth=1.0,
            label=plain(subject),
        )
        for row in own:
            panel.annotate(
                _format(row),
                (
                    _PERCENT * number_of(row["logit_relative_rms"]),
                    number_of(row["energy_per_token_j"]),
                ),
                xytext=(5, 5),
                textcoords="offset points",
                fontsize=8.5,
            )
    panel.set_xscale("log")
    panel.margins(x=0.12)
    # Room for the names above the points.
    panel.set_ylim(0, 1.2 * max(number_of(row["energy_per_token_j"]) for row in rows))
    panel.set_xlabel("error of the logits against fp32, root mean square [%]")
    log_ticks(panel.xaxis, lambda value: f"{value:.4g}")
    panel.set_ylabel("energy per token [J]")
    panel.set_title(title)
    if any(row["simulated"] for row in rows):
        watermark(panel)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return DrawnFigure(
        key=key,
        title=title,
        caption="Energy per generated token against the logits' difference from fp32 with the same "
        "weights; the table has both with their intervals." + notes(rows),
        svg=to_svg(figure, key),
        reason=None,
        simulated=any(bool(row["simulated"]) for row in rows),
    )


def _subjects(rows: Sequence[Row]) -> list[str]:
    """What the line of each row is about: all but the format."""
    said = ("model", "gpu", "gpus", "engine", "dtype", "quantization")
    return [
        ", ".join(
            filter(None, (f"{row['model']}, {row['gpus']} x {row['gpu']}, {row['engine']}", more))
        )
        for row, more in zip(rows, names_of(rows, but=said, per=said), strict=True)
    ]


def _format(row: Row) -> str:
    """A format's short name: the quantization where there is one, and what it is made of."""
    quantized = row["quantization"] != "none"
    return f"{row['quantization']} of {row['dtype']}" if quantized else str(row["dtype"])

"""Batch size: the energy of a token against how many prompts are answered together."""

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
from analysis.figures.labels import known, names_of, notes, number_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables


def energy_against_batch(_loaded: Loaded, tables: Tables) -> DrawnFigure:
    """Joules a token, one line for each model, data set and GPUs."""
    key, title = "energy-against-batch", "Energy per token against batch size"
    points = [row for row in tables.groups.rows if known(row, "energy_per_token_j")]
    said = ("model", "gpu", "gpus", "batch_size")
    lines: dict[str, list[Row]] = {}
    for row, more in zip(points, names_of(points, but=said, per=said), strict=True):
        head = f"{row['model']}, {row['gpus']} x {row['gpu']}"
        lines.setdefault(", ".join(filter(None, (head, more))), []).append(row)
    several = {
        name: rows for name, rows in lines.items() if len({row["batch_size"] for row in rows}) > 1
    }
    if not several:
        return nothing(key, title, "no point was run with two batch sizes and all else the same")
    figure, (panel,) = new_figure(1, 3.4)
    for index, (name, members) in enumerate(several.items()):
        rows = sorted(members, key=lambda row: number_of(row["batch_size"]))
        panel.plot(
            [number_of(row["batch_size"]) for row in rows],
            [number_of(row["energy_per_token_j_mean"]) for row in rows],
            color=PALETTE[index % len(PALETTE)],
            marker=MARKERS[index % len(MARKERS)],
            label=plain(name),
        )
    sizes = sorted({int(number_of(row["batch_size"])) for rows in several.values() for row in rows})
    panel.set_xscale("log", base=2)
    panel.set_xticks(sizes, [str(size) for size in sizes])
    panel.minorticks_off()
    panel.set_ylim(bottom=0)
    panel.set_xlabel("batch size [prompts]")
    panel.set_ylabel("energy per token [J]")
    panel.set_title(title)
    simulated = any(bool(row["simulated"]) for rows in several.values() for row in rows)
    if simulated:
        watermark(panel)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return DrawnFigure(
        key=key,
        title=title,
        caption="Mean over repeats; the points of a line are the same but for the batch."
        + notes([row for rows in several.values() for row in rows]),
        svg=to_svg(figure, key),
        reason=None,
        simulated=simulated,
    )

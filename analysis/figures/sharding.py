"""Sharding: one model on more GPUs, one line an engine."""

from itertools import cycle

from matplotlib.ticker import PercentFormatter

from analysis.figures.canvas import (
    LINES,
    MARKERS,
    PALETTE,
    DrawnFigure,
    new_figure,
    nothing,
    plain,
    to_svg,
    watermark,
)
from analysis.figures.labels import log_ticks, names_of, notes, number_of, short
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.point import engines_in_order
from analysis.tables.table import Tables


def sharding(_loaded: Loaded, tables: Tables) -> DrawnFigure:
    """Joules a token, watts and share of the bound against the number of GPUs."""
    key, title = "sharding", "One model on more GPUs"
    lines: dict[tuple[str, str, str], list[Row]] = {}
    rows = [row for row in tables.sharding.rows if row["energy_per_token_j"] is not None]
    said = ("model", "engine", "gpus", "gpus_per_node", "nodes")
    # Two points on as many GPUs of one line would stand one above the other.
    per = ("model", "engine", "gpus")
    for row, more in zip(rows, names_of(rows, but=said, per=per), strict=True):
        lines.setdefault((str(row["model"]), more, str(row["engine"])), []).append(row)
    if not rows:
        return nothing(key, title, "no model was run on two numbers of GPUs with an energy")
    engines = engines_in_order(str(row["engine"]) for row in rows)
    styles = dict(zip(engines, cycle(LINES), strict=False))
    bounded = any(row["bound_share"] is not None for row in rows)
    measures = [("energy_per_token_j", "energy per token [J]"), ("power_w", "power of all [W]")]
    measures.append(("bound_share", "share of bound") if bounded else ("tokens_per_s", "tokens/s"))
    figure, panels = new_figure(len(measures), 3.6)
    subjects = list(dict.fromkeys((model, more) for model, more, _ in lines))
    counts = sorted({int(number_of(row["gpus"])) for row in rows})
    for panel, (name, label) in zip(panels, measures, strict=True):
        for (model, more, engine), own in lines.items():
            index = subjects.index((model, more))
            points = [row for row in own if row[name] is not None]
            panel.plot(
                [number_of(row["gpus"]) for row in points],
                [number_of(row[name]) for row in points],
                color=PALETTE[index % len(PALETTE)],
                marker=MARKERS[index % len(MARKERS)],
                markersize=5,
                linestyle=styles[engine][0],
                label=plain(", ".join(filter(None, (model, more, engine)))),
            )
        panel.set_xscale("log", base=2)
        panel.set_xticks(counts, [str(number) for number in counts])
        panel.minorticks_off()
        panel.set_xlabel("GPUs")
        panel.set_ylabel(label)
        if name == "bound_share":
            panel.set_ylim(0, 1)
            panel.yaxis.set_major_formatter(PercentFormatter(xmax=1))
        else:
            panel.set_yscale("log")
            log_ticks(panel.yaxis, short)
        if any(row["simulated"] for row in rows):
            watermark(panel, small=True)
    panels[0].set_title(title)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return DrawnFigure(
        key=key,
        title=title,
        caption="Energy per generated token, power of all working GPUs"
        + (", and tokens a second over the roofline bound by the stated peaks" if bounded else "")
        + "; mean over repeats, "
        + ", ".join(f"{styles[engine][1]} lines for engine {engine}" for engine in engines)
        + "."
        + notes(rows),
        svg=to_svg(figure, key),
        reason=None,
        simulated=any(bool(row["simulated"]) for row in rows),
    )

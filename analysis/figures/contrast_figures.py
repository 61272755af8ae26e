"""Contrast figures: engines, numbers of GPUs, formats."""

from collections.abc import Callable, Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)

from analysis.figures.bars import short
from analysis.figures.canvas import (
    HATCHES,
    INK,
    MARKERS,
    PALETTE,
    DrawnFigure,
    new_figure,
    nothing,
    plain,
    to_svg,
    watermark,
)
from analysis.tables.column import Row
from analysis.tables.table import Tables

# As many pairs of bars as fit on two screens; the table has all.
_MOST_PAIRS: Final = 24
SIDES = ("reference", "fast")
_PERCENT: Final = 100.0
_LINES: Final = {"reference": "--", "fast": "-"}
# What tells points apart beyond model, GPUs and engine, where it is not the same in all.
_MORE: Final = (
    ("dataset", "{}"),
    ("batch_size", "batch {}"),
    ("max_gen_len", "{} tokens"),
    ("dtype", "{}"),
    ("quantization", "{}"),
    ("nodes", "{} nodes"),
    ("power_cap_w", "{} W"),
)


def engines(tables: Tables) -> DrawnFigure:
    """Joules a token and tokens a second under both engines."""
    key, title = "engines", "Two engines, the same work"
    rows = [
        row
        for row in tables.engines.rows
        if all(row[f"{side}_energy_per_token_j"] is not None for side in SIDES)
    ]
    if not rows:
        return nothing(key, title, "no grid point has an energy under both engines")
    shown = rows[:_MOST_PAIRS]
    figure, panels = new_figure(2, 1.5 + 0.62 * len(shown))
    measures = (
        ("energy_per_token_j", "energy per token [J]", None),
        ("tokens_per_s", "tokens/s", "bound_share"),
    )
    for panel, (name, label, share) in zip(panels, measures, strict=True):
        for index, side in enumerate(SIDES):
            at = [place + (index - 0.5) * 0.4 for place in range(len(shown))]
            values = [_real(row[f"{side}_{name}"]) for row in shown]
            panel.barh(
                at,
                values,
                height=0.38,
                color=PALETTE[index],
                hatch=HATCHES[index],
                edgecolor="white",
                linewidth=0.4,
                label=side,
            )
            for place, value, row in zip(at, values, shown, strict=True):
                width = row.get(f"{side}_{name.removesuffix('_j')}_uncertainty_j")
                text = short(value) + _share_text(row, side, share)
                _whisker(panel, place, value, width)
                edge = value + (_real(width) if width is not None else 0.0)
                panel.annotate(
                    text,
                    (edge, place),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=8.5,
                )
        panel.set_yticks(
            range(len(shown)),
            [_label(row, shown) for row in shown] if panel is panels[0] else [""] * len(shown),
            fontsize=9,
        )
        panel.invert_yaxis()
        panel.set_xlabel(label)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=4))
        panel.grid(visible=False, axis="y")
        panel.grid(visible=True, axis="x")
        panel.margins(x=0.34)
        if any(row["simulated"] for row in shown):
            watermark(panel, small=True)
    panels[0].set_title(title)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    more = f" The first {len(shown)} of {len(rows)}." if len(rows) > len(shown) else ""
    return DrawnFigure(
        key=key,
        title=title,
        caption="Energy per generated token, and tokens a second of the whole window with their "
        f"share of the roofline bound by the stated peaks, mean over repeats.{more}",
        svg=to_svg(figure, key),
        reason=None,
        simulated=any(bool(row["simulated"]) for row in shown),
    )


def sharding(tables: Tables) -> DrawnFigure:
    """Joules a token, watts and share of the bound against the number of GPUs."""
    key, title = "sharding", "One model on more GPUs"
    lines: dict[tuple[str, str, str], list[Row]] = {}
    rows = [row for row in tables.sharding.rows if row["energy_per_token_j"] is not None]
    for row in rows:
        more = _more(row, rows, but="nodes")
        lines.setdefault((str(row["model"]), more, str(row["engine"])), []).append(row)
    if not rows:
        return nothing(key, title, "no model was run on two numbers of GPUs with an energy")
    bounded = any(row["bound_share"] is not None for row in rows)
    measures = [("energy_per_token_j", "energy per token [J]"), ("power_w", "power of all [W]")]
    measures.append(("bound_share", "share of bound") if bounded else ("tokens_per_s", "tokens/s"))
    figure, panels = new_figure(len(measures), 3.6)
    subjects = list(dict.fromkeys((model, more) for model, more, _ in lines))
    counts = sorted({int(_real(row["gpus"])) for row in rows})
    for panel, (name, label) in zip(panels, measures, strict=True):
        for (model, more, engine), own in lines.items():
            index = subjects.index((model, more))
            points = [row for row in own if row[name] is not None]
            panel.plot(
                [_real(row["gpus"]) for row in points],
                [_real(row[name]) for row in points],
                color=PALETTE[index % len(PALETTE)],
                marker=MARKERS[index % len(MARKERS)],
                markersize=5,
                linestyle=_LINES.get(engine, ":"),
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
            _ticks(panel.yaxis, short)
        if any(row["simulated"] for row in rows):
            watermark(panel, small=True)
    panels[0].set_title(title)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return DrawnFigure(
        key=key,
        title=title,
        caption="Energy per generated token, power of all working GPUs"
        + (", and tokens a second over the roofline bound by the stated peaks" if bounded else "")
        + "; mean over repeats, full lines for engine fast, dashed ones for reference.",
        svg=to_svg(figure, key),
        reason=None,
        simulated=any(bool(row["simulated"]) for row in rows),
    )


def formats(tables: Tables) -> DrawnFigure:
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
    subjects = list(dict.fromkeys(_subject(row, rows) for row in rows))
    for index, subject in enumerate(subjects):
        own = [row for row in rows if _subject(row, rows) == subject]
        own.sort(key=lambda row: _real(row["logit_relative_rms"]))
        panel.plot(
            [_PERCENT * _real(row["logit_relative_rms"]) for row in own],
            [_real(row["energy_per_token_j"]) for row in own],
            color=PALETTE[index % len(PALETTE)],
            marker=MARKERS[index % len(MARKERS)],
            linewidth=1.0,
            label=plain(subject),
        )
        for row in own:
            panel.annotate(
                _format(row),
                (_PERCENT * _real(row["logit_relative_rms"]), _real(row["energy_per_token_j"])),
                xytext=(5, 5),
                textcoords="offset points",
                fontsize=8.5,
            )
    panel.set_xscale("log")
    panel.margins(x=0.12)
    # Room for the names above the points.
    panel.set_ylim(0, 1.2 * max(_real(row["energy_per_token_j"]) for row in rows))
    panel.set_xlabel("error of the logits against fp32, root mean square [%]")
    _ticks(panel.xaxis, lambda value: f"{value:.4g}")
    panel.set_ylabel("energy per token [J]")
    panel.set_title(title)
    if any(row["simulated"] for row in rows):
        watermark(panel)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return DrawnFigure(
        key=key,
        title=title,
        caption="Energy per generated token against the logits' difference from fp32 with the same "
        "weights; the table has both with their intervals.",
        svg=to_svg(figure, key),
        reason=None,
        simulated=any(bool(row["simulated"]) for row in rows),
    )


def _label(row: Row, rows: Sequence[Row]) -> str:
    plural = "" if row["gpus"] == 1 else "s"
    head = f"{row['model']}, {row['gpus']} GPU{plural}"
    return plain("\n".join(filter(None, (head, _more(row, rows)))))


def _subject(row: Row, rows: Sequence[Row]) -> str:
    """What a line of formats is about: all but the format."""
    head = f"{row['model']}, {row['gpus']} x {row['gpu']}, {row['engine']}"
    more = [
        text.format(row[name])
        for name, text in _MORE
        if name not in ("dtype", "quantization") and len({other[name] for other in rows}) > 1
    ]
    return ", ".join((head, *more))


def _format(row: Row) -> str:
    """A format's short name: the quantization where there is one."""
    return str(row["dtype"] if row["quantization"] == "none" else row["quantization"])


def _more(row: Row, rows: Sequence[Row], but: str | None = None) -> str:
    return ", ".join(
        text.format(row[name])
        for name, text in _MORE
        if name != but and len({other[name] for other in rows}) > 1
    )


def _ticks(axis: Axis, text: Callable[[float], str]) -> None:
    """Ticks of a logarithmic axis at 1, 2 and 5 of each decade, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_formatter(NullFormatter())


def _share_text(row: Row, side: str, share: str | None) -> str:
    value = None if share is None else row[f"{side}_{share}"]
    return "" if value is None else f" ({_real(value):.0%})"


def _whisker(panel: Axes, place: float, value: float, width: object) -> None:
    if isinstance(width, int | float):
        panel.plot([value - width, value + width], [place, place], color=INK, linewidth=1.4)


def _real(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)

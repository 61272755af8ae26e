"""Engines: one grid point under each engine, bar beside bar."""

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.figures.canvas import (
    HATCHES,
    INK,
    PALETTE,
    DrawnFigure,
    new_figure,
    nothing,
    plain,
    to_svg,
    watermark,
)
from analysis.figures.labels import names_of, notes, number_of, short, wrapped
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.point import engines_in_order
from analysis.tables.table import Tables

# As many groups of bars as fit on two screens; the table has all.
_MOST_POINTS: Final = 24
# Fewer engines are no contrast.
_SEVERAL: Final = 2


def engines(_loaded: Loaded, tables: Tables) -> DrawnFigure:
    """Joules a token and tokens a second under each engine."""
    key = "engines"
    sides = [
        name
        for name in engines_in_order(str(row["engine"]) for row in tables.groups.rows)
        if any(row.get(f"{name}_n") is not None for row in tables.engines.rows)
    ]
    title = f"{'Two' if len(sides) <= _SEVERAL else len(sides)} engines, the same work"
    rows = [row for row in tables.engines.rows if len(_known(row, sides)) >= _SEVERAL]
    if not rows:
        return nothing(key, title, "no grid point has an energy under both engines")
    shown = rows[:_MOST_POINTS]
    called = _labels(shown)
    lines = max(label.count("\n") for label in called)
    figure, panels = new_figure(2, 1.5 + (0.62 + 0.15 * max(0, lines - 2)) * len(shown))
    middle = (len(sides) - 1) / 2
    measures = (
        ("energy_per_token_j", "energy per token [J]", None),
        ("tokens_per_s", "tokens/s", "bound_share"),
    )
    for panel, (name, label, share) in zip(panels, measures, strict=True):
        for index, side in enumerate(sides):
            own = [(place, row) for place, row in enumerate(shown) if side in _known(row, sides)]
            at = [place + (index - middle) * (0.8 / len(sides)) for place, _ in own]
            values = [number_of(row[f"{side}_{name}"]) for _, row in own]
            panel.barh(
                at,
                values,
                height=0.76 / len(sides),
                color=PALETTE[index % len(PALETTE)],
                hatch=HATCHES[index % len(HATCHES)],
                edgecolor="white",
                linewidth=0.4,
                label=side,
            )
            for place, value, (_, row) in zip(at, values, own, strict=True):
                width = row.get(f"{side}_{name.removesuffix('_j')}_uncertainty_j")
                text = short(value) + _share_text(row, side, share)
                _whisker(panel, place, value, width)
                edge = value + (number_of(width) if width is not None else 0.0)
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
            called if panel is panels[0] else [""] * len(shown),
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
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(sides)
    )
    apart = (
        " Where engines were measured under other settings, the table names them."
        if any(row["measured_apart"] for row in shown)
        else ""
    )
    more = f" The first {len(shown)} of {len(rows)}." if len(rows) > len(shown) else ""
    return DrawnFigure(
        key=key,
        title=title,
        caption="Energy per generated token, and tokens a second of the whole window with their "
        "share of the roofline bound by the stated peaks, mean over repeats."
        f"{more}{notes(shown)}{apart}",
        svg=to_svg(figure, key),
        reason=None,
        simulated=any(bool(row["simulated"]) for row in shown),
    )


def _known(row: Row, sides: Sequence[str]) -> list[str]:
    """Engines that have an energy of the point."""
    return [side for side in sides if row[f"{side}_energy_per_token_j"] is not None]


def _labels(rows: Sequence[Row]) -> list[str]:
    said = ("model", "gpus")
    texts = []
    for row, name in zip(rows, names_of(rows, but=said, per=said), strict=True):
        head = f"{row['model']}, {row['gpus']} GPU{'' if row['gpus'] == 1 else 's'}"
        texts.append("\n".join(filter(None, (head, wrapped(name)))))
    # The same work measured in several ways, none of which the engines share.
    return [
        plain(text if texts.count(text) == 1 else f"{text}\n{row['measured_apart']}")
        for text, row in zip(texts, rows, strict=True)
    ]


def _share_text(row: Row, side: str, share: str | None) -> str:
    value = None if share is None else row[f"{side}_{share}"]
    return "" if value is None else f" ({number_of(value):.0%})"


def _whisker(panel: Axes, place: float, value: float, width: object) -> None:
    if isinstance(width, int | float):
        panel.plot([value - width, value + width], [place, place], color=INK, linewidth=1.4)

"""Engines: one grid point under each engine, bar beside bar."""

from collections.abc import Sequence
from typing import Final

from analysis.figures.chart import Chart, ChartSeries, Mark, Panel, undrawn
from analysis.figures.labels import names_of, notes, number_of, plural_s, short, wrapped
from analysis.figures.marks import axes_among, axes_of, groups_by_point, metric_mark, point_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.point import engines_in_order
from analysis.tables.table import Tables

# As many groups of bars as fit on two screens; the table has all.
_MOST_POINTS: Final = 24
# Fewer engines are no contrast.
_SEVERAL: Final = 2
_MEASURES: Final = (
    ("energy_per_token_j", "energy per token [J]", None),
    ("tokens_per_s", "tokens/s", "bound_share"),
)


def engines(_loaded: Loaded, tables: Tables) -> Chart:
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
        return undrawn(key, title, "no grid point has an energy under both engines")
    shown = rows[:_MOST_POINTS]
    called = _labels(shown)
    panels = tuple(
        Panel(
            series=tuple(
                ChartSeries(
                    name=side,
                    kind="bar",
                    marks=_marks(tables, shown, called, side=side, name=name, share=share),
                    colour=index,
                )
                for index, side in enumerate(sides)
            ),
            y_label=label,
            categories=tuple(called),
            sideways=True,
        )
        for name, label, share in _MEASURES
    )
    apart = (
        " Where engines were measured under other settings, the table names them."
        if any(row["measured_apart"] for row in shown)
        else ""
    )
    more = f" The first {len(shown)} of {len(rows)}." if len(rows) > len(shown) else ""
    return Chart(
        key=key,
        title=title,
        caption="Energy per generated token, and tokens a second of the whole window with their "
        "share of the roofline bound by the stated peaks, mean over repeats. Whiskers: the 95 % "
        "interval of two repeats or more, else the sensor's part alone."
        f"{more}{notes(shown)}{apart}",
        panels=panels,
    )


def _marks(
    tables: Tables,
    rows: Sequence[Row],
    called: Sequence[str],
    *,
    side: str,
    name: str,
    share: str | None,
) -> tuple[Mark, ...]:
    """An engine's bars, as its own grid points have them: the contrast has no interval of rates."""
    groups, columns = groups_by_point(tables), axes_among(tables)
    marks = []
    for place, (row, title) in enumerate(zip(rows, called, strict=True)):
        if side not in _known(row, [side]):
            continue
        group = groups[point_of(row, row[f"{side}_energy_per_token_j"], engine=side)]
        text = short(number_of(group[f"{name}_mean"])) + _share_text(row, side, share)
        marks.append(
            metric_mark(
                group,
                name,
                float(place),
                hover=title.replace("\n", " "),
                text=text,
                axes=axes_of(group, columns),
            )
        )
    return tuple(marks)


def _known(row: Row, sides: Sequence[str]) -> list[str]:
    """Engines that have an energy of the point."""
    return [side for side in sides if row[f"{side}_energy_per_token_j"] is not None]


def _labels(rows: Sequence[Row]) -> list[str]:
    said = ("model", "gpus")
    texts = []
    for row, name in zip(rows, names_of(rows, but=said, per=said), strict=True):
        head = f"{row['model']}, {row['gpus']} GPU{plural_s(row['gpus'])}"
        texts.append("\n".join(filter(None, (head, wrapped(name)))))
    # The same work measured in several ways, none of which the engines share.
    return [
        text if texts.count(text) == 1 else f"{text}\n{row['measured_apart']}"
        for text, row in zip(texts, rows, strict=True)
    ]


def _share_text(row: Row, side: str, share: str | None) -> str:
    value = None if share is None else row[f"{side}_{share}"]
    return "" if value is None else f" ({number_of(value):.0%})"

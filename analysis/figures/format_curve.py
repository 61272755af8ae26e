"""Format curve: joules, speed and what is saved against rows side by side, one line a format."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Line, Mark, Panel, undrawn
from analysis.figures.finding_marks import cut, finding_mark
from analysis.figures.labels import names_of, notes, number_of
from analysis.figures.marks import axes_among, axes_of, half_width_mark, labels_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Cell, Column, Row
from analysis.tables.point import POINT_BY_NAME, UNQUANTIZED
from analysis.tables.table import Tables

# Three panels each: as many rows of panels as a page of paper has.
_MOST: Final = 4
# One number of rows is no curve.
_SEVERAL: Final = 2
# More powers of two run into one another below a panel; the table has all.
_MOST_TICKS: Final = 6
_ROWS: Final = "batch_size"
_ALONG: Final = (_ROWS, "prompts", "quantization")
_CURVE: Final = (*(name for name in POINT_BY_NAME if name not in _ALONG), "board", "device")
_OVER: Final[Mapping[str, Any]] = {
    "y_label": "J/token over the unquantized",
    "from_zero": True,
    "lines": (Line(at=1.0, dash="dot", name="saves nothing"),),
}


def format_curve(_loaded: Loaded, tables: Tables) -> Chart:
    """Joules, speed and joules over the twin's of each curve, measured ones if any are."""
    key, title = "format-curve", "What fewer bits of weight save, by rows side by side"
    rows = [row for row in tables.format_curve.rows if row["energy_per_token_j"] is not None]
    rows = [row for row in rows if not row["simulated"]] or rows
    curves = _by_curve(rows)
    told = [own for own in curves.values() if _several(own)]
    if not told:
        return undrawn(key, title, "no format of weights was run beside another at several rows")
    shown = told[:_MOST]
    drawn = [row for own in shown for row in own]
    formats = tuple(dict.fromkeys(map(_format, drawn)))
    columns = axes_among(tables)
    ratios = _by_curve(
        [row for row in tables.format_savings.rows if row["energy_ratio"] is not None]
    )
    panels: list[Panel] = []
    for own, name in zip(shown, _names([own[0] for own in shown]), strict=True):
        beside = ratios.get(_curve(own[0]), [])
        for each, mark, panel in (
            (own, _energy_mark, {"y_label": "energy per token [J]", "y_scale": "log"}),
            (own, _rate_mark, {"y_label": "tokens/s", "y_scale": "log"}),
            (beside, _ratio_mark, _OVER),
        ):
            series = _series(each, formats, mark, columns)
            if series:
                panels.append(
                    Panel(
                        series=series,
                        title=name,
                        x_label="rows side by side",
                        x_scale="log",
                        ticks=_ticks(own),
                        **panel,
                    )
                )
    return Chart(
        key=key,
        title=title,
        caption="One line a format of weights; the points of a line are the same but for the rows "
        "that are answered side by side. Whiskers of joules: half of the 95 % interval of two "
        "repeats or more, else the sensors' part alone; of ratios as the table `format_savings` "
        "has them, none where no scatter of repeats is known."
        + cut(told, _MOST, "curves")
        + notes(drawn),
        panels=tuple(panels),
        columns=3,
    )


def _several(own: Sequence[Row]) -> bool:
    """Whether a format was run at several numbers of rows."""
    rows: dict[str, set[Cell]] = {}
    for row in own:
        rows.setdefault(_format(row), set()).add(row[_ROWS])
    return any(len(each) >= _SEVERAL for each in rows.values())


def _series(
    own: Sequence[Row],
    formats: Sequence[str],
    mark: Callable[[Row, Mapping[str, str]], Mark],
    columns: Sequence[Column[Any]],
) -> tuple[ChartSeries, ...]:
    """One line a format that has points, in the look that it has in all panels."""
    by_rows = sorted(own, key=lambda row: number_of(row[_ROWS]))
    found = (
        ChartSeries(
            name=name,
            kind="line",
            marks=tuple(
                mark(row, axes_of(row, columns)) for row in by_rows if _format(row) == name
            ),
            colour=index,
            symbol=SYMBOLS[index % len(SYMBOLS)],
        )
        for index, name in enumerate(formats)
    )
    return tuple(one for one in found if one.marks)


def _by_curve(rows: Sequence[Row]) -> dict[tuple[Cell, ...], list[Row]]:
    found: dict[tuple[Cell, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(_curve(row), []).append(row)
    return found


def _curve(row: Row) -> tuple[Cell, ...]:
    return tuple(row[name] for name in _CURVE)


def _names(firsts: Sequence[Row]) -> list[str]:
    said = ("model", "gpu", "gpus", "engine", *_ALONG)
    heads = [f"{row['model']}, {row['gpus']} x {row['gpu']}, {row['engine']}" for row in firsts]
    more = names_of(firsts, but=said, per=said)
    return [", ".join(filter(None, each)) for each in zip(heads, more, strict=True)]


def _format(row: Row) -> str:
    """A format's short name: that of the weights where they are rounded, else of the numbers."""
    quantized = row["quantization"] != UNQUANTIZED
    return str(row["quantization"] if quantized else row["dtype"])


def _ticks(own: Sequence[Row]) -> tuple[float, ...]:
    rows = sorted({number_of(row[_ROWS]) for row in own})
    step = -(-len(rows) // _MOST_TICKS)
    return tuple(rows[::step])


def _hover(row: Row) -> str:
    limit = row["cap_bound_share"]
    held = "" if limit is None else f"\na power limit held the clock in {number_of(limit):.0%}"
    return f"{row['model']}, {_format(row)}, {row[_ROWS]} rows{held}"


def _energy_mark(row: Row, axes: Mapping[str, str]) -> Mark:
    return half_width_mark(
        row,
        "energy_per_token_j",
        "energy_per_token_uncertainty_j",
        number_of(row[_ROWS]),
        hover=_hover(row),
        axes=axes,
    )


def _rate_mark(row: Row, axes: Mapping[str, str]) -> Mark:
    rate = row["tokens_per_s"]
    return Mark(
        x=number_of(row[_ROWS]),
        y=None if rate is None else number_of(rate),
        interval="no interval",
        hover=_hover(row),
        axes=axes,
        labels=labels_of(row),
    )


def _ratio_mark(row: Row, axes: Mapping[str, str]) -> Mark:
    hover = f"{_hover(row)}\n{row['verdict']}"
    return finding_mark(row, "energy_ratio", number_of(row[_ROWS]), hover=hover, axes=axes)

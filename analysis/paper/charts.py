"""Charts: an exhibit's picture, drawn from its table: the paper's, ours, and what is not its."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.figures.chart import (
    COLOURS,
    SIMULATED,
    SYMBOLS,
    Chart,
    ChartSeries,
    Kind,
    Mark,
    Panel,
    undrawn,
)
from analysis.paper.amount import DIGITISED_SHARE
from analysis.paper.beyond import BEYOND
from analysis.paper.exhibit import Exhibit, series_columns_of
from analysis.paper.exhibits import EXHIBITS, SHARDED
from analysis.paper.point import board_name
from analysis.tables.column import Cell, Row
from analysis.tables.table import Table, Tables

_Y_LABELS: Final = {
    "power_w": "Energy per second [W]",
    "energy_per_token_j": "Energy per token [J]",
    "energy_per_response_j": "Energy per response [J]",
    "words_per_s": "Words per second [1/s]",
    "tokens_per_s": "Tokens per second [1/s]",
    "responses_per_s": "Responses per second [1/s]",
    "gpu_utilization": "GPU busy",
    "memory_copy_utilization_max": "Memory busy, most",
    "duration_s": "Time",
    "energy_j": "Energy",
}
_SHORT: Final = {
    "words_per_s": "words/s",
    "tokens_per_s": "tokens/s",
    "responses_per_s": "responses/s",
}
_LENGTHS: Final = "Tokens at most"
_DATASETS: Final = {"alpaca": "Alpaca", "gsm8k": "GSM8K", "alpaca, gsm8k": "Mean of both"}
# The columns of ours by what they hold, as `series_columns_of` has those of the others.
_OURS: Final = {
    **{"value": "our_value", "low": "our_low", "high": "our_high", "sensor": "our_sensor"},
    **{"gpus": "gpus", "labels": "labels"},
}
_CHANGE: Final = ", change in %"
_SHARES: Final = ("gpu_utilization", "memory_copy_utilization_max")
_WATTS: Final = "power_w"
_NONE: Final = "no measured run stands beside the paper's numbers"
_NO_PICTURE: Final = "the paper's is a table of words and counts, and its picture would say no more"


@dataclass(frozen=True, kw_only=True)
class _Named:
    """A mark and the series that it belongs to."""

    series: str
    """What the legend says."""
    whose: str
    """`paper`, `ours`, or the name of a series that is not the paper's."""
    mark: Mark
    """The mark."""


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """How an exhibit's rows become panels, categories and series."""

    panel: Callable[[Row], str]
    """Title of the panel of a row."""
    category: Callable[[Row], str]
    """Its place along the panel."""
    suffix: Callable[[Row], str]
    """What tells series of one owner apart; empty where nothing does."""
    columns: int = 3
    """Panels side by side."""
    x_label: str = ""
    """What the places are; empty where they say it."""


def charts(tables: Tables) -> tuple[Chart, ...]:
    """The pictures of all exhibits, in their order; none where nothing measured stands beside."""
    if not any(row["simulated"] is False for row in tables.runs.rows):
        return tuple(
            undrawn(f"paper-{exhibit.key}", _title(exhibit), _NONE, number=exhibit.number)
            for exhibit in EXHIBITS
        )
    return tuple(chart(exhibit, tables) for exhibit in EXHIBITS)


def _title(exhibit: Exhibit) -> str:
    return f"{exhibit.number} of the paper: {exhibit.title}"


def chart(exhibit: Exhibit, tables: Tables) -> Chart:
    """An exhibit's picture, from its table and that of points beside it."""
    key = f"paper-{exhibit.key}"
    title = _title(exhibit)
    if exhibit.table is not None:
        return undrawn(key, title, _NO_PICTURE, number=exhibit.number)
    table = tables.by_name[exhibit.name]
    sharded = exhibit in SHARDED
    panels = (
        _against_shards(exhibit, table, tables.by_name[BEYOND.name])
        if sharded
        else _bars(_PLANS[exhibit.key], table)
    )
    return Chart(
        key=key,
        title=title,
        caption=" ".join(filter(None, (exhibit.caption, _of_ours(table)))),
        panels=panels,
        columns=2 if sharded else _PLANS[exhibit.key].columns,
        number=exhibit.number,
    )


def _of_ours(table: Table) -> str:
    count = sum(row["our_value"] is not None for row in table.rows)
    other = _series_names(table)
    told = f"Ours under the paper's conditions: {count} of {len(table.rows)} numbers."
    if other:
        told += f" Beside them, not the paper's: {'; '.join(other)}."
    return told


def _series_names(table: Table) -> tuple[str, ...]:
    """Series of ours in a table's own columns, by their labels."""
    names = {column.name for column in table.columns}
    return tuple(
        column.label
        for column in table.columns
        if column.name == series_columns_of(column.label)["value"]
        and series_columns_of(column.label)["gpus"] in names
    )


def _of_row(table: Table, row: Row, suffix: str, x: float) -> list[_Named]:
    """The paper's mark of a row, ours, and those of every series that has one."""
    place = {
        "model": str(row["model"]),
        "dataset": str(row["dataset"]),
        "batch": str(row["batch_size"]),
        "max tokens": str(row["max_gen_len"]),
    }
    found = [_papers(row, suffix, x, place)]
    sources = {"ours": _OURS} | {name: series_columns_of(name) for name in _series_names(table)}
    for whose, columns in sources.items():
        cells = {part: row.get(column) for part, column in columns.items()}
        if (y := _real(cells["value"])) is None:
            continue
        ends, interval = _ends(y, cells["low"], cells["high"], cells["sensor"])
        own, count = whose == "ours", cells["gpus"]
        found.append(
            _Named(
                series=", ".join(filter(None, (whose, suffix if own else _cap_of(row)))),
                whose=whose,
                mark=Mark(
                    x=x,
                    y=y,
                    low=ends[0],
                    high=ends[1],
                    interval=interval,
                    hover=f"{whose}: {row['model']} on {count} GPUs",
                    axes={**place, "whose": whose, "GPUs": str(count)},
                    labels=_labels(cells["labels"]),
                ),
            )
        )
    return found


def _papers(row: Row, suffix: str, x: float, place: Mapping[str, str]) -> _Named:
    y = _real(row["paper_value"])
    low, high = _real(row["paper_low"]), _real(row["paper_high"])
    interval = "the paper's own bar" if low is not None else ""
    if low is None and row["paper_kind"] == "digitised" and y is not None:
        low, high = y - abs(y) * DIGITISED_SHARE, y + abs(y) * DIGITISED_SHARE
        interval = "how well it was read off"
    return _Named(
        series=", ".join(filter(None, ("paper", suffix))),
        whose="paper",
        mark=Mark(
            x=x,
            y=y,
            low=low,
            high=high,
            interval=interval,
            hover=f"paper, {row['paper_kind']}: {row['model']} on {row['gpus']} "
            f"{board_name(str(row['gpu']))}",
            axes={**place, "whose": "paper", "GPUs": str(row["gpus"])},
        ),
    )


def _ends(
    y: float, low: Cell, high: Cell, sensor: Cell
) -> tuple[tuple[float | None, float | None], str]:
    """An interval's ends: over repeats, else by the sensors alone."""
    below, above, width = _real(low), _real(high), _real(sensor)
    if below is not None and above is not None:
        return (below, above), "95 % over repeats"
    if width is not None:
        return (y - width, y + width), "by the sensors alone"
    return (None, None), ""


def _bars(plan: _Plan, table: Table) -> tuple[Panel, ...]:
    titles = tuple(dict.fromkeys(map(plan.panel, table.rows)))
    panels = []
    for title in titles:
        rows = [row for row in table.rows if plan.panel(row) == title]
        categories = tuple(dict.fromkeys(map(plan.category, rows)))
        named = [
            one
            for row in rows
            for one in _of_row(
                table, row, plan.suffix(row), float(categories.index(plan.category(row)))
            )
        ]
        metric = str(rows[0]["metric"]).partition(",")[0]
        changes = _CHANGE in str(rows[0]["metric"])
        panels.append(
            Panel(
                title=title,
                x_label=plan.x_label,
                y_label=f"{_metric(rows[0])}, change [%]" if changes else _Y_LABELS[metric],
                categories=categories,
                series=_series(named, "bar"),
                y_percent=metric in _SHARES,
            )
        )
    return tuple(panels)


def _against_shards(exhibit: Exhibit, table: Table, beyond: Table) -> tuple[Panel, ...]:
    panels = []
    beside = [row for row in beyond.rows if row["exhibit"] == exhibit.number]
    for dataset in dict.fromkeys(row["dataset"] for row in table.rows):
        rows = [row for row in table.rows if row["dataset"] == dataset]
        named = []
        for row in rows:
            batch = f"batch {row['batch_size']}"
            # Other boards come from the table beside, on any number of GPUs.
            named += [
                one
                for one in _of_row(table, row, batch, float(str(row["gpus"])))
                if one.whose in ("paper", "ours")
            ]
        others = [row for row in beside if row["dataset"] == dataset]
        named += [_beside(row) for row in others]
        metric = str(rows[0]["metric"])
        panels.append(
            Panel(
                title=_DATASETS[str(dataset)],
                x_label="GPUs",
                x_scale="log",
                ticks=tuple(sorted({one.mark.x for one in named})),
                y_label=_Y_LABELS[metric],
                y_scale="log" if metric == _WATTS else "linear",
                from_zero=metric != _WATTS,
                series=_series(named, "line"),
            )
        )
    return tuple(panels)


def _beside(row: Row) -> _Named:
    y, whose, batch = float(str(row["value"])), str(row["series"]), str(row["batch_size"])
    ends, interval = _ends(y, row["low"], row["high"], row["sensor"])
    return _Named(
        series=f"{whose}, batch {batch}",
        whose=whose,
        mark=Mark(
            x=float(str(row["gpus"])),
            y=y,
            low=ends[0],
            high=ends[1],
            interval=interval,
            hover=f"{whose}: {row['model']} on {row['gpus']} GPUs",
            axes={
                "model": str(row["model"]),
                "dataset": str(row["dataset"]),
                "batch": batch,
                "max tokens": str(row["max_gen_len"]),
                "whose": whose,
                "GPUs": str(row["gpus"]),
            },
            labels=_labels(row["labels"]),
        ),
    )


def _series(named: Sequence[_Named], kind: Kind) -> tuple[ChartSeries, ...]:
    """One series a name, the paper's first; of several marks at one place the first."""
    by_name: dict[str, dict[float, Mark]] = {}
    whose: dict[str, str] = {}
    for one in sorted(named, key=lambda one: ("paper", "ours", one.whose).index(one.whose)):
        by_name.setdefault(one.series, {}).setdefault(one.mark.x, one.mark)
        whose[one.series] = one.whose
    looks = {"paper": "dot", "ours": "solid"}
    return tuple(
        ChartSeries(
            name=name,
            kind=kind,
            marks=tuple(marks[x] for x in sorted(marks)),
            colour=number % COLOURS,
            dash=looks.get(whose[name], "dash") if kind == "line" else "solid",
            symbol=SYMBOLS[number % len(SYMBOLS)] if kind == "line" else None,
        )
        for number, (name, marks) in enumerate(by_name.items())
    )


def _labels(cell: Cell) -> tuple[str, ...]:
    told = str(cell).split(", ") if cell else []
    return tuple(SIMULATED if one.lower() == SIMULATED else one for one in told)


def _real(value: Cell) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _cap_of(row: Row) -> str:
    """The cap where the row is a change against another."""
    return _cap(row) if _CHANGE in str(row["metric"]) else ""


def _board(row: Row) -> str:
    return board_name(str(row["gpu"]))


def _cap(row: Row) -> str:
    return f"{float(str(row['power_cap_w'])):g} W"


def _metric(row: Row) -> str:
    return _Y_LABELS[str(row["metric"]).partition(",")[0]].partition(" [")[0]


def _length(row: Row) -> str:
    lengths = str(row["max_gen_len"])
    return "all" if "," in lengths else lengths


def _dataset(row: Row) -> str:
    return _DATASETS[str(row["dataset"])]


_PLANS: Final[Mapping[str, _Plan]] = {
    "figure2": _Plan(
        panel=lambda row: f"{_dataset(row)}: {_SHORT[str(row['metric'])]}",
        category=lambda row: str(row["model"]),
        suffix=_board,
    ),
    "figure3": _Plan(
        panel=_dataset,
        category=lambda row: str(row["model"]),
        suffix=_board,
        columns=2,
    ),
    "table3": _Plan(panel=_metric, category=_length, suffix=_cap, x_label=_LENGTHS),
    "table4": _Plan(panel=_metric, category=_length, suffix=_board, columns=2, x_label=_LENGTHS),
    "table5": _Plan(
        panel=_metric,
        category=lambda row: str(row["gpus"]),
        suffix=_board,
        columns=2,
        x_label="GPUs",
    ),
}

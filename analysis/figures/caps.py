"""Caps: time, energy and their product of a token against cap and against clock, by phase."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Kind, Line, Mark, Panel, undrawn
from analysis.figures.finding_marks import axes_by_row, brief_work, cut
from analysis.figures.labels import number_of
from analysis.figures.marks import labels_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.point import setting_words
from analysis.tables.table import Tables

# Lines of one panel that are still told apart; the table has all.
_MOST_FAMILIES: Final = 8
_OUTCOMES: Final = {
    "time_per_token_s": "time of a token",
    "energy_per_token_j": "energy of a token",
    "energy_delay_per_token_js": "energy x time",
}
# A change that is read off a panel.
_HARDLY: Final = 0.05
_LOCKS: Final = ("sm_clock_mhz", "memory_clock_mhz")
_CAPTION: Final = (
    "Each point over the one of the same engine, board and work without cap and lock (else the "
    "highest), which is 1; a panel a phase and amount. Whiskers: the point's own 95 % interval."
)

Told = Sequence[tuple[Row, dict[str, str]]]
"""Rows of one family, and what the page can filter each by."""


def against_cap(_loaded: Loaded, tables: Tables) -> Chart:
    """Against the power cap that was asked, of points without a clock lock."""

    def watts(row: Row) -> float | None:
        free = all(row[name] is None for name in _LOCKS)
        return number_of(row["power_cap_w"]) if free and row["power_cap_w"] is not None else None

    return _chart(
        tables,
        key="against-cap",
        title="Time and energy against the power cap",
        place=watts,
        kind="line",
        x_label="power cap [W]",
        reason="no point with a power cap stands beside the same work without",
    )


def against_clock(_loaded: Loaded, tables: Tables) -> Chart:
    """Against the clock that was achieved, of all caps and locks."""

    def mhz(row: Row) -> float | None:
        read = row["sm_clock_mean_mhz"]
        return None if read is None else number_of(read)

    told = [str(row["sentence"]) for row in tables.transitions.rows if row["transition_mhz"]]
    chart = _chart(
        tables,
        key="against-clock",
        title="Time and energy against the clock that was read",
        place=mhz,
        kind="points",
        x_label="SM clock, read [MHz]",
        reason="no points of the same work at several caps or clocks have a clock that was read",
    )
    return chart if not told else replace(chart, caption=_with(chart, told))


def _with(chart: Chart, told: Sequence[str]) -> str:
    return f"{chart.caption} {told[0]}{cut(told, 1, 'transitions')}"


def _chart(
    tables: Tables,
    *,
    key: str,
    title: str,
    place: Callable[[Row], float | None],
    kind: Kind,
    x_label: str,
    reason: str,
) -> Chart:
    families = [own for own in _families(tables) if any(place(row) is not None for row, _ in own)]
    drawn = families[:_MOST_FAMILIES]
    if not drawn:
        return undrawn(key, title, reason)
    panels = []
    for phase in dict.fromkeys(str(row["phase"]) for row in tables.cap_curves.rows):
        for outcome, label in _OUTCOMES.items():
            series = []
            for index, own in enumerate(drawn):
                marks = _marks(own, phase, outcome, place)
                if marks:
                    symbol = SYMBOLS[index % len(SYMBOLS)]
                    name = _name(own[0][0])
                    series.append(
                        ChartSeries(name=name, kind=kind, marks=marks, colour=index, symbol=symbol)
                    )
            if series:
                panels.append(
                    Panel(
                        series=tuple(series),
                        title=f"{label}, {phase}",
                        x_label=x_label,
                        y_label="over the base's",
                        y_range=unmagnified([mark for one in series for mark in one.marks]),
                        lines=(Line(at=1.0, dash="dot"),),
                    )
                )
    if not panels:
        return undrawn(key, title, "no phase of such points has a time or an energy")
    return Chart(
        key=key,
        title=title,
        caption=_CAPTION + cut(families, _MOST_FAMILIES, "families"),
        panels=tuple(panels),
        columns=3,
    )


def unmagnified(marks: Sequence[Mark]) -> tuple[float, float] | None:
    """Of what hardly moves, so that its scale is no magnifying glass; None for its own."""
    ends = [end for mark in marks for end in (mark.low, mark.y, mark.high) if end is not None]
    return None if any(abs(end - 1.0) > _HARDLY for end in ends) else (1 - _HARDLY, 1 + _HARDLY)


def _families(tables: Tables) -> list[Told]:
    """Rows of cap_curves, family by family: each begins with its base, as a whole."""
    rows = tables.cap_curves.rows
    found: list[list[tuple[Row, dict[str, str]]]] = []
    for row, axes in zip(rows, axes_by_row(tables, rows), strict=True):
        if row["base"] and row["phase"] == rows[0]["phase"]:
            found.append([])
        found[-1].append((row, axes))
    return list(found)


def _name(row: Row) -> str:
    simulated = ", simulated" if row["simulated"] else ""
    chosen = f"{row['model']} {row['engine']}, {row['gpus']} x {row['gpu']}"
    return f"{chosen}, batch {row['batch_size']}, {brief_work(row)}{simulated}"


def _marks(
    own: Told, phase: str, outcome: str, place: Callable[[Row], float | None]
) -> tuple[Mark, ...]:
    told = [(row, axes) for row, axes in own if row["phase"] == phase and row[outcome] is not None]
    base = next((number_of(row[outcome]) for row, _ in told if row["base"]), None)
    if not base:
        return ()
    marks = []
    for row, axes in told:
        x = place(row)
        if x is None:
            continue
        value, low, high = (row[f"{outcome}{end}"] for end in ("", "_low", "_high"))
        known = low is not None and high is not None
        asked = ", ".join(setting_words(row)) or "no cap and no lock"
        marks.append(
            Mark(
                x=x,
                y=number_of(value) / base,
                low=min(number_of(low), number_of(value)) / base if known else None,
                high=max(number_of(high), number_of(value)) / base if known else None,
                interval="95 %" if known else "",
                hover=f"{row['model']} {row['engine']}, {phase}\n{asked}",
                axes=axes,
                labels=labels_of(row),
            )
        )
    return tuple(sorted(marks, key=lambda mark: mark.x))

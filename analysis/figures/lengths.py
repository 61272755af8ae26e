"""Lengths: energy of a response against both lengths, the formula's lines, and what is left."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Line, Mark, Panel, undrawn
from analysis.figures.finding_marks import axes_by_row, chosen, cut, evenly
from analysis.figures.labels import number_of
from analysis.figures.marks import BY_SENSOR, labels_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Cell, Row
from analysis.tables.table import Tables

# Three panels each: more than this is not read on paper, and the table has all.
_MOST_FAMILIES: Final = 4
_LENGTHS: Final = {"input_tokens": "input tokens", "output_tokens": "output tokens"}
_WHOLE: Final = "whole"


@dataclass(frozen=True, kw_only=True)
class _Family:
    """Runs of one fit of the whole window."""

    rows: Sequence[Row]
    """Their residuals."""
    axes: Sequence[dict[str, str]]
    """What the page can filter each by."""
    widths: Sequence[float | None]
    """What each energy is uncertain by, by the sensors."""
    costs: Mapping[str, float]
    """The formula's numbers by their terms; a term that is not in it lacks."""

    @property
    def name(self) -> str:
        """Whose they are, as short as a narrow panel wants it; marks say the rest."""
        row = self.rows[0]
        return f"{row['model']} {row['engine']}, batch {row['batch_size']}"

    def at(self, name: str, length: float, other: float) -> float:
        """Energy of a response by the formula, `name` being so long and the other so."""
        asked, answered = (length, other) if name == "input_tokens" else (other, length)
        amounts = {"response": 1.0, "input token": asked, "output token": answered}
        amounts["input x output token"] = asked * answered
        return sum(self.costs.get(term, 0.0) * amount for term, amount in amounts.items())


def lengths(_loaded: Loaded, tables: Tables) -> Chart:
    """Energy of a response against either length, and the residuals, family by family."""
    key, title = "sequence-lengths", "Energy against lengths of prompt and answer"
    found = _families(tables)
    if not found:
        reason = "no runs of exact lengths of one model, board and batch have a fit"
        return undrawn(key, title, reason)
    panels: list[Panel] = []
    names = Counter(family.name for family in found)
    for family in found[:_MOST_FAMILIES]:
        row = family.rows[0]
        board = "" if names[family.name] == 1 else f", {row['gpus']} x {row['board']}"
        panels += [
            replace(panel, title=f"{family.name}{board}")
            for panel in (
                _against(family, "input_tokens", "output_tokens"),
                _against(family, "output_tokens", "input_tokens"),
                _residuals(family),
            )
        ]
    several = [row for family in found for row in family.rows]
    return Chart(
        key=key,
        title=title,
        caption="One mark a run of exact lengths, a colour for each value of the other length; "
        "lines: J = a + b in + c out + d in out. Right: what the formula leaves of each run. "
        "Whiskers: the sensor's ±, k = 2."
        + cut(found, _MOST_FAMILIES, "families")
        + chosen(several, "runs"),
        panels=tuple(panels),
        columns=3,
    )


def _against(family: _Family, name: str, other: str) -> Panel:
    series: list[ChartSeries] = []
    values = sorted({number_of(row[other]) for row in family.rows})
    drawn = "response" in family.costs
    for index, value in enumerate(values):
        own = [place for place, row in enumerate(family.rows) if row[other] == value]
        told = f"{value:g} {_LENGTHS[other]}"
        if drawn:
            places = sorted({number_of(family.rows[place][name]) for place in own})
            line = tuple(
                Mark(x=at, y=family.at(name, at, value), labels=labels_of(family.rows[own[0]]))
                for at in places
            )
            series.append(ChartSeries(name="", kind="line", marks=line, colour=index))
        marks = tuple(_mark(family, place, name, "measured_j") for place in own)
        symbol = SYMBOLS[index % len(SYMBOLS)]
        series.append(
            ChartSeries(name=told, kind="points", marks=marks, colour=index, symbol=symbol)
        )
    return Panel(
        series=tuple(series),
        x_label=_LENGTHS[name],
        y_label="energy per response [J]",
    )


def _residuals(family: _Family) -> Panel:
    marks = tuple(
        _mark(family, place, "fitted_j", "residual_share") for place in range(len(family.rows))
    )
    return Panel(
        series=(ChartSeries(name="", kind="points", marks=marks, symbol=SYMBOLS[0]),),
        x_label="energy by the formula [J]",
        y_label="left over",
        y_percent=True,
        lines=(Line(at=0.0, dash="dot"),),
    )


def _mark(family: _Family, place: int, x: str, y: str) -> Mark:
    row, width = family.rows[place], family.widths[place]
    value = number_of(row[y])
    if width is not None and y == "residual_share":
        width /= number_of(row["measured_j"])
    return Mark(
        x=number_of(row[x]),
        y=value,
        low=None if width is None else value - width,
        high=None if width is None else value + width,
        interval="" if width is None else BY_SENSOR,
        hover=f"{row['run_id']}\n{row['gpus']} x {row['board']}, "
        f"{row['input_tokens']:g} + {row['output_tokens']:g} tokens",
        axes=family.axes[place],
        labels=labels_of(row),
    )


def _families(tables: Tables) -> list[_Family]:
    names = [column.name for column in tables.sequence_models.columns]
    same = tuple(names[: names.index("simulated") + 1])
    costs: dict[tuple[Cell, ...], dict[str, float]] = {}
    for row in tables.sequence_models.rows:
        if row["outcome"] == _WHOLE and row["coefficient_j"] is not None:
            own = costs.setdefault(tuple(row[name] for name in same), {})
            own[str(row["term"])] = number_of(row["coefficient_j"])
    found: dict[tuple[Cell, ...], list[Row]] = {}
    for row in tables.sequence_residuals.rows:
        if row["outcome"] == _WHOLE:
            found.setdefault(tuple(row[name] for name in same), []).append(row)
    widths = {
        str(row["run_id"]): row["energy_per_response_uncertainty_j"]
        for row in tables.sequence_runs.rows
    }
    families = []
    for key, rows in found.items():
        told = evenly(rows)
        beside = [widths.get(str(row["run_id"])) for row in told]
        families.append(
            _Family(
                rows=told,
                axes=axes_by_row(tables, told),
                widths=[None if width is None else number_of(width) for width in beside],
                costs=costs.get(key, {}),
            )
        )
    return families

"""Phases: the energy of each run, phase by phase."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from analysis.energy.phase_energy import NO_RANK, SHORT_PHASES
from analysis.figures.chart import Chart, ChartSeries, Mark, Panel, undrawn
from analysis.figures.labels import number_of, weights_note
from analysis.figures.marks import BY_SENSOR, axes_among, axes_of, labels_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables
from telemetry.record.schema import Phase

# ANSWER and ENCODE came later: the others keep their colours.
PHASES: Final = (
    *(phase.value for phase in Phase if phase not in (Phase.ANSWER, Phase.ENCODE)),
    *(SHORT_PHASES, NO_RANK, Phase.ANSWER.value, Phase.ENCODE.value),
)
"""Phases in the order of their colours."""
# As many runs as one looks through by eye; more are drawn by grid point.
_MOST_RUNS: Final = 60
# As many grid points as fit on a few screens; the tables have all.
_MOST_POINTS: Final = 120


@dataclass(kw_only=True)
class _Bar:
    """One bar: a run, or the repeats of a grid point."""

    name: str
    """What stands beside it."""
    row: Row
    """The run's or the point's row, with its settings and labels."""
    runs: set[str] = field(default_factory=set)
    """The runs that it is the mean of."""
    energy_j: dict[str, float] = field(default_factory=dict)
    """Sum over its runs and their ranks, by phase."""
    squares: dict[str, float | None] = field(default_factory=dict)
    """Sum of the squares of their uncertainties; None where one is not known."""

    def add(self, run_id: str, phase: str, row: Row) -> None:
        """Count a rank's phase; boards are independent, so their squares add."""
        self.runs.add(run_id)
        self.energy_j[phase] = self.energy_j.get(phase, 0.0) + number_of(row["energy_j"])
        before, width = self.squares.get(phase, 0.0), row["energy_uncertainty_j"]
        known = before is not None and width is not None
        self.squares[phase] = before + number_of(width) ** 2 if known else None  # type: ignore[operator]

    def mark(self, phase: str, place: int, axes: Mapping[str, str]) -> Mark:
        """Its stretch of a phase: the mean over its runs."""
        value = self.energy_j[phase] / len(self.runs)
        squares = self.squares[phase]
        width = None if squares is None else math.sqrt(squares) / len(self.runs)
        mean = f", mean of {len(self.runs)} repeats" if len(self.runs) > 1 else ""
        return Mark(
            x=float(place),
            y=value,
            low=None if width is None else value - width,
            high=None if width is None else value + width,
            interval=BY_SENSOR if width is not None else "",
            hover=self.name.replace("\n", " ") + mean,
            axes=axes,
            labels=labels_of(self.row),
        )


def energy_by_phase(loaded: Loaded, tables: Tables) -> Chart:
    """Joules of each run, one stretch of its bar a phase; of many runs, of each grid point."""
    key, title = "energy-by-phase", "Energy by phase"
    rows = [row for row in tables.phases.rows if row["energy_j"] is not None]
    if not rows:
        return undrawn(key, title, "no phase of any run has an energy")
    runs = list(dict.fromkeys(str(row["run_id"]) for row in rows))
    bars, told = _bars(tables, runs)
    for row in rows:
        run_id = str(row["run_id"])
        if run_id in bars:
            bars[run_id].add(run_id, str(row["phase"]), row)
    drawn = list(dict.fromkeys(map(id, bars.values())))
    by_id = {id(bar): bar for bar in bars.values()}
    shown = [by_id[each] for each in drawn]
    columns = axes_among(tables)
    series = tuple(
        ChartSeries(
            name=phase,
            kind="bar",
            marks=tuple(
                bar.mark(phase, place, axes_of(bar.row, columns))
                for place, bar in enumerate(shown)
                if bar.energy_j.get(phase)
            ),
            colour=index,
        )
        for index, phase in enumerate(_in_order(shown))
    )
    weights = weights_note([run.spec.weights for run in loaded.runs if run.run_id in bars])
    panel = Panel(
        series=tuple(one for one in series if one.marks),
        y_label="gross energy of all GPUs over the whole job [J]",
        categories=tuple(bar.name for bar in shown),
        sideways=True,
        stacked=True,
    )
    return Chart(
        key=key,
        title=title,
        caption="Loading and rest are outside the measured window; 'too short' pools phases that "
        "the sensor cannot resolve. Whiskers: what the sensor's timing leaves open of each stretch "
        f"(k = 2).{told} {weights}".strip(),
        panels=(panel,),
    )


def _bars(tables: Tables, runs: Sequence[str]) -> tuple[dict[str, _Bar], str]:
    """The bar of each run that is drawn, and what the caption says of the choice."""
    by_run = {str(row["run_id"]): row for row in tables.runs.rows}
    if len(runs) <= _MOST_RUNS:
        return {run: _Bar(name=run, row=by_run[run]) for run in runs if run in by_run}, ""
    found: dict[str, _Bar] = {}
    points = 0
    for group in tables.groups.rows:
        members = [run for run in str(group["runs"]).split() if run in runs]
        if not members:
            continue
        points += 1
        if points <= _MOST_POINTS:
            bar = _Bar(name=_point_name(members), row=group)
            found |= dict.fromkeys(members, bar)
    told = f" {len(runs)} runs: one bar a grid point, the mean over its repeats."
    if points > _MOST_POINTS:
        told += f" The first {_MOST_POINTS} of {points} grid points; the table has all."
    return found, told


def _point_name(runs: Sequence[str]) -> str:
    more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
    return f"{runs[0]}{more}"


def _in_order(bars: Iterable[_Bar]) -> list[str]:
    """Every phase that may be drawn, each in the place of its colour."""
    others = {phase for bar in bars for phase in bar.energy_j if phase not in PHASES}
    return [*PHASES, *sorted(others)]

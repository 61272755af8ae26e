"""Forecasts: the table of what each run was expected to take beside what it took."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.energy.spent import Spent, spent
from analysis.energy.uncertain import Uncertain
from analysis.tables.column import Cell, Column, ColumnsOf, Row
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.point import POINT_BY_NAME
from analysis.tables.table import TableKind
from telemetry.record.foreseen import LEVEL, Expected, Foreseen

NOT_FORESEEN: Final = "not on record: the run is from before runs were foreseen"
"""Why a run has nothing to be held against."""
_POINT: Final = ("model", "engine", "quantization", "gpus", "gpu")


@dataclass(frozen=True)
class _Forecast:
    of: Measured
    """The run."""

    @cached_property
    def foreseen(self) -> Foreseen | str:
        """What was foreseen, or why that is not known."""
        try:
            content = self.of.run.foreseen
            return Foreseen.from_mapping(content) if content else NOT_FORESEEN
        except ValueError as error:
            return f"foreseen.json: {error}"

    @cached_property
    def spent(self) -> Spent:
        """What it took."""
        return spent(self.of.run_energy)

    def expected(self, name: str) -> Expected | None:
        """One amount with its interval; None where none was foreseen."""
        if isinstance(self.foreseen, str):
            return None
        found: Expected | None = getattr(self.foreseen, name)
        return found

    def word(self, name: str) -> Cell:
        """A part of it in words."""
        return None if isinstance(self.foreseen, str) else str(getattr(self.foreseen, name))

    def ratio(self, name: str, measured: float | None) -> float | None:
        """What was measured over what was foreseen; None where one of them is not known."""
        expected = self.expected(name)
        if expected is None or measured is None or expected.value <= 0:
            return None
        return measured / expected.value

    def held(self, name: str, measured: float | None) -> bool | None:
        """Whether it lay in the interval; None where one of them is not known."""
        expected = self.expected(name)
        return None if expected is None or measured is None else expected.holds(measured)

    @property
    def reason(self) -> str | None:
        """Why a number is missing: the first that says."""
        reasons = [
            self.foreseen if isinstance(self.foreseen, str) else None,
            None if self.spent.time_s is not None else "no start of rank 0 is on record",
            self.spent.energy.reason,
            self.spent.window_energy.reason,
        ]
        return next((reason for reason in reasons if reason), None)


_OF: Final = ColumnsOf[_Forecast]()


def _foreseen(
    stem: str, label: str, unit: str, of: str, meaning: str
) -> tuple[Column[_Forecast], ...]:
    """The amount and both ends of its interval; the page shows the amount alone."""
    letter = unit.lower()
    name = f"foreseen_{stem}_{letter}"

    def number(part: str, named: str, heading: str, what: str) -> Column[_Forecast]:
        def cell(one: _Forecast) -> Cell:
            expected = one.expected(of)
            found: float | None = None if expected is None else getattr(expected, part)
            return found

        shown = part == "value"
        ends = (f"foreseen_{stem}_low_{letter}", f"foreseen_{stem}_high_{letter}")
        more = {"interval": ends} if shown else {}
        return _OF.number(named, heading, unit, what, cell, shown=shown, reason="reason", **more)

    end = f"end of {name}'s central interval, which is to hold {LEVEL:.0%} of such runs."
    return (
        number("value", name, f"{label} foreseen", meaning),
        number("low", f"foreseen_{stem}_low_{letter}", "from", f"Lower {end}"),
        number("high", f"foreseen_{stem}_high_{letter}", "to", f"Upper {end}"),
    )


def _compared(
    stem: str,
    label: str,
    of: str,
    measured: Callable[[_Forecast], float | None],
    measured_name: str,
) -> tuple[Column[_Forecast], ...]:
    return (
        _OF.number(
            f"{stem}_over_foreseen",
            f"{label} over foreseen",
            "1",
            f"{measured_name} over what was foreseen of it.",
            lambda one: one.ratio(of, measured(one)),
            reason="reason",
        ),
        _OF.flag(
            f"{stem}_in_interval",
            "in interval",
            f"True where {measured_name} lies in the interval that was foreseen.",
            lambda one: one.held(of, measured(one)),
        ),
    )


def _value(amount: Uncertain) -> float | None:
    return amount.value


_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    *(_OF.told(POINT_BY_NAME[name], lambda one: one.of.spec) for name in _POINT),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    *_foreseen(
        "wall",
        "job",
        "s",
        "time_s",
        "Expected before it was queued, of the whole job: from the start of rank 0's process to "
        "the end; without the queue.",
    ),
    _OF.number(
        "wall_s",
        "job",
        "s",
        "The same, measured.",
        lambda one: one.spent.time_s,
        reason="reason",
    ),
    *_compared("wall", "job", "time_s", lambda one: one.spent.time_s, "wall_s"),
    *_foreseen(
        "energy",
        "energy",
        "J",
        "energy_j",
        "Expected before it was queued, of the working GPUs from STARTUP to SHUTDOWN.",
    ),
    *_OF.uncertain(
        "job_energy_j",
        "energy",
        "J",
        "Gross energy of the working GPUs from STARTUP to SHUTDOWN, by phase_energy_method of "
        "runs.",
        lambda one: one.spent.energy,
        reason="reason",
    ),
    *_compared(
        "energy", "energy", "energy_j", lambda one: _value(one.spent.energy), "job_energy_j"
    ),
    *_foreseen(
        "window",
        "window",
        "s",
        "window_s",
        "Expected before it was queued, of the measured window: duration_s of runs.",
    ),
    _OF.number("window_s", "window", "s", "The same, measured.", lambda one: one.spent.window_s),
    *_compared("window", "window", "window_s", lambda one: one.spent.window_s, "window_s"),
    *_foreseen(
        "window_energy",
        "window energy",
        "J",
        "window_energy_j",
        "Expected before it was queued, of the working GPUs in the window: energy_j of runs.",
    ),
    *_OF.uncertain(
        "window_energy_j",
        "window energy",
        "J",
        "The same, measured.",
        lambda one: one.spent.window_energy,
        reason="reason",
    ),
    *_compared(
        "window_energy",
        "window energy",
        "window_energy_j",
        lambda one: _value(one.spent.window_energy),
        "window_energy_j",
    ),
    _OF.text(
        "basis",
        "foreseen from",
        "`same model`: sealed runs of this model, engine and quantization on this board; `same "
        "board`: sealed runs of others on it, by the roofline; `datasheet`: no run at all.",
        lambda one: one.word("basis"),
    ),
    _OF.text(
        "foreseen_from",
        "in words",
        "The same with how many runs it was.",
        lambda one: one.word("told"),
        shown=False,
    ),
    _OF.reason(lambda one: one.reason),
)

FORECASTS: Final = TableKind(
    name="forecasts",
    title="Foreseen and measured",
    columns=_COLUMNS,
    of_run=lambda one: [_Forecast(one)],
    text="What each job was expected to take before it was queued, as its record says, and what it "
    "took.",
    label="Foreseen and measured time and energy",
)
"""One row a sealed run."""


def forecast_row(measured: Measured) -> Row:
    """The row of one run."""
    (row,) = FORECASTS.rows([_Forecast(measured)])
    return row

"""Transition: the clock below which time rises more than energy falls.

Going down with the clock by a small share, time rises by some per cent and energy falls by some.
Both are equal where energy times time of a token is least; that clock is the transition. The
logarithm of the product is fitted over that of the achieved clock by a parabola, least squares
over runs; its lowest place has Fieller's 95 % interval: all places at which the slope is not told
from 0.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.findings.point_columns import choice_columns
from analysis.findings.settled import settled
from analysis.power.family import NUMBERS, PHASES, WHOLE, SettingsFamily, families, has_own_settings
from analysis.statistics.intervals import t_quantile_95
from analysis.tables.column import ColumnsOf
from analysis.tables.table import Results, TableKind

# A parabola has three numbers.
_LEAST_CLOCKS: Final = 3
# With fewer degrees of freedom left Student's factor is above 3.2.
_LEAST_FREE: Final = 3
# Neighbours of nvmlDeviceGetSupportedGraphicsClocks lie 15 MHz apart on the boards on record.
_STEP_MHZ: Final = 15.0
# Below it a number is rounding, which differs between machines.
_NOTHING: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class Lowest:
    """Where a parabola over the logarithm of the clock is lowest."""

    value_mhz: float
    """The place."""
    low_mhz: float
    """Lower end of its 95 % interval."""
    high_mhz: float
    """Upper end."""


def lowest(clocks_mhz: Sequence[float], products: Sequence[float]) -> Lowest | str:
    """The clock at which energy times time is least, or why it cannot be told.

    Args:
        clocks_mhz: achieved by each run, above 0.
        products: energy times time of a token of each, above 0.
    """
    seen = {round(clock / _STEP_MHZ) for clock in clocks_mhz}
    if len(seen) < _LEAST_CLOCKS:
        return f"cannot tell: runs at {len(seen)} clocks, and {_LEAST_CLOCKS} are needed"
    free = len(clocks_mhz) - _LEAST_CLOCKS
    if free < _LEAST_FREE:
        return (
            f"cannot tell: {len(clocks_mhz)} runs leave {free} degrees of freedom, and "
            f"{_LEAST_FREE} are needed"
        )
    import numpy as np  # noqa: PLC0415 - and statsmodels takes seconds
    import statsmodels.api as sm  # noqa: PLC0415

    middle = math.exp(math.fsum(map(math.log, clocks_mhz)) / len(clocks_mhz))
    x = np.log(np.array(clocks_mhz) / middle)
    fit = sm.OLS(np.log(np.array(products)), np.column_stack([np.ones_like(x), x, x**2])).fit()
    _, slope, bend = (float(value) for value in fit.params)
    spread = np.asarray(fit.cov_params())
    square = t_quantile_95(free) ** 2
    # (slope + 2 bend v)^2 <= t^2 var(slope + 2 bend v), ordered by powers of v.
    second = 4.0 * (bend**2 - square * float(spread[2, 2]))
    first = 4.0 * (slope * bend - square * float(spread[1, 2]))
    zeroth = slope**2 - square * float(spread[1, 1])
    ends = f"{min(clocks_mhz):.0f} to {max(clocks_mhz):.0f} MHz"
    if bend <= _NOTHING or second <= 0:
        return f"cannot tell: energy times time has no lowest place that is shown in {ends}"
    place = -slope / (2.0 * bend)
    if not float(x.min()) <= place <= float(x.max()):
        side = "below" if place < float(x.min()) else "above"
        falls = "rises" if side == "above" else "falls"
        return (
            f"none in {ends}: energy times time {falls} with a falling clock, and is least {side} "
            "them"
        )
    half = math.sqrt(max(first**2 - 4.0 * second * zeroth, 0.0)) / (2.0 * second)
    centre = -first / (2.0 * second)
    return Lowest(
        value_mhz=settled(middle * math.exp(place)),
        low_mhz=settled(middle * math.exp(centre - half)),
        high_mhz=settled(middle * math.exp(centre + half)),
    )


@dataclass(frozen=True, kw_only=True)
class Transition:
    """The transition of one phase of one family."""

    family: SettingsFamily
    """Points that differ in caps and clocks alone."""
    phase: str
    """One of `PHASES`."""

    @cached_property
    def runs(self) -> tuple[tuple[float, float], ...]:
        """Achieved clock, and energy times time of a token, of each run that has both."""
        found = []
        for point in self.family.work.points:
            for run, row in zip(point.runs, point.rows, strict=True):
                clock = self.family.run_condition(run.run_id, self.phase, "sm_clock_mean_mhz")
                # A phase that is shorter than its readings has the window's, where none switches.
                if clock is None and not has_own_settings(run.spec):
                    clock = self.family.run_condition(run.run_id, WHOLE, "sm_clock_mean_mhz")
                product = NUMBERS[self.phase].product(row)
                if clock and product:
                    found.append((clock, product))
        return tuple(found)

    @cached_property
    def found(self) -> Lowest | str:
        """The transition, or why there is none."""
        if not self.runs:
            return f"no run of it has a clock that was read and an energy of {self.phase}"
        return lowest([clock for clock, _ in self.runs], [product for _, product in self.runs])

    def part(self, name: str) -> float | None:
        """A number of it; None with a reason."""
        told: float | None = None if isinstance(self.found, str) else getattr(self.found, name)
        return told

    def end(self, *, most: bool) -> float | None:
        """The least or the highest clock of its runs."""
        clocks = [clock for clock, _ in self.runs]
        if not clocks:
            return None
        return max(clocks) if most else min(clocks)

    @property
    def sentence(self) -> str:
        """The finding, for people."""
        if isinstance(self.found, str):
            return f"Transition of {self.phase}: {self.found}."
        one = self.found
        return (
            f"In {self.phase}, below {one.value_mhz:.0f} MHz ({one.low_mhz:.0f} to "
            f"{one.high_mhz:.0f}) time rises by more per cent than energy falls."
        )


_OF: Final = ColumnsOf[Transition]()

_COLUMNS: Final = (
    _OF.text(
        "phase",
        "phase",
        "`whole`: the measured window; `prefill`: reading prompts; `decode`: choosing tokens.",
        lambda one: one.phase,
    ),
    *choice_columns(
        _OF,
        lambda one: one.family.work,
        lambda one: one.family.base,
        lambda one: one.family.work.points,
    ),
    _OF.count("points", "points", "Points of the family.", lambda one: len(one.family.work.points)),
    _OF.count(
        "clock_runs",
        "runs",
        "Runs with a clock that was read in the phase and an energy of it; where no phase has "
        "settings of its own the window's clock stands for one with too few readings.",
        lambda one: len(one.runs),
    ),
    _OF.number(
        "clock_mhz_least", "clock from", "MHz", "Least achieved.", lambda one: one.end(most=False)
    ),
    _OF.number("clock_mhz_most", "clock to", "MHz", "Most.", lambda one: one.end(most=True)),
    _OF.number(
        "transition_mhz",
        "transition",
        "MHz",
        "Clock at which energy times time of a token is least: below it time rises by more per "
        "cent than energy falls. By a parabola of their logarithms, least squares over runs.",
        lambda one: one.part("value_mhz"),
        interval=("transition_mhz_low", "transition_mhz_high"),
        reason="reason",
    ),
    _OF.number(
        "transition_mhz_low",
        "transition from",
        "MHz",
        "Lower end of its 95 % interval, after Fieller: clocks at which the slope is not told "
        "from 0.",
        lambda one: one.part("low_mhz"),
        reason="reason",
    ),
    _OF.number(
        "transition_mhz_high",
        "transition to",
        "MHz",
        "Upper end of it.",
        lambda one: one.part("high_mhz"),
        reason="reason",
    ),
    _OF.text("sentence", "in words", "The finding as a sentence.", lambda one: one.sentence),
    _OF.reason(lambda one: one.found if isinstance(one.found, str) else None),
)


def _rows(results: Results) -> Iterator[Transition]:
    for family in families(results):
        for phase in PHASES:
            yield Transition(family=family, phase=phase)


TRANSITIONS: Final = TableKind(
    name="transitions",
    title="Where time begins to rise more than energy falls",
    columns=_COLUMNS,
    of_results=_rows,
    section="contrasts",
    heading="Where time begins to rise more than energy falls",
    text="The clock at which energy times time of a token is least, of each engine, board and "
    "work that was done at several caps or clocks. Cap and clock of a row are its base's.",
)
"""One row a family of settings and phase."""

"""Draw all: what the tables say, drawn; a figure without data gives its reason instead."""

from collections.abc import Callable
from typing import Final

from analysis.figures.bars import energy_per_token, throughput
from analysis.figures.batch_size import energy_against_batch
from analysis.figures.canvas import DrawnFigure
from analysis.figures.caps import against_cap, against_clock
from analysis.figures.chart import Chart, undrawn
from analysis.figures.choices import energy_delay, energy_saved
from analysis.figures.claims import claims
from analysis.figures.comparisons import comparisons
from analysis.figures.complexity import complexity
from analysis.figures.dvfs import dvfs
from analysis.figures.engine_ladder import engine_ladder
from analysis.figures.engines import engines
from analysis.figures.format_curve import format_curve
from analysis.figures.formats import formats
from analysis.figures.goodput import goodput
from analysis.figures.joules import where_joules_go
from analysis.figures.lengths import lengths
from analysis.figures.observed_clock import observed_clock
from analysis.figures.pareto import time_against_energy
from analysis.figures.phases import energy_by_phase
from analysis.figures.power import power_over_time
from analysis.figures.rendered import figure_of
from analysis.figures.scaling import scaling
from analysis.figures.sharding import sharding
from analysis.figures.variance import variance
from analysis.figures.witnesses import witnesses
from analysis.runs.sealed_runs import Loaded
from analysis.runs.unreadable import shortened
from analysis.tables.table import Tables
from telemetry.waiting import counted

FIGURES: Final[tuple[Callable[[Loaded, Tables], Chart], ...]] = (
    *(energy_per_token, throughput),
    *(power_over_time, energy_by_phase, energy_against_batch),
    *(engines, engine_ladder, sharding, formats, format_curve),
    *(against_cap, against_clock, dvfs),
    *(comparisons, variance),
    *(time_against_energy, energy_delay, energy_saved, scaling),
    *(complexity, lengths, where_joules_go, goodput),
    *(observed_clock, witnesses),
    claims,
)
"""Every figure, in the report's order: one that stands here is drawn, written and shown."""

# What drawing is known to raise of numbers and names that nobody foresaw; none of it is the disk's.
UNDRAWABLE: Final = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    RuntimeError,
)


def draw_all(loaded: Loaded, tables: Tables) -> list[DrawnFigure]:
    """Every figure, in the report's order; one that cannot be drawn of odd data says why."""
    return [_drawn(make, loaded, tables) for make in counted(FIGURES, "drawing figure")]


def _drawn(make: Callable[[Loaded, Tables], Chart], loaded: Loaded, tables: Tables) -> DrawnFigure:
    """One figure: what it raises takes no number and no other figure with it."""
    try:
        return figure_of(make(loaded, tables))
    except UNDRAWABLE as error:
        name = make.__name__
        reason = f"it cannot be drawn of these runs: {shortened(error)}"
        return figure_of(undrawn(name.replace("_", "-"), name.replace("_", " "), reason))

"""Build: every table that there is, made from the sealed runs of a results folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from analysis.abstracts.coverage import ABSTRACT_COVERAGE
from analysis.abstracts.table import ABSTRACT_CLAIMS
from analysis.claims.table import CLAIMS
from analysis.effects.comparisons import COMPARISONS
from analysis.effects.drift import DRIFT
from analysis.effects.grid_model import MIXED_MODEL
from analysis.effects.ladder_table import ENGINE_LADDER
from analysis.effects.twins import DISTILLED_TWINS
from analysis.effects.variance import VARIANCE
from analysis.energy.power_trace import PowerTrace, power_trace
from analysis.energy.run_energy import RunEnergy
from analysis.findings.best import BEST
from analysis.findings.complexity import COMPLEXITY
from analysis.findings.complexity_models import COMPLEXITY_MODELS
from analysis.findings.delay import ENERGY_DELAY
from analysis.findings.format_crossovers import FORMAT_CROSSOVERS
from analysis.findings.format_curve import FORMAT_CURVE
from analysis.findings.format_savings import FORMAT_SAVINGS
from analysis.findings.goodput import GOODPUT
from analysis.findings.input_features import INPUT_FEATURES
from analysis.findings.joule_costs import JOULE_COSTS
from analysis.findings.joule_work import JOULE_WORK
from analysis.findings.joules import JOULES
from analysis.findings.pareto import PARETO
from analysis.findings.scaling_tables import SCALING, SCALING_LAWS
from analysis.findings.serving import REQUESTS, SERVING
from analysis.lengths.models import SEQUENCE_MODELS
from analysis.lengths.point_lengths import SEQUENCE_LENGTHS
from analysis.lengths.published import SEQUENCE_PUBLISHED
from analysis.lengths.residuals import SEQUENCE_RESIDUALS
from analysis.lengths.run_lengths import SEQUENCE_RUNS
from analysis.paper.beyond import BEYOND
from analysis.paper.caps import TABLE_THREE_ENGINES
from analysis.paper.comparison import COMPARISON
from analysis.paper.counted import COUNTED
from analysis.paper.exhibits import EXHIBITS
from analysis.power.best_caps import BEST_CAPS
from analysis.power.cap_changes import CAP_CHANGES
from analysis.power.clock_readings import CLOCK_READINGS
from analysis.power.curves import CAP_CURVES
from analysis.power.dvfs import DVFS
from analysis.power.dvfs_published import DVFS_PUBLISHED
from analysis.power.observed import OBSERVED_CLOCK
from analysis.power.transition import TRANSITIONS
from analysis.quality.table import QUALITY
from analysis.runs.labels import RunLabels
from analysis.runs.possible_values import require_possible_values
from analysis.runs.sealed_runs import UNREADABLE_STATE, Loaded, NotCounted, Run
from analysis.runs.unreadable import UNREADABLE, shortened
from analysis.tables.about import about
from analysis.tables.accounting import ACCOUNTING
from analysis.tables.column import Row
from analysis.tables.conditions import CONDITIONS
from analysis.tables.engines import ENGINES
from analysis.tables.forecasts import FORECASTS
from analysis.tables.formats import FORMATS
from analysis.tables.gpus import GPUS
from analysis.tables.groups import GROUPS
from analysis.tables.measured import Measured
from analysis.tables.not_counted import NOT_COUNTED
from analysis.tables.outside_meters import OUTSIDE_METERS
from analysis.tables.performance import PERFORMANCE
from analysis.tables.phases import PHASES
from analysis.tables.point import run_order
from analysis.tables.runs import RUNS
from analysis.tables.sensors import SENSORS
from analysis.tables.sharding import SHARDING
from analysis.tables.table import Results, Table, TableKind, Tables
from telemetry.terminal import printable
from telemetry.waiting import counted as counted_run

TABLES: Final[tuple[TableKind[Any], ...]] = (
    *(GROUPS, ENGINES, ENGINE_LADDER, SHARDING, FORMATS),
    *(FORMAT_CURVE, FORMAT_SAVINGS, FORMAT_CROSSOVERS, CAP_CHANGES),
    *(CAP_CURVES, TRANSITIONS, BEST_CAPS),
    *(COMPARISONS, DISTILLED_TWINS, MIXED_MODEL, VARIANCE, DRIFT),
    *(DVFS, DVFS_PUBLISHED),
    *(PARETO, ENERGY_DELAY, BEST),
    *(SCALING, SCALING_LAWS, GOODPUT),
    *(SERVING, REQUESTS),
    QUALITY,
    *(COMPLEXITY_MODELS, INPUT_FEATURES, COMPLEXITY),
    *(SEQUENCE_LENGTHS, SEQUENCE_MODELS, SEQUENCE_RESIDUALS, SEQUENCE_PUBLISHED, SEQUENCE_RUNS),
    *(JOULES, JOULE_COSTS, JOULE_WORK),
    *(OBSERVED_CLOCK, CLOCK_READINGS),
    *(RUNS, PERFORMANCE, CONDITIONS),
    *(PHASES, GPUS, SENSORS),
    *(OUTSIDE_METERS, ACCOUNTING),
    FORECASTS,
    COMPARISON,
    *(exhibit.kind for exhibit in EXHIBITS),
    TABLE_THREE_ENGINES,
    *(BEYOND, CLAIMS),
    *(ABSTRACT_CLAIMS, ABSTRACT_COVERAGE, NOT_COUNTED),
    *(COUNTED,),
)
"""Every table, in the report's order: one that stands here is written, shown and audited.

A table of all runs together sees those of single runs, and of its own kind those before it.
"""


GRID_POINTS: Final[tuple[TableKind[Any], ...]] = (GROUPS, RUNS, PERFORMANCE)
"""The table of grid points and what it is made from: what a line of a terminal is told by."""


@dataclass(frozen=True, kw_only=True)
class RunRows:
    """What one run gives to the tables: small beside its readings, and it can be pickled."""

    rows: Mapping[str, Sequence[Row]]
    """Its rows of every table of single runs, by the table's name."""
    labels: RunLabels
    """What travels with them."""
    notes: tuple[tuple[str, str], ...]
    """(run, sentence) of what a reader of its energies has to know."""
    trace: PowerTrace
    """Its power over time."""


def run_rows(run_energy: RunEnergy, kinds: Sequence[TableKind[Any]] | None = None) -> RunRows:
    """What one run gives to the tables; `kinds` are the wanted ones, None takes all.

    Raises:
        OSError, ValueError: its record cannot be read; all of `UNREADABLE` may come.
    """
    run, measured = run_energy.run, Measured(run_energy)
    require_possible_values(run)
    return RunRows(
        rows=_rows(measured, TABLES if kinds is None else kinds),
        labels=RunLabels.of(run, measured.labels),
        notes=tuple((run.run_id, printable(note)) for note in run_energy.notes),
        trace=power_trace(run_energy),
    )


def build_tables(
    loaded: Loaded,
    known: Mapping[str, RunRows] | None = None,
    kinds: Sequence[TableKind[Any]] | None = None,
) -> Tables:
    """The tables of all sealed runs; a run whose record cannot be read is named, not dropped.

    Args:
        loaded: the runs.
        known: rows of runs that were looked at before, by name; of others they are made here.
        kinds: which tables, with those that they are made from, such as `GRID_POINTS`; None: all.
    """
    known = known or {}
    wanted = TABLES if kinds is None else kinds
    of_runs: dict[str, list[Row]] = {kind.name: [] for kind in wanted if kind.of_run}
    notes: list[tuple[str, str]] = []
    counted: list[Run] = []
    labels: dict[str, RunLabels] = {}
    traces: dict[str, PowerTrace] = {}
    others = list(loaded.not_counted)
    for run in counted_run(sorted(loaded.runs, key=run_order), "computing run"):
        try:
            own = known.get(run.run_id) or run_rows(RunEnergy(run), wanted)
        except UNREADABLE as error:
            others.append(_unreadable(run, error))
            continue
        # A campaign's tables at once would be gigabytes.
        run.let_go()
        for name in of_runs:
            of_runs[name] += own.rows[name]
        notes += own.notes
        counted.append(run)
        labels[run.run_id] = own.labels
        traces[run.run_id] = own.trace
    others.sort(key=lambda other: (other.run_id, other.attempt or 0))
    made: dict[str, Table] = {}
    for kind in wanted:
        if kind.of_run is not None:
            rows = of_runs[kind.name]
            rows = rows if kind.pool is None else list(kind.pool(rows))
            made[kind.name] = Table(kind=kind, columns=kind.columns, rows=tuple(rows))
    results = Results(runs=tuple(counted), not_counted=tuple(others), made=made)
    for kind in wanted:
        if kind.of_results is not None:
            made[kind.name] = kind.table(kind.of_results(results))
    by_name = {
        kind.name: replace(made[kind.name], about=about(kind.name, kind.title, labels))
        for kind in wanted
    }
    return Tables(by_name=by_name, notes=tuple(notes), others=tuple(others), traces=traces)


def unreadable_runs(loaded: Loaded) -> tuple[NotCounted, ...]:
    """Sealed runs of which a table of their own cannot be read, by name.

    What others say of a run, such as a meter's log, is no part of its record and left aside.
    """
    found: list[NotCounted] = []
    for run in loaded.runs:
        try:
            require_possible_values(run)
            _ = RunEnergy(run).window_us
        except UNREADABLE as error:
            found.append(_unreadable(run, error))
        run.let_go()
    return tuple(found)


def _unreadable(run: Run, error: BaseException) -> NotCounted:
    return NotCounted(
        run_id=run.run_id,
        attempt=run.attempt.number,
        state=UNREADABLE_STATE,
        reason=shortened(error),
    )


def _rows(measured: Measured, kinds: Sequence[TableKind[Any]]) -> dict[str, list[Row]]:
    """One run's rows of every table that has such, before any of them counts."""
    return {
        kind.name: kind.rows(kind.of_run(measured)) for kind in kinds if kind.of_run is not None
    }

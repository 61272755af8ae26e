"""Curves: time, energy and their product of a token at each cap and clock, phase by phase."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from analysis.findings.point_columns import choice_columns, interval_columns
from analysis.power.family import CurvePoint, curve_points, families
from analysis.power.task import clock_share, task_of
from analysis.tables.column import ColumnsOf
from analysis.tables.labels import WORDS
from analysis.tables.table import Results, TableKind

_OF: Final = ColumnsOf[CurvePoint]()
_OF_WHAT: Final = "of a generated token; in prefill of a token of a prompt: mean over the repeats."

_COLUMNS: Final = (
    _OF.text(
        "phase",
        "phase",
        "`whole`: the measured window; `prefill`: reading prompts; `decode`: choosing tokens.",
        lambda one: one.phase,
    ),
    _OF.text(
        "task",
        "task",
        "What was asked: the kind of the data set's task, `generation` of prompts without one.",
        lambda one: task_of(one.point),
    ),
    *(
        column
        if column.name != WORDS
        else replace(
            column,
            meaning=f"{column.meaning} Of prefill and decode those of cap and clock are the "
            "phase's own.",
            value=lambda one: one.labels,
        )
        for column in choice_columns(_OF, lambda one: one.family.work, lambda one: one.point)
    ),
    _OF.flag(
        "base",
        "base",
        "True of the point without cap and lock, else that of the highest.",
        lambda one: one.point is one.family.base,
    ),
    _OF.number(
        "power_cap_requested_w",
        "cap asked",
        "W",
        "Cap asked for in the phase: its own, else the run's.",
        lambda one: one.asked("power_cap_w"),
        shown_with="power_cap_requested_w",
    ),
    _OF.number(
        "sm_clock_requested_mhz",
        "clock asked",
        "MHz",
        "Clock lock asked for in the phase: its own, else the run's.",
        lambda one: one.asked("sm_clock_mhz"),
        shown_with="sm_clock_requested_mhz",
    ),
    _OF.number(
        "sm_clock_mean_mhz",
        "clock read",
        "MHz",
        "Mean clock that was achieved in the phase, over working GPUs and repeats; of `whole` over "
        "the window.",
        lambda one: one.condition("sm_clock_mean_mhz"),
        shown_with="sm_clock_mean_mhz",
        reason="conditions_reason",
    ),
    _OF.share(
        "sm_clock_share",
        "of the highest clock",
        "That clock over the highest of the board, as telemetry/boards has it; empty: not known.",
        lambda one: clock_share(one.point, one.condition("sm_clock_mean_mhz")),
        shown_with="sm_clock_mean_mhz",
    ),
    _OF.share(
        "cap_bound_share",
        "limit bound",
        "Share of its readings at which a power limit held a clock down, mean over repeats.",
        lambda one: one.condition("cap_bound_share"),
        shown_with="sm_clock_mean_mhz",
        reason="conditions_reason",
    ),
    _OF.text(
        "conditions_reason",
        "clock: why not",
        "Why clock or share of a phase is missing.",
        lambda one: one.condition_reason,
        shown=False,
    ),
    *interval_columns(
        _OF,
        "time_per_token_s",
        "s / token",
        "s",
        meaning=f"Time {_OF_WHAT}",
        value=lambda one: one.time,
        missing=lambda one: one.missing(energy=False),
    ),
    _OF.number(
        "tokens_per_s",
        "tokens / s",
        "1/s",
        "1 / time_per_token_s.",
        lambda one: None if one.time is None else 1.0 / one.time.value,
        reason="time_per_token_s_interval_from",
    ),
    *interval_columns(
        _OF,
        "energy_per_token_j",
        "J / token",
        "J",
        meaning=f"Energy {_OF_WHAT}",
        value=lambda one: one.energy,
        missing=lambda one: one.missing(energy=True),
    ),
    *interval_columns(
        _OF,
        "energy_delay_per_token_js",
        "J s",
        "J s",
        meaning=f"Energy times time, run by run, {_OF_WHAT}",
        value=lambda one: one.delay,
        missing=lambda one: one.missing(energy=one.time is not None),
    ),
)


def _rows(results: Results) -> Iterator[CurvePoint]:
    for family in families(results):
        yield from curve_points(family)


CAP_CURVES: Final = TableKind(
    name="cap_curves",
    title="Time and energy against cap and clock",
    columns=_COLUMNS,
    of_results=_rows,
    section="contrasts",
    heading="Time and energy against cap and clock",
    text="Each phase of each point, where points of one engine, board and work differ in caps or "
    "clocks. Beside what was asked in the phase stands the clock that was read there.",
)
"""One row a grid point and phase."""

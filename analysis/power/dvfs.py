"""DVFS: task by task and phase by phase, the clock at which a token takes the least energy."""

from collections.abc import Iterator
from typing import Final

from analysis.findings.estimate import Ranged
from analysis.findings.point_columns import choice_columns, interval_columns
from analysis.findings.works import WorkPoint
from analysis.power.clock_family import Clocked, clock_families, less_one, saved
from analysis.power.family import PHASES
from analysis.tables.column import ColumnsOf
from analysis.tables.table import Results, TableKind

SAVES: Final = "saves energy"
"""Verdict: the lowest clock's energy is below that without a lock, by both intervals."""
NOT_SHOWN: Final = "not shown"
"""Verdict: it is not told from that without a lock."""
BASE_LEAST: Final = "the base takes least"
"""Verdict: no lock takes less in the mean."""


def verdict(one: Clocked) -> str | None:
    """What becomes of the energy; None with a reason."""
    if one.lowest is None or one.energy_over is None:
        return None
    if one.lowest is one.base:
        return BASE_LEAST
    high = one.energy_over.high
    return SAVES if high is not None and high < 1.0 else NOT_SHOWN


def _lowest(one: Clocked) -> WorkPoint | None:
    return None if one.lowest is None else one.lowest.point


def _clock(one: Clocked) -> float | None:
    point = _lowest(one)
    return None if point is None else one.family.clock_mhz(point)


def _share(one: Clocked) -> float | None:
    point = _lowest(one)
    return None if point is None else one.family.share(point)


def sentence(one: Clocked) -> str | None:
    """The finding, for people."""
    point, said = _lowest(one), verdict(one)
    row = one.family.base.group
    who = f"{one.family.task} of {row['dataset']}, {row['model']} by {row['engine']}, {one.phase}"
    marks = [
        word
        for name, word in (("simulated", "simulated"), ("random_weights", "random weights"))
        if row[name]
    ]
    labels = f" [{', '.join(marks)}]" if marks else ""
    if point is None or said is None:
        return f"{who}: cannot tell: {one.reason}{labels}."
    at = one.family.words(point)
    if said == BASE_LEAST:
        return f"{who}: {at} takes the least energy, and no lower clock less{labels}."
    less, slower = saved(one.energy_over), less_one(one.time_over)
    assert less is not None
    told = _per_cent(less.value, less.low, less.high)
    after = ""
    if slower is not None:
        after = f", {_time(slower)}"
    head = "takes the least energy" if said == SAVES else "takes the least in the mean"
    shown = "" if said == SAVES else ", which is not told from no lock"
    base = one.family.words(one.family.base)
    return f"{who}: {at} {head}, {told} less than {base}{after}{shown}{labels}."


def _time(slower: Ranged) -> str:
    if slower.value < 0:
        ends = [None if end is None else -end for end in (slower.high, slower.low)]
        return f"in {_per_cent(-slower.value, *ends)} less time"
    return f"in {_per_cent(slower.value, slower.low, slower.high)} more time"


def _per_cent(value: float, low: float | None, high: float | None) -> str:
    ends = "" if low is None or high is None else f" ({low:.1%} to {high:.1%})"
    return f"{value:.1%}{ends}"


_OF: Final = ColumnsOf[Clocked]()
_BASE: Final = "over that of the base, without a lock or of the highest"

_COLUMNS: Final = (
    _OF.text(
        "task",
        "task",
        "What was asked: the kind of the data set's task, `generation` of prompts without one.",
        lambda one: one.family.task,
    ),
    _OF.text(
        "phase",
        "phase",
        "`whole`: the measured window; `prefill`: reading prompts; `decode`: choosing tokens.",
        lambda one: one.phase,
    ),
    *choice_columns(
        _OF,
        lambda one: one.family.family.work,
        lambda one: one.family.base,
        lambda one: one.family.points,
    ),
    _OF.count(
        "clocks",
        "clocks",
        "Points whose clock was held.",
        lambda one: len(one.family.points) if one.family.any_held else 0,
    ),
    _OF.text(
        "clocks_asked",
        "locks",
        "Their locks, the highest first.",
        lambda one: ", ".join(map(one.family.words, one.family.points)),
    ),
    _OF.text(
        "lowest",
        "least energy at",
        "The lock at which a token takes the least energy, by the means.",
        lambda one: None if (point := _lowest(one)) is None else one.family.words(point),
    ),
    _OF.number(
        "lowest_clock_mhz",
        "clock read",
        "MHz",
        "Mean clock that was achieved there, over window, working GPUs and repeats.",
        _clock,
    ),
    _OF.share(
        "lowest_clock_share",
        "of the highest clock",
        "That over the board's highest clock, as telemetry/boards has it; empty: not known.",
        _share,
    ),
    *interval_columns(
        _OF,
        "energy_per_token_j",
        "J / token",
        "J",
        meaning="Energy of a token there; in prefill of a token of a prompt.",
        value=lambda one: None if one.lowest is None else one.lowest.energy,
        missing=lambda one: one.reason,
    ),
    *interval_columns(
        _OF,
        "energy_saved_share",
        "saved",
        "1",
        meaning=f"1 less the energy of a token there {_BASE}.",
        value=lambda one: saved(one.energy_over),
        missing=lambda one: one.reason,
    ),
    *interval_columns(
        _OF,
        "slower_share",
        "slower",
        "1",
        meaning=f"Time of a token there {_BASE}, less 1.",
        value=lambda one: less_one(one.time_over),
        missing=lambda one: one.reason,
    ),
    *interval_columns(
        _OF,
        "energy_delay_change_share",
        "energy x time",
        "1",
        meaning=f"Energy times time of a token there {_BASE}, less 1.",
        value=lambda one: less_one(one.delay_over),
        missing=lambda one: one.reason,
    ),
    _OF.text(
        "verdict",
        "verdict",
        f"`{SAVES}`: its energy is below the base's by the interval of their ratio; "
        f"`{NOT_SHOWN}`: it is not; `{BASE_LEAST}`.",
        verdict,
    ),
    _OF.text(
        "not_told_from",
        "not told from",
        "Locks whose energy is not told from the least.",
        lambda one: "; ".join(one.not_told_from) or None,
    ),
    _OF.text(
        "not_counted",
        "not counted",
        "Runs whose clock was not held, or of which nothing says: in no number here.",
        lambda one: "; ".join(one.family.left_out) or None,
    ),
    _OF.text("sentence", "in words", "The finding as a sentence.", sentence),
    _OF.reason(lambda one: one.reason),
)


def _rows(results: Results) -> Iterator[Clocked]:
    for family in clock_families(results):
        for phase in PHASES:
            yield Clocked(family=family, phase=phase)


DVFS: Final = TableKind(
    name="dvfs",
    title="The clock of least energy, by task and phase",
    columns=_COLUMNS,
    of_results=_rows,
    section="contrasts",
    heading="The clock of least energy, by task and phase",
    text="Points that differ in a lock of the clock alone, of one task, model, engine and board. "
    "Runs whose clock was not held are in no number, and stand beside by name.",
)
"""One row a family of locks and phase."""

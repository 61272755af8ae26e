"""Table: one row a run, grid point or whole, for CSV and LaTeX."""

from collections.abc import Callable
from typing import Final

from analysis.footprint.amount import FootprintAmount
from analysis.footprint.footprint import Footprint, Footprints
from analysis.runs.labels import words_of
from analysis.tables.column import UNIT_OF_ROW, Column, ColumnsOf
from analysis.tables.labels import WORDS
from analysis.tables.table import Table, TableKind

_OF: Final = ColumnsOf[Footprint]()


def _amount(
    name: str, label: str, unit: str, meaning: str, of: Callable[[Footprint], FootprintAmount]
) -> tuple[Column[Footprint], ...]:
    stem, _, ending = name.rpartition("_")
    ends = (f"{stem}_low_{ending}", f"{stem}_high_{ending}")
    return (
        _OF.number(name, label, unit, meaning, lambda one: of(one).value, interval=ends),
        _OF.number(
            ends[0],
            f"{label}, from",
            unit,
            f"Lower end of {name}'s interval, as `interval` says.",
            lambda one: of(one).low,
            shown=False,
        ),
        _OF.number(
            ends[1],
            f"{label}, to",
            unit,
            "Upper end of the same.",
            lambda one: of(one).high,
            shown=False,
        ),
    )


_COLUMNS: Final = (
    _OF.text(
        "kind",
        "of",
        "`run`, `point` (mean of a repeat) or `campaign`.",
        lambda one: one.subject.kind,
    ),
    _OF.text(
        "name", "name", "The run, the point in words, or the whole.", lambda o: o.subject.name
    ),
    _OF.simulated(lambda one: one.subject.simulated),
    _OF.text(
        WORDS,
        "labels",
        "What a reader of the row has to know first, in words, between commas: the labels of all "
        "runs in it.",
        lambda one: words_of(one.subject.labels),
        shown=False,
    ),
    _OF.text(
        "to_know",
        "to know",
        "The same as a sentence has them.",
        lambda one: "; ".join(one.marks) or None,
    ),
    _OF.count("n", "runs", "Sealed runs in it.", lambda one: len(one.subject.runs)),
    _OF.count(
        "generated_tokens", "tokens", "Generated ids of all its runs.", lambda o: o.subject.tokens
    ),
    *_amount(
        "energy_j",
        "energy",
        "J",
        "Energy of the GPUs in the window; of a point the mean of a repeat.",
        lambda one: one.subject.energy_j,
    ),
    _OF.number(
        "energy_gain_j",
        "± gain",
        "J",
        "What the boards' own errors of gain may come to in energy_j: in no interval.",
        lambda one: one.subject.gain_j,
        shown=False,
    ),
    *_amount(
        "energy_kwh", "kWh", "kWh", "energy_j / 3.6e6, before any PUE.", lambda o: o.energy_kwh
    ),
    *_amount(
        "energy_per_token_j",
        "J / token",
        "J",
        "Energy over generated tokens.",
        lambda one: one.subject.energy_per_token_j,
    ),
    *_amount(
        "carbon_g",
        "g CO2e",
        "g",
        "energy_kwh x the stated grid intensity, x the PUE where one is stated.",
        lambda one: one.carbon_g,
    ),
    *_amount(
        "carbon_per_token_g",
        "g CO2e / token",
        "g",
        "The same of a generated token.",
        lambda one: one.carbon_per_token_g,
    ),
    _OF.text(
        "carbon_reason",
        "no carbon",
        "Why there is no carbon.",
        lambda one: one.carbon_g.reason,
    ),
    *_amount(
        "embodied_g",
        "embodied g CO2e",
        "g",
        "Of making the hardware: GPU hours x what was stated of one; in no other number.",
        lambda one: one.embodied_g,
    ),
    _OF.text(
        "embodied_reason",
        "no embodied part",
        "Why there is no embodied part.",
        lambda one: one.embodied_g.reason,
    ),
    *_amount(
        "cost_money",
        "cost",
        UNIT_OF_ROW,
        "energy_kwh x the stated price, x the PUE where one is stated, in the stated currency.",
        lambda one: one.cost,
    ),
    _OF.text("cost_reason", "no cost", "Why there is no cost.", lambda one: one.cost.reason),
    _OF.text(
        "interval",
        "intervals",
        "By what the intervals are made; factors count as exact.",
        lambda one: one.subject.interval,
        shown=False,
    ),
)

FOOTPRINT: Final = TableKind(
    name="footprint",
    title="Footprint",
    columns=_COLUMNS,
    # Made of factors that no results folder has.
    of_results=lambda _: (),
)
"""One row a run, a grid point, and all measured or simulated runs together."""


def table_of(found: Footprints) -> Table:
    """The footprint as a table: the whole first, then points, then runs."""
    order = {"campaign": 0, "point": 1, "run": 2}
    return FOOTPRINT.table(sorted(found.of, key=lambda one: order[one.subject.kind]))

"""Claims: what the paper says, claim by claim, beside what was found, on one axis."""

import math
from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import Final

from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Line, Mark, Panel, undrawn
from analysis.figures.labels import number_of
from analysis.figures.marks import labels_of
from analysis.figures.palette import GREY
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.runs import RUNS
from analysis.tables.table import Tables

PAPER: Final = "the paper's conditions"
"""By which numbers a claim's own verdict is: table `claims`, column `by_what`."""
OWN: Final = "its own numbers"
"""The same of the paper's tables and figures."""
COLOUR_OF: Final[Mapping[str, int]] = {
    "reproduced": 2,
    "agrees with itself": 2,
    "not reproduced": 5,
    "contradicts itself": 5,
    "cannot tell": GREY,
}
"""Colour of each verdict."""


def claims(_loaded: Loaded, tables: Tables) -> Chart:
    """Every claim by its number in the paper's order, one mark for each set of numbers."""
    key, title = "claims", "What the paper claims, and what was found"
    rows = tables.claims.rows
    runs = tables.by_name.get(RUNS.name)
    if runs is not None and not runs.rows:
        # The paper's numbers held against each other are no picture of a folder's runs.
        return undrawn(key, title, "no sealed run counts")
    if not rows:
        return undrawn(key, title, "no claim was held against anything")
    by_claim: dict[str, list[Row]] = {}
    for row in rows:
        by_claim.setdefault(str(row["claim"]), []).append(row)
    reasons = _reasons(rows)
    drawn: dict[tuple[str, str], list[Mark]] = {}
    for index, own in enumerate(by_claim.values()):
        for row in own:
            if (mark := _mark(row, index)) is not None:
                drawn.setdefault((_by_what(row), str(row["verdict"])), []).append(mark)
    if all(what == OWN for what, _ in drawn):
        return undrawn(key, title, "no run has a number that a claim can be held against")
    sets = list(dict.fromkeys(what for what, _ in drawn))
    series = tuple(
        ChartSeries(
            name=f"{what}: {verdict}",
            kind="points",
            marks=tuple(marks),
            colour=COLOUR_OF.get(verdict),
            symbol=SYMBOLS[sets.index(what) % len(SYMBOLS)],
        )
        for (what, verdict), marks in drawn.items()
    )
    panel = Panel(
        series=series,
        y_label="found over what the paper claims",
        y_scale="log",
        categories=tuple(
            _named(number, name, own, reasons)
            for number, (name, own) in enumerate(by_claim.items(), 1)
        ),
        sideways=True,
        lines=(Line(at=1.0, name="as the paper claims"),),
    )
    told = "; ".join(f"({letter}) {reason}" for reason, letter in reasons.items())
    return Chart(
        key=key,
        title=title,
        caption="One row a claim, by number in the order of the paper, with its verdict under the "
        "paper's conditions. Found is the number that decided, over the middle of the claimed "
        "range or its only bound: a claim of more than the bound lies right of 1, of less left. "
        "Whiskers: 95 % over repeats, of one run the sensors' part alone, of the paper's own "
        "numbers what reading allows. The table has every range and test."
        + (f" No number, as: {told}." if told else ""),
        panels=(panel,),
    )


def claimed(row: Row) -> float | None:
    """What the paper claims as one number: the geometric middle of its range, or its only bound.

    None where it gives none that a ratio can be made to.
    """
    ends = [
        number_of(row[name]) for name in ("claimed_low", "claimed_high") if row[name] is not None
    ]
    if not ends or min(ends) <= 0:
        return None
    return math.exp(math.fsum(map(math.log, ends)) / len(ends))


def _mark(row: Row, index: int) -> Mark | None:
    """None of a row without a number, or without one to hold it against."""
    by = claimed(row)
    if by is None or row["deciding_value"] is None or number_of(row["deciding_value"]) <= 0:
        return None
    value, low, high = (
        None if row[name] is None else number_of(row[name]) / by
        for name in ("deciding_value", "deciding_low", "deciding_high")
    )
    assert value is not None
    known = low is not None and high is not None and 0 < low <= value <= high
    what = _by_what(row)
    name = f"{'paper, ' if what == OWN else ''}{row['claim']} ({row['where']})"
    return Mark(
        x=float(index),
        y=value,
        low=low if known else None,
        high=high if known else None,
        interval=_interval(row) if known else "no interval",
        hover=f"{name}\n{row['verdict']}, by {what}\n{row['evidence']}",
        axes={"verdict": str(row["verdict"]), "held against": what},
        labels=labels_of(row),
    )


def _interval(row: Row) -> str:
    if row["by_what"] == OWN:
        return "by reading and rounding"
    return f"95 %, {row['n']} runs" if row["p"] is not None else f"{row['n']} runs"


def _by_what(row: Row) -> str:
    """The set of numbers in a legend's words."""
    if row["by_what"] in {PAPER, OWN}:
        return str(row["by_what"])
    return f"{row['gpu']}, {row['engine']}"


def _reasons(rows: Sequence[Row]) -> dict[str, str]:
    """A letter for each reason why a claim has no number under the paper's conditions."""
    told = dict.fromkeys(
        str(row["evidence"]) for row in rows if row["by_what"] == PAPER and _mark(row, 0) is None
    )
    letters = (*ascii_lowercase, *(a + b for a in ascii_lowercase for b in ascii_lowercase))
    return dict(zip(told, letters, strict=False))


def _named(number: int, name: str, own: Sequence[Row], reasons: Mapping[str, str]) -> str:
    """Number, name and verdict, and the letter of the reason where nothing is drawn for it."""
    row = next((one for one in own if one["by_what"] == PAPER), own[0])
    letter = reasons.get(str(row["evidence"])) if _mark(row, 0) is None else None
    return f"{number} {name}: {row['verdict']}" + (f" ({letter})" if letter else "")

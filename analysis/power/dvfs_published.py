"""DVFS published: what arXiv 2501.08219 says of clocks, version by version, and what becomes of it.

A verdict is about real boards: what is simulated cannot tell.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from analysis.findings.estimate import Ranged, ratio
from analysis.findings.point_columns import choice_columns
from analysis.findings.works import no_width, real
from analysis.power.clock_family import Clocked, clock_families, less_one, saved
from analysis.power.family import CurvePoint
from analysis.tables.column import ColumnsOf, Row
from analysis.tables.table import Results, TableKind

REPRODUCED: Final = "reproduced"
"""Verdict: what was measured here bears the statement out."""
NOT_REPRODUCED: Final = "not reproduced"
"""Verdict: what was measured here is against it."""
CANNOT_TELL: Final = "cannot tell"
"""Verdict: neither; the reason stands beside."""


@dataclass(frozen=True, kw_only=True)
class ClockStatement:
    """One published statement."""

    key: str
    """Its name here, with the version."""
    source: str
    """Which version, and where in it."""
    statement: str
    """What it says, in short."""
    rule: str
    """How it is held against a family, a name of `_RULES`."""
    phase: str
    """What it is of, one of `PHASES`."""
    low: float | None
    """Least that it prints; None: nothing below."""
    high: float | None
    """Most that it prints; None: nothing above."""
    note: str
    """What stands between it and ours."""
    clock_over: float = 0.0
    """The most of its lower clock over the upper one; 0: any."""


@cache
def clock_statements() -> tuple[ClockStatement, ...]:
    """All of them, in the order of the file."""
    text = resources.files("analysis.power").joinpath("dvfs_published.json").read_text("utf-8")
    return tuple(ClockStatement(**one) for one in json.loads(text)["statements"])


@dataclass(frozen=True, kw_only=True, eq=False)
class ClockBearing:
    """One statement against one family."""

    published: ClockStatement
    """The statement."""
    of: Clocked
    """The family, and the phase that it is of."""

    @property
    def found(self) -> Ranged | str:
        """Our number, whatever the boards; or why there is none."""
        return _RULES[self.published.rule](self.published, self.of)

    def part(self, name: str) -> float | None:
        """One of our numbers."""
        told: float | None = None if isinstance(self.found, str) else getattr(self.found, name)
        return told

    @property
    def reason(self) -> str | None:
        """Why nothing can be told; None where something is."""
        if isinstance(self.found, str):
            return self.found
        if self.of.family.base.simulated:
            return "simulated: no measurement"
        return self.found.basis if self.found.low is None or self._bears is None else None

    @property
    def _bears(self) -> bool | None:
        """Whether our interval meets the printed range; None: it lies across where it may not."""
        found = self.found
        if isinstance(found, str) or found.low is None or found.high is None:
            return None
        least, most = self.published.low, self.published.high
        return not (
            (least is not None and found.high < least) or (most is not None and found.low > most)
        )

    @property
    def verdict(self) -> str:
        """What becomes of the statement."""
        if self.reason is not None:
            return CANNOT_TELL
        return REPRODUCED if self._bears else NOT_REPRODUCED


def _saving_reaches(_one: ClockStatement, of: Clocked) -> Ranged | str:
    found = saved(of.energy_over)
    return of.reason or "no clock saves anything" if found is None else found


def _slowest(one: ClockStatement, of: Clocked) -> CurvePoint | str:
    """The point of the lowest clock that was read, where it is as low as the statement's."""
    if of.reason is not None or of.base is None:
        return of.reason or "no base"
    clocks = {point: of.family.clock_mhz(point.point) for point in of.curve}
    known = {point: clock for point, clock in clocks.items() if clock is not None}
    base = known.get(of.base)
    if not base:
        return "the base's clock was not read"
    lowest = min(known, key=lambda point: known[point])
    over = known[lowest] / base
    if over > one.clock_over:
        return (
            f"it is of a clock at {one.clock_over:.1%} of the upper one, and the lowest that was "
            f"held and read is at {over:.1%}"
        )
    return lowest


def _saving_at_lowest(one: ClockStatement, of: Clocked) -> Ranged | str:
    return _at_lowest(one, of, "energy", saved)


def _slower_at_lowest(one: ClockStatement, of: Clocked) -> Ranged | str:
    return _at_lowest(one, of, "time", less_one)


def _at_lowest(
    one: ClockStatement,
    of: Clocked,
    name: str,
    change: Callable[[Ranged | None], Ranged | None],
) -> Ranged | str:
    point = _slowest(one, of)
    if isinstance(point, str):
        return point
    found = change(ratio(getattr(point, name), getattr(of.base, name)))
    return f"no {name} above 0" if found is None else found


def _decode_share(_one: ClockStatement, of: Clocked) -> Ranged | str:
    found = of.family.family.work.of(of.family.base, decode_share, no_width, energy=False)
    return "a run of it tells no phases apart" if found is None else found


def decode_share(row: Row) -> float | None:
    """Share of DECODE of the time in both phases of a run."""
    prefill_s, decode_s = real(row["prefill_s"]), real(row["decode_s"])
    if prefill_s is None or not decode_s:
        return None
    return decode_s / (prefill_s + decode_s)


def _no_number(_one: ClockStatement, _of: Clocked) -> str:
    return "it prints no number to hold ours against"


_RULES: Final[Mapping[str, Callable[[ClockStatement, Clocked], Ranged | str]]] = {
    "no_number": _no_number,
    "saving_reaches": _saving_reaches,
    "saving_at_lowest_clock": _saving_at_lowest,
    "slower_at_lowest_clock": _slower_at_lowest,
    "decode_share": _decode_share,
}

_OF: Final = ColumnsOf[ClockBearing]()

_COLUMNS: Final = (
    _OF.text("statement", "statement", "Its name here.", lambda one: one.published.key),
    _OF.text("source", "source", "Which version, and where.", lambda one: one.published.source),
    _OF.text("says", "says", "What it says, in short.", lambda one: one.published.statement),
    _OF.share(
        "published_low", "published from", "Least that it prints.", lambda one: one.published.low
    ),
    _OF.share(
        "published_high", "published to", "Most that it prints.", lambda one: one.published.high
    ),
    _OF.text("task", "task", "What was asked, as in dvfs.", lambda one: one.of.family.task),
    *choice_columns(
        _OF,
        lambda one: one.of.family.family.work,
        lambda one: one.of.family.base,
        lambda one: one.of.family.points,
    ),
    _OF.share(
        "ours",
        "ours",
        "What stands against it here, by the note.",
        lambda one: one.part("value"),
        interval=("ours_low", "ours_high"),
        reason="reason",
    ),
    _OF.share("ours_low", "ours from", "Lower end of its interval.", lambda one: one.part("low")),
    _OF.share("ours_high", "ours to", "Upper end of it.", lambda one: one.part("high")),
    _OF.text(
        "verdict",
        "verdict",
        "`reproduced`: our interval meets what is printed; `not reproduced`: it does not; `cannot "
        "tell`, as of all that is simulated.",
        lambda one: one.verdict,
    ),
    _OF.text("note", "how", "What stands between it and ours.", lambda one: one.published.note),
    _OF.reason(lambda one: one.reason),
)


def _rows(results: Results) -> Iterator[ClockBearing]:
    families = list(clock_families(results))
    for published in clock_statements():
        for family in families:
            yield ClockBearing(
                published=published, of=Clocked(family=family, phase=published.phase)
            )


DVFS_PUBLISHED: Final = TableKind(
    name="dvfs_published",
    title="What arXiv 2501.08219 says of clocks",
    columns=_COLUMNS,
    of_results=_rows,
    section="contrasts",
    heading="What arXiv 2501.08219 says of clocks",
    text="Statements of its versions' abstracts beside each family of locks above. What could not "
    "be read of the paper stands nowhere.",
)
"""One row a published statement and a family of locks."""

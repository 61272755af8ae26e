"""Best: which choice takes the least energy where it may be so much slower than the fastest.

For each work and board, and for each of `SLOWER`: of all points whose time a token is at most so
much above that of the fastest, the one with the least energy a token, by means. What it saves has
an interval, and is told only where the intervals do not overlap.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.findings.estimate import Ranged, below, ratio
from analysis.findings.pareto import Placed, placed
from analysis.findings.point_columns import choice_columns, interval_columns, verdict_columns
from analysis.findings.works import SEVERAL, Work, WorkPoint, works
from analysis.tables.column import ColumnsOf
from analysis.tables.table import Results, TableKind

SLOWER: Final = (0.0, 0.05, 0.10, 0.20, 0.50)
"""How much slower than the fastest a point may be: nothing; 5 and 10 %, which users hardly see;
20 and 50 %, which a batch queue may take. The page filters by it."""
# A share of time is rounded: without it the fastest would not be as fast as itself.
_ROUNDING: Final = 1e-9

SAVES: Final = "saves energy"
"""Its interval lies wholly below that of the fastest."""
FASTEST: Final = "is the fastest"
"""Nothing within the bound takes less."""
NOT_TOLD: Final = "not told apart"
"""The intervals do not say that it saves anything."""


@dataclass(frozen=True, kw_only=True)
class Best:
    """The thriftiest point within one bound."""

    slower: float
    """The bound, as a share of the fastest one's time."""
    of: Placed
    """The point."""
    fastest: Placed
    """The fastest of the same work and board."""
    within: tuple[Placed, ...]
    """All that keep the bound, by means."""

    @property
    def work(self) -> Work:
        """The work that was done."""
        return self.of.work

    @property
    def point(self) -> WorkPoint:
        """The point."""
        return self.of.point

    @cached_property
    def slowdown(self) -> Ranged | None:
        """Its time over that of the fastest, less 1."""
        return _less_one(_ratio(self.of.time, self.fastest.time))

    @cached_property
    def saved(self) -> Ranged | None:
        """Energy that it saves, as a share of that of the fastest."""
        over = _ratio(self.of.energy, self.fastest.energy)
        if over is None:
            return None
        return Ranged(
            value=1.0 - over.value,
            low=None if over.high is None else 1.0 - over.high,
            high=None if over.low is None else 1.0 - over.low,
            basis=over.basis,
        )

    @property
    def word(self) -> str:
        """`SAVES`, `FASTEST` or `NOT_TOLD`."""
        if self.of is self.fastest:
            return FASTEST
        assert self.of.energy is not None
        assert self.fastest.energy is not None
        return SAVES if below(self.of.energy, self.fastest.energy) else NOT_TOLD

    @property
    def not_told_from(self) -> tuple[str, ...]:
        """Others within the bound whose energy is not told apart from its own."""
        own = self.of.energy
        return tuple(
            other.work.names[other.point]
            for other in self.within
            if other is not self.of
            and own is not None
            and other.energy is not None
            and not below(own, other.energy)
        )

    @property
    def bound_told(self) -> bool | None:
        """Whether it keeps the bound for all that its interval says; None without an interval."""
        if self.of is self.fastest:
            return True
        slowdown = self.slowdown
        if slowdown is None or slowdown.high is None:
            return None
        return slowdown.high <= self.slower

    @property
    def sentence(self) -> str:
        """The finding, for people."""
        name, fastest = (one.work.names[one.point] for one in (self.of, self.fastest))
        at_most = f"at most {self.slower:.0%} slower" if self.slower else "no slower"
        if self.of is self.fastest:
            return f"{at_most.capitalize()} than the fastest, {fastest}: nothing takes less."
        saved, slowdown = self.saved, self.slowdown
        assert saved is not None
        assert slowdown is not None
        told = f"{at_most.capitalize()} than {fastest}: {name}, {slowdown.value:.1%} slower"
        if self.word == NOT_TOLD:
            return f"{told}, whose energy is not told apart from the fastest's."
        assert saved.low is not None
        assert saved.high is not None
        return f"{told}, saves {saved.value:.1%} ({saved.low:.1%} to {saved.high:.1%}) of energy."

    @property
    def reason(self) -> str | None:
        """Why the interval is missing."""
        return None if self.saved is None or self.saved.low is not None else self.saved.basis


def _ratio(one: Ranged | None, base: Ranged | None) -> Ranged | None:
    return None if one is None or base is None else ratio(one, base)


def _less_one(over: Ranged | None) -> Ranged | None:
    if over is None:
        return None
    return Ranged(
        value=over.value - 1.0,
        low=None if over.low is None else over.low - 1.0,
        high=None if over.high is None else over.high - 1.0,
        basis=over.basis,
    )


def best_of(work: Work) -> Iterator[Best]:
    """The best of one work on each of its boards, bound by bound."""
    by_board: dict[str, list[Placed]] = {}
    for one in placed(work):
        if one.both is not None:
            by_board.setdefault(one.point.board, []).append(one)
    for points in by_board.values():
        if len(points) < SEVERAL:
            continue
        fastest = min(points, key=_time_s)
        for slower in SLOWER:
            most_s = _time_s(fastest) * (1.0 + slower) * (1.0 + _ROUNDING)
            within = tuple(one for one in points if _time_s(one) <= most_s)
            yield Best(slower=slower, of=min(within, key=_energy_j), fastest=fastest, within=within)


def _time_s(one: Placed) -> float:
    assert one.time is not None
    return one.time.value


def _energy_j(one: Placed) -> float:
    assert one.energy is not None
    return one.energy.value


_OF: Final = ColumnsOf[Best]()

_COLUMNS: Final = (
    _OF.share(
        "slower_limit_share",
        "at most slower",
        "How much longer than the fastest point a token may take, as a share.",
        lambda one: one.slower,
    ),
    *choice_columns(
        _OF, lambda one: one.work, lambda one: one.point, lambda one: [one.fastest.point]
    ),
    *interval_columns(
        _OF,
        "time_per_token_s",
        "s / token",
        "s",
        meaning="duration_s / generated_tokens: mean over the repeats.",
        value=lambda one: one.of.time,
    ),
    *interval_columns(
        _OF,
        "energy_per_token_j",
        "J / token",
        "J",
        meaning="Energy per generated token: mean over the repeats.",
        value=lambda one: one.of.energy,
    ),
    *interval_columns(
        _OF,
        "slower_share",
        "slower",
        "1",
        meaning="Its time a token over that of the fastest point, less 1.",
        value=lambda one: one.slowdown,
    ),
    _OF.flag(
        "slower_limit_told",
        "bound told",
        "True where the upper end of slower_share keeps the bound too; empty: no interval.",
        lambda one: one.bound_told,
        shown=False,
    ),
    *interval_columns(
        _OF,
        "energy_saved_share",
        "saved",
        "1",
        meaning="1 less its energy a token over that of the fastest point.",
        value=lambda one: one.saved,
    ),
    _OF.text(
        "verdict",
        "saves",
        "`saves energy`: its interval lies wholly below the fastest's. `is the fastest`: nothing "
        "within the bound takes less, by means. `not told apart`: neither.",
        lambda one: one.word,
    ),
    _OF.text(
        "fastest",
        "fastest",
        "The fastest point of the same work on the same board, by means.",
        lambda one: one.fastest.work.names[one.fastest.point],
        shown=False,
    ),
    *verdict_columns(
        _OF,
        undecided="Other points within the bound whose energy is not told to be more.",
        not_told_from=lambda one: one.not_told_from,
        says="The finding as a sentence.",
        sentence=lambda one: one.sentence,
        reason=lambda one: one.reason,
    ),
)


def _rows(results: Results) -> Iterator[Best]:
    for work in works(results):
        yield from best_of(work)


BEST: Final = TableKind(
    name="best",
    title="The best choice",
    columns=_COLUMNS,
    of_results=_rows,
    section="findings",
    heading="The best choice within a bound of time",
    text="For each work and board: which engine, shards, batch, format and cap take the least "
    "energy where a token may take at most so much longer than at the fastest point.",
)
"""One row a work, board and bound of time: the thriftiest choice within it."""

"""Delay: energy times time, of a token and of a pass, for each grid point.

Both are products of what one run measured, so their interval is that of the product over the
repeats: energy and time of one run are not independent. A pass answers every prompt once; a run
that answered them several times has as many.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.findings.estimate import Ranged, below, ratio
from analysis.findings.point_columns import choice_columns, interval_columns
from analysis.findings.works import (
    SEVERAL,
    Value,
    Work,
    WorkPoint,
    energy_per_token_j,
    energy_per_token_width_j,
    lacking,
    real,
    seconds_per_token,
    works,
)
from analysis.tables.column import ColumnsOf, Row
from analysis.tables.table import Results, TableKind

LEAST: Final = "the least"
"""Less than every other of its work, by the intervals."""
MORE: Final = "more"
"""More than the least of its work, by both intervals."""
NOT_TOLD: Final = "not told apart"
"""The intervals do not say."""


def token_product(row: Row) -> float | None:
    """J/token x s/token of one run."""
    energy_j, time_s = energy_per_token_j(row), seconds_per_token(row)
    return None if energy_j is None or time_s is None else energy_j * time_s


def token_product_width(row: Row) -> float | None:
    """What that is uncertain by, by the sensors."""
    width_j, time_s = energy_per_token_width_j(row), seconds_per_token(row)
    return None if width_j is None or time_s is None else width_j * time_s


def token_product_squared(row: Row) -> float | None:
    """J/token x (s/token)^2 of one run."""
    product, time_s = token_product(row), seconds_per_token(row)
    return None if product is None or time_s is None else product * time_s


def token_product_squared_width(row: Row) -> float | None:
    """What that is uncertain by, by the sensors."""
    width, time_s = token_product_width(row), seconds_per_token(row)
    return None if width is None or time_s is None else width * time_s


def pass_product(row: Row) -> float | None:
    """Energy x time of one pass through the prompts, of one run."""
    return _over_passes(row, real(row["energy_j"]))


def pass_product_width(row: Row) -> float | None:
    """What that is uncertain by, by the sensors."""
    return _over_passes(row, real(row["energy_uncertainty_j"]))


def _over_passes(row: Row, energy_j: float | None) -> float | None:
    seconds = real(row["duration_s"])
    responses, prompts = real(row["responses"]), real(row["prompts"])
    if energy_j is None or seconds is None or not responses or not prompts:
        return None
    passes = responses / prompts
    return energy_j * seconds / passes**2


@dataclass(frozen=True, kw_only=True)
class Delayed:
    """The products of one point, and how they lie to the least of its work."""

    work: Work
    """The work that it did."""
    point: WorkPoint
    """The point."""

    def product(self, value: Value, width: Value) -> Ranged | None:
        """One of the products with its interval."""
        return self.work.of(self.point, value, width, energy=True)

    @property
    def lacking(self) -> str:
        """Why a product of it is missing."""
        return lacking(self.point, energy=self.work.energy(self.point) is None)

    @cached_property
    def of_token(self) -> Ranged | None:
        """J/token x s/token."""
        return self.product(token_product, token_product_width)

    @cached_property
    def squared(self) -> Ranged | None:
        """J/token x (s/token)^2."""
        return self.product(token_product_squared, token_product_squared_width)

    @property
    def pass_lacking(self) -> str:
        """Why the product of a pass is missing."""
        if self.of_token is None:
            return self.lacking
        return "a run of it has no pass that took time and energy"

    @cached_property
    def of_pass(self) -> Ranged | None:
        """J x s of one pass."""
        return self.product(pass_product, pass_product_width)


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A point beside the one of the least product of its work."""

    of: Delayed
    """The point."""
    least: Delayed | None
    """The one of the least product; None when fewer than two have one."""
    others: tuple[Ranged, ...] = ()
    """The products of the other points."""

    @cached_property
    def over_least(self) -> Ranged | None:
        """Its product over the least."""
        if self.least is None or self.of.of_token is None or self.least.of_token is None:
            return None
        return ratio(self.of.of_token, self.least.of_token)

    @property
    def word(self) -> str | None:
        """`LEAST`, `MORE` or `NOT_TOLD`; None when there is no comparison."""
        own = self.of.of_token
        if self.least is None or own is None or self.least.of_token is None:
            return None
        if all(below(own, other) for other in self.others):
            return LEAST
        return MORE if below(self.least.of_token, own) else NOT_TOLD

    @property
    def sentence(self) -> str | None:
        """How it lies to the least, for people."""
        over = self.over_least
        if self.word is None or over is None or self.least is None:
            return None
        name = self.of.work.names[self.of.point]
        best = self.least.work.names[self.least.point]
        if self.word == LEAST:
            return f"{name} has the least energy-delay product of this work."
        if self.of is self.least:
            return f"{name} has the least mean; others are not told apart from it."
        if self.word == MORE:
            return f"{name} has {over.value:.3g} times the energy-delay product of {best}."
        return f"{name} is not told apart from the least, {best}."

    @property
    def uncompared(self) -> str | None:
        """Why it is not held against the least; None when it is."""
        if self.of.of_token is None:
            return self.of.lacking
        if self.least is None:
            return "the only point of this work that has one"
        return "a product of zero or less has no ratio" if self.over_least is None else None

    @property
    def reason(self) -> str | None:
        """Why a number, a comparison or an interval is missing."""
        own = self.of.of_token
        return self.uncompared or (None if own is None or own.low is not None else own.basis)


def ranked(work: Work) -> list[Ranked]:
    """The points of one work, in its order."""
    points = [Delayed(work=work, point=point) for point in work.points]
    known = [(one, one.of_token) for one in points if one.of_token is not None]
    least = min(known, key=lambda pair: pair[1].value)[0] if len(known) >= SEVERAL else None
    return [
        Ranked(
            of=one,
            least=least,
            others=tuple(product for other, product in known if other is not one),
        )
        for one in points
    ]


_OF: Final = ColumnsOf[Ranked]()

_COLUMNS: Final = (
    *choice_columns(
        _OF,
        lambda one: one.of.work,
        lambda one: one.of.point,
        lambda one: [] if one.least is None else [one.least.point],
    ),
    *interval_columns(
        _OF,
        "energy_delay_per_token_js",
        "J s / token",
        "J s",
        meaning="energy_per_token_j x duration_s / generated_tokens of each run: mean over the "
        "repeats.",
        value=lambda one: one.of.of_token,
        missing=lambda one: one.of.lacking,
    ),
    *interval_columns(
        _OF,
        "energy_delay_squared_per_token_js2",
        "J s2 / token",
        "J s2",
        meaning="The same times duration_s / generated_tokens once more: where time counts twice.",
        value=lambda one: one.of.squared,
        missing=lambda one: one.of.lacking,
        told=False,
    ),
    *interval_columns(
        _OF,
        "energy_delay_per_pass_js",
        "J s / pass",
        "J s",
        meaning="energy_j x duration_s over the square of how often all prompts were answered.",
        value=lambda one: one.of.of_pass,
        missing=lambda one: one.of.pass_lacking,
        told=False,
    ),
    *interval_columns(
        _OF,
        "energy_delay_over_least",
        "vs least",
        "1",
        meaning="energy_delay_per_token_js over the least mean of the same work.",
        value=lambda one: one.over_least,
        missing=lambda one: one.uncompared,
        told=False,
    ),
    _OF.text(
        "verdict",
        "least",
        "`the least`: below every other of the work, by the intervals. `more`: above the least, by "
        "both intervals. `not told apart`: neither.",
        lambda one: one.word,
    ),
    _OF.text("sentence", "in words", "The verdict as a sentence.", lambda one: one.sentence),
    _OF.reason(lambda one: one.reason),
)


def _rows(results: Results) -> Iterator[Ranked]:
    for work in works(results):
        yield from ranked(work)


ENERGY_DELAY: Final = TableKind(
    name="energy_delay",
    title="Energy times time",
    columns=_COLUMNS,
    of_results=_rows,
    section="findings",
    heading="Energy-delay product",
    text="Energy times time of a token: the less, the better both together. A point has the least "
    "only where the intervals say so.",
)
"""One row a grid point: its energy-delay products."""

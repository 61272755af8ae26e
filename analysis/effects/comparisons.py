"""Comparisons: the table with one row for each two levels of a factor, over all pairs of points."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, TypeVar

from analysis.effects.factor import FACTORS, Factor
from analysis.effects.pairing import Pair, PairedPoint, Points
from analysis.effects.wording import counted, labelled, per_cent, shown
from analysis.statistics.design import LEVEL
from analysis.statistics.intervals import width_of_mean
from analysis.statistics.ratio import Ratio, Repeats, holm, ratio_of, ratio_of_pairs
from analysis.statistics.trend import p_told
from analysis.tables.column import Column, ColumnsOf
from analysis.tables.labels import pooled_label_columns
from analysis.tables.table import Results, TableKind

T = TypeVar("T")

# Sides within 5 % of one another count as the same where that is asked.
_MARGIN: Final = 0.05
# As a relative difference; what could show no less is no comparison.
_TENFOLD: Final = 9.0
# One pair is compared by its own repeats.
_SEVERAL: Final = 2


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Two levels of a factor, over every pair of points that differ in it alone."""

    factor: Factor
    """In what they differ."""
    pairs: tuple[Pair, ...]
    """All pairs, at least one, in the order of the groups."""
    comparisons: int = 1
    """How many comparisons of its kind were tested: measured ones, or simulated ones."""
    p_holm: float | None = None
    """Probability of such a ratio by chance, by Holm over those; None without a test."""

    @property
    def base(self) -> str:
        """The level that is held against."""
        return self.factor.level(self.pairs[0].base.row)

    @property
    def level(self) -> str:
        """The other level."""
        return self.factor.level(self.pairs[0].other.row)

    @property
    def simulated(self) -> bool:
        """Whether the runs are: measured and simulated ones are never paired."""
        return self.pairs[0].base.simulated

    @property
    def points(self) -> list[PairedPoint]:
        """Both points of every pair."""
        return [point for pair in self.pairs for point in (pair.base, pair.other)]

    @cached_property
    def ratio(self) -> Ratio:
        """The other level over the base, of geometric means."""
        sides = [self._side(lambda pair: pair.base), self._side(lambda pair: pair.other)]
        if len(self.pairs) >= _SEVERAL:
            return ratio_of_pairs(*sides, margin=_MARGIN)
        found = ratio_of(*sides, margin=_MARGIN)
        # What the sensors alone allow stands in columns of its own.
        return found if found.reason is None else replace(found, low=None, high=None)

    @property
    def sensor(self) -> float | None:
        """Expanded uncertainty of the ratio by the sensors, as a share; None: one is not known."""
        known = [point.sensor for point in self.points]
        sides = known[::2], known[1::2]
        parts = [width_of_mean([one for one in side if one is not None]) for side in sides if side]
        return None if None in known else math.hypot(*parts)

    @property
    def gain(self) -> float | None:
        """The most by which boards' gain may move the ratio; None: of one it is not known."""
        if any(point.gain is None for pair in self.pairs for point in self._uncancelled(pair)):
            return None
        return math.hypot(self._gain(lambda pair: pair.base), self._gain(lambda pair: pair.other))

    @property
    def apart(self) -> str | None:
        """Settings of the launch in which sides differ, with in how many pairs; None: in none."""
        names = dict.fromkeys(name for pair in self.pairs for name in pair.apart)
        told = (
            f"{name} in {counted(sum(name in pair.apart for pair in self.pairs), 'pair')}"
            for name in names
        )
        return ", ".join(told) or None

    @property
    def smallest(self) -> float | None:
        """The least relative difference that the test would have shown in 4 cases of 5."""
        return self.ratio.smallest_of(self.comparisons)

    @property
    def reason(self) -> str | None:
        """Why there is no interval and no test; None where there are."""
        return None if self.ratio.reason is None else f"one pair, {self.ratio.reason}"

    @property
    def sentence(self) -> str:
        """What it says, in one sentence."""
        ends = [one for one in (self.ratio.low, self.ratio.high) if one is not None]
        ratio, *told = shown([self.ratio.ratio, *ends])
        takes = "take" if self.factor.plural else "takes"
        said = f"{self.level} {takes} {ratio} times the joules a token of {self.base}"
        if self.p_holm is None:
            said = f"{said}: too few to say more: {self.reason}"
        else:
            said = (
                f"{said}: 95 % interval {' to '.join(told)} over "
                f"{counted(len(self.pairs), 'pair')}, {p_told(self.p_holm)} after Holm over "
                f"{counted(self.comparisons, 'comparison')}"
            )
            if self.p_holm >= LEVEL:
                said = f"{said}: no difference shown; {self._would_have_been}"
        return labelled(said, [point.row for point in self.points])

    @property
    def _would_have_been(self) -> str:
        smallest = self.smallest
        if smallest is None or smallest > _TENFOLD:
            return "not even one of ten times would have been"
        return f"one of {per_cent(smallest)} would have been in 4 cases of 5"

    def _side(self, which: Callable[[Pair], PairedPoint]) -> Repeats:
        points = [which(pair) for pair in self.pairs]
        values = (
            tuple(math.exp(point.logarithm) for point in points)
            if len(points) >= _SEVERAL
            else points[0].values
        )
        sensors = [point.sensor for point in points]
        return Repeats(
            values=values,
            sensor=width_of_mean([0.0 if one is None else one for one in sensors]),
            gain=self._gain(which),
        )

    def _gain(self, which: Callable[[Pair], PairedPoint]) -> float:
        """Mean over the pairs: one board's error may be in all of them, and then adds up."""
        gains = (0.0 if pair.same_boards else which(pair).gain or 0.0 for pair in self.pairs)
        return math.fsum(gains) / len(self.pairs)

    @staticmethod
    def _uncancelled(pair: Pair) -> tuple[PairedPoint, ...]:
        return () if pair.same_boards else (pair.base, pair.other)


def compared(results: Results) -> list[Compared]:
    """Every two levels of every factor that some points differ in alone."""
    points = Points(results)
    found: list[Compared] = []
    for factor in FACTORS:
        by_levels: dict[tuple[bool, str, str], list[Pair]] = {}
        for pair in points.pairs(factor):
            levels = factor.level(pair.base.row), factor.level(pair.other.row)
            by_levels.setdefault((pair.base.simulated, *levels), []).append(pair)
        ordered = sorted(
            by_levels.values(),
            key=lambda pairs: (
                pairs[0].base.simulated,
                factor.order(pairs[0].base.row),
                factor.order(pairs[0].other.row),
            ),
        )
        found += [Compared(factor=factor, pairs=tuple(pairs)) for pairs in ordered]
    return _corrected([one for one in found if not one.simulated]) + _corrected(
        [one for one in found if one.simulated]
    )


def _corrected(found: Sequence[Compared]) -> list[Compared]:
    """Each with what its test becomes once any of them may err."""
    tested = [one.ratio.p_difference for one in found if one.ratio.p_difference is not None]
    corrected = iter(holm(tested))
    return [
        replace(
            one,
            comparisons=max(1, len(tested)),
            p_holm=None if one.ratio.p_difference is None else next(corrected),
        )
        for one in found
    ]


def pair_columns(of: ColumnsOf[T], compared: Callable[[T], Compared]) -> tuple[Column[T], ...]:
    """Columns of how the pairs of a row were measured, why it says no more, and their runs."""
    return (
        of.text(
            "apart",
            "measured apart",
            "Settings of the launch in which sides differ, where no pair has the same.",
            lambda one: compared(one).apart,
        ),
        of.reason(lambda one: compared(one).reason),
        of.text(
            "runs",
            "runs",
            "The runs of each pair: those of base / those of level; pairs apart by semicolons.",
            lambda one: "; ".join(
                f"{pair.base.row['runs']} / {pair.other.row['runs']}"
                for pair in compared(one).pairs
            ),
            shown=False,
        ),
    )


_OF: Final = ColumnsOf[Compared]()

_COLUMNS: Final = (
    _OF.text("sentence", "in words", "What the row says.", lambda one: one.sentence),
    _OF.text(
        "factor",
        "factor",
        "What differs, and nothing else: engine, board, shards (GPUs), cap, clock, format (of "
        "numbers and weights), dataset, batch, length (tokens generated at most).",
        lambda one: one.factor.name,
    ),
    _OF.text("base", "over", "The level that is held against.", lambda one: one.base),
    _OF.text("level", "level", "The level that is compared with it.", lambda one: one.level),
    _OF.simulated(lambda one: one.simulated),
    *pooled_label_columns(_OF, lambda one, label: [point.row[label.name] for point in one.points]),
    _OF.count(
        "pairs",
        "pairs",
        "Pairs of grid points that differ in the factor alone: measured ones, or simulated ones.",
        lambda one: len(one.pairs),
    ),
    _OF.number(
        "ratio",
        "J / token ratio",
        "1",
        "Geometric mean over the pairs of energy_per_token_j of level over that of base, each of a "
        "point's geometric mean over its repeats.",
        lambda one: one.ratio.ratio,
        interval=("ratio_low", "ratio_high"),
        reason="reason",
    ),
    _OF.number(
        "ratio_low",
        "from",
        "1",
        "Lower end of its 95 % interval on logarithms: the scatter of the pairs' ratios (of one "
        "pair: of both sides' repeats) by Student's t, or BCa from 20 pairs on, widened in "
        "quadrature by the sensors' part and the gain's. Empty: one pair of single runs.",
        lambda one: one.ratio.low,
        shown_with="ratio_low",
    ),
    _OF.number(
        "ratio_high",
        "to",
        "1",
        "Upper end of the same.",
        lambda one: one.ratio.high,
        shown_with="ratio_low",
    ),
    _OF.number(
        "effect_size",
        "Hedges' g",
        "1",
        "Hedges' g of the logarithms: mean of the pairs' differences over their standard deviation "
        "(of one pair: difference over the pooled one of its repeats), corrected for few of them.",
        lambda one: one.ratio.effect,
        shown_with="effect_size",
    ),
    _OF.number(
        "p",
        "p",
        "1",
        "Probability of such a ratio, or one further from 1, where the levels cost the same.",
        lambda one: one.ratio.p_difference,
        shown=False,
    ),
    _OF.number(
        "p_holm",
        "p (Holm)",
        "1",
        "The same once any of the comparisons may err: Holm's correction over all rows that have a "
        "test, measured and simulated ones apart.",
        lambda one: one.p_holm,
        shown_with="ratio_low",
    ),
    _OF.count(
        "comparisons",
        "comparisons",
        "How many tests that correction is over.",
        lambda one: one.comparisons,
        shown=False,
    ),
    _OF.share(
        "smallest",
        "smallest shown",
        "The least relative difference that the test would have shown in 4 cases of 5 at 5 % over "
        "comparisons, by the noncentral t.",
        lambda one: one.smallest,
        shown_with="ratio_low",
    ),
    _OF.share(
        "ratio_sensor",
        "± sensors",
        "Expanded uncertainty (k = 2) of the ratio by the sensors' timing alone, as a share: root "
        "sum of squares of the points' over the pairs. Empty: of a point it is not known, and no "
        "interval has that part.",
        lambda one: one.sensor,
    ),
    _OF.share(
        "ratio_gain",
        "± gain",
        "The most by which the boards' own errors of gain may move the ratio: 0 for pairs on the "
        "very same GPUs, else both sides' limits in quadrature, mean over the pairs, as one board "
        "may be in all of them. In the interval it counts over the root of 3.",
        lambda one: one.gain,
    ),
    _OF.text(
        "interval_rule",
        "interval by",
        "By what the interval was made, and why by that.",
        lambda one: None if one.ratio.low is None else f"{one.ratio.test}; {one.ratio.interval}",
        shown=False,
    ),
    *pair_columns(_OF, lambda one: one),
)

COMPARISONS: Final = TableKind(
    name="comparisons",
    title="What makes a difference",
    columns=_COLUMNS,
    of_results=compared,
    section="contrasts",
    heading="Compared over all pairs",
    label="Comparisons over all pairs of grid points",
)
"""One row for each two levels of a factor."""

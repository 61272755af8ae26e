"""Ratio: how one side's mean lies to another's, with an interval and the tests of a verdict.

All of it on logarithms, where a ratio is a difference. What stands apart adds up in quadrature: the
scatter of the repeats of either side, or of their pairs, by Student's t with Welch's degrees of
freedom; and what no repeat tells, by the normal distribution: the sensors' expanded uncertainties
over 2, and the boards' gain, stated as limits, over the root of 3 (JCGM 100:2008, 4.3.7 and 5.1.2).
Each end of the interval is the root sum of squares of both parts at 95 %, and a test's probability
is that of the interval which just reaches. So without sensors it is Welch's test, and the paired
one. One Student's t with Welch's and Satterthwaite's degrees of freedom of both (G.4.1) would hold
the truth in 87 % where two repeats' scatter is four times the gain, this in 96 %. From
`LEAST_RESAMPLED` repeats a side on, the scatter's part of the interval is BCa's, end by end.
"""

import gc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.statistics.design import LEVEL, least_effect
from analysis.statistics.effect_size import hedges_g, hedges_g_of_pairs
from analysis.statistics.resampled import Floats, bca_of_difference, bca_of_mean, enough, told
from analysis.statistics.width import Width

# Two repeats have one degree of freedom, and Student's factor is 12.7.
_LEAST_REPEATS: Final = 2
# With fewer pairs the degrees of freedom lost cost more than the pairing can gain.
_LEAST_PAIRS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """What one side measured."""

    values: tuple[float, ...]
    """One number a run, above 0, in the order of the repeats."""
    sensor: float
    """Expanded uncertainty (k = 2) of their mean by the sensors alone, as a share of it; 0: none
    that counts."""
    gain: float = 0.0
    """The most that the boards' errors of gain come to, as a share; 0 where they cancel."""

    def __post_init__(self) -> None:
        if not self.values or not all(math.isfinite(v) and v > 0 for v in self.values):
            raise ValueError(
                f"`values` must be numbers above 0, at least one, but are {self.values!r} instead"
            )
        for name in ("sensor", "gain"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise ValueError(
                    f"`{name}` must be a share of at least 0, but is {value!r} instead"
                )

    @property
    def logs(self) -> Floats:
        """Their logarithms."""
        return np.log(np.array(self.values, dtype=np.float64))


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The other side over the base, of geometric means."""

    ratio: float
    """Below 1: the other side has less."""
    low: float | None
    """Lower end of its 95 % interval; with `reason` by the sensors and the gain alone, and None
    where they have no part."""
    high: float | None
    """Upper end of the same."""
    degrees: float | None
    """Degrees of freedom of the scatter; None without repeats."""
    p_difference: float | None
    """Probability of such a ratio, or one further from 1, where the sides are the same; None
    without repeats."""
    p_same: float | None
    """Of one so near 1 where they differ by the margin: the larger of two one-sided tests; None
    without repeats."""
    effect: float | None
    """Difference of logarithms over their scatter (Hedges' g); None without one."""
    test: str
    """What was tested by."""
    reason: str | None
    """Why there is no test; None when there is one."""
    interval: str = "none"
    """By what the interval was made, and why by that."""
    smallest: float | None = None
    """The least difference, as a share, that the test would have shown four times of five; None
    without a test."""
    scatter: float | None = None
    """Standard uncertainty of the ratio's logarithm by the scatter; None without a test."""
    certain: float = 0.0
    """The same by the sensors and the boards' gain."""

    def smallest_of(self, comparisons: int) -> float | None:
        """`smallest`, where so many are corrected for: at 5 % / comparisons, Holm's first step."""
        if self.scatter is None or self.degrees is None:
            return None
        return least_effect(
            self.scatter, self.degrees, certain=self.certain, comparisons=comparisons
        )


def ratio_of(base: Repeats, other: Repeats, *, margin: float, paired: bool = False) -> Ratio:
    """`other` over `base`, and whether that differs from 1, or is within `margin` of it.

    Args:
        base: what the ratio is over.
        other: what is compared with it.
        margin: share by which two sides that count as the same may differ, such as 0.05: a ratio
            from 1 / 1.05 to 1.05.
        paired: each run of one side has its twin in the other, at the same place.

    Raises:
        ValueError: the margin is not above 0, or pairs are asked of sides that have none.
    """
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"`margin` must be above 0, but is {margin!r} instead")
    if paired and len(base.values) != len(other.values):
        raise ValueError(
            "`paired` must be asked of equal numbers of runs, "
            f"but they are {len(base.values)} and {len(other.values)} instead"
        )
    from scipy import stats  # noqa: PLC0415

    logs, others = base.logs, other.logs
    difference = float(np.mean(others) - np.mean(logs))
    without_end = _without_end(base, other)
    if min(len(logs), len(others)) < _LEAST_REPEATS:
        half = float(stats.norm.ppf(1 - LEVEL / 2)) * without_end
        return Ratio(
            ratio=math.exp(difference),
            low=math.exp(difference - half) if half else None,
            high=math.exp(difference + half) if half else None,
            degrees=None,
            p_difference=None,
            p_same=None,
            effect=None,
            test="none",
            reason=_too_few(len(logs), len(others)),
            interval="the sensors and the boards' gain alone" if half else "none",
        )
    if paired and len(logs) >= _LEAST_PAIRS:
        return _judged(
            (others - logs,),
            difference,
            without_end,
            margin,
            effect=hedges_g(logs, others),
            test="paired t of logarithms",
        )
    return _judged(
        (logs, others),
        difference,
        without_end,
        margin,
        effect=hedges_g(logs, others),
        test="Welch's t of logarithms",
    )


def ratio_of_pairs(base: Repeats, other: Repeats, *, margin: float) -> Ratio:
    """`other` over `base`, of pairs that are each of other work: what is the same in all of them.

    The scatter is that of the pairs' ratios, so the interval is of the mean ratio of such work, not
    of this work alone: two pairs have one degree of freedom.

    Args:
        base: one number a pair, such as a point's mean.
        other: the other side of each pair, in the same order.
        margin: as in `ratio_of`.

    Raises:
        ValueError: there are not as many on both sides, or fewer than two.
    """
    logs, others = base.logs, other.logs
    if len(logs) != len(others) or len(logs) < _LEAST_REPEATS:
        raise ValueError(
            "`base` and `other` must be pairs, at least two, "
            f"but are {len(logs)} and {len(others)} instead"
        )
    differences = others - logs
    return _judged(
        (differences,),
        float(np.mean(differences)),
        _without_end(base, other),
        margin,
        effect=hedges_g_of_pairs(differences),
        test="t of the logarithms of the pairs' ratios",
        of="pairs",
    )


def _without_end(base: Repeats, other: Repeats) -> float:
    """Standard uncertainty by what no repeat tells: the sensors and the boards' gain."""
    parts = base.sensor / 2, other.sensor / 2, base.gain / math.sqrt(3), other.gain / math.sqrt(3)
    return _root_sum_square(parts)


def _judged(
    samples: Sequence[Floats],
    difference: float,
    without_end: float,
    margin: float,
    *,
    effect: float | None,
    test: str,
    of: str = "repeats",
) -> Ratio:
    """What is said of a difference of logarithms: of one sample of pairs, or of two samples."""
    from scipy import stats  # noqa: PLC0415

    parts = [(float(stats.sem(each)), len(each) - 1) for each in samples]
    found = Width(
        scatter=_root_sum_square([u for u, _ in parts]),
        degrees=_effective_degrees(parts),
        certain=without_end,
    )
    bound = math.log1p(margin)
    counts = tuple(map(len, samples))
    ends = None
    if enough(*counts):
        ends = bca_of_difference(*samples) if len(samples) > 1 else bca_of_mean(samples[0])
    below = above = found.reach(LEVEL / 2)
    if ends is not None:
        certain = float(stats.norm.ppf(1 - LEVEL / 2)) * without_end
        below, above = (math.hypot(abs(end - difference), certain) for end in ends)
    return Ratio(
        ratio=math.exp(difference),
        low=math.exp(difference - below),
        high=math.exp(difference + above),
        degrees=found.degrees,
        p_difference=min(1.0, 2 * found.beyond(abs(difference))),
        p_same=max(found.beyond(bound + difference), found.beyond(bound - difference)),
        effect=effect,
        test=test,
        reason=None,
        interval=told(*counts, resampled=ends is not None, of=of),
        smallest=least_effect(found.scatter, found.degrees, certain=without_end),
        scatter=found.scatter,
        certain=without_end,
    )


def mean_ratio(cells: Sequence[Ratio]) -> tuple[float, float, float] | None:
    """Geometric mean of several cells' ratios and its 95 % interval; None for fewer than two.

    Student's t over the cells, but never narrower than the cells' own intervals are on the mean of
    logarithms: what makes one cell uncertain, a sensor or a hot day, may be in all of them.
    """
    if len(cells) < _LEAST_REPEATS:
        return None
    from scipy import stats  # noqa: PLC0415

    logs = np.log(np.array([cell.ratio for cell in cells], dtype=np.float64))
    over_cells = float(stats.t.ppf(1 - LEVEL / 2, len(cells) - 1)) * float(stats.sem(logs))
    own = math.fsum(
        math.log(cell.high / cell.low) / 2
        for cell in cells
        if cell.low is not None and cell.high is not None
    )
    mean, half = float(np.mean(logs)), max(over_cells, own / len(cells))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def holm(p_values: Sequence[float]) -> list[float]:
    """What each of several tests' probabilities becomes once any one of them may err.

    S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979),
    65-70, as statsmodels has it; it is loaded when it is asked for.
    """
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415

    # It collects garbage in every call, which walks every row of a large report: what is there by
    # now is set aside meanwhile, and what was set aside before stays so.
    set_aside = gc.get_freeze_count()
    gc.freeze()
    try:
        return [float(p) for p in multipletests(np.asarray(p_values), LEVEL, method="holm")[1]]
    finally:
        if not set_aside:
            gc.unfreeze()


def _too_few(base: int, other: int) -> str:
    if base == other:
        return "one run on either side: no interval over repeats"
    return "one run on one side: no interval over repeats"


def _root_sum_square(widths: Sequence[float]) -> float:
    return math.hypot(*widths)


def _effective_degrees(parts: Sequence[tuple[float, int]]) -> float:
    """Welch's, of standard uncertainties with their degrees of freedom."""
    squares = math.fsum(u**4 / degrees for u, degrees in parts)
    if squares == 0:
        return float(sum(degrees for _, degrees in parts))
    return _root_sum_square([u for u, _ in parts]) ** 4 / squares

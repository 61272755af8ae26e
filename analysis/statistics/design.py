"""Design: what so many repeats can show, and how many an interval needs, before anything is run.

Energies of repeats are told apart on logarithms, where a relative difference is a difference. The
power of Student's test is that of the noncentral t distribution (J. Cohen, Statistical power
analysis for the behavioral sciences, 1988, 2.4), as scipy has it; it is loaded when it is asked
for, as a plan without repeats needs none of it.
"""

import math
from typing import Final

LEVEL: Final = 0.05
"""Probability of error of every test, and 1 less that of every interval."""
# J. Cohen, as above, 2.4: a real difference is seen in four tests of five.
POWER: Final = 0.8
"""How often a real difference has to be seen for it to be one that the repeats can show."""
LEAST_REPEATS: Final = 2
"""Repeats of a side from which on it has a scatter of its own."""
# As many of one point are weeks of a board.
MOST_REPEATS: Final = 1_000
"""Repeats beyond which no number is told."""
MOST_LOGARITHM: Final = math.log(1e6)
"""A million times: a larger difference says no more."""
# At so many degrees of freedom Student's t is the normal distribution to seven digits.
_AS_NORMAL: Final = 1e7


def smallest_effect(
    n_a: int, n_b: int, scatter: float, *, comparisons: int = 1, sensor: float = 0.0
) -> float | None:
    """The least relative difference that so many repeats a side show in 4 cases of 5, at 5 %.

    Args:
        n_a: repeats of one side.
        n_b: repeats of the other.
        scatter: standard deviation of the logarithms of repeats, alike on both sides: about their
            relative standard deviation, such as 0.01.
        comparisons: how many are corrected for: each is tested at 5 % / comparisons, as the first
            of Holm's steps is, so it is the worst case.
        sensor: expanded uncertainty (k = 2) of the ratio by the sensors alone, as a share; added to
            the scatter's part in quadrature, as it is in the test.

    Returns:
        A share: 0.03 is 3 % more (or 1 - 1 / 1.03 less). None with fewer than two repeats a side,
        which have no test.

    Raises:
        ValueError: a number of repeats or of comparisons below 1, a scatter or a sensor below 0.
    """
    _counts(n_a=n_a, n_b=n_b, comparisons=comparisons)
    _shares(scatter=scatter, sensor=sensor)
    if min(n_a, n_b) < LEAST_REPEATS:
        return None
    return least_effect(
        scatter * math.sqrt(1 / n_a + 1 / n_b),
        n_a + n_b - 2,
        certain=sensor / 2,
        comparisons=comparisons,
    )


def least_shown(degrees: float, *, comparisons: int = 1) -> float:
    """The difference that a two-sided t test shows in 4 cases of 5, in its standard uncertainties.

    The noncentral t distribution's parameter at that power, the other side's share left out: it is
    below 1 in 10,000. statsmodels' solver stops short of it at few repeats and many comparisons: of
    3 and 2 repeats at 5 % / 14 it gives a difference that is shown in 61 %.

    Raises:
        ValueError: fewer than one degree of freedom, or no comparison.
    """
    if not degrees >= 1:
        raise ValueError(f"`degrees` must be at least 1, but is {degrees!r} instead")
    _counts(comparisons=comparisons)
    from scipy import special  # noqa: PLC0415

    known = min(degrees, _AS_NORMAL)
    limit = special.stdtrit(known, 1 - LEVEL / comparisons / 2)
    return float(special.nctdtrinc(known, 1 - POWER, limit))


def least_effect(
    width: float, degrees: float, *, certain: float = 0.0, comparisons: int = 1
) -> float:
    """The same as a relative difference, of logarithms that are uncertain by `width`.

    Args:
        width: standard uncertainty by the scatter, of `degrees` degrees of freedom.
        degrees: those.
        certain: standard uncertainty by what no repeat tells, in quadrature: of no end of them.
        comparisons: as above.
    """
    logarithm = math.hypot(
        least_shown(degrees, comparisons=comparisons) * width,
        least_shown(math.inf, comparisons=comparisons) * certain if certain else 0.0,
    )
    return math.expm1(min(logarithm, MOST_LOGARITHM))


def smallest_effect_of_pairs(n: int, scatter: float, *, comparisons: int = 1) -> float | None:
    """The least relative difference that n pairs show in 4 cases of 5, at 5 %; None below 2 pairs.

    `scatter` is the standard deviation of the pairs' differences of logarithms.

    Raises:
        ValueError: as above.
    """
    _counts(n=n, comparisons=comparisons)
    _shares(scatter=scatter)
    if n < LEAST_REPEATS:
        return None
    return least_effect(scatter / math.sqrt(n), n - 1, comparisons=comparisons)


def repeats_needed(width: float, scatter: float, *, sensor: float = 0.0) -> int | None:
    """The fewest repeats whose 95 % interval is expected to be within ± `width` of their mean.

    Student's t of n repeats of that scatter, by the quantile at n - 1 degrees of freedom: at such a
    number about one series in two is as narrow, as each scatters by itself.

    Args:
        width: half of the interval, as a share of the mean, such as 0.01.
        scatter: standard deviation of the logarithms of repeats.
        sensor: expanded uncertainty (k = 2) of one repeat by its sensors alone, as a share; that of
            n repeats is smaller by the root of n.

    Returns:
        At least 2; None where it would be more than `MOST_REPEATS`.

    Raises:
        ValueError: a width of 0 or less, a scatter or a sensor below 0.
    """
    if not (math.isfinite(width) and width > 0):
        raise ValueError(f"`width` must be above 0, but is {width!r} instead")
    _shares(scatter=scatter, sensor=sensor)
    from scipy import special  # noqa: PLC0415

    for n in range(LEAST_REPEATS, MOST_REPEATS + 1):
        by_scatter = float(special.stdtrit(n - 1, 1 - LEVEL / 2)) * scatter
        if math.hypot(by_scatter, sensor) / math.sqrt(n) <= width:
            return n
    return None


def _counts(**counts: int) -> None:
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1, but is {value!r} instead")


def _shares(**shares: float) -> None:
    for name, value in shares.items():
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"`{name}` must be a share of at least 0, but is {value!r} instead")

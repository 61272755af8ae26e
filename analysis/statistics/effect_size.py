"""Effect size: a difference of logarithms over the scatter, with the correction for few of them.

L. V. Hedges, Distribution theory for Glass's estimator of effect size and related estimators,
J. Educ. Stat. 6 (1981), 107-128: Hedges' g. Cohen calls 0.2 small and 0.8 large; repeats of one
program on one board scatter by so little that differences of a per cent are many times that.
"""

import math
from typing import Final

import numpy as np

from analysis.statistics.resampled import Floats

# The correction is 0 at one degree of freedom: the estimate has no bias that could be taken away.
_LEAST_PAIRS: Final = 3


def hedges_g(base: Floats, other: Floats) -> float | None:
    """`other` less `base` over the pooled scatter of both sides' repeats; None without a scatter.

    By statsmodels, with the correction 1 - 3 / (4 n - 9) of n repeats together.
    """
    if np.ptp(base) == 0 and np.ptp(other) == 0:
        return None
    from statsmodels.stats.meta_analysis import effectsize_smd  # noqa: PLC0415

    sides = ((each.mean(), each.std(ddof=1), len(each)) for each in (other, base))
    effect, _ = effectsize_smd(*(figure for side in sides for figure in side))
    return float(effect)


def hedges_g_of_pairs(differences: Floats) -> float | None:
    """Mean of the pairs' differences over their own scatter; None without one, or of two pairs.

    With the exact correction (his equation 6e) by scipy's gamma function: no library has the effect
    of pairs.
    """
    if len(differences) < _LEAST_PAIRS or np.ptp(differences) == 0:
        return None
    from scipy import special  # noqa: PLC0415

    degrees = len(differences) - 1
    logarithm = special.gammaln(degrees / 2) - special.gammaln((degrees - 1) / 2)
    correction = math.exp(logarithm) / math.sqrt(degrees / 2)
    return float(differences.mean() / differences.std(ddof=1)) * correction

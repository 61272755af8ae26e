"""Mixed model: what each factor of a grid multiplies a number by, all else the same.

Logarithms of runs are a sum of the factors' effects, of what each point has of its own (a random
intercept) and of what each run adds by chance: restricted maximum likelihood of statsmodels'
MixedLM. Factors are the same in all runs of a point, so what an effect is judged by is the points:
Student's t with as many degrees of freedom as there are points more than effects (J. C. Pinheiro,
D. M. Bates, Mixed-effects models in S and S-PLUS, 2000, 2.4.2). Where no point was run twice, or
the fit does not converge, it is least squares over the points' means, which is the same of points
run equally often (Searle, Casella, McCulloch, Variance components, 1992, 4.9).
"""

import math
import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from analysis.statistics.design import LEVEL
from analysis.statistics.width import Width

# A column of unit length is the sum of others where no more than this is left of it.
_DEPENDENT: Final = 1e-9
# A coefficient of such a sum that counts.
_TAKES_PART: Final = 1e-6
# D. A. Belsley, E. Kuh, R. E. Welsch, Regression diagnostics (1980), 3.2: from 30 on columns of
# unit length are so nearly one another that their coefficients are poorly told apart.
POORLY_CONDITIONED: Final = 30.0
"""Condition number from which on effects are poorly told apart."""

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Term:
    """One effect that is asked for."""

    factor: str
    """Of which factor."""
    label: str
    """Which of its effects: a level against the base, or a doubling."""
    values: tuple[float, ...]
    """One a run: 0 and 1 for a level, a logarithm to base 2 for a number."""
    certain: float = 0.0
    """Standard uncertainty of its effect on logarithms by what no run tells, as boards' gain."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a term multiplies by."""

    term: Term
    """Which one."""
    multiplier: float | None
    """Of geometric means; None where it cannot be told."""
    low: float | None
    """Lower end of its 95 % interval; None without one."""
    high: float | None
    """Upper end of the same."""
    p: float | None
    """Probability of such a multiplier, or one further from 1, of a factor without an effect."""
    reason: str | None
    """Why it cannot be told; None where it can."""


@dataclass(frozen=True, kw_only=True)
class MixedModel:
    """The effects of all terms, and how well they say what was measured."""

    effects: tuple[Effect, ...]
    """One a term, in their order."""
    runs: int
    """How many there are."""
    points: int
    """Of how many points."""
    degrees: int
    """Points less effects and the mean: below 1 nothing is judged."""
    residual: float | None
    """Standard deviation of logarithms between the runs of a point; None where it is not told."""
    between: float | None
    """The same of what points have beyond the factors' effects; None where nothing is fitted."""
    condition: float | None
    """Condition number of the effects that are told, each scaled to unit length."""
    method: str | None
    """By what it was fitted, and why by that; None where nothing is fitted."""
    reason: str | None
    """Why nothing is fitted; None where something is."""


def mixed_model(
    logs: Sequence[float], points: Sequence[Hashable], terms: Sequence[Term]
) -> MixedModel:
    """The model of runs.

    Args:
        logs: logarithm of the number of each run.
        points: what each run is a repeat of; in a point a term has one value.
        terms: what is asked for; none of them is the same in all runs.

    Raises:
        ValueError: there is no run, or a term has not a value for each.
    """
    if not logs or any(len(one) != len(logs) for one in (points, *(t.values for t in terms))):
        raise ValueError(
            "`points` and each of `terms` must be as many as `logs`, at least one, "
            f"but are {len(points)} and {[len(term.values) for term in terms]} for {len(logs)}"
        )
    order = sorted(range(len(logs)), key=lambda index: (repr(points[index]), logs[index]))
    names = [points[index] for index in order]
    groups = np.unique([repr(name) for name in names], return_inverse=True)[1]
    y = np.array([logs[index] for index in order])
    x = np.column_stack(
        [np.ones(len(y)), *(np.array(term.values)[order] for term in terms)]
    ).astype(np.float64)
    kept, tied = _independent(x)
    count = int(groups.max()) + 1
    degrees = count - len(kept)
    apart = _reasons(tied, terms)
    if degrees < 1:
        why = f"{count} points for {len(kept) - 1} effects and their mean: none is left to judge by"
        return _unfitted(terms, apart, why, runs=len(y), points=count, degrees=degrees)
    scaled = x[:, kept] / np.linalg.norm(x[:, kept], axis=0)
    fitted, method = _fitted(y, x[:, kept], groups)
    place = {column: index for index, column in enumerate(kept)}
    return MixedModel(
        effects=tuple(
            _effect(term, apart.get(index), fitted, place.get(index + 1), degrees)
            for index, term in enumerate(terms)
        ),
        runs=len(y),
        points=count,
        degrees=degrees,
        residual=fitted.residual,
        between=fitted.between,
        condition=float(np.linalg.cond(scaled)),
        method=method,
        reason=None,
    )


@dataclass(frozen=True, kw_only=True)
class _Fitted:
    params: Floats
    """One a column."""
    errors: Floats
    """Their standard errors."""
    residual: float | None
    """Between runs of a point."""
    between: float | None
    """Between points."""


def _independent(x: Floats) -> tuple[list[int], list[set[int]]]:
    """Columns none of which is a sum of others, and the sets of columns that are."""
    columns = x / np.linalg.norm(x, axis=0)
    kept: list[int] = []
    tied: list[set[int]] = []
    for index in range(columns.shape[1]):
        known = columns[:, kept]
        if not kept:
            kept.append(index)
            continue
        weights = np.linalg.lstsq(known, columns[:, index], rcond=None)[0]
        if np.linalg.norm(known @ weights - columns[:, index]) > _DEPENDENT:
            kept.append(index)
            continue
        parts = {kept[at] for at, weight in enumerate(weights) if abs(weight) > _TAKES_PART}
        tied.append({index, *parts})
    return kept, tied


def _reasons(tied: Sequence[set[int]], terms: Sequence[Term]) -> dict[int, str]:
    """Why each term that is in a sum of others cannot be told, by its place among the terms."""
    sets: list[set[int]] = []
    for one in tied:
        # The mean is in many sums, and ties nothing to another.
        joined = {index - 1 for index in one if index}
        for other in [each for each in sets if each & joined]:
            sets.remove(other)
            joined |= other
        sets.append(joined)
    found = {}
    for joined in sets:
        factors = sorted({terms[index].factor for index in joined})
        said = (
            f"{' and '.join(factors)} cannot be told apart: they change together"
            if len(factors) > 1
            else f"{factors[0]} cannot be told apart from the mean of all"
        )
        found.update(dict.fromkeys(joined, said))
    return found


def _fitted(y: Floats, x: Floats, groups: Any) -> tuple[_Fitted, str]:
    repeats = len(y) - int(groups.max()) - 1
    if not repeats:
        return _by_means(y, x, groups), "least squares of the points: none was run more than once"
    by_reml = _by_reml(y, x, groups)
    if by_reml is not None:
        return by_reml, "REML with a random intercept of each point"
    return _by_means(y, x, groups), "least squares of the points' means: REML did not converge"


def _by_reml(y: Floats, x: Floats, groups: Any) -> _Fitted | None:
    """By statsmodels; None where it did not converge or the fit is singular."""
    from statsmodels.regression.mixed_linear_model import MixedLM  # noqa: PLC0415

    mean, spread = float(y.mean()), float(y.std())
    if spread == 0:
        return None
    with warnings.catch_warnings():
        # It warns of what is judged below.
        warnings.simplefilter("ignore")
        try:
            fitted = MixedLM((y - mean) / spread, x, groups=groups).fit(reml=True)
        except (np.linalg.LinAlgError, ValueError):
            return None
    params, errors = np.array(fitted.fe_params), np.array(fitted.bse_fe)
    between, residual = float(np.asarray(fitted.cov_re)[0, 0]), float(fitted.scale)
    sound = np.isfinite(params).all() and np.isfinite(errors).all() and (errors > 0).all()
    if not fitted.converged or not sound or not (between >= 0 and residual > 0):
        return None
    params[0] += mean / spread
    return _Fitted(
        params=params * spread,
        errors=errors * spread,
        residual=math.sqrt(residual) * spread,
        between=math.sqrt(between) * spread,
    )


def _by_means(y: Floats, x: Floats, groups: Any) -> _Fitted:
    from statsmodels.regression.linear_model import OLS  # noqa: PLC0415

    counts = np.bincount(groups)
    first = np.unique(groups, return_index=True)[1]
    means = np.bincount(groups, weights=y) / counts
    fitted = OLS(means, x[first]).fit()
    within = len(y) - len(counts)
    squares = float(np.sum((y - means[groups]) ** 2))
    return _Fitted(
        params=np.array(fitted.params),
        errors=np.array(fitted.bse),
        residual=math.sqrt(squares / within) if within else None,
        between=math.sqrt(max(float(fitted.scale), 0.0)),
    )


def _effect(
    term: Term,
    apart: str | None,
    fitted: _Fitted,
    column: int | None,
    degrees: int,
) -> Effect:
    if apart is not None or column is None:
        return _untold(term, apart)
    value, error = float(fitted.params[column]), float(fitted.errors[column])
    width = Width(scatter=error, degrees=degrees, certain=term.certain)
    half = width.reach(LEVEL / 2)
    p = min(1.0, 2 * width.beyond(abs(value)))
    return Effect(
        term=term,
        multiplier=math.exp(value),
        low=math.exp(value - half),
        high=math.exp(value + half),
        p=p,
        reason=None,
    )


def _untold(term: Term, reason: str | None) -> Effect:
    return Effect(term=term, multiplier=None, low=None, high=None, p=None, reason=reason)


def _unfitted(
    terms: Sequence[Term], apart: dict[int, str], why: str, *, runs: int, points: int, degrees: int
) -> MixedModel:
    return MixedModel(
        effects=tuple(_untold(term, apart.get(index, why)) for index, term in enumerate(terms)),
        runs=runs,
        points=points,
        degrees=degrees,
        residual=None,
        between=None,
        condition=None,
        method=None,
        reason=why,
    )

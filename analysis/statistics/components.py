"""Components: how much of a scatter is between runs, between nodes of a run and between their GPUs.

A reading of logarithms is its point's mean, what its run, its node and its GPU add by chance. Each
is one nested within the one before (S. R. Searle, G. Casella, C. E. McCulloch, Variance components,
1992, 3 and 4). Estimated by restricted maximum likelihood of statsmodels' MixedLM, where there are
few enough readings for it. Else, or where it did not converge, by the mean squares of the analysis
of variance: where every run has as many nodes and GPUs they are the same but where one would be
below 0 (Searle, 3.8): that one is 0 then, as REML's is.

Intervals are generalised ones of the mean squares (S. Weerahandi, Generalized confidence intervals,
J. Am. Stat. Assoc. 88 (1993), 899-905): mean squares are drawn from their distributions by a fixed
seed, so they want as many nodes and GPUs in every run.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from analysis.statistics.design import LEVEL

LEVELS: Final = ("runs", "nodes", "gpus")
"""Between what a scatter may be, the outer one first."""
# A fit asks each run's block of each of some hundred steps: half a second on one core.
_MOST_READINGS: Final = 120
# Draws of the generalised intervals: their ends hold to about 1 % of their width.
_DRAWS: Final = 10_000
_SEED: Final = 20231003

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class NestedReading:
    """One GPU of one run."""

    point: str
    """What the run is a repeat of."""
    run: str
    """The run, of all runs."""
    node: str
    """The node, within the run."""
    value: float
    """A logarithm."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """The part of the scatter that is between the members of one level."""

    level: str
    """One of `LEVELS`."""
    n: int
    """How many members it has, over all runs."""
    degrees: int
    """Its degrees of freedom: 0 where it cannot be told."""
    deviation: float | None
    """Standard deviation of logarithms; None where it cannot be told."""
    low: float | None
    """Lower end of its 95 % interval; None without one."""
    high: float | None
    """Upper end of the same."""
    share: float | None
    """Its part of the whole variance; None where a part of that cannot be told."""
    share_low: float | None
    """Lower end of its 95 % interval; None without one."""
    share_high: float | None
    """Upper end of the same."""
    method: str | None
    """By what it was estimated; None where it was not."""
    reason: str | None
    """Why it, its share or its interval is missing; None where all are there."""


def components(readings: Sequence[NestedReading]) -> tuple[Component, ...]:
    """The components of readings of runs of several points, in the order of `LEVELS`.

    Raises:
        ValueError: there is no reading, or a value is no number.
    """
    if not readings or not all(math.isfinite(one.value) for one in readings):
        raise ValueError(
            f"`readings` must be numbers, at least one, but are {len(readings)} readings instead"
        )
    nested = _Nested(sorted(readings, key=lambda one: (one.point, one.run, one.node, one.value)))
    told = nested.told_levels
    if not told:
        return tuple(nested.untold(level) for level in LEVELS)
    variances, method = nested.estimate()
    draws = nested.draws()
    whole = sum(variances.values()) if "runs" in told and len(told) > 1 else None
    made = []
    for level in LEVELS:
        if level not in told:
            made.append(nested.untold(level))
            continue
        variance = variances[level]
        deviation_ends = None if draws is None else _ends(np.sqrt(draws[level]))
        share_ends = None
        if draws is not None and whole and len(told) > 1:
            share_ends = _ends(draws[level] / sum(draws.values()))
        made.append(
            Component(
                level=level,
                n=nested.members[level],
                degrees=nested.degrees[level],
                deviation=math.sqrt(variance),
                low=None if deviation_ends is None else deviation_ends[0],
                high=None if deviation_ends is None else deviation_ends[1],
                share=variance / whole if whole else None,
                share_low=None if share_ends is None else share_ends[0],
                share_high=None if share_ends is None else share_ends[1],
                method=method,
                reason=nested.reason(draws is None, whole),
            )
        )
    return tuple(made)


_NOT_REPEATED: Final = "no point was run more than once"


class _Nested:
    """Readings in order, with what their design can tell."""

    def __init__(self, readings: Sequence[NestedReading]) -> None:
        self._values = np.array([one.value for one in readings])
        names = [
            [one.point for one in readings],
            [f"{one.point}\n{one.run}" for one in readings],
            [f"{one.point}\n{one.run}\n{one.node}" for one in readings],
        ]
        self._points, self._runs, self._nodes = (
            np.unique(np.array(each), return_inverse=True)[1] for each in names
        )
        counts = [int(each.max()) + 1 for each in (self._points, self._runs, self._nodes)]
        self.members = dict(zip(LEVELS, (*counts[1:], len(readings)), strict=True))
        outer = dict(zip(LEVELS, counts, strict=True))
        self.degrees = {level: self.members[level] - outer[level] for level in LEVELS}

    @property
    def confounded(self) -> dict[str, str]:
        """Levels that cannot be told, and why."""
        found = {}
        if self.degrees["runs"] == 0:
            found["runs"] = _NOT_REPEATED
        if self.degrees["nodes"] == 0:
            found["nodes"] = "every run was on one node"
        if self.degrees["gpus"] == 0:
            of = "a node" if self.degrees["nodes"] else "a run"
            found["gpus"] = f"one GPU {of}: its part is in that of the {of.removeprefix('a ')}s"
        return found

    @property
    def told_levels(self) -> list[str]:
        return [level for level in LEVELS if level not in self.confounded]

    @property
    def _sizes(self) -> tuple[int, int] | None:
        """Nodes a run and GPUs a node, where they are the same everywhere."""
        gpus = np.bincount(self._nodes)
        first = np.unique(self._nodes, return_index=True)[1]
        nodes = np.bincount(self._runs[first])
        if np.ptp(gpus) or np.ptp(nodes):
            return None
        return int(nodes[0]), int(gpus[0])

    def untold(self, level: str) -> Component:
        return Component(
            level=level,
            n=self.members[level],
            degrees=0,
            deviation=None,
            low=None,
            high=None,
            share=None,
            share_low=None,
            share_high=None,
            method=None,
            reason=self.confounded[level],
        )

    def reason(self, no_interval: bool, whole: float | None) -> str | None:
        """What of a level that can be told is missing."""
        if no_interval:
            return "no interval: runs have different numbers of nodes or GPUs with a reading"
        if whole is None and self.degrees["runs"] == 0:
            return f"no share of the whole: {_NOT_REPEATED}"
        if whole is None:
            return "no share of the whole: nothing else can be told apart from it"
        if whole == 0:
            return "no share of the whole: nothing scatters"
        return None

    def squares(self) -> dict[str, float]:
        """Mean squares of the analysis of variance, of the levels that can be told."""

        def means(groups: Any) -> Floats:
            sums = np.bincount(groups, weights=self._values)
            found: Floats = (sums / np.bincount(groups))[groups]
            return found

        fitted = [means(each) for each in (self._points, self._runs, self._nodes)]
        steps = zip(LEVELS, fitted, (*fitted[1:], self._values), strict=True)
        return {
            level: float(np.sum((inner - outer) ** 2)) / self.degrees[level]
            for level, outer, inner in steps
            if self.degrees[level]
        }

    def estimate(self) -> tuple[dict[str, float], str]:
        """Variances of the levels that can be told, and by what they were estimated."""
        squares = self.squares()
        if len(self.told_levels) == 1:
            return self._from_squares(squares), "the mean square: there is one level to tell"
        why = f"more than {_MOST_READINGS} readings"
        if len(self._values) <= _MOST_READINGS:
            by_reml = self._reml()
            if by_reml is not None:
                return by_reml, "REML"
            why = "REML did not converge"
        if self._sizes is None:
            return self._from_squares(squares), f"mean squares of unequal runs, as {why}"
        return self._from_squares(squares), f"mean squares, as {why}"

    def _from_squares(self, squares: dict[str, Any]) -> dict[str, Any]:
        """Expected mean squares solved for the variances; below 0 is 0.

        Of unequal runs by their mean numbers of nodes and GPUs.
        """
        found = {}
        inner: Any = 0.0
        for level, below in self._below().items():
            found[level] = np.maximum(squares[level] - inner, 0.0) / below
            inner = squares[level]
        return {level: found[level] for level in LEVELS if level in found}

    def _below(self) -> dict[str, float]:
        """Readings within one member of each level that can be told, the inner one first."""
        return {
            level: len(self._values) / self.members[level] for level in reversed(self.told_levels)
        }

    def _reml(self) -> dict[str, float] | None:
        """By statsmodels; None where it did not converge or the fit is singular."""
        import pandas as pd  # noqa: PLC0415
        from statsmodels.regression.mixed_linear_model import MixedLM  # noqa: PLC0415

        means = np.bincount(self._points, weights=self._values) / np.bincount(self._points)
        centred = self._values - means[self._points]
        spread = float(np.std(centred))
        if spread == 0:
            return dict.fromkeys(self.told_levels, 0.0)
        data = pd.DataFrame({"y": centred / spread, "point": self._points, "node": self._nodes})
        levels = self.told_levels
        # The innermost level is the residual; the outermost of the others groups the readings.
        outer = levels[:-1]
        groups = {"runs": self._runs, "nodes": self._nodes}[outer[0]]
        parts = {"node": "0 + C(node)"} if outer == ["runs", "nodes"] else None
        # Without repeats each run's mean is its point's: no fixed effect is left for points.
        fixed = "y ~ 0 + C(point)"
        with warnings.catch_warnings():
            # It warns of what is judged below.
            warnings.simplefilter("ignore")
            try:
                model = MixedLM.from_formula(
                    fixed, groups=groups, re_formula="1", vc_formula=parts, data=data
                )
                fitted = model.fit(reml=True)
            except (np.linalg.LinAlgError, ValueError):
                return None
        found = [float(fitted.cov_re.iloc[0, 0]), *map(float, fitted.vcomp), float(fitted.scale)]
        if not fitted.converged or not all(math.isfinite(one) and one >= 0 for one in found):
            return None
        # Within rounding of 0 it is 0: the search stops near the border, not on it.
        return {
            level: one * spread**2 if one > _AT_ZERO else 0.0
            for level, one in zip(levels, found, strict=True)
        }

    def draws(self) -> dict[str, Floats] | None:
        """Variances as the mean squares' distributions allow them; None of unequal runs."""
        if self._sizes is None and len(self.told_levels) > 1:
            return None
        draw = np.random.default_rng(_SEED)
        squares = {
            level: square * self.degrees[level] / draw.chisquare(self.degrees[level], _DRAWS)
            for level, square in self.squares().items()
        }
        found: dict[str, Floats] = self._from_squares(squares)
        return found if sum(float(one.max()) for one in found.values()) > 0 else None


# As a part of the readings' whole variance.
_AT_ZERO: Final = 1e-6


def _ends(draws: Floats) -> tuple[float, float] | None:
    known = draws[np.isfinite(draws)]
    if not len(known):
        return None
    low, high = np.quantile(known, [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)

"""Length fit: J = a + b in + c out + d in out, of runs of exact lengths.

Weighted least squares, each run divided by its own energy: what is left is a share, and the longest
answers do not decide alone. A term that the lengths at hand do not tell apart from others is left
out, with the reason, and the others then hold at the lengths that were seen.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analysis.findings.settled import settled

Floats = NDArray[np.float64]

BASE: Final = "response"
"""Term a: what a response costs beside its tokens."""
INPUT: Final = "input token"
"""Term b: a token of a prompt."""
OUTPUT: Final = "output token"
"""Term c: a token of an answer."""
PRODUCT: Final = "input x output token"
"""Term d: what each token of an answer costs more for each token of its prompt."""
TERMS: Final = (BASE, INPUT, OUTPUT, PRODUCT)
"""In the order of the formula."""
LETTERS: Final[Mapping[str, str]] = {BASE: "a", INPUT: "b", OUTPUT: "c", PRODUCT: "d"}
"""How the formula calls each."""
# Below it an interval says nothing: Student's factor is above 3.2.
LEAST_FREE: Final = 3
"""Residual degrees of freedom that a fit needs."""
LEVEL: Final = 0.05
"""1 less the probability of an interval."""
# Two lengths are a slope, and four cells a product beside both.
_SEVERAL: Final = 2
_LEAST_CELLS: Final = 4
# Belsley, Kuh and Welsch, Regression Diagnostics (1980), 3.2: from 30 on, columns of length 1 are
# dependent moderately to strongly.
_MOST_CONDITION: Final = 30.0
# Of the energy, less is rounding, which differs between machines.
_NOTHING: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class ExactRun:
    """One run of exact lengths."""

    run_id: str
    """The run."""
    input_tokens: float
    """Of each of its prompts."""
    output_tokens: float
    """Of each of its answers."""
    energy_j: float
    """Of a response, above 0."""

    def __post_init__(self) -> None:
        for name in ("input_tokens", "output_tokens", "energy_j"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"`{name}` must be a number above 0, but is {value!r} instead")


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """One of the four numbers."""

    value: float
    """Joules a unit of its term."""
    low: float | None
    """Lower end of its 95 % interval; None where nothing is left to scatter."""
    high: float | None
    """Upper end."""
    p: float | None
    """Probability of one so far from 0, or further, where it is 0; None without an interval."""


@dataclass(frozen=True, kw_only=True)
class LengthFit:
    """What runs of one family say of their lengths."""

    points: tuple[ExactRun, ...]
    """What it rests on, also where there is no fit."""
    terms: tuple[str, ...] = ()
    """What was fitted; empty without a fit."""
    coefficients: Mapping[str, Coefficient] = field(default_factory=dict)
    """Those that are told, by term."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """By term: why the others are not."""
    fitted_j: tuple[float, ...] = ()
    """Energy of a response by the fit, of each point; empty without a fit."""
    r_squared: float | None = None
    """Share of the scatter of the weighted energies that it explains; None without a fit."""
    lack_p: float | str = "there is no fit"
    """Probability of so much being left between the lengths' own means where the formula holds (F
    test), or why it is not told."""

    @property
    def inputs(self) -> tuple[float, ...]:
        """Distinct lengths of prompts."""
        return tuple(sorted({point.input_tokens for point in self.points}))

    @property
    def outputs(self) -> tuple[float, ...]:
        """Distinct lengths of answers."""
        return tuple(sorted({point.output_tokens for point in self.points}))

    @property
    def cells(self) -> int:
        """Distinct pairs of both."""
        return len({(point.input_tokens, point.output_tokens) for point in self.points})

    @property
    def formula(self) -> str | None:
        """What was fitted, in words; None without a fit."""
        if not self.terms:
            return None
        words = {BASE: "a", INPUT: "b in", OUTPUT: "c out", PRODUCT: "d in out"}
        told = f"J = {' + '.join(words[term] for term in self.terms)}"
        if INPUT not in self.terms:
            return f"{told} at in = {self.inputs[0]:g}"
        return told if OUTPUT in self.terms else f"{told} at out = {self.outputs[0]:g}"

    @property
    def mean_error_share(self) -> float | None:
        """Mean of |energy - fitted| / energy; None without a fit."""
        return self._errors(lambda errors: math.fsum(errors) / len(errors))

    @property
    def most_error_share(self) -> float | None:
        """The most of them."""
        return self._errors(max)

    def _errors(self, of: Any) -> float | None:
        errors = [
            abs(point.energy_j - fitted) / point.energy_j
            for point, fitted in zip(self.points, self.fitted_j, strict=False)
        ]
        return settled(float(of(errors))) if errors else None

    def at(self, input_tokens: float, output_tokens: float) -> float | None:
        """Energy of a response of such lengths by the fit; None without one."""
        if not self.terms or not set(self.terms) <= self.coefficients.keys():
            return None
        row = _row(self.terms, input_tokens, output_tokens)
        return math.fsum(
            self.coefficients[term].value * amount
            for term, amount in zip(self.terms, row, strict=True)
        )


def fit_lengths(points: Sequence[ExactRun]) -> LengthFit:
    """The four numbers of these runs, as far as their lengths tell them."""
    empty = LengthFit(points=tuple(points))
    if not points:
        return _untold(empty, {}, "no run of exact lengths has this energy")
    terms, reasons = _terms(empty)
    if len(terms) == 1:
        return _untold(empty, reasons, "the lengths tell nothing")
    least = len(terms) + LEAST_FREE
    if len(points) < least:
        many = "1 run is" if len(points) == 1 else f"{len(points)} runs are"
        return _untold(empty, reasons, f"{many} too few: {least} are needed")
    energy = np.array([point.energy_j for point in points])
    if float(np.ptp(energy)) <= _NOTHING * float(energy.max()):
        return _untold(empty, reasons, "the energy is the same in all")
    return _fitted(empty, terms, reasons, energy)


def _fitted(
    empty: LengthFit, terms: tuple[str, ...], reasons: dict[str, str], energy: Floats
) -> LengthFit:
    # Heavy, and only whoever has enough data needs it.
    from statsmodels.regression.linear_model import WLS  # noqa: PLC0415

    points = empty.points
    design = np.array([_row(terms, one.input_tokens, one.output_tokens) for one in points])
    weights = energy**-2.0
    fit = WLS(energy, design, weights=weights).fit()
    ends = np.asarray(fit.conf_int(LEVEL))
    left = float(np.sqrt(np.mean((np.asarray(fit.resid) / energy) ** 2)))
    scatters = left > _NOTHING
    found: dict[str, Coefficient] = {}
    for place, term in enumerate(terms):
        found[term] = Coefficient(
            value=settled(float(fit.params[place])),
            low=settled(float(ends[place][0])) if scatters else None,
            high=settled(float(ends[place][1])) if scatters else None,
            p=settled(float(fit.pvalues[place])) if scatters else None,
        )
    if not scatters:
        reasons |= dict.fromkeys(terms, "nothing is left to scatter: there is no interval")
    whole = LengthFit(points=points, terms=terms, coefficients=found)
    fitted = [whole.at(one.input_tokens, one.output_tokens) for one in points]
    for name, one in ((INPUT, empty.inputs), (OUTPUT, empty.outputs)):
        if name not in terms:
            # What a response costs beside its tokens is not told from tokens that all have.
            del found[BASE]
            reasons[BASE] = f"not told from the {one[0]:g} {name}s that each has"
    return LengthFit(
        points=points,
        terms=terms,
        coefficients=found,
        reasons=reasons,
        fitted_j=tuple(settled(value) for value in fitted if value is not None),
        r_squared=settled(float(fit.rsquared)) if scatters else 1.0,
        lack_p=_lack(fit, points, energy, weights) if scatters else "nothing is left to scatter",
    )


def _lack(fit: Any, points: Sequence[ExactRun], energy: Floats, weights: Floats) -> float | str:
    """Whether the lengths' own means lie further off the formula than repeats scatter."""
    from statsmodels.regression.linear_model import WLS  # noqa: PLC0415

    cells = sorted({(one.input_tokens, one.output_tokens) for one in points})
    free = len(points) - len(cells)
    if free < LEAST_FREE:
        return f"repeats leave {free} degrees of freedom, and {LEAST_FREE} are needed"
    if len(cells) <= len(fit.params):
        return f"{len(cells)} pairs of lengths are no more than what was fitted"
    own = np.array(
        [[float((one.input_tokens, one.output_tokens) == cell) for cell in cells] for one in points]
    )
    means = WLS(energy, own, weights=weights).fit()
    if float(np.sqrt(np.mean((np.asarray(means.resid) / energy) ** 2))) <= _NOTHING:
        return "repeats do not scatter"
    p = float(means.compare_f_test(fit)[1])
    return settled(p) if math.isfinite(p) else "repeats do not scatter"


def _terms(empty: LengthFit) -> tuple[tuple[str, ...], dict[str, str]]:
    """What the lengths can tell, and why not the rest."""
    reasons: dict[str, str] = {}
    inputs, outputs = empty.inputs, empty.outputs
    if len(inputs) < _SEVERAL:
        reasons[INPUT] = f"one length of prompts: {inputs[0]:g}"
    if len(outputs) < _SEVERAL:
        reasons[OUTPUT] = f"one length of answers: {outputs[0]:g}"
    if reasons:
        reasons[PRODUCT] = "; ".join(reasons.values())
        return tuple(term for term in TERMS if term not in reasons), reasons
    scaled = [
        _scaled([getattr(point, name) for point in empty.points])
        for name in ("input_tokens", "output_tokens")
    ]
    if _condition(scaled) > _MOST_CONDITION:
        together = "lengths of prompts and answers go together: not told apart"
        return (BASE,), dict.fromkeys((INPUT, OUTPUT, PRODUCT), together)
    product = _without_mean(scaled[0] * scaled[1])
    if empty.cells < _LEAST_CELLS:
        reasons[PRODUCT] = f"{empty.cells} pairs of lengths, and {_LEAST_CELLS} are needed"
    elif _condition([*scaled, product]) > _MOST_CONDITION:
        reasons[PRODUCT] = "the product of both lengths goes with them: not told apart"
    return tuple(term for term in TERMS if term not in reasons), reasons


def _row(terms: Sequence[str], input_tokens: float, output_tokens: float) -> list[float]:
    amounts = {
        BASE: 1.0,
        INPUT: input_tokens,
        OUTPUT: output_tokens,
        PRODUCT: input_tokens * output_tokens,
    }
    return [amounts[term] for term in terms]


def _scaled(values: Sequence[float]) -> Floats:
    """About their mean, of length 1."""
    found = _without_mean(np.array(values))
    return found / float(np.linalg.norm(found))


def _without_mean(values: Floats) -> Floats:
    return np.asarray(values - values.mean(), dtype=np.float64)


def _condition(columns: Sequence[Floats]) -> float:
    lengths = [float(np.linalg.norm(column)) for column in columns]
    if min(lengths) <= _NOTHING:
        return math.inf
    return float(np.linalg.cond(np.column_stack(columns) / np.array(lengths)))


def _untold(empty: LengthFit, reasons: dict[str, str], reason: str) -> LengthFit:
    """No number, and why; what has a reason of its own keeps it."""
    return LengthFit(points=empty.points, reasons=dict.fromkeys(TERMS, reason) | reasons)

"""Complexity fit: what lengths and entropy of prompts explain of the energy of batches.

Stretches of all runs of the same model, boards, engine, shards, batch, format and cap are one
family; its runs differ in prompts and lengths. Energy a batch is regressed on prompt tokens a
batch, generated tokens a batch and the prompts' entropy, each stretch weighing as many batches as
it has (weighted least squares). Runs of one family are held to scatter alike; what attention takes
beyond a share of the tokens is left to what is not explained.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analysis.findings.settled import settled
from analysis.findings.works import real
from analysis.tables.column import Row
from telemetry.record.spec import SETTING_FIELDS

Floats = NDArray[np.float64]

ALIKE: Final = (
    *("board", "model", "engine", "gpus", "gpus_per_node", "batch_size", "dtype"),
    *("quantization", *SETTING_FIELDS, "simulated", "random_weights"),
)
"""What runs of one family agree in."""
WHOLE: Final = "energy_j"
"""Outcome: all of a batch."""
OUTCOMES: Final = (WHOLE, "prefill_energy_j", "decode_energy_j")
"""What is explained, as columns of complexity, of a batch."""
BASE: Final = "a batch"
"""Term: what a batch costs beside its tokens."""
PROMPT: Final = "prompt token"
"""Term: tokens of prompts."""
GENERATED: Final = "generated token"
"""Term: tokens of answers."""
ENTROPY: Final = "bit of prompt entropy"
"""Term: mean entropy of the prompts of a batch, in bits a byte."""
WORDS: Final = "prompt word"
"""Term: words of prompts."""
READABILITY: Final = "grade of readability"
"""Term: mean automated readability index of the prompts of a batch."""
TERMS: Final = (BASE, PROMPT, GENERATED, ENTROPY)
"""In the order of the table; `BASE` is always in."""
DATASETS: Final = "dataset"
"""Term: which dataset was asked, beside all others; it has no slope, only a probability."""
# Residual degrees of freedom below which an interval says nothing.
_LEAST_FREE: Final = 3
# What varies by less than this share of its mean is the same in all.
_SAME: Final = 1e-9
# Belsley, Kuh and Welsch, Regression Diagnostics (1980), 3.2.
_MOST_CONDITION: Final = 30.0
LEVEL: Final = 0.05
"""Probability of error of every test, and 1 less that of every interval."""


@dataclass(frozen=True, kw_only=True)
class Slope:
    """What one term adds to a batch's energy, with its 95 % interval."""

    value: float
    """Joules a unit of the term."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""
    p: float
    """Probability of one so far from 0, or further, where it is 0."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """One regression."""

    slopes: dict[str, Slope]
    """By term; those that are told."""
    reasons: dict[str, str]
    """By term; why the others are not."""
    r_squared: float | None
    """Share of the scatter that it explains; None without a fit."""
    datasets_p: float | str = "there is no regression of lengths and entropy"
    """Probability of so much more being explained by the datasets' own means, where these are all
    the same (F test); or why it is not told."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PromptFamily:
    """Stretches of runs that differ in prompts and lengths alone."""

    rows: tuple[Row, ...]
    """Rows of complexity."""

    @property
    def first(self) -> Row:
        """One of them, for what all have in common."""
        return self.rows[0]

    @property
    def datasets(self) -> str:
        """What was asked of it."""
        return ", ".join(sorted({str(row["dataset"]) for row in self.rows}))

    def models(self) -> Iterator["Fitted"]:
        """The regression of all, and those of the phases where any of them tells a slope."""
        found = [Fitted(family=self, outcome=outcome) for outcome in OUTCOMES]
        told = found[0].model.slopes
        yield from (one for one in found if one.outcome == WHOLE or told or one.model.slopes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """One regression of one family."""

    family: PromptFamily
    """What it is of."""
    outcome: str
    """One of `OUTCOMES`."""
    terms: tuple[str, ...] = TERMS
    """What by, `BASE` first."""

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Stretches that have the outcome."""
        return tuple(row for row in self.family.rows if row[self.outcome] is not None)

    @property
    def runs(self) -> int:
        """Runs that they are of."""
        return len({row["run_id"] for row in self.rows})

    @cached_property
    def columns(self) -> dict[str, Floats | None]:
        """Each term a batch; None where a row lacks it."""
        found: dict[str, Floats | None] = {}
        for term in self.terms[1:]:
            values = [_term(row, term) for row in self.rows]
            known = [value for value in values if value is not None]
            found[term] = np.array(known) if known and len(known) == len(values) else None
        return found

    @cached_property
    def model(self) -> Model:
        """The regression, or why there is none."""
        if not self.rows:
            reason = next(
                (str(row[_reason(self.outcome)]) for row in self.family.rows), "no stretch"
            )
            return _none(self.terms, reason)
        chosen, reasons, tied = self._chosen()
        if not chosen:
            return _none(self.terms, "nothing of it varies", reasons)
        least = len(chosen) + 1 + _LEAST_FREE
        if len(self.rows) < least:
            many = "1 stretch" if len(self.rows) == 1 else f"{len(self.rows)} stretches"
            return _none(self.terms, f"{many} of batches are too few: {least} are needed", reasons)
        if (distinct := self._distinct(chosen)) < len(chosen) + 1:
            return _none(self.terms, f"{distinct} different lengths and texts are too few", reasons)
        # Heavy, and only whoever has enough data needs it.
        from statsmodels.regression.linear_model import WLS  # noqa: PLC0415

        batches = np.array([_number(row, "batches") for row in self.rows])
        energy = np.array([_number(row, self.outcome) for row in self.rows]) / batches
        if _same(energy):
            return _none(self.terms, "the energy is the same in all", reasons)
        design = np.column_stack([np.ones(len(energy)), *(self._of(term) for term in chosen)])
        fit = WLS(energy, design, weights=batches).fit()
        ends = fit.conf_int(LEVEL)
        slopes = {}
        for place, term in enumerate((BASE, *chosen)):
            if term in tied:
                reasons[term] = tied[term]
                continue
            value, low, high, p = (
                float(part)
                for part in (fit.params[place], ends[place][0], ends[place][1], fit.pvalues[place])
            )
            if all(map(math.isfinite, (value, low, high, p))):
                slopes[term] = Slope(
                    value=settled(value), low=settled(low), high=settled(high), p=settled(p)
                )
            else:
                reasons[term] = "nothing is left to scatter: there is no interval"
        if not {PROMPT, GENERATED} <= slopes.keys():
            slopes.pop(BASE, None)
            reasons[BASE] = "the tokens' own slopes are not told: it is not told apart from them"
        return Model(
            slopes=slopes,
            reasons=reasons,
            r_squared=settled(float(fit.rsquared)),
            datasets_p=self._datasets_p(fit, design, energy, batches),
        )

    def _datasets_p(self, fit: Any, design: Floats, energy: Floats, batches: Floats) -> float | str:
        """Whether what was asked matters beside its lengths and entropy."""
        from statsmodels.regression.linear_model import WLS  # noqa: PLC0415

        names = [str(row["dataset"]) for row in self.rows]
        others = sorted(set(names))[1:]
        if not others:
            return "one dataset alone"
        own = np.array([[float(name == other) for other in others] for name in names])
        wider = np.column_stack([design, own])
        if np.linalg.matrix_rank(wider) < wider.shape[1]:
            return "lengths and entropy go with the datasets: not told apart"
        if len(energy) - wider.shape[1] < _LEAST_FREE:
            return f"{len(energy)} stretches are too few for {len(others) + 1} datasets"
        p = float(WLS(energy, wider, weights=batches).fit().compare_f_test(fit)[1])
        return settled(p) if math.isfinite(p) else "nothing is left to scatter"

    def _distinct(self, terms: Sequence[str]) -> int:
        """Points at which the terms were seen: batches of another pass are the same ones."""
        return len(np.unique(np.column_stack([self._of(term) for term in terms]), axis=0))

    def _of(self, term: str) -> Floats:
        found = self.columns[term]
        assert found is not None
        return found

    def _chosen(self) -> tuple[list[str], dict[str, str], dict[str, str]]:
        """Terms that can be told, why the others cannot, and which are tied to a left-out one."""
        chosen: list[str] = []
        reasons: dict[str, str] = {}
        tied: dict[str, str] = {}
        for term in self.terms[1:]:
            values = self.columns[term]
            if values is None:
                reasons[term] = "not known of every stretch"
            elif _same(values):
                reasons[term] = f"the same in all: {values[0]:.6g} a batch"
            elif chosen and self._condition([*chosen, term]) > _MOST_CONDITION:
                with_it = max(chosen, key=lambda other: abs(self._r(term, other)))
                r = self._r(term, with_it)
                reasons[term] = f"goes with {with_it} in all (r = {r:.3f}): not told apart"
                tied[with_it] = f"goes with {term} in all (r = {r:.3f}): not told apart"
            else:
                chosen.append(term)
        return chosen, reasons, tied

    def _r(self, one: str, other: str) -> float:
        return float(np.corrcoef(self._of(one), self._of(other))[0, 1])

    def _condition(self, terms: Sequence[str]) -> float:
        columns = np.column_stack([self._of(term) for term in terms])
        centred = columns - columns.mean(axis=0)
        return float(np.linalg.cond(centred / np.linalg.norm(centred, axis=0)))


_MEANS: Final = {ENTROPY: "prompt_entropy_bits", READABILITY: "prompt_readability"}
_AMOUNTS: Final = {
    PROMPT: "prompt_tokens",
    GENERATED: "generated_tokens",
    WORDS: "prompt_words",
}


def _none(terms: Sequence[str], reason: str, reasons: dict[str, str] | None = None) -> Model:
    told = {term: (reasons or {}).get(term, reason) for term in terms}
    return Model(slopes={}, reasons=told, r_squared=None)


def _term(row: Row, term: str) -> float | None:
    if term in _MEANS:
        return real(row[_MEANS[term]])
    amount = real(row[_AMOUNTS[term]])
    return None if amount is None else amount / _number(row, "batches")


def _number(row: Row, name: str) -> float:
    value = real(row[name])
    assert value is not None
    return value


def _same(values: Floats) -> bool:
    return bool(np.ptp(values) <= _SAME * np.abs(values).max())


def _reason(outcome: str) -> str:
    return outcome.removesuffix("_j").replace("_energy", "") + "_reason"

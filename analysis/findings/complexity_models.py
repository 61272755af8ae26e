"""Complexity models: what a token of a prompt, a token of an answer and entropy each cost.

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
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analysis.findings.complexity import COMPLEXITY
from analysis.findings.works import real
from analysis.tables.column import Cell, Column, ColumnsOf, Row
from analysis.tables.labels import pooled_label_columns
from analysis.tables.table import Results, TableKind

Floats = NDArray[np.float64]

_ALIKE: Final = (
    *("board", "model", "engine", "gpus", "gpus_per_node", "batch_size", "dtype"),
    *("quantization", "power_cap_w", "sm_clock_mhz", "simulated", "random_weights"),
)
OUTCOMES: Final = ("energy_j", "prefill_energy_j", "decode_energy_j")
"""What is explained, as columns of complexity, of a batch."""
BASE: Final = "a batch"
"""Term: what a batch costs beside its tokens."""
PROMPT: Final = "prompt token"
"""Term: tokens of prompts."""
GENERATED: Final = "generated token"
"""Term: tokens of answers."""
ENTROPY: Final = "bit of prompt entropy"
"""Term: mean entropy of the prompts of a batch, in bits a byte."""
TERMS: Final = (BASE, PROMPT, GENERATED, ENTROPY)
"""In the order of the table; `BASE` is always in."""
# Residual degrees of freedom below which an interval says nothing.
_LEAST_FREE: Final = 3
# What varies by less than this share of its mean is the same in all.
_SAME: Final = 1e-9
# Belsley, Kuh and Welsch, Regression Diagnostics (1980), 3.2.
_MOST_CONDITION: Final = 30.0
_LEVEL: Final = 0.05


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
        """One regression for each outcome."""
        for outcome in OUTCOMES:
            yield Fitted(family=self, outcome=outcome)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """One regression of one family."""

    family: PromptFamily
    """What it is of."""
    outcome: str
    """One of `OUTCOMES`."""

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
        for term in TERMS[1:]:
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
            return _none(reason)
        chosen, reasons, tied = self._chosen()
        if not chosen:
            return _none("nothing of it varies", reasons)
        least = len(chosen) + 1 + _LEAST_FREE
        if len(self.rows) < least:
            many = "1 stretch" if len(self.rows) == 1 else f"{len(self.rows)} stretches"
            return _none(f"{many} of batches are too few: {least} are needed", reasons)
        if (distinct := self._distinct(chosen)) < len(chosen) + 1:
            return _none(f"{distinct} different lengths and texts are too few", reasons)
        # Heavy, and only whoever has enough data needs it.
        from statsmodels.regression.linear_model import WLS  # noqa: PLC0415

        batches = np.array([_number(row, "batches") for row in self.rows])
        energy = np.array([_number(row, self.outcome) for row in self.rows]) / batches
        if _same(energy):
            return _none("the energy is the same in all", reasons)
        design = np.column_stack([np.ones(len(energy)), *(self._of(term) for term in chosen)])
        fit = WLS(energy, design, weights=batches).fit()
        ends = fit.conf_int(_LEVEL)
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
                slopes[term] = Slope(value=value, low=low, high=high, p=p)
            else:
                reasons[term] = "nothing is left to scatter: there is no interval"
        if not {PROMPT, GENERATED} <= slopes.keys():
            slopes.pop(BASE, None)
            reasons[BASE] = "the tokens' own slopes are not told: it is not told apart from them"
        return Model(slopes=slopes, reasons=reasons, r_squared=float(fit.rsquared))

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
        for term in TERMS[1:]:
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


def _none(reason: str, reasons: dict[str, str] | None = None) -> Model:
    told = {term: (reasons or {}).get(term, reason) for term in TERMS}
    return Model(slopes={}, reasons=told, r_squared=None)


def _term(row: Row, term: str) -> float | None:
    if term == ENTROPY:
        return real(row["prompt_entropy_bits"])
    name = "prompt_tokens" if term == PROMPT else "generated_tokens"
    return _number(row, name) / _number(row, "batches")


def _number(row: Row, name: str) -> float:
    value = real(row[name])
    assert value is not None
    return value


def _same(values: Floats) -> bool:
    return bool(np.ptp(values) <= _SAME * np.abs(values).max())


def _reason(outcome: str) -> str:
    return outcome.removesuffix("_j").replace("_energy", "") + "_reason"


@dataclass(frozen=True, kw_only=True)
class TermRow:
    """One term of one regression."""

    of: Fitted
    """The regression."""
    term: str
    """One of `TERMS`."""

    @property
    def slope(self) -> Slope | None:
        """What it adds; None with a reason."""
        return self.of.model.slopes.get(self.term)

    def of_slope(self, name: str) -> float | None:
        """A number of the slope; None without one."""
        found: float | None = None if self.slope is None else getattr(self.slope, name)
        return found

    def ends(self, which: str) -> float | None:
        """Least or most of the term a batch."""
        values = None if self.term == BASE else self.of.columns[self.term]
        if values is None or not len(values):
            return None
        return float(values.min() if which == "least" else values.max())

    @property
    def sentence(self) -> str | None:
        """The finding, for people."""
        slope = self.slope
        if slope is None:
            return None
        what = {
            "energy_j": "energy",
            "prefill_energy_j": "prefill's energy",
            "decode_energy_j": "decode's energy",
        }[self.of.outcome]
        told = f"{slope.value:.3g} J ({slope.low:.3g} to {slope.high:.3g})"
        marks = [
            *(("simulated",) if self.of.family.first["simulated"] else ()),
            *(("random weights",) if self.of.family.first["random_weights"] else ()),
        ]
        label = f" [{', '.join(marks)}]" if marks else ""
        if self.term == BASE:
            return f"A batch costs {told} of {what} beside its tokens{label}."
        if slope.low <= 0 <= slope.high:
            after = ", after lengths" if self.term == ENTROPY else ""
            return f"No effect of a {self.term} on {what} is shown{after}: {told}{label}."
        after = " after lengths" if self.term == ENTROPY else ""
        return f"A {self.term} more goes with {told} of {what}{after}{label}."


_OF: Final = ColumnsOf[TermRow]()
_BY_NAME: Final = {column.name: column for column in COMPLEXITY.columns}


def _carried(*names: str) -> tuple[Column[TermRow], ...]:
    return tuple(_OF.carried(_BY_NAME[name], lambda one: one.of.family.first) for name in names)


_COLUMNS: Final = (
    *_carried(*(name for name in _ALIKE if name != "random_weights")),
    *pooled_label_columns(_OF, lambda one, label: [row[label.name] for row in one.of.family.rows]),
    _OF.text(
        "datasets", "datasets", "What its runs were asked.", lambda one: one.of.family.datasets
    ),
    _OF.text(
        "outcome",
        "explained",
        "What is explained, of a batch: a column of complexity.",
        lambda one: one.of.outcome,
    ),
    _OF.text(
        "term",
        "by",
        "What by: `a batch` beside its tokens; a `prompt token`; a `generated token`; a `bit of "
        "prompt entropy`, in bits a byte, with both lengths held.",
        lambda one: one.term,
    ),
    _OF.number(
        "slope_j",
        "adds",
        "J",
        "Energy that one more of it goes with, the others held (weighted least squares, a stretch "
        "weighing its batches).",
        lambda one: one.of_slope("value"),
        interval=("slope_j_low", "slope_j_high"),
        reason="reason",
    ),
    _OF.number(
        "slope_j_low",
        "adds from",
        "J",
        "Lower end of its 95 % interval.",
        lambda one: one.of_slope("low"),
    ),
    _OF.number(
        "slope_j_high", "adds to", "J", "Upper end of it.", lambda one: one.of_slope("high")
    ),
    _OF.number(
        "p",
        "p",
        "1",
        "Probability of a slope so far from 0, or further, where it is 0.",
        lambda one: one.of_slope("p"),
        reason="reason",
    ),
    _OF.number(
        "least_per_batch",
        "least",
        "1",
        "Least of the term a batch that was seen; of entropy the least mean.",
        lambda one: one.ends("least"),
        shown=False,
    ),
    _OF.number(
        "most_per_batch",
        "most",
        "1",
        "Most of it that was seen.",
        lambda one: one.ends("most"),
        shown=False,
    ),
    _OF.number(
        "r_squared",
        "R2",
        "1",
        "Share of the scatter of the energy a batch that all terms together explain.",
        lambda one: one.of.model.r_squared,
        reason="reason",
    ),
    _OF.count("n", "stretches", "Stretches that it rests on.", lambda one: len(one.of.rows)),
    _OF.count("runs", "runs", "Runs that they are of.", lambda one: one.of.runs),
    _OF.text("sentence", "in words", "The finding as a sentence.", lambda one: one.sentence),
    _OF.reason(lambda one: one.of.model.reasons.get(one.term)),
)


def _terms(results: Results) -> Iterator[TermRow]:
    found: dict[tuple[Cell, ...], list[Row]] = {}
    for row in results.rows(COMPLEXITY):
        found.setdefault(tuple(row[name] for name in _ALIKE), []).append(row)
    for rows in found.values():
        for fitted in PromptFamily(rows=tuple(rows)).models():
            for term in TERMS:
                yield TermRow(of=fitted, term=term)


COMPLEXITY_MODELS: Final = TableKind(
    name="complexity_models",
    title="Input complexity against energy",
    columns=_COLUMNS,
    of_results=_terms,
    section="complexity",
    heading="What lengths and entropy cost",
    text="Energy of a batch by the tokens of its prompts, the tokens of its answers and the "
    "entropy of its prompts, over all runs of the same model, boards, engine, shards, batch and "
    "format.",
)
"""One row a family of runs, what is explained, and a term."""

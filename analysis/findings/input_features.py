"""Input features: what prompts are like, against the energy that their answers took.

Of each family of runs (`complexity_fit`) a row is a feature and an outcome: how both go together
over stretches of batches (Spearman), and what a unit of the feature adds once the tokens of
prompts and answers are held (the same regression, with the feature as its last term). All tests of
a family are corrected for being so many (Holm).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from analysis.findings.complexity import COMPLEXITY
from analysis.findings.complexity_fit import (
    ALIKE,
    BASE,
    ENTROPY,
    GENERATED,
    LEVEL,
    OUTCOMES,
    PROMPT,
    READABILITY,
    WORDS,
    Fitted,
    Floats,
    PromptFamily,
    Slope,
)
from analysis.findings.settled import settled
from analysis.findings.works import real
from analysis.statistics.ratio import holm
from analysis.tables.column import Cell, Column, ColumnsOf, Row
from analysis.tables.labels import pooled_label_columns
from analysis.tables.table import Results, TableKind

ENTITIES: Final = "named entities a word"
"""Feature: no number."""
NO_ENTITIES: Final = (
    "finding names needs a trained model, and each library that is kept well (spaCy, NLTK, Stanza, "
    "Flair) fetches its own over the network: nothing is fetched to make a table"
)
"""Why."""
FEATURES: Final = (
    *("tokens a prompt", "words a prompt", "entropy of a prompt's bytes"),
    *("readability of a prompt", ENTITIES),
)
"""What is looked at, in the order of the table."""
# The term of the regression that a feature is, and the column of complexity that it is made of.
_TERMS: Final = dict(zip(FEATURES, (PROMPT, WORDS, ENTROPY, READABILITY), strict=False))
_A_PROMPT: Final = {"tokens a prompt": "prompt_tokens", "words a prompt": "prompt_words"}
_MEANS: Final = {
    "entropy of a prompt's bytes": "prompt_entropy_bits",
    "readability of a prompt": "prompt_readability",
}
# J. H. Zar, Biostatistical Analysis, 19.9: below, Student's t is no fit for Spearman's coefficient.
_LEAST: Final = 10
# What varies by less than this share of its largest is the same in all.
_SAME: Final = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureRow:
    """One feature of one family against one outcome."""

    fitted: Fitted
    """The family, the outcome, and the regression whose last term the feature is."""
    feature: str
    """One of `FEATURES`."""
    holm_of: tuple[float | None, float | None] = (None, None)
    """Of the coefficient and of the slope: probability once any of so many tests may err."""
    tests: int = 0
    """How many tests that is over."""

    @cached_property
    def _pairs(self) -> tuple[Floats, Floats] | str:
        """The feature a prompt and the energy a response, of each stretch."""
        if self.feature == ENTITIES:
            return NO_ENTITIES
        rows = self.fitted.rows
        if not rows:
            return "the energy of no stretch is known"
        found = [self._of(row) for row in rows]
        known = [value for value in found if value is not None]
        if len(known) < len(found):
            names = ("readability_reason", "text_reason")
            why = (row.get(name) for row in rows for name in names if row.get(name))
            return str(next(why, "not known of every stretch"))
        energy = [_number(row, self.fitted.outcome) / _number(row, "responses") for row in rows]
        return np.array(known), np.array(energy)

    def _of(self, row: Row) -> float | None:
        if self.feature in _MEANS:
            return real(row[_MEANS[self.feature]])
        amount = real(row[_A_PROMPT[self.feature]])
        return None if amount is None else amount / _number(row, "responses")

    @cached_property
    def spearman(self) -> tuple[float, float] | str:
        """The coefficient of ranks and its probability where there is none; or why not."""
        if isinstance(self._pairs, str):
            return self._pairs
        values, energy = self._pairs
        if len(values) < _LEAST:
            return f"{len(values)} stretches of batches are too few: {_LEAST} are needed"
        for what, each in (("the feature", values), ("the energy a response", energy)):
            if np.ptp(each) <= _SAME * np.abs(each).max():
                return f"{what} is the same in all"
        # Whoever has too little data needs none of it.
        from scipy import stats  # noqa: PLC0415

        found = stats.spearmanr(values, energy)
        rho, p = float(found.statistic), float(found.pvalue)
        return (settled(rho), settled(p)) if math.isfinite(p) else "there is no probability of it"

    @property
    def slope(self) -> Slope | None:
        """What a unit adds to a batch, tokens held."""
        return self.fitted.model.slopes.get(_TERMS.get(self.feature, ""))

    @property
    def slope_reason(self) -> str | None:
        """Why there is none."""
        if self.slope is not None:
            return None
        if self.feature == ENTITIES:
            return NO_ENTITIES
        return self.fitted.model.reasons.get(_TERMS[self.feature])

    @property
    def ps(self) -> tuple[float | None, float | None]:
        """Probabilities of the coefficient and of the slope, before any correction."""
        rho = None if isinstance(self.spearman, str) else self.spearman[1]
        return rho, None if self.slope is None else self.slope.p

    @property
    def sentence(self) -> str | None:
        """The finding, for people."""
        if isinstance(self.spearman, str) or self.holm_of[0] is None:
            return None
        shown = self.holm_of[0] < LEVEL
        first = self.fitted.family.first
        marks = [
            word
            for name, word in (("simulated", "simulated"), ("random_weights", "random weights"))
            if first[name]
        ]
        label = f" [{', '.join(marks)}]" if marks else ""
        verdict = "goes with" if shown else "is not shown to go with"
        return (
            f"The {self.feature} {verdict} the energy a response ({self.fitted.outcome}): "
            f"rho = {self.spearman[0]:.2f}, p = {self.holm_of[0]:.2g} after Holm over "
            f"{self.tests} tests{label}."
        )


def family_rows(family: PromptFamily) -> list[FeatureRow]:
    """Every feature against every outcome of a family, corrected together."""
    found = [
        FeatureRow(
            fitted=Fitted(family=family, outcome=outcome, terms=_terms(feature)), feature=feature
        )
        for outcome in OUTCOMES
        for feature in FEATURES
        if outcome == OUTCOMES[0] or feature != ENTITIES
    ]
    tested = [p for one in found for p in one.ps if p is not None]
    corrected = iter(holm(tested))
    return [
        replace(one, holm_of=(_next(rho, corrected), _next(slope, corrected)), tests=len(tested))
        for one in found
        for rho, slope in (one.ps,)
    ]


def _next(p: float | None, corrected: Iterator[float]) -> float | None:
    return None if p is None else settled(next(corrected))


def _terms(feature: str) -> tuple[str, ...]:
    held = (BASE, PROMPT, GENERATED)
    term = _TERMS.get(feature, PROMPT)
    return held if term in held else (*held, term)


def _number(row: Row, name: str) -> float:
    value = real(row[name])
    assert value is not None
    return value


_OF: Final = ColumnsOf[FeatureRow]()
_BY_NAME: Final = {column.name: column for column in COMPLEXITY.columns}


def _carried(names: Sequence[str]) -> tuple[Column[FeatureRow], ...]:
    return tuple(
        replace(_OF.carried(_BY_NAME[name], lambda one: one.fitted.family.first), shown=True)
        for name in names
    )


_COLUMNS: Final = (
    *_carried([name for name in ALIKE if name != "random_weights"]),
    *pooled_label_columns(
        _OF, lambda one, label: [row[label.name] for row in one.fitted.family.rows]
    ),
    _OF.text(
        "datasets",
        "datasets",
        "What its runs were asked.",
        lambda one: one.fitted.family.datasets,
    ),
    _OF.text(
        "outcome",
        "explained",
        "A column of complexity, over its responses for rho and a batch for the slope.",
        lambda one: one.fitted.outcome,
    ),
    _OF.text(
        "feature",
        "feature",
        "What prompts are like: `tokens a prompt` as cut; `words a prompt`, `entropy of a "
        "prompt's bytes` (bits a byte), `readability of a prompt` (automated readability index) "
        "of the whole text; `named entities a word`, which has no number.",
        lambda one: one.feature,
    ),
    _OF.number(
        "rho",
        "rho",
        "1",
        "Spearman's coefficient of ranks between the mean feature and the energy a response, over "
        "stretches of batches, each once.",
        lambda one: None if isinstance(one.spearman, str) else one.spearman[0],
        reason="reason",
    ),
    _OF.number(
        "p",
        "p",
        "1",
        "Probability of a rho so far from 0, or further, where both are independent.",
        lambda one: one.ps[0],
        reason="reason",
        shown=False,
    ),
    _OF.number(
        "p_holm",
        "p, Holm",
        "1",
        "The same once any of all tests of the family may err.",
        lambda one: one.holm_of[0],
        reason="reason",
    ),
    _OF.number(
        "slope_j",
        "adds",
        "J",
        "Energy a batch that one more unit of the feature goes with, tokens of prompts and of "
        "answers held (weighted least squares).",
        lambda one: None if one.slope is None else one.slope.value,
        interval=("slope_j_low", "slope_j_high"),
        reason="slope_reason",
    ),
    _OF.number(
        "slope_j_low",
        "adds from",
        "J",
        "Lower end of its 95 % interval.",
        lambda one: None if one.slope is None else one.slope.low,
        shown=False,
    ),
    _OF.number(
        "slope_j_high",
        "adds to",
        "J",
        "Upper end of it.",
        lambda one: None if one.slope is None else one.slope.high,
        shown=False,
    ),
    _OF.number(
        "slope_p_holm",
        "p of it, Holm",
        "1",
        "Probability of a slope so far from 0 where it is 0, once any of all tests may err.",
        lambda one: one.holm_of[1],
        reason="slope_reason",
    ),
    _OF.count("comparisons", "tests", "Tests of the family.", lambda one: one.tests),
    _OF.count("n", "stretches", "Stretches that it rests on.", lambda one: len(one.fitted.rows)),
    _OF.count("runs", "runs", "Runs that they are of.", lambda one: one.fitted.runs),
    _OF.text("sentence", "in words", "The finding as a sentence.", lambda one: one.sentence),
    _OF.why(
        "slope_reason",
        "slope",
        "Why it is missing.",
        lambda one: one.slope_reason,
    ),
    _OF.reason(lambda one: one.spearman if isinstance(one.spearman, str) else None),
)


def _rows(results: Results) -> Iterator[FeatureRow]:
    found: dict[tuple[Cell, ...], list[Row]] = {}
    for row in results.rows(COMPLEXITY):
        found.setdefault(tuple(row[name] for name in ALIKE), []).append(row)
    for rows in found.values():
        yield from family_rows(PromptFamily(rows=tuple(rows)))


INPUT_FEATURES: Final = TableKind(
    name="input_features",
    title="What prompts are like against energy",
    columns=_COLUMNS,
    of_results=_rows,
    section="complexity",
    heading="Length, words, entropy and readability of prompts",
    text="Whether what prompts are like goes with the energy of their answers, and whether it does "
    "once lengths are held, with correction for so many tests.",
)
"""One row a family of runs, what is explained, and a feature."""

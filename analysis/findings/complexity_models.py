"""Complexity models: what a token of a prompt, a token of an answer and entropy each cost.

A row is a term of a regression (`complexity_fit`). Those of prefill and of decode alone stand where
they, or that of all, tell anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from analysis.findings.complexity import COMPLEXITY
from analysis.findings.complexity_fit import (
    ALIKE,
    BASE,
    DATASETS,
    ENTROPY,
    LEVEL,
    TERMS,
    Fitted,
    PromptFamily,
    Slope,
)
from analysis.tables.column import Cell, Column, ColumnsOf, Row
from analysis.tables.labels import pooled_label_columns
from analysis.tables.table import Results, TableKind

_WORDS: Final = {
    "energy_j": "energy",
    "prefill_energy_j": "prefill's energy",
    "decode_energy_j": "decode's energy",
}


@dataclass(frozen=True, kw_only=True)
class TermRow:
    """One term of one regression."""

    of: Fitted
    """The regression."""
    term: str
    """One of `TERMS`, or `DATASETS`."""

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
        values = None if self.term in (BASE, DATASETS) else self.of.columns[self.term]
        if values is None or not len(values):
            return None
        return float(values.min() if which == "least" else values.max())

    @property
    def sentence(self) -> str | None:
        """The finding, for people."""
        if self.term == DATASETS:
            return self._datasets_sentence
        slope = self.slope
        if slope is None:
            return None
        what = _WORDS[self.of.outcome]
        told = f"{slope.value:.3g} J ({slope.low:.3g} to {slope.high:.3g})"
        label = self._label
        if self.term == BASE:
            return f"A batch costs {told} of {what} beside its tokens{label}."
        if slope.low <= 0 <= slope.high:
            after = ", after lengths" if self.term == ENTROPY else ""
            return f"No effect of a {self.term} on {what} is shown{after}: {told}{label}."
        after = " after lengths" if self.term == ENTROPY else ""
        return f"A {self.term} more goes with {told} of {what}{after}{label}."

    @property
    def _label(self) -> str:
        first = self.of.family.first
        marks = [
            word
            for name, word in (("simulated", "simulated"), ("random_weights", "random weights"))
            if first[name]
        ]
        return f" [{', '.join(marks)}]" if marks else ""

    @property
    def p(self) -> float | None:
        """Probability of the effect where there is none."""
        told = self.of.model.datasets_p
        if self.term == DATASETS:
            return None if isinstance(told, str) else told
        return self.of_slope("p")

    @property
    def reason(self) -> str | None:
        """Why there is no slope."""
        told = self.of.model.datasets_p
        if self.term == DATASETS:
            return told if isinstance(told, str) else "one of several, no amount: it has no slope"
        return self.of.model.reasons.get(self.term)

    @property
    def _datasets_sentence(self) -> str | None:
        if self.p is None:
            return None
        names = self.of.family.datasets
        said = "differ" if self.p < LEVEL else "are not shown to differ"
        return (
            f"{names} {said} in {_WORDS[self.of.outcome]} beside lengths and entropy "
            f"(p = {self.p:.2g}){self._label}."
        )


_OF: Final = ColumnsOf[TermRow]()
_BY_NAME: Final = {column.name: column for column in COMPLEXITY.columns}


def _carried(*names: str) -> tuple[Column[TermRow], ...]:
    return tuple(
        replace(_OF.carried(_BY_NAME[name], lambda one: one.of.family.first), shown=True)
        for name in names
    )


_COLUMNS: Final = (
    *_carried(*(name for name in ALIKE if name != "random_weights")),
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
        "prompt entropy`, in bits a byte, with both lengths held; which `dataset`, beside all of "
        "these, by an F test.",
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
        lambda one: one.p,
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
    _OF.reason(lambda one: one.reason),
)


def _terms(results: Results) -> Iterator[TermRow]:
    found: dict[tuple[Cell, ...], list[Row]] = {}
    for row in results.rows(COMPLEXITY):
        found.setdefault(tuple(row[name] for name in ALIKE), []).append(row)
    for rows in found.values():
        for fitted in PromptFamily(rows=tuple(rows)).models():
            for term in (*TERMS, DATASETS):
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

"""Models: what a token of a prompt and of an answer cost, model by model.

A row is a term of J = a + b in + c out + d in out of one family and outcome.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from analysis.lengths.family import SAME, WHOLE, LengthFamily, length_families
from analysis.lengths.length_fit import BASE, LETTERS, PRODUCT, TERMS, Coefficient, LengthFit
from analysis.tables.column import Cell, Column, ColumnsOf, Row
from analysis.tables.contrast import point_columns
from analysis.tables.labels import pooled_label_columns
from analysis.tables.point import setting_words
from analysis.tables.table import Results, TableKind

ALL: Final = "all"
"""Term of a family of which nothing can be told."""
_UNITS: Final = "J a unit of the term"


@dataclass(frozen=True, kw_only=True)
class LengthTerm:
    """One term of one fit."""

    family: LengthFamily
    """Whose runs it is of."""
    outcome: str
    """What is explained, one of `OUTCOMES`."""
    term: str
    """One of `TERMS`, or `ALL`."""

    @property
    def fit(self) -> LengthFit:
        """The fit."""
        return self.family.fits[self.outcome]

    @property
    def told(self) -> Coefficient | None:
        """The number; None with a reason."""
        return self.fit.coefficients.get(self.term)

    def part(self, name: str) -> float | None:
        """One of its numbers."""
        found: float | None = None if self.told is None else getattr(self.told, name)
        return found

    @property
    def lack_p(self) -> float | None:
        """Probability of the lack of fit."""
        return None if isinstance(self.fit.lack_p, str) else self.fit.lack_p

    @property
    def sentence(self) -> str:
        """The finding, for people."""
        first = self.family.first
        who = f"{first['model']} by {first['engine']} on {first['gpus']} x {self.family.board}"
        quantized = first["quantization"] != "none"
        formats = f"{first['quantization']} in {first['dtype']}" if quantized else first["dtype"]
        chosen = (f"batch {first['batch_size']}", str(formats), *setting_words(first))
        head = f"{who}, {', '.join(chosen)}, {self.outcome}"
        told = self.told
        marks = labels_in_words(first)
        if told is None:
            return f"{head}: cannot tell {LETTERS.get(self.term, 'a to d')}: {self.reason}{marks}."
        if told.low is None or told.high is None:
            return f"{head}: {self._what} {told.value:.3g} J, without an interval{marks}."
        ends = f"{told.value:.3g} J ({told.low:.3g} to {told.high:.3g})"
        if told.low <= 0 <= told.high:
            return f"{head}: no cost of {_article(self.term)} is shown: {ends}{marks}."
        return f"{head}: {self._what} {ends}{marks}."

    @property
    def _what(self) -> str:
        if self.term == BASE:
            return "a response costs beside its tokens"
        if self.term == PRODUCT:
            return "each output token costs for each input token"
        return f"{_article(self.term)} costs"

    @property
    def reason(self) -> str | None:
        """Why there is no number, or no interval."""
        if self.term == ALL:
            parts = (part for told in self.fit.reasons.values() for part in told.split("; "))
            return "; ".join(dict.fromkeys(parts))
        return self.fit.reasons.get(self.term)


def labels_in_words(row: Row) -> str:
    """What numbers of a row of groups are not, in brackets; empty for nothing to say."""
    marks = [
        word
        for name, word in (("simulated", "simulated"), ("random_weights", "random weights"))
        if row[name]
    ]
    return f" [{', '.join(marks)}]" if marks else ""


def _article(term: str) -> str:
    return f"an {term}" if term[0] in "aeiou" else f"a {term}"


def family_columns(of: ColumnsOf[Any]) -> tuple[Column[Any], ...]:
    """What a family is, and the labels of all of its runs; each row has a `family`."""
    return (
        of.text("board", "board", "Product of the working GPUs.", lambda one: one.family.board),
        *(
            column
            for column in point_columns(of, lambda one: one.family.first, SAME[:-1])
            if column.name in SAME
        ),
        of.simulated(lambda one: one.family.first["simulated"]),
        *pooled_label_columns(of, _labels),
    )


def _labels(one: Any, label: Column[Any]) -> list[Cell]:
    return [row[label.name] for row in one.family.rows]


def listed(lengths: tuple[float, ...]) -> str | None:
    """Lengths in a cell, the shortest first; None for none."""
    return ", ".join(f"{length:g}" for length in lengths) or None


_OF: Final = ColumnsOf[LengthTerm]()

_COLUMNS: Final = (
    *family_columns(_OF),
    _OF.text(
        "outcome",
        "explained",
        "What is explained, of a response: `whole` window, `prefill`, `decode`, or what is "
        "`between` them in the window.",
        lambda one: one.outcome,
    ),
    _OF.text(
        "term",
        "by",
        "`response`: a; `input token`: b; `output token`: c; `input x output token`: d; `all`: "
        "nothing of the family can be told.",
        lambda one: one.term,
    ),
    _OF.number(
        "coefficient_j",
        "costs",
        "J",
        f"{_UNITS}: a, b, c or d, by weighted least squares, each run divided by its own energy.",
        lambda one: one.part("value"),
        interval=("coefficient_j_low", "coefficient_j_high"),
        reason="reason",
    ),
    _OF.number(
        "coefficient_j_low",
        "costs from",
        "J",
        "Lower end of its 95 % interval.",
        lambda one: one.part("low"),
        reason="reason",
    ),
    _OF.number(
        "coefficient_j_high",
        "costs to",
        "J",
        "Upper end of it.",
        lambda one: one.part("high"),
        reason="reason",
    ),
    _OF.number(
        "p",
        "p",
        "1",
        "Probability of a number so far from 0, or further, where it is 0.",
        lambda one: one.part("p"),
        reason="reason",
    ),
    _OF.text(
        "formula",
        "formula",
        "What was fitted; empty: nothing could be.",
        lambda one: one.fit.formula,
    ),
    _OF.number(
        "r_squared",
        "R2",
        "1",
        "Share of the scatter of the weighted energies that the formula explains.",
        lambda one: one.fit.r_squared,
        reason="reason",
    ),
    _OF.share(
        "mean_error_share",
        "off by",
        "Mean of |energy - fitted| / energy over the runs (MAPE).",
        lambda one: one.fit.mean_error_share,
        reason="reason",
    ),
    _OF.share(
        "most_error_share",
        "off by most",
        "The most of them.",
        lambda one: one.fit.most_error_share,
        reason="reason",
    ),
    _OF.number(
        "lack_of_fit_p",
        "lack of fit p",
        "1",
        "Probability of the lengths' own means lying so far off the formula, or further, where it "
        "holds (F test against the repeats' scatter).",
        lambda one: one.lack_p,
        reason="lack_of_fit_reason",
    ),
    _OF.count("n", "runs", "Runs that it rests on.", lambda one: len(one.fit.points)),
    _OF.count("cells", "pairs", "Distinct pairs of both lengths.", lambda one: one.fit.cells),
    _OF.text("input_lengths", "inputs", "Lengths of prompts.", lambda one: listed(one.fit.inputs)),
    _OF.text(
        "output_lengths", "outputs", "Lengths of answers.", lambda one: listed(one.fit.outputs)
    ),
    _OF.text(
        "not_fitted",
        "not in it",
        "Runs of the family that are in no fit, and why the first is not.",
        lambda one: one.family.without(one.outcome),
    ),
    _OF.text("sentence", "in words", "The finding as a sentence.", lambda one: one.sentence),
    _OF.why(
        "lack_of_fit_reason",
        "lack of fit",
        "Why it is not told.",
        lambda one: one.fit.lack_p if isinstance(one.fit.lack_p, str) else None,
    ),
    _OF.reason(lambda one: one.reason),
)


def _terms(results: Results) -> Iterator[LengthTerm]:
    for family in length_families(results):
        for outcome, fit in family.fits.items():
            if not (fit.coefficients or outcome == WHOLE):
                continue
            for term in TERMS if fit.coefficients else (ALL,):
                yield LengthTerm(family=family, outcome=outcome, term=term)


SEQUENCE_MODELS: Final = TableKind(
    name="sequence_models",
    title="Energy as a formula of both lengths",
    columns=_COLUMNS,
    of_results=_terms,
    section="sequence",
    heading="J = a + b in + c out + d in out, by model",
    text="Energy of a response by the tokens of its prompt and of its answer, over all runs of "
    "exact lengths of the same model, engine, board, batch and format. What the lengths at hand "
    "do not tell is said and not fitted.",
)
"""One row a family of runs, what is explained, and a term."""

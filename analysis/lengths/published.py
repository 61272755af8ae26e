"""Published: what others printed of energy against lengths, and what becomes of it here.

Each statement is held against each family that has a fit. A verdict is about real boards: what is
simulated cannot tell.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from analysis.findings.settled import settled
from analysis.lengths.family import WHOLE, LengthFamily, length_families
from analysis.lengths.length_fit import INPUT, LETTERS, OUTPUT, PRODUCT, LengthFit
from analysis.lengths.models import labels_in_words
from analysis.tables.column import Cell, Column, ColumnsOf
from analysis.tables.labels import pooled_label_columns
from analysis.tables.table import Results, TableKind

REPRODUCED: Final = "reproduced"
"""Verdict: what was measured here bears the statement out."""
NOT_REPRODUCED: Final = "not reproduced"
"""Verdict: what was measured here is against it."""
CANNOT_TELL: Final = "cannot tell"
"""Verdict: neither; the reason stands beside."""


@dataclass(frozen=True, kw_only=True)
class LengthStatement:
    """One published statement."""

    key: str
    """Its name here."""
    source: str
    """Who printed it, which version, and where."""
    statement: str
    """What it says, in short."""
    number: float | None
    """The number in it; None where it has none."""
    unit: str
    """Unit of the number."""
    rule: str
    """How it is held against a fit, a name of `_RULES`."""
    note: str
    """What stands between it and ours."""
    shortest: int = 0
    """Lengths that it is of, from; 0: any."""
    longest: int = 0
    """To; 0: any."""
    model: str | None = None
    """Our name of the shape that it is of; None: it is of no one model."""
    term: str | None = None
    """The term of the formula that its number belongs to; None: it is no coefficient."""


@cache
def statements() -> tuple[LengthStatement, ...]:
    """All of them, in the order of the file."""
    text = resources.files("analysis.lengths").joinpath("published.json").read_text("utf-8")
    told = json.loads(text)
    fitted = told["coefficients"]
    return (
        *(LengthStatement(**one) for one in told["statements"]),
        *(
            LengthStatement(
                key=f"coefficient-{fit['model']}-{LETTERS[term]}",
                source=fitted["source"],
                statement=f"{LETTERS[term]} of {fit['printed_of']} is {fit[term]:g} J a batch of "
                f"{fitted['batch']}: J a response beside.",
                number=settled(fit[term] / fitted["batch"]),
                unit="J",
                rule="coefficient",
                note=fitted["note"],
                model=fit["model"],
                term=term,
            )
            for fit in fitted["fits"]
            for term in (INPUT, OUTPUT, PRODUCT)
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Bearing:
    """What one rule says of one family."""

    value: float | None
    """Our number; None without one."""
    bears_out: bool | None
    """Whether it bears the statement out; None: it cannot tell."""
    reason: str | None = None
    """Why it cannot."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Held:
    """One statement against one family."""

    published: LengthStatement
    """The statement."""
    family: LengthFamily | None
    """What it is held against; None: no family has a fit."""

    @property
    def fit(self) -> LengthFit | None:
        """The fit of the whole window."""
        return None if self.family is None else self.family.fits[WHOLE]

    @property
    def outcome(self) -> Bearing:
        """What the rule says, whatever the boards."""
        if self.fit is None or self.family is None:
            whose = "" if self.published.model is None else f" of {self.published.model}"
            reason = f"no runs{whose} of exact lengths have a fit"
            return Bearing(value=None, bears_out=None, reason=reason)
        return _RULES[self.published.rule](self.published, self.fit)

    @property
    def verdict(self) -> str:
        """What becomes of the statement."""
        if self.reason is not None:
            return CANNOT_TELL
        return REPRODUCED if self.outcome.bears_out else NOT_REPRODUCED

    @property
    def reason(self) -> str | None:
        """Why nothing can be told; None where something is."""
        if self.outcome.bears_out is None:
            return self.outcome.reason
        if self.family is not None and self.family.first["simulated"]:
            return "simulated: no measurement"
        return None

    @property
    def sentence(self) -> str:
        """The finding, for people."""
        told = "" if self.outcome.value is None else f"; here {self.outcome.value:.3g}"
        why = "" if self.reason is None else f" ({self.reason})"
        who, marks = "", ""
        if self.family is not None:
            first = self.family.first
            who = f" of {first['model']} by {first['engine']} on {self.family.board}"
            marks = labels_in_words(first)
        return f"{self.published.key}{who}: {self.verdict}{why}{told}{marks}."


def _mean_error(one: LengthStatement, fit: LengthFit) -> Bearing:
    value = fit.mean_error_share
    return Bearing(value=value, bears_out=value is not None and value <= (one.number or 0.0))


def _r_squared(one: LengthStatement, fit: LengthFit) -> Bearing:
    value = fit.r_squared
    return Bearing(value=value, bears_out=value is not None and value > (one.number or 0.0))


def _not_linear(_one: LengthStatement, fit: LengthFit) -> Bearing:
    told = fit.coefficients.get(PRODUCT)
    if told is None or told.low is None or told.high is None:
        return Bearing(value=None, bears_out=None, reason=fit.reasons.get(PRODUCT, "no interval"))
    return Bearing(value=told.value, bears_out=not told.low <= 0 <= told.high)


def _worst_over_best(one: LengthStatement, fit: LengthFit) -> Bearing:
    per_token = _per_output_token(fit).values()
    value = settled(max(per_token) / min(per_token))
    ends = [(min(lengths), max(lengths)) for lengths in (fit.inputs, fit.outputs)]
    if any((low, high) != (one.shortest, one.longest) for low, high in ends):
        told = " and ".join(f"{low:g} to {high:g}" for low, high in ends)
        reason = f"it is of {one.shortest} to {one.longest} tokens of both, these are of {told}"
        return Bearing(value=value, bears_out=None, reason=reason)
    # Up to so much: of another model on another board it may be less, and not more.
    return Bearing(value=value, bears_out=value <= (one.number or 0.0))


def _worst_corner(_one: LengthStatement, fit: LengthFit) -> Bearing:
    per_token = _per_output_token(fit)
    corner = max(fit.inputs), min(fit.outputs)
    if len(fit.inputs) == 1 or len(fit.outputs) == 1 or corner not in per_token:
        reason = "the longest input with the shortest output was not run beside others"
        return Bearing(value=None, bears_out=None, reason=reason)
    worst = max(per_token, key=lambda cell: per_token[cell])
    return Bearing(value=settled(per_token[worst]), bears_out=worst == corner)


def _coefficient(one: LengthStatement, fit: LengthFit) -> Bearing:
    assert one.term is not None
    told = fit.coefficients.get(one.term)
    if told is None:
        return Bearing(value=None, bears_out=None, reason=fit.reasons.get(one.term, "no fit"))
    # Nothing here works without a cache: numbers stand side by side, and neither is right.
    reason = "theirs was fitted without a cache of keys and values and without a constant"
    return Bearing(value=told.value, bears_out=None, reason=reason)


def _no_number(_one: LengthStatement, _fit: LengthFit) -> Bearing:
    return Bearing(value=None, bears_out=None, reason="it prints no number to hold ours against")


def _per_output_token(fit: LengthFit) -> dict[tuple[float, float], float]:
    """Energy of an output token at each pair of lengths, mean over its runs."""
    found: dict[tuple[float, float], list[float]] = {}
    for point in fit.points:
        cell = point.input_tokens, point.output_tokens
        found.setdefault(cell, []).append(point.energy_j / point.output_tokens)
    return {cell: sum(values) / len(values) for cell, values in found.items()}


_RULES: Final[Mapping[str, Callable[[LengthStatement, LengthFit], Bearing]]] = {
    "mean_error": _mean_error,
    "r_squared": _r_squared,
    "not_linear": _not_linear,
    "worst_over_best": _worst_over_best,
    "worst_corner": _worst_corner,
    "coefficient": _coefficient,
    "no_number": _no_number,
}

_OF: Final = ColumnsOf[Held]()


def _of_first(name: str) -> Callable[[Held], Cell]:
    return lambda one: None if one.family is None else one.family.first[name]


def _labels(one: Held, label: Column[Any]) -> list[Cell]:
    return [] if one.family is None else [row[label.name] for row in one.family.rows]


_COLUMNS: Final = (
    _OF.text("statement", "statement", "Its name here.", lambda one: one.published.key),
    _OF.text(
        "source", "source", "Who printed it, and which version.", lambda one: one.published.source
    ),
    _OF.text("says", "says", "What it says, in short.", lambda one: one.published.statement),
    _OF.number(
        "published",
        "published",
        "1",
        "The number in it, of a coefficient J a response; empty: it has none.",
        lambda one: one.published.number,
    ),
    *(
        _OF.text(name, label, f"{meaning}; empty: no runs have a fit.", _of_first(name))
        for name, label, meaning in (
            ("model", "model", "Name of the model's shape"),
            ("engine", "engine", "How tokens are generated"),
        )
    ),
    _OF.text(
        "board",
        "board",
        "Product of the working GPUs.",
        lambda one: None if one.family is None else one.family.board,
    ),
    _OF.count("gpus", "GPUs", "Model-parallel ranks.", _of_first("gpus")),
    _OF.count("batch_size", "batch", "Prompts answered together.", _of_first("batch_size")),
    _OF.simulated(_of_first("simulated")),
    *pooled_label_columns(_OF, _labels),
    _OF.number(
        "ours",
        "ours",
        "1",
        "What stands against it here, by the note; J for b, c, d and for an output token.",
        lambda one: one.outcome.value,
        reason="reason",
    ),
    _OF.text(
        "verdict",
        "verdict",
        "`reproduced`, `not reproduced`, or `cannot tell`; what is simulated cannot tell.",
        lambda one: one.verdict,
    ),
    _OF.text("note", "how", "What stands between it and ours.", lambda one: one.published.note),
    _OF.text("sentence", "in words", "The finding as a sentence.", lambda one: one.sentence),
    _OF.reason(lambda one: one.reason),
)


def _rows(results: Results) -> Iterator[Held]:
    families = length_families(results)
    # Without any length on record there is nothing to hold against anything.
    if not any(family.exact for family in families):
        return
    fitted = [family for family in families if family.fits[WHOLE].terms]
    for published in statements():
        model = published.model
        own = [family for family in fitted if model in {None, family.first["model"]}]
        held: list[LengthFamily | None] = [*own] or [None]
        for against in held:
            yield Held(published=published, family=against)


SEQUENCE_PUBLISHED: Final = TableKind(
    name="sequence_published",
    title="What others published of lengths",
    columns=_COLUMNS,
    of_results=_rows,
    section="sequence",
    heading="What others published of lengths",
    text="Numbers and statements that others printed, with their source, beside what the fits "
    "above say. What could not be read of them stands nowhere.",
)
"""One row a published statement and a family of runs that has a fit."""

"""Grid model: the table of what each factor of the grid multiplies the joules of a token by.

All measured runs are one model, all simulated ones another. Effects are on logarithms and add up
there: a multiplier is what the factor does on the whole, all else the same, and where it does
something else at another point that is in what points have of their own.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from analysis.effects.factor import FACTORS, Factor
from analysis.effects.wording import counted, labelled, per_cent, shown
from analysis.runs.sealed_runs import Run
from analysis.statistics.mixed_model import (
    POORLY_CONDITIONED,
    Effect,
    MixedModel,
    Term,
    mixed_model,
)
from analysis.statistics.trend import p_told
from analysis.tables.column import Cell, ColumnsOf, Row
from analysis.tables.groups import GROUPS, HEADLINE
from analysis.tables.labels import pooled_label_columns
from analysis.tables.launched import LAUNCH_SETTINGS
from analysis.tables.point import POINT_BY_NAME, model_order
from analysis.tables.runs import RUNS
from analysis.tables.table import Results, TableKind

SIZE: Final = "size"
"""The factor that is the model: its number of parameters."""
_BOARD: Final = "board"
# Factors whose effect is that of a doubling, and the column that is doubled.
_DOUBLED: Final = {"shards": "gpus", "batch": "batch_size", "length": "max_gen_len"}
_DOUBLED_WORDS: Final = {
    SIZE: "twice the parameters",
    "shards": "twice the GPUs",
    "batch": "twice the batch",
    "length": "twice the length",
}
# Fields of a point that are in the model, or follow from one that is.
_MODELLED: Final = frozenset(
    ("model", "nodes", "gpus_per_node", *(name for one in FACTORS for name in one.fields))
)
# Follow from others, or only say how a run was watched.
_FOLLOWING: Final = frozenset(("prompts_digest", "tokenizer"))


@dataclass(frozen=True, kw_only=True)
class GridEffect:
    """One effect of a model of the grid."""

    effect: Effect
    """What it multiplies by."""
    base: str
    """What it is over: a level, or the number before it was doubled."""
    of: MixedModel
    """The model that it is of."""
    simulated: bool
    """Whether its runs are."""
    groups: tuple[Row, ...]
    """The grid points in the model."""
    outside: tuple[str, ...]
    """What else of the grid varies and is in no effect, but in what points have of their own."""

    @property
    def sentence(self) -> str:
        """What it says, in one sentence."""
        term, told = self.effect.term, self.effect
        if told.multiplier is None:
            return labelled(f"{term.factor}: {told.reason}", self.groups)
        assert told.low is not None
        assert told.high is not None
        assert told.p is not None
        ratio, low, high = shown([told.multiplier, told.low, told.high])
        doubled = term.factor in _DOUBLED_WORDS and term.label == _DOUBLED_WORDS[term.factor]
        said = f"{term.label} takes {ratio} times the joules a token"
        said += "" if doubled else f" of {self.base}"
        said += (
            f", all else the same: 95 % interval {low} to {high} over "
            f"{counted(self.of.runs, 'run')} of {counted(self.of.points, 'point')}, "
            f"{p_told(told.p)}"
        )
        return labelled(said, self.groups)

    def fitted(self, name: str) -> Cell:
        """A number of the model that it is of."""
        found: Cell = getattr(self.of, name)
        return found

    @property
    def note(self) -> str | None:
        """What a reader of the whole model has to know; None for nothing."""
        notes = []
        if self.of.condition is not None and self.of.condition >= POORLY_CONDITIONED:
            notes.append(
                f"effects are poorly told apart: condition number {self.of.condition:.0f}, "
                f"and {POORLY_CONDITIONED:.0f} is much"
            )
        if self.of.between is not None:
            notes.append(f"points lie {per_cent(self.of.between)} off the effects' product")
        if self.outside:
            notes.append(f"{', '.join(self.outside)} vary too and are in no effect")
        return "; ".join(notes) or None


def grid_effects(results: Results) -> Iterator[GridEffect]:
    """Every effect of the model of the measured runs, then of the simulated ones.

    None where no factor varies.
    """
    values = {row["run_id"]: row[HEADLINE] for row in results.rows(RUNS)}
    runs = {run.run_id: run for run in results.runs}
    for simulated in (False, True):
        members: list[tuple[Row, float]] = []
        for group in results.rows(GROUPS):
            if bool(group["simulated"]) is not simulated:
                continue
            for name in str(group["runs"]).split():
                value = values[name]
                if isinstance(value, float) and value > 0:
                    members.append((group, math.log(value)))
        if members:
            yield from _modelled(members, runs, simulated)


def _modelled(
    members: Sequence[tuple[Row, float]], runs: dict[str, Run], simulated: bool
) -> Iterator[GridEffect]:
    rows = [row for row, _ in members]
    groups = {str(row["runs"]): row for row in rows}
    asked: list[tuple[Term, str]] = [*_size_terms(rows, runs)]
    for factor in FACTORS:
        asked += _terms(factor, rows)
    asked = [(_with_gain(term, rows), base) for term, base in asked]
    varying = [(term, base) for term, base in asked if term.values]
    # What is no grid has no model.
    if not varying:
        return
    model = mixed_model(
        [value for _, value in members],
        [str(row["runs"]) for row in rows],
        [term for term, _ in varying],
    )
    effects = {id(one.term): one for one in model.effects}
    for term, base in asked:
        yield GridEffect(
            effect=effects.get(id(term)) or _constant(term, base),
            base=base,
            of=model,
            simulated=simulated,
            groups=tuple(groups.values()),
            outside=_outside(list(groups.values())),
        )


def _with_gain(term: Term, rows: Sequence[Row]) -> Term:
    """Between boards their errors of gain do not cancel: the most of both, as limits."""
    if term.factor != _BOARD or not term.values:
        return term
    sides: tuple[list[float], list[float]] = [], []
    for row, value in zip(rows, term.values, strict=True):
        gain, mean = row[f"{HEADLINE}_gain"], row[f"{HEADLINE}_mean"]
        if isinstance(gain, float) and isinstance(mean, float) and mean > 0:
            sides[int(value)].append(gain / mean)
    limits = (max(side, default=0.0) for side in sides)
    return replace(term, certain=math.hypot(*limits) / math.sqrt(3))


def _constant(term: Term, base: str) -> Effect:
    said = f"the same in all: {base}"
    return Effect(term=term, multiplier=None, low=None, high=None, p=None, reason=said)


def _size_terms(rows: Sequence[Row], runs: dict[str, Run]) -> Iterator[tuple[Term, str]]:
    """By parameters where they are known of each model, else a level a model."""
    known: dict[str, float | None] = {}
    for row in rows:
        model = str(row["model"])
        if known.get(model) is None:
            known[model] = _parameters(runs[str(row["runs"]).split()[0]])
    if all(known.values()):
        yield from _doubling(SIZE, rows, lambda row: known[str(row["model"])] or 1.0)
    else:
        yield from _levels(
            SIZE, rows, lambda row: str(row["model"]), lambda row: model_order(str(row["model"]))
        )


def _parameters(run: Run) -> float | None:
    """Of the model, by its record; None in a record without."""
    shape = run.model.get("shape")
    found = shape.get("params") if isinstance(shape, dict) else None
    return float(found) if isinstance(found, int) and found > 0 else None


def _terms(factor: Factor, rows: Sequence[Row]) -> Iterator[tuple[Term, str]]:
    column = _DOUBLED.get(factor.name)
    if column is None:
        return _levels(factor.name, rows, factor.level, factor.order)
    return _doubling(factor.name, rows, lambda row: float(row[column] or 1))


def _doubling(
    name: str, rows: Sequence[Row], number: Callable[[Row], float]
) -> Iterator[tuple[Term, str]]:
    values = [number(row) for row in rows]
    label, base = _DOUBLED_WORDS[name], f"{min(values):g}"
    if len(set(values)) == 1:
        yield Term(factor=name, label=label, values=()), base
        return
    # From the smallest on, so that the mean is that of a point of the grid.
    logarithms = tuple(math.log2(value / min(values)) for value in values)
    yield Term(factor=name, label=label, values=logarithms), base


def _levels(
    name: str,
    rows: Sequence[Row],
    level: Callable[[Row], str],
    order: Callable[[Row], object],
) -> Iterator[tuple[Term, str]]:
    levels = list(dict.fromkeys(map(level, sorted(rows, key=order))))  # type: ignore[arg-type]
    base, *others = levels
    if not others:
        yield Term(factor=name, label=base, values=()), base
    for other in others:
        values = tuple(float(level(row) == other) for row in rows)
        yield Term(factor=name, label=other, values=values), base


def _outside(groups: Sequence[Row]) -> tuple[str, ...]:
    names = (*POINT_BY_NAME, *LAUNCH_SETTINGS)
    return tuple(
        name
        for name in names
        if name not in _MODELLED | _FOLLOWING and len({row[name] for row in groups}) > 1
    )


_OF: Final = ColumnsOf[GridEffect]()

_COLUMNS: Final = (
    _OF.text("sentence", "in words", "What the row says.", lambda one: one.sentence),
    _OF.text(
        "factor",
        "factor",
        "What multiplies: size (parameters of the model), or a factor as in comparisons.",
        lambda one: one.effect.term.factor,
    ),
    _OF.text("level", "effect", "A level, or a doubling.", lambda one: one.effect.term.label),
    _OF.text(
        "base",
        "over",
        "The level that it is over; of a doubling the smallest number in the grid.",
        lambda one: one.base,
    ),
    _OF.simulated(lambda one: one.simulated),
    *pooled_label_columns(_OF, lambda one, label: [row[label.name] for row in one.groups]),
    _OF.number(
        "multiplier",
        "J / token times",
        "1",
        "What energy_per_token_j is multiplied by, all else the same: the exponential of a fixed "
        "effect of the mixed model of its logarithms, with a random intercept of each grid point.",
        lambda one: one.effect.multiplier,
        interval=("multiplier_low", "multiplier_high"),
        reason="reason",
    ),
    _OF.number(
        "multiplier_low",
        "from",
        "1",
        "Lower end of its 95 % interval: Student's t with the points less the effects and the mean "
        "as degrees of freedom; between boards widened in quadrature by the most of both boards' "
        "gain, as limits.",
        lambda one: one.effect.low,
        shown_with="multiplier_low",
    ),
    _OF.number(
        "multiplier_high",
        "to",
        "1",
        "Upper end of the same.",
        lambda one: one.effect.high,
        shown_with="multiplier_low",
    ),
    _OF.number(
        "p",
        "p",
        "1",
        "Probability of such a multiplier, or one further from 1, where the factor does nothing; "
        "of this effect alone, corrected for no others.",
        lambda one: one.effect.p,
        shown_with="p",
    ),
    _OF.count("points", "points", "Grid points in the model.", lambda one: one.fitted("points")),
    _OF.count("n", "runs", "Runs in the model.", lambda one: one.fitted("runs")),
    _OF.count(
        "degrees",
        "degrees",
        "Degrees of freedom: points less effects and the mean.",
        lambda one: one.fitted("degrees"),
        shown=False,
    ),
    _OF.share(
        "between_points",
        "points' own",
        "Standard deviation of what grid points have beyond the effects, of logarithms: about a "
        "relative one. Where none was run more than once the runs' scatter is in it.",
        lambda one: one.fitted("between"),
        shown_with="between_points",
    ),
    _OF.share(
        "between_runs",
        "runs' own",
        "The same of what runs of a point have beyond it; empty where none was run more than once.",
        lambda one: one.fitted("residual"),
        shown_with="between_runs",
    ),
    _OF.number(
        "condition",
        "condition",
        "1",
        "Condition number of the effects' columns, each scaled to unit length: from 30 on they are "
        "poorly told apart (Belsley, Kuh and Welsch).",
        lambda one: one.fitted("condition"),
        shown_with="condition",
    ),
    _OF.text(
        "method",
        "by",
        "By what the model was fitted, and why by that.",
        lambda one: one.fitted("method"),
        shown=False,
    ),
    _OF.text(
        "note",
        "of the model",
        "What a reader of the whole model has to know of it.",
        lambda one: one.note,
    ),
    _OF.reason(lambda one: one.effect.reason),
)

MIXED_MODEL: Final = TableKind(
    name="mixed_model",
    title="One model of the whole grid",
    columns=_COLUMNS,
    of_results=grid_effects,
    section="contrasts",
    heading="One model of the whole grid",
    label="Effects of the grid's factors in one model",
)
"""One row an effect."""

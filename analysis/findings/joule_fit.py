"""Joule fit: what a byte and an operation cost, from all runs of the same boards and engine.

The energy beyond rest of each phase is held to be weights x a + keys and values x b + operations x
c + bytes sent x d, with none of the four below 0 (non-negative least squares), each phase divided
by its own energy so that a long run counts no more than a short one. The rest of it is not
explained. Intervals come of drawing the runs again. Where the runs do not tell two amounts apart,
as they rise together in all of them, only the sum of what they took is told.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analysis.findings.settled import settled

Floats = NDArray[np.float64]

TERMS: Final = ("weight_bytes", "kv_bytes", "flop", "sent_bytes")
"""What energy is attributed to, as columns of joule_work."""
LEAST_RUNS: Final = 5
"""Fewer runs leave no scatter beside four costs."""
# Belsley, Kuh and Welsch, Regression Diagnostics (1980), 3.2: from 30 on, columns of length 1 are
# dependent moderately to strongly.
MOST_CONDITION: Final = 30.0
"""Condition number above which two terms are told together."""
MOST_TRADED: Final = 0.9
"""Two terms are told together as well where, drawing by drawing, what one is taken to cost rises as
the other's falls with a correlation beyond this: then their sum is known, and neither."""
RESAMPLES: Final = 499
"""How often the runs are drawn again."""
SEED: Final = 20231003
"""What the drawing starts from: the same runs give the same intervals."""
# Resamples that lack a term or have too few rows are drawn again, so many times at most.
_MOST_DRAWS: Final = 4 * RESAMPLES
_ENDS: Final = (2.5, 97.5)


@dataclass(frozen=True, kw_only=True)
class WorkedPhase:
    """One phase of one run."""

    run_id: str
    """The run."""
    dynamic_j: float
    """What it took beyond rest; above 0."""
    amounts: Mapping[str, float]
    """By `TERMS`."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.dynamic_j) and self.dynamic_j > 0):
            raise ValueError(f"`dynamic_j` must be above 0, but is {self.dynamic_j!r} instead")


@dataclass(frozen=True, kw_only=True, eq=False)
class Costs:
    """What each term costs, and which terms are told together."""

    terms: tuple[str, ...]
    """Those that any observation has."""
    cost_j: Floats
    """Joules a unit of each."""
    drawn_j: Floats
    """The same of each resample; shape (resamples, terms)."""
    groups: tuple[tuple[str, ...], ...]
    """Terms that are told together; one alone is told by itself."""
    runs: int
    """Runs that it rests on."""
    observations: int
    """Phases of them."""
    explained: float
    """Share of the energy beyond rest that it attributes."""
    spread: float
    """Root mean square of what is not explained, as a share of each phase's own."""

    def joules(self, group: Sequence[str], amounts: Mapping[str, float]) -> float:
        """What a group of terms takes of a phase."""
        return float(sum(self._cost(term) * amounts[term] for term in group))

    def ends_j(
        self, group: Sequence[str], amounts: Mapping[str, float]
    ) -> tuple[float, float] | None:
        """Its 95 % interval; None where nothing could be drawn."""
        if not len(self.drawn_j):
            return None
        chosen = [self.terms.index(term) for term in group]
        drawn = self.drawn_j[:, chosen] @ np.array([amounts[term] for term in group])
        low, high = np.percentile(drawn, _ENDS)
        return settled(float(low)), settled(float(high))

    def cost(self, term: str) -> tuple[float, float | None, float | None]:
        """Joules a unit of a term, and its interval."""
        ends = self.ends_j((term,), {term: 1.0})
        return self._cost(term), *(ends or (None, None))

    def group_of(self, term: str) -> tuple[str, ...]:
        """The terms that a term is told together with, itself among them."""
        return next(group for group in self.groups if term in group)

    @cached_property
    def _by_term(self) -> dict[str, float]:
        return dict(zip(self.terms, map(float, self.cost_j), strict=True))

    def _cost(self, term: str) -> float:
        return self._by_term[term]


def fit(observations: Sequence[WorkedPhase]) -> Costs | str:
    """The costs that these phases tell, or why they tell none."""
    runs = sorted({one.run_id for one in observations})
    if len(runs) < LEAST_RUNS:
        many = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
        return f"{many} of these boards and engine, and costs need {LEAST_RUNS}"
    terms = tuple(term for term in TERMS if any(one.amounts[term] > 0 for one in observations))
    if len(observations) < len(terms) + 1 or not terms:
        return f"{len(observations)} phases are too few for {len(terms)} costs"
    amounts = np.array([[one.amounts[term] for term in terms] for one in observations])
    dynamic = np.array([one.dynamic_j for one in observations])
    design = amounts / dynamic[:, np.newaxis]
    solved = _solve(design)
    if solved is None:
        return "the least squares did not end"
    cost = np.array([settled(float(each)) for each in solved])
    fitted = amounts @ cost
    drawn = _drawn(design, [one.run_id for one in observations])
    return Costs(
        terms=terms,
        cost_j=cost,
        drawn_j=drawn,
        groups=_groups(terms, design, drawn),
        runs=len(runs),
        observations=len(observations),
        explained=settled(float(fitted.sum() / dynamic.sum())),
        spread=settled(float(np.sqrt(np.mean((1.0 - fitted / dynamic) ** 2)))),
    )


def _solve(design: Floats) -> Floats | None:
    """Non-negative costs of rows that each come to 1; None where the solver gave up."""
    from scipy import optimize  # noqa: PLC0415 - seconds to import

    lengths = np.linalg.norm(design, axis=0)
    lengths = np.where(lengths > 0, lengths, 1.0)
    try:
        found, _ = optimize.nnls(design / lengths, np.ones(len(design)))
    except RuntimeError:
        return None
    return np.asarray(found / lengths, dtype=np.float64)


def _drawn(design: Floats, run_ids: Sequence[str]) -> Floats:
    rows = {run: np.flatnonzero(np.array(run_ids) == run) for run in sorted(set(run_ids))}
    names = list(rows)
    generator = np.random.default_rng(SEED)
    found: list[Floats] = []
    for _ in range(_MOST_DRAWS):
        if len(found) == RESAMPLES:
            break
        chosen = generator.integers(len(names), size=len(names))
        again = design[np.concatenate([rows[names[index]] for index in chosen])]
        if (again > 0).any(axis=0).all() and (own := _solve(again)) is not None:
            found.append(own)
    return np.array(found).reshape(len(found), design.shape[1])


def _groups(terms: Sequence[str], design: Floats, drawn: Floats) -> tuple[tuple[str, ...], ...]:
    """Terms joined, the most alike first, until what is left is told apart."""
    lengths = np.linalg.norm(design, axis=0)
    columns, taken = design / lengths, drawn * lengths
    groups: list[tuple[str, ...]] = [(term,) for term in terms]
    while len(groups) > 1:
        pairs = list(itertools.combinations(range(len(groups)), 2))
        alike = max(pairs, key=lambda pair: float(columns[:, pair[0]] @ columns[:, pair[1]]))
        traded = min(pairs, key=lambda pair: _correlation(taken, *pair))
        if _condition(columns) > MOST_CONDITION:
            one, other = alike
        elif _correlation(taken, *traded) < -MOST_TRADED:
            one, other = traded
        else:
            break
        kept = [index for index in range(len(groups)) if index not in (one, other)]
        groups = [*(groups[index] for index in kept), (*groups[one], *groups[other])]
        columns, taken = (_joined(each, kept, one, other) for each in (columns, taken))
        columns = columns / np.linalg.norm(columns, axis=0)
    order = {term: place for place, term in enumerate(terms)}
    sorted_groups = [tuple(sorted(group, key=order.__getitem__)) for group in groups]
    return tuple(sorted(sorted_groups, key=lambda group: order[group[0]]))


def _joined(columns: Floats, kept: Sequence[int], one: int, other: int) -> Floats:
    return np.column_stack([*(columns[:, at] for at in kept), columns[:, one] + columns[:, other]])


def _correlation(taken: Floats, one: int, other: int) -> float:
    """Of two columns of what was drawn; 0 where one does not vary."""
    own = taken[:, [one, other]]
    # What varies by rounding alone does not vary.
    if len(own) < 2 or (np.ptp(own, axis=0) <= 1e-9 * np.abs(own).max(axis=0)).any():  # noqa: PLR2004
        return 0.0
    return float(np.asarray(np.corrcoef(own, rowvar=False))[0, 1])


def _condition(columns: Floats) -> float:
    return float(np.linalg.cond(columns))

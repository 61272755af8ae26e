"""Joule costs: what a byte and an operation cost, beside what others published.

A cost has all that comes with a byte or an operation: caches, leakage at work, the host's pace.
What others published is of the part alone, from other boards: it stands beside, and is never used.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from analysis.findings.joule_fit import TERMS, Costs
from analysis.findings.joule_work import JOULE_WORK
from analysis.findings.joules import ALIKE, WORDS, Alike, alikes
from analysis.tables.column import ColumnsOf
from analysis.tables.labels import pooled_label_columns
from analysis.tables.table import Results, TableKind

_PICO: Final = 1e12
_BY_NAME: Final = {column.name: column for column in JOULE_WORK.columns}


@dataclass(frozen=True, kw_only=True)
class PublishedCost:
    """What others published of such a cost; never used here."""

    cost_pj: float
    """Picojoules a unit."""
    source: str
    """Where it is from, and of what."""


_HBM: Final = PublishedCost(
    cost_pj=31.36,
    source="3.92 pJ a bit of an access to HBM2, ECC's overhead included: M. O'Connor et al., "
    "Fine-Grained DRAM, MICRO-50 (2017), section 2, doi:10.1145/3123939.3124545; the memory alone",
)
PUBLISHED: Final = {"weight_bytes": _HBM, "kv_bytes": _HBM}
"""By term; of arithmetic and of the links none is known whose source says of which operations."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one term costs on the same boards, with the same engine and format."""

    alike: Alike
    """Where it is from."""
    term: str
    """One of `TERMS`."""

    @property
    def costs(self) -> Costs | None:
        """The costs, when there are any."""
        return self.alike.costs if isinstance(self.alike.costs, Costs) else None

    @property
    def reason(self) -> str | None:
        """Why there is no cost of this term alone."""
        if isinstance(self.alike.costs, str):
            return self.alike.costs
        if self.term not in self.alike.costs.terms:
            return "no run of these had any of it"
        if with_it := self.together:
            return f"the runs do not tell it apart from {with_it}"
        return None

    @property
    def together(self) -> str | None:
        """What it is told together with; None when alone."""
        if self.costs is None or self.term not in self.costs.terms:
            return None
        others = [WORDS[term] for term in self.costs.group_of(self.term) if term != self.term]
        return " and ".join(others) or None

    def pico(self, place: int) -> float | None:
        """Picojoules a unit, and its ends, by their place."""
        if self.reason is not None or self.costs is None:
            return None
        value = self.costs.cost(self.term)[place]
        return None if value is None else value * _PICO

    def of_fit(self, name: str) -> int | float | None:
        """A number of the whole fit; None without one."""
        found: int | float | None = None if self.costs is None else getattr(self.costs, name)
        return found

    @property
    def sentence(self) -> str | None:
        """The finding, for people."""
        value, low, high = (self.pico(place) for place in range(3))
        if value is None or self.costs is None:
            return None
        unit = "an operation" if self.term == "flop" else "a byte"
        ends = "" if low is None or high is None else f" ({low:.3g} to {high:.3g})"
        simulated = " The GPUs are simulated." if self.alike.first["simulated"] else ""
        return (
            f"{WORDS[self.term].capitalize()}: {value:.3g} pJ {unit}{ends}, all that comes with it "
            f"included, by {self.costs.runs} runs.{simulated}"
        )


def _costs(results: Results) -> Iterator[Cost]:
    for alike in alikes(results):
        for term in TERMS:
            yield Cost(alike=alike, term=term)


_COST: Final = ColumnsOf[Cost]()

_COST_COLUMNS: Final = (
    *(
        replace(_COST.carried(_BY_NAME[name], lambda one: one.alike.first), shown=True)
        for name in ALIKE
    ),
    *pooled_label_columns(_COST, lambda one, label: [row[label.name] for row in one.alike.rows]),
    _COST.text("part", "part", "What the cost is of.", lambda one: WORDS[one.term]),
    _COST.text(
        "cost_unit",
        "of",
        "What it is a cost of: `byte`, or `flop`, an operation of which a multiply-add is two.",
        lambda one: "flop" if one.term == "flop" else "byte",
    ),
    _COST.number(
        "cost_pj",
        "cost",
        "pJ",
        "Energy beyond rest for each, by non-negative least squares over the fitted phases of "
        "joule_work, each divided by its own energy. It has all that comes with it: caches, "
        "leakage at work, the host's pace.",
        lambda one: one.pico(0),
        interval=("cost_pj_low", "cost_pj_high"),
        reason="reason",
    ),
    _COST.number(
        "cost_pj_low",
        "cost from",
        "pJ",
        "Lower end of its 95 % interval, by drawing the runs again.",
        lambda one: one.pico(1),
    ),
    _COST.number("cost_pj_high", "cost to", "pJ", "Upper end of it.", lambda one: one.pico(2)),
    _COST.text(
        "together_with",
        "together with",
        "What the runs do not tell it apart from: then only the sum of what both took is told.",
        lambda one: one.together,
    ),
    _COST.count("runs", "runs", "Runs that it rests on.", lambda one: one.of_fit("runs")),
    _COST.count("phases", "phases", "Of them.", lambda one: one.of_fit("observations")),
    _COST.share(
        "explained_share",
        "explained",
        "Energy that all costs together attribute, over all energy beyond rest.",
        lambda one: one.of_fit("explained"),
    ),
    _COST.share(
        "not_explained_share",
        "scatter",
        "Root mean square of what is not explained of each phase, as a share of its own energy "
        "beyond rest.",
        lambda one: one.of_fit("spread"),
    ),
    _COST.number(
        "published_cost_pj",
        "published",
        "pJ",
        "What others published of such a part, of the part alone: beside it, never used.",
        lambda one: PUBLISHED[one.term].cost_pj if one.term in PUBLISHED else None,
        shown_with="published_cost_pj",
    ),
    _COST.text(
        "published_source",
        "published by",
        "Where that is from.",
        lambda one: PUBLISHED[one.term].source if one.term in PUBLISHED else None,
        shown=False,
    ),
    _COST.text("sentence", "in words", "The cost as a sentence.", lambda one: one.sentence),
    _COST.reason(lambda one: one.reason),
)

JOULE_COSTS: Final = TableKind(
    name="joule_costs",
    title="What a byte and an operation cost",
    columns=_COST_COLUMNS,
    of_results=_costs,
    section="joules",
    heading="What a byte and an operation cost",
    text="By all runs of the same boards, engine, number format and power cap together. Published "
    "costs stand beside, and are of the part alone.",
)
"""One row a part, for each kind of boards, engine and number format."""

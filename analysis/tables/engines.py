"""Engines: the table of grid points that several engines ran, all else the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final

from analysis.tables.column import Cell, Column, ColumnsOf, Row
from analysis.tables.contrast import (
    HALF_WIDTH,
    RATIO_WIDTH,
    SEVERAL,
    families,
    half_width,
    point_columns,
    ratio,
    ratio_width,
)
from analysis.tables.labels import pooled_label_columns
from analysis.tables.launched import LAUNCH_SETTINGS, LAUNCHED
from analysis.tables.point import PAPER_ENGINE, engines_in_order
from analysis.tables.table import Results, TableKind

# Where no point was run by two engines the empty file has the header of the commonest pair, so that
# who reads `engines.csv` of many folders finds the same columns.
_WHEN_EMPTY: Final = (PAPER_ENGINE, "fast")


@dataclass(frozen=True, kw_only=True)
class _Contest:
    """One grid point under each engine that ran it."""

    by_engine: Mapping[str, Row]
    """Rows of groups by engine, in the order of the groups; of each the same work."""

    @property
    def first(self) -> Row:
        return next(iter(self.by_engine.values()))

    @property
    def launch(self) -> Row:
        """The settings of the measurement; None for one in which the engines differ."""
        return {
            name: self.first[name]
            if all(group[name] == self.first[name] for group in self.by_engine.values())
            else None
            for name in LAUNCH_SETTINGS
        }

    @property
    def measured_apart(self) -> str | None:
        """Settings of the measurement in which the engines differ, each with its values."""
        sides = list(self.by_engine.values())
        texts = (
            f"{name} "
            + " / ".join("none" if side[name] is None else f"{side[name]}" for side in sides)
            for name in LAUNCH_SETTINGS
            if len({side[name] for side in sides}) > 1
        )
        return ", ".join(texts) or None

    def cell(self, engine: str, name: str) -> Cell:
        """What an engine had; None when it did not run the point."""
        group = self.by_engine.get(engine)
        return None if group is None else group[name]

    def half_width(self, engine: str, name: str = "energy_per_token_j") -> float | None:
        group = self.by_engine.get(engine)
        return None if group is None else half_width(group, name)

    def energy_ratio_width(self, engine: str, base: str) -> float | None:
        if engine not in self.by_engine or base not in self.by_engine:
            return None
        return ratio_width(self.by_engine[engine], self.by_engine[base])

    def over(self, engine: str, base: str, name: str) -> float | None:
        return ratio(self.cell(engine, name), self.cell(base, name))


_OF: Final = ColumnsOf[_Contest]()


def _contests(results: Results) -> Iterator[_Contest]:
    for family in families(results, ("engine",)):
        by_engine: dict[str, list[Row]] = {}
        for group in family:
            by_engine.setdefault(str(group["engine"]), []).append(group)
        if len(by_engine) < SEVERAL:
            continue
        contests = [
            _Contest(by_engine=dict(zip(by_engine, sides, strict=True)))
            for sides in product(*by_engine.values())
        ]
        # Where an engine was measured in several ways, only sides that were in the same way stand
        # together, if there are such.
        same = [contest for contest in contests if contest.measured_apart is None]
        yield from same or contests


def _sides(contests: Sequence[_Contest]) -> list[Column[_Contest]]:
    """What each engine had, and each two of them against each other."""
    engines = engines_in_order(name for one in contests for name in one.by_engine) or _WHEN_EMPTY
    return [
        *(column for engine in engines for column in _side(engine)),
        *(column for pair in combinations(engines, 2) for column in _against(*pair)),
    ]


def _side(engine: str) -> tuple[Column[_Contest], ...]:
    return (
        _OF.count(
            f"{engine}_n",
            f"{engine} repeats",
            f"Runs under `{engine}`.",
            lambda one: one.cell(engine, "n"),
            shown=False,
        ),
        _OF.number(
            f"{engine}_energy_per_token_j",
            f"{engine} J / token",
            "J",
            f"Energy per generated token under `{engine}`: mean over repeats.",
            lambda one: one.cell(engine, "energy_per_token_j_mean"),
            plus_minus=f"{engine}_energy_per_token_uncertainty_j",
        ),
        _OF.number(
            f"{engine}_energy_per_token_uncertainty_j",
            "±",
            "J",
            HALF_WIDTH,
            lambda one: one.half_width(engine),
            shown=False,
        ),
        _OF.number(
            f"{engine}_power_w",
            f"{engine} W",
            "W",
            "Mean power of all working GPUs.",
            lambda one: one.cell(engine, "power_w_mean"),
            uncertainty=f"{engine}_power_uncertainty_w",
        ),
        _OF.number(
            f"{engine}_power_uncertainty_w",
            "±",
            "W",
            HALF_WIDTH,
            lambda one: one.half_width(engine, "power_w"),
            shown=False,
        ),
        _OF.number(
            f"{engine}_tokens_per_s",
            f"{engine} tokens/s",
            "1/s",
            "Of the whole window.",
            lambda one: one.cell(engine, "tokens_per_s_mean"),
        ),
        _OF.number(
            f"{engine}_decode_tokens_per_s",
            f"{engine} decode tokens/s",
            "1/s",
            "Of DECODE alone.",
            lambda one: one.cell(engine, "decode_tokens_per_s_mean"),
            shown=False,
        ),
        _OF.share(
            f"{engine}_bound_share",
            f"{engine} of bound",
            "tokens_per_s over the roofline bound by the stated peaks.",
            lambda one: one.cell(engine, "bound_share_mean"),
            shown_with=f"{engine}_bound_share",
        ),
        _OF.share(
            f"{engine}_bound_share_measured",
            f"{engine} of bound (measured)",
            "The same by the measured peaks.",
            lambda one: one.cell(engine, "bound_share_measured_mean"),
            shown=False,
        ),
    )


def _against(base: str, engine: str) -> tuple[Column[_Contest], ...]:
    return (
        _OF.number(
            f"energy_{engine}_over_{base}",
            f"J, {engine} / {base}",
            "1",
            f"{engine}_energy_per_token_j / {base}_energy_per_token_j.",
            lambda one: one.over(engine, base, "energy_per_token_j_mean"),
            uncertainty=f"energy_{engine}_over_{base}_uncertainty",
        ),
        _OF.number(
            f"energy_{engine}_over_{base}_uncertainty",
            "±",
            "1",
            RATIO_WIDTH,
            lambda one: one.energy_ratio_width(engine, base),
            shown=False,
        ),
        _OF.number(
            f"rate_{engine}_over_{base}",
            f"tokens/s, {engine} / {base}",
            "1",
            f"{engine}_tokens_per_s / {base}_tokens_per_s.",
            lambda one: one.over(engine, base, "tokens_per_s_mean"),
        ),
    )


_COLUMNS: Final = (
    *point_columns(
        _OF,
        lambda one: one.first,
        (),
        but=("engine", *LAUNCH_SETTINGS),
    ),
    *(_OF.carried(column, lambda one: one.launch) for column in LAUNCHED),
    _OF.text(
        "measured_apart",
        "measured apart",
        "Settings of the measurement in which the engines differ, in their order.",
        lambda one: one.measured_apart,
    ),
    _OF.simulated(lambda one: any(bool(group["simulated"]) for group in one.by_engine.values())),
    *pooled_label_columns(
        _OF, lambda one, label: [group[label.name] for group in one.by_engine.values()]
    ),
)

ENGINES: Final = TableKind(
    name="engines",
    title="Engines",
    columns=_COLUMNS,
    more_columns=_sides,
    of_results=_contests,
    section="contrasts",
    heading="Several engines, the same work",
)
"""One row a grid point that several engines ran: all else is the same."""

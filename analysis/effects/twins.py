"""Twins: the table of what a distilled model saves over the larger one, in joules and seconds."""

from collections.abc import Callable, Iterator
from typing import Final

from analysis.effects.comparisons import pair_columns
from analysis.effects.distilled import Twins, twins
from analysis.effects.pairing import Pair, PairedPoint
from analysis.tables.column import Column, ColumnsOf
from analysis.tables.labels import pooled_label_columns
from analysis.tables.table import TableKind

_OF: Final = ColumnsOf[Twins]()


def _base(pair: Pair) -> PairedPoint:
    return pair.base


def _level(pair: Pair) -> PairedPoint:
    return pair.other


def _sides(name: str, unit: str, of: str, *, seconds: bool) -> Iterator[Column[Twins]]:
    """What a token takes of each model."""

    def value(which: Callable[[Pair], PairedPoint]) -> Callable[[Twins], float | None]:
        return lambda one: one.mean(which, seconds=seconds)

    for side, which in (("base", _base), ("level", _level)):
        yield _OF.number(
            f"{side}_{name}",
            f"{side} {unit} / token",
            unit,
            f"Of {side}: geometric mean over the pairs of {of}, each of a point's geometric mean "
            "over its repeats.",
            value(which),
        )


_COLUMNS: Final = (
    _OF.text("sentence", "in words", "What the row says.", lambda one: one.sentence),
    _OF.text("base", "over", "The larger model, which is held against.", lambda one: one.base),
    _OF.text("level", "distilled", "The distilled model.", lambda one: one.level),
    _OF.simulated(lambda one: one.compared.simulated),
    *pooled_label_columns(
        _OF, lambda one, label: [point.row[label.name] for point in one.compared.points]
    ),
    _OF.count(
        "pairs",
        "pairs",
        "Pairs of grid points that differ in the model and its weights alone: measured ones, or "
        "simulated ones.",
        lambda one: len(one.pairs),
    ),
    _OF.count(
        "base_parameters",
        "parameters",
        "Parameters of base, as model.json says.",
        lambda one: one.parameters.get(one.base),
    ),
    _OF.count(
        "level_parameters",
        "distilled parameters",
        "Parameters of level, as model.json says.",
        lambda one: one.parameters.get(one.level),
    ),
    _OF.number(
        "parameter_ratio",
        "parameter ratio",
        "1",
        "level_parameters / base_parameters.",
        lambda one: one.parameter_ratio,
    ),
    *_sides("energy_per_token_j", "J", "energy_per_token_j", seconds=False),
    *_sides("time_per_token_s", "s", "1 / tokens_per_s", seconds=True),
    _OF.number(
        "energy_ratio",
        "J / token ratio",
        "1",
        "level_energy_per_token_j / base_energy_per_token_j.",
        lambda one: one.energy.ratio,
        interval=("energy_ratio_low", "energy_ratio_high"),
        reason="reason",
    ),
    _OF.number(
        "energy_ratio_low",
        "from",
        "1",
        "Lower end of its 95 % interval, made as in `comparisons`. Empty: one pair of single runs.",
        lambda one: one.energy.low,
        shown_with="energy_ratio_low",
    ),
    _OF.number(
        "energy_ratio_high",
        "to",
        "1",
        "Upper end of the same.",
        lambda one: one.energy.high,
        shown_with="energy_ratio_low",
    ),
    _OF.share(
        "energy_saved",
        "J / token saved",
        "1 - energy_ratio; below 0 where the distilled model takes more.",
        lambda one: 1.0 - one.energy.ratio,
    ),
    _OF.number(
        "energy_over_parameters",
        "of its size",
        "1",
        "energy_ratio / parameter_ratio: 1 where joules fall as parameters do, above 1 where less "
        "is saved than was left out.",
        lambda one: None if not one.parameter_ratio else one.energy.ratio / one.parameter_ratio,
    ),
    _OF.number(
        "energy_effect_size",
        "Hedges' g (J)",
        "1",
        "Hedges' g of the logarithms of joules, as in `comparisons`.",
        lambda one: one.energy.effect,
        shown_with="energy_effect_size",
    ),
    _OF.number(
        "energy_p_holm",
        "p of J (Holm)",
        "1",
        "Probability of such a ratio of joules, or one further from 1, where both cost the same, "
        "by Holm's correction over all tests of the table, measured and simulated ones apart.",
        lambda one: one.p_energy,
        shown_with="energy_ratio_low",
    ),
    _OF.number(
        "time_ratio",
        "s / token ratio",
        "1",
        "level_time_per_token_s / base_time_per_token_s.",
        lambda one: None if one.time is None else one.time.ratio,
        interval=("time_ratio_low", "time_ratio_high"),
        reason="reason",
    ),
    _OF.number(
        "time_ratio_low",
        "from",
        "1",
        "Lower end of its 95 % interval by the scatter alone. Empty: one pair of single runs.",
        lambda one: None if one.time is None else one.time.low,
        shown_with="time_ratio_low",
    ),
    _OF.number(
        "time_ratio_high",
        "to",
        "1",
        "Upper end of the same.",
        lambda one: None if one.time is None else one.time.high,
        shown_with="time_ratio_low",
    ),
    _OF.number(
        "time_effect_size",
        "Hedges' g (s)",
        "1",
        "The same of seconds.",
        lambda one: None if one.time is None else one.time.effect,
        shown_with="time_effect_size",
    ),
    _OF.number(
        "time_p_holm",
        "p of s (Holm)",
        "1",
        "The same probability of the ratio of seconds.",
        lambda one: one.p_time,
        shown_with="time_ratio_low",
    ),
    _OF.count("tests", "tests", "How many tests that correction is over.", lambda one: one.tests),
    *pair_columns(_OF, lambda one: one.compared),
)

DISTILLED_TWINS: Final = TableKind(
    name="distilled_twins",
    title="What distillation saves",
    columns=_COLUMNS,
    of_results=twins,
    section="contrasts",
    heading="Distilled models beside the larger ones",
    label="Distilled models beside the larger ones",
)
"""One row for each distilled model that ran what its larger one ran."""

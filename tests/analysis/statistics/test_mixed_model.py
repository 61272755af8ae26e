"""Planted multipliers are found; factors that change together are named; thin designs say so."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.statistics.mixed_model import Effect, MixedModel, Term, mixed_model


def grid(
    *,
    repeats: int = 3,
    seed: int = 1,
    scatter: float = 0.01,
    own: float = 0.02,
    engine: float = 0.3,
    batch: float = 0.6,
    nothing: float = 1.0,
) -> tuple[list[float], list[str], list[Term]]:
    """Two engines, four batches, two datasets; each doubling of the batch takes so much."""
    draw = np.random.default_rng(seed)
    logs, points, columns = [], [], []
    for fast, doublings, other in itertools.product((0, 1), (0, 1, 2, 3), (0, 1)):
        point = draw.normal(0.0, own)
        for _ in range(repeats):
            effect = math.log(engine) * fast + math.log(batch) * doublings
            effect += math.log(nothing) * other
            logs.append(1.0 + effect + point + draw.normal(0.0, scatter))
            points.append(f"{fast} {doublings} {other}")
            columns.append((float(fast), float(doublings), float(other)))
    names = (("engine", "fast"), ("batch", "doubled"), ("dataset", "other"))
    terms = [
        Term(factor=factor, label=label, values=values)
        for (factor, label), values in zip(names, zip(*columns, strict=True), strict=True)
    ]
    return logs, points, terms


def effects(found: MixedModel) -> dict[str, Effect]:
    return {one.term.factor: one for one in found.effects}


def holds(effect: Effect, truth: float) -> bool:
    assert effect.low is not None
    assert effect.high is not None
    return effect.low < truth < effect.high


def test_planted_multipliers_are_found_and_what_has_none_is_not() -> None:
    found = mixed_model(*grid())
    told = effects(found)
    assert holds(told["engine"], 0.3)
    assert holds(told["batch"], 0.6)
    assert holds(told["dataset"], 1.0)
    assert told["dataset"].p is not None
    assert told["dataset"].p > 0.05
    assert told["engine"].p is not None
    assert told["engine"].p < 1e-9
    assert found.residual == pytest.approx(0.01, rel=0.3)
    assert found.between == pytest.approx(0.02, rel=0.5)
    assert (found.runs, found.points, found.degrees) == (48, 16, 12)
    assert found.method == "REML with a random intercept of each point"


def test_points_run_once_are_fitted_by_least_squares_and_tell_no_residual() -> None:
    found = mixed_model(*grid(repeats=1))
    assert found.method == "least squares of the points: none was run more than once"
    assert found.residual is None
    assert holds(effects(found)["engine"], 0.3)


def test_of_equal_repeats_both_fits_are_the_same() -> None:
    logs, points, terms = grid()
    by_reml = effects(mixed_model(logs, points, terms))
    means = [float(np.mean(logs[at : at + 3])) for at in range(0, len(logs), 3)]
    once = [Term(factor=term.factor, label=term.label, values=term.values[::3]) for term in terms]
    by_means = effects(mixed_model(means, points[::3], once))
    for name, effect in by_reml.items():
        assert effect.multiplier == pytest.approx(by_means[name].multiplier, rel=1e-4)
        assert effect.low == pytest.approx(by_means[name].low, rel=1e-3)


def test_factors_that_change_together_are_named_and_the_others_are_still_told() -> None:
    logs, points, terms = grid()
    board = Term(factor="board", label="h200", values=terms[0].values)
    told = effects(mixed_model(logs, points, [*terms, board]))
    for name in ("engine", "board"):
        assert told[name].multiplier is None
        assert told[name].reason == ("board and engine cannot be told apart: they change together")
    assert holds(told["batch"], 0.6)


def test_a_sum_of_two_factors_ties_all_three() -> None:
    logs, points, terms = grid()
    both = tuple(a + b for a, b in zip(terms[0].values, terms[2].values, strict=True))
    told = effects(mixed_model(logs, points, [*terms, Term(factor="x", label="", values=both)]))
    tied = {name for name, effect in told.items() if effect.multiplier is None}
    assert tied == {"engine", "dataset", "x"}
    assert str(told["x"].reason).startswith("dataset and engine and x cannot be told apart")


def test_what_no_run_tells_widens_an_effect_in_quadrature() -> None:
    logs, points, terms = grid()
    sure = effects(mixed_model(logs, points, terms))["engine"]
    gained = [replace(terms[0], certain=0.04), *terms[1:]]
    wide = effects(mixed_model(logs, points, gained))["engine"]
    assert wide.multiplier == sure.multiplier
    assert sure.high is not None
    assert wide.high is not None
    assert sure.multiplier is not None
    halves = [math.log(one / sure.multiplier) for one in (sure.high, wide.high)]
    assert halves[1] == pytest.approx(math.hypot(halves[0], 1.959964 * 0.04), rel=1e-5)


def test_too_few_points_say_so_and_tell_nothing() -> None:
    logs, points, terms = grid()
    few = [at for at, point in enumerate(points) if point in ("0 0 0", "1 1 0", "0 2 1")]
    thin = [
        Term(factor=one.factor, label="", values=tuple(one.values[at] for at in few))
        for one in terms
    ]
    found = mixed_model([logs[at] for at in few], [points[at] for at in few], thin)
    assert found.degrees < 1
    assert all(effect.multiplier is None and effect.reason for effect in found.effects)
    assert "none is left to judge by" in str(found.reason)


def test_two_factors_that_nearly_change_together_have_a_high_condition() -> None:
    logs, points, terms = grid()
    near = tuple(
        value + (0.01 if point == "0 0 1" else 0.0)
        for value, point in zip(terms[0].values, points, strict=True)
    )
    found = mixed_model(logs, points, [*terms, Term(factor="near", label="", values=near)])
    assert found.condition is not None
    assert found.condition > 30
    first = mixed_model(logs, points, terms).condition
    assert first is not None
    assert first < 30


def test_the_order_of_the_runs_moves_no_digit() -> None:
    logs, points, terms = grid()
    order = [int(at) for at in np.random.default_rng(4).permutation(len(logs))]
    moved = [
        Term(factor=one.factor, label=one.label, values=tuple(one.values[at] for at in order))
        for one in terms
    ]
    other = mixed_model([logs[at] for at in order], [points[at] for at in order], moved)
    for one, again in zip(mixed_model(logs, points, terms).effects, other.effects, strict=True):
        assert (one.multiplier, one.low, one.high, one.p) == (
            again.multiplier,
            again.low,
            again.high,
            again.p,
        )


def test_runs_that_do_not_scatter_have_no_number_that_is_none() -> None:
    logs, points, terms = grid(scatter=0.0, own=0.0)
    for values in (logs, [1.0] * len(logs)):
        for effect in mixed_model(values, points, terms).effects:
            numbers = (effect.multiplier, effect.low, effect.high, effect.p)
            assert all(number is not None and math.isfinite(number) for number in numbers)


def test_the_intervals_hold_the_truth_in_at_least_95_of_100() -> None:
    times = 60
    held = sum(
        holds(effects(mixed_model(*grid(seed=seed, repeats=2)))["engine"], 0.3)
        for seed in range(times)
    )
    assert held / times > 0.95 - 4 * math.sqrt(0.95 * 0.05 / times)


def test_terms_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="must be as many as `logs`, at least one"):
        mixed_model([1.0], ["a"], [Term(factor="x", label="", values=(1.0, 2.0))])

"""A planted drift is found, none is not, and too few runs say so."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.trend import trend_within


def room(
    per_hour: float, *, points: int = 4, repeats: int = 5, seed: int = 1, scatter: float = 0.01
) -> tuple[list[float], list[float], list[str]]:
    """Points of very different cost, measured in turn, in a room that makes each dearer."""
    draw = np.random.default_rng(seed)
    values, hours, names = [], [], []
    for repeat in range(repeats):
        for point in range(points):
            hour = repeat + point / points
            scattered = float(draw.normal(0.0, scatter))
            values.append((1 + point) * math.exp(per_hour * hour + scattered))
            hours.append(hour)
            names.append(f"point {point}")
    return values, hours, names


def test_one_point_s_trend_is_scipy_s_regression() -> None:
    values, hours, names = room(0.02, points=1, repeats=7)
    found, theirs = trend_within(values, hours, names), stats.linregress(hours, np.log(values))
    assert found.change == pytest.approx(math.expm1(6 * theirs.slope))
    assert found.p == pytest.approx(theirs.pvalue)


def test_a_planted_drift_is_found_and_said() -> None:
    found = trend_within(*room(0.02))
    assert found.drifts
    assert found.low is not None
    assert found.high is not None
    assert found.low < math.expm1(4 * 0.02) < found.high
    assert found.sentence.startswith("Drift: energy per token changes by +")
    assert "20 runs of 4 points" in found.sentence


def test_repeats_without_one_do_not_drift_and_say_what_would_have_been_seen() -> None:
    found = trend_within(*room(0.0))
    assert found.drifts is False
    assert "No drift shown" in found.sentence
    assert "would have been in 4 cases of 5" in found.sentence


def test_no_drift_is_called_one_in_5_of_100_whatever_the_points_cost() -> None:
    shown = sum(bool(trend_within(*room(0.0, seed=seed)).drifts) for seed in range(200))
    assert shown / 200 < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 200)


def test_a_drift_of_the_smallest_that_could_be_shown_is_in_four_cases_of_five() -> None:
    # By theory, of a scatter of 1 %: what 15 degrees of freedom show, over the root of the squares.
    hours = np.array(room(0.0)[1]).reshape(5, 4)
    squares = float(((hours - hours.mean(axis=0)) ** 2).sum())
    slope = 3.0068 * 0.01 / math.sqrt(squares)
    shown = sum(bool(trend_within(*room(slope, seed=seed)).drifts) for seed in range(200))
    assert shown / 200 == pytest.approx(0.8, abs=0.1)


def test_the_order_in_which_runs_are_told_moves_no_digit() -> None:
    rows = list(zip(*room(0.01), strict=True))
    shuffled = [rows[index] for index in np.random.default_rng(3).permutation(len(rows))]
    assert trend_within(*map(list, zip(*rows, strict=True))) == trend_within(
        *map(list, zip(*shuffled, strict=True))
    )


@pytest.mark.parametrize(
    ("values", "hours", "points", "said"),
    [
        ([], [], [], "no point was run more than once"),
        ([1.0, 2.0], [0.0, 1.0], ["a", "b"], "no point was run more than once"),
        ([1.0, 1.1], [0.0, 1.0], ["a", "a"], "one point of two runs has a slope and no scatter"),
        ([1.0, 1.1, 1.2], [2.0, 2.0, 2.0], ["a"] * 3, "all repeats began at the same time"),
    ],
)
def test_too_few_runs_say_why_there_is_no_test(
    values: list[float], hours: list[float], points: list[str], said: str
) -> None:
    found = trend_within(values, hours, points)
    assert (found.change, found.low, found.p, found.reason) == (None, None, None, said)
    assert found.drifts is None
    assert found.sentence == f"Drift cannot be told: {said}."


def test_repeats_that_do_not_scatter_have_no_drift_and_no_number_that_is_none() -> None:
    found = trend_within([2.0] * 4, [0.0, 1.0, 2.0, 3.0], ["a"] * 4)
    assert (found.change, found.p) == (0.0, 1.0)


def test_runs_that_are_seconds_apart_are_no_runaway_number() -> None:
    seconds = [0.0, 1e-4, 2e-4, 3e-4]
    found = trend_within([1.0, 1.3, 0.9, 1.2], seconds, ["a"] * 4)
    assert found.smallest is not None
    assert found.high is not None
    assert found.smallest < 10
    assert found.high < 10


def test_what_has_no_logarithm_is_refused() -> None:
    with pytest.raises(ValueError, match="`values` must be numbers above 0"):
        trend_within([1.0, math.nan], [0.0, 1.0], ["a", "a"])
    with pytest.raises(ValueError, match="must be equally many, but are 1, 2 and 1"):
        trend_within([1.0], [0.0, 1.0], ["a"])

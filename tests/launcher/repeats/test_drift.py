"""What goes one way over the rounds is told, and what scatters is not."""

import numpy as np
import pytest

from launcher.repeats.drift import drift


def points(
    rounds: int, count: int, per_round: float, scatter: float, seed: int = 1
) -> list[dict[int, float]]:
    random = np.random.default_rng(seed)
    return [
        {
            number: float((1 + per_round) ** number * np.exp(scatter * random.standard_normal()))
            for number in range(rounds)
        }
        for _ in range(count)
    ]


def test_a_room_that_warms_is_told_with_its_size() -> None:
    found = drift(points(6, 4, 0.02, 0.005))
    assert found.found
    assert found.per_round == pytest.approx(0.02, abs=0.004)
    assert found.told.startswith("drift over 6 rounds of 4 points: J/token rises by 2")


def test_what_falls_is_told_as_falling() -> None:
    assert "J/token falls by 3 % a round" in drift(points(6, 4, -0.03, 0.0001)).told


def test_scatter_alone_is_told_as_a_drift_no_more_often_than_it_says() -> None:
    told = [drift(points(5, 3, 0.0, 0.03, seed)).found for seed in range(400)]
    assert sum(told) / len(told) < 0.08


def test_points_that_scatter_unlike_are_not_taken_for_a_drift() -> None:
    told = [
        drift([*points(5, 1, 0.0, 0.5, seed), *points(5, 3, 0.0, 0.001, seed + 1000)]).found
        for seed in range(400)
    ]
    assert sum(told) / len(told) < 0.08


def test_points_that_ended_early_count_for_the_rounds_that_they_had() -> None:
    series = points(6, 3, 0.02, 0.001)
    short = {number: value for number, value in series[0].items() if number < 3}
    assert drift([short, *series[1:]]).found
    assert (
        "no drift told over 6 rounds of 2 points"
        in drift([{0: 1.0, 1: 1.1, 2: 0.9}, {0: 1.0, 1: 0.9, 2: 1.1, 3: 1.0, 4: 1.05, 5: 1.0}]).told
    )


def test_two_rounds_are_too_few_and_that_is_said() -> None:
    found = drift([{0: 1.0, 1: 2.0}])
    assert (found.p, found.per_round) == (None, None)
    assert found.told == "drift not tested: 2 of at least 3 rounds"
    assert drift([]).told == "drift not tested: 0 of at least 3 rounds"


def test_repeats_that_agree_to_the_last_digit_show_no_drift() -> None:
    assert drift([{0: 1.0, 1: 1.0, 2: 1.0}]).p == 1.0

"""Intervals of many repeats are BCa's, those of few Student's t, and each says which and why."""

import math

import numpy as np
import pytest

from analysis.statistics.intervals import interval_95
from analysis.statistics.ratio import Repeats, ratio_of
from analysis.statistics.resampled import LEAST_RESAMPLED, interval_by_rule, told


def leaning(count: int, seed: int) -> tuple[float, ...]:
    """Repeats that scatter by per cents, upwards more than down."""
    drawn = np.random.default_rng(seed).exponential(0.03, count)
    return tuple(float(1.0 + each) for each in drawn)


def test_fewer_repeats_than_the_rule_asks_for_keep_student_s_t() -> None:
    few = leaning(LEAST_RESAMPLED - 1, 1)
    assert interval_by_rule(few, 0.01) == interval_95(few, 0.01)
    ratio = ratio_of(Repeats(values=few, sensor=0.0), Repeats(values=few, sensor=0.0), margin=0.05)
    assert ratio.interval == "Student's t: 19 and 19 repeats, and BCa needs 20"


def test_enough_repeats_are_resampled_and_lean_as_they_scatter() -> None:
    many = leaning(LEAST_RESAMPLED, 2)
    found = interval_by_rule(many)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.mean < found.high
    assert found.high - found.mean > 1.05 * (found.mean - found.low)


def test_the_same_repeats_give_the_same_interval() -> None:
    many = leaning(24, 3)
    assert interval_by_rule(many) == interval_by_rule(many)


def test_a_ratio_of_many_repeats_says_that_it_was_resampled_and_from_which_seed() -> None:
    base, other = (Repeats(values=leaning(25, seed), sensor=0.0) for seed in (4, 5))
    ratio = ratio_of(base, other, margin=0.05)
    assert ratio.interval == (
        "BCa bootstrap of 9,999 resamples, seed 20231003, of 25 and 25 repeats"
    )
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low < ratio.ratio < ratio.high


def test_sensors_widen_a_resampled_ratio_as_they_widen_any() -> None:
    values = leaning(25, 6), leaning(25, 7)
    bare, wide = (
        ratio_of(*(Repeats(values=each, sensor=share) for each in values), margin=0.05)
        for share in (0.0, 0.05)
    )
    assert bare.low is not None
    assert wide.low is not None
    assert math.log(wide.ratio / wide.low) == pytest.approx(
        math.hypot(math.log(bare.ratio / bare.low), 1.96 * math.hypot(0.025, 0.025)), rel=1e-3
    )


def test_repeats_without_a_scatter_are_not_resampled_and_say_so() -> None:
    assert interval_by_rule((2.0,) * 30) == interval_95((2.0,) * 30)
    assert told(30, 30, resampled=False) == (
        "Student's t: 30 and 30 repeats that are too much alike to be resampled"
    )


def test_the_smallest_difference_that_could_have_been_seen_shrinks_with_the_repeats() -> None:
    found = [
        ratio_of(
            *(Repeats(values=leaning(count, seed), sensor=0.0) for seed in (8, 9)), margin=0.05
        ).smallest
        for count in (4, 16)
    ]
    assert found[0] is not None
    assert found[1] is not None
    assert 0 < found[1] < found[0]
    one = ratio_of(Repeats(values=(1.0,), sensor=0.0), Repeats(values=(1.0,), sensor=0.0), margin=1)
    assert one.smallest is None


def test_a_difference_of_the_smallest_that_could_be_seen_is_seen_in_four_tests_of_five() -> None:
    rng = np.random.default_rng(10)
    count, tests = 8, 400
    # By theory, of a scatter of 1 %: t's two points over the standard uncertainty of a difference.
    step = (2.145 + 0.868) * 0.01 * math.sqrt(2 / count)
    shown = 0
    for _ in range(tests):
        base, other = (rng.normal(shift, 0.01, count) for shift in (0.0, step))
        ratio = ratio_of(
            *(Repeats(values=tuple(np.exp(each)), sensor=0.0) for each in (base, other)),
            margin=0.05,
        )
        assert ratio.p_difference is not None
        shown += ratio.p_difference < 0.05
    assert shown / tests == pytest.approx(0.8, abs=0.06)

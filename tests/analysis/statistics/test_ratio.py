"""The ratio's interval and tests, held against scipy's own, known values and simulations."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.ratio import Ratio, Repeats, holm, mean_ratio, ratio_of, ratio_of_pairs

MARGIN = 0.05
A = (2.31, 2.35, 2.29, 2.33)
B = (2.22, 2.27, 2.21)


def side(*values: float, sensor: float = 0.0, gain: float = 0.0) -> Repeats:
    return Repeats(values=values, sensor=sensor, gain=gain)


def test_without_sensors_it_is_welch_s_test_of_the_logarithms() -> None:
    found = ratio_of(side(*A), side(*B), margin=MARGIN)
    theirs = stats.ttest_ind(np.log(B), np.log(A), equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert found.p_difference == pytest.approx(theirs.pvalue)
    assert found.degrees == pytest.approx(theirs.df)
    assert (found.low, found.high) == pytest.approx(
        (math.exp(interval.low), math.exp(interval.high))
    )


def test_equivalence_is_the_larger_of_two_one_sided_tests() -> None:
    found = ratio_of(side(*A), side(*B), margin=MARGIN)
    margin = math.log1p(MARGIN)
    sides = [
        stats.ttest_ind(np.log(B) + shift, np.log(A), equal_var=False, alternative=way).pvalue
        for shift, way in ((margin, "greater"), (-margin, "less"))
    ]
    assert found.p_same == pytest.approx(max(sides))


def test_pairs_are_tested_as_pairs() -> None:
    base, other = (1.0, 1.2, 1.4), (1.03, 1.23, 1.45)
    found = ratio_of(side(*base), side(*other), margin=MARGIN, paired=True)
    theirs = stats.ttest_rel(np.log(other), np.log(base))
    assert found.p_difference == pytest.approx(theirs.pvalue)
    assert found.test == "paired t of logarithms"
    alone = ratio_of(side(*base), side(*other), margin=MARGIN)
    assert alone.p_difference == pytest.approx(
        stats.ttest_ind(np.log(other), np.log(base), equal_var=False).pvalue
    )
    # What both have in common hides the difference where they are not taken as pairs.
    assert alone.p_difference is not None
    assert theirs.pvalue < 0.05 < alone.p_difference


def test_two_pairs_are_not_tested_as_pairs() -> None:
    found = ratio_of(side(1.0, 1.2), side(1.1, 1.3), margin=MARGIN, paired=True)
    assert found.test == "Welch's t of logarithms"


def test_one_run_has_the_sensors_interval_and_no_test() -> None:
    found = ratio_of(side(2.0, sensor=0.03), side(1.0, sensor=0.04), margin=MARGIN)
    assert found.reason == "one run on either side: no interval over repeats"
    assert (found.p_difference, found.p_same, found.degrees) == (None, None, None)
    half = stats.norm.ppf(0.975) * math.hypot(0.015, 0.02)
    assert (found.low, found.high) == pytest.approx((0.5 * math.exp(-half), 0.5 * math.exp(half)))


def test_repeats_that_agree_by_chance_do_not_make_a_sensor_better() -> None:
    exact = ratio_of(side(1.0, 1.0), side(1.01, 1.01), margin=MARGIN)
    assert exact.p_difference == 0.0
    sensed = ratio_of(side(1.0, 1.0, sensor=0.04), side(1.01, 1.01, sensor=0.04), margin=MARGIN)
    assert sensed.p_difference is not None
    assert sensed.p_difference > 0.5


def test_two_boards_gains_widen_the_interval_as_limits_do() -> None:
    found = ratio_of(side(1.0, 1.0, gain=0.05), side(1.0, 1.0, gain=0.05), margin=MARGIN)
    half = stats.norm.ppf(0.975) * 0.05 * math.sqrt(2 / 3)
    assert found.high == pytest.approx(math.exp(half))


def test_equal_sides_are_the_same_and_do_not_differ() -> None:
    found = ratio_of(side(1.0, 1.0), side(1.0, 1.0), margin=MARGIN)
    assert (found.ratio, found.p_difference, found.p_same) == (1.0, 1.0, 0.0)


def test_hedges_g_is_the_standardised_difference_with_his_correction() -> None:
    found = ratio_of(side(*np.exp((1.0, 2.0, 3.0))), side(*np.exp((2.0, 3.0, 4.0))), margin=MARGIN)
    # A difference of one standard deviation; J(4) = 1 - 3 / 15.
    assert found.effect == pytest.approx(0.8)


def test_holm_is_as_r_s_p_adjust_has_it() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def cell(ratio: float, half: float) -> Ratio:
    """A cell's ratio whose interval is so wide on either side, in logarithms."""
    alone = ratio_of(side(1.0), side(ratio), margin=MARGIN)
    return replace(alone, low=ratio * math.exp(-half), high=ratio * math.exp(half))


def test_the_mean_of_cells_is_a_t_interval_of_the_logarithms() -> None:
    ratios = (0.95, 0.97, 0.96)
    found = mean_ratio([cell(ratio, 0.001) for ratio in ratios])
    assert found is not None
    mean, low, high = found
    theirs = stats.ttest_1samp(np.log(ratios), 0.0).confidence_interval(0.95)
    assert mean == pytest.approx(stats.gmean(ratios))
    assert (math.log(low), math.log(high)) == pytest.approx((theirs.low, theirs.high))
    assert mean_ratio([cell(0.9, 0.1)]) is None


def test_cells_that_agree_by_chance_are_no_surer_together_than_each_is() -> None:
    found = mean_ratio([cell(0.97, 0.02), cell(0.97, 0.04)])
    assert found is not None
    assert found == pytest.approx((0.97, 0.97 * math.exp(-0.03), 0.97 * math.exp(0.03)))


def test_pairs_of_several_points_are_one_sample_of_their_ratios() -> None:
    base, other = (1.0, 20.0, 400.0), (0.5, 9.0, 210.0)
    found = ratio_of_pairs(side(*base), side(*other), margin=MARGIN)
    theirs = stats.ttest_1samp(np.log(other) - np.log(base), 0.0)
    interval = theirs.confidence_interval(0.95)
    assert found.ratio == pytest.approx(stats.gmean(np.array(other) / base))
    assert found.p_difference == pytest.approx(theirs.pvalue)
    assert (found.low, found.high) == pytest.approx(
        (math.exp(interval.low), math.exp(interval.high))
    )
    assert found.interval == "Student's t: 3 pairs, and BCa needs 20"
    # The scatter of their ratios, not of points that are 400 times apart.
    spread = np.std(np.log(other) - np.log(base), ddof=1)
    assert found.effect == pytest.approx(math.log(found.ratio) / spread * 0.5642 / 1.0, rel=1e-3)


def test_two_pairs_have_one_degree_of_freedom_and_no_effect_size() -> None:
    found = ratio_of_pairs(side(1.0, 9.0), side(0.5, 4.6), margin=MARGIN)
    assert (found.degrees, found.effect) == (1.0, None)
    with pytest.raises(ValueError, match="must be pairs, at least two, but are 1 and 1"):
        ratio_of_pairs(side(1.0), side(0.5), margin=MARGIN)


def test_the_smallest_of_many_comparisons_is_larger_than_of_one() -> None:
    found = ratio_of(side(*A), side(*B), margin=MARGIN)
    assert found.smallest == pytest.approx(found.smallest_of(1))
    one, many = found.smallest_of(1), found.smallest_of(14)
    assert one is not None
    assert many is not None
    assert one < many


@pytest.mark.parametrize(("truth", "repeats"), [(1.0, 3), (0.97, 3), (1.2, 5)])
def test_the_interval_holds_the_true_ratio_in_at_least_95_of_100(
    truth: float, repeats: int
) -> None:
    draw = np.random.default_rng(7)
    held = differing = 0
    times = 500
    for _ in range(times):
        base = np.exp(draw.normal(0.0, 0.01, repeats))
        other = truth * np.exp(draw.normal(0.0, 0.02, repeats))
        found = ratio_of(side(*base), side(*other), margin=MARGIN)
        assert found.low is not None
        assert found.high is not None
        assert found.p_difference is not None
        held += found.low <= truth <= found.high
        differing += found.p_difference < 0.05
    # Four standard errors of a share of 95 % in so many draws.
    slack = 4 * math.sqrt(0.95 * 0.05 / times)
    assert held / times > 0.95 - slack
    if truth == 1.0:
        assert differing / times < 0.05 + slack


def test_sides_that_differ_by_the_margin_are_called_the_same_in_at_most_5_of_100() -> None:
    draw = np.random.default_rng(11)
    times = 500
    same = 0
    for _ in range(times):
        base = np.exp(draw.normal(0.0, 0.01, 4))
        other = (1 + MARGIN) * np.exp(draw.normal(0.0, 0.01, 4))
        found = ratio_of(side(*base), side(*other), margin=MARGIN)
        assert found.p_same is not None
        same += found.p_same < 0.05
    assert same / times < 0.05 + 4 * math.sqrt(0.95 * 0.05 / times)


def test_holm_errs_in_at_most_5_of_100_families_of_seven_cells() -> None:
    draw = np.random.default_rng(13)
    times = 100
    wrong = 0
    for _ in range(times):
        tests = [
            ratio_of(
                side(*np.exp(draw.normal(0.0, 0.01, 3))),
                side(*np.exp(draw.normal(0.0, 0.01, 3))),
                margin=MARGIN,
            ).p_difference
            or 0.0
            for _ in range(7)
        ]
        wrong += min(holm(tests)) < 0.05
    assert wrong / times < 0.05 + 4 * math.sqrt(0.95 * 0.05 / times)


@pytest.mark.parametrize("values", [(), (0.0,), (float("nan"),)])
def test_what_has_no_logarithm_is_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="`values` must be numbers above 0"):
        side(*values)


def test_a_margin_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="`margin` must be above 0"):
        ratio_of(side(1.0, 1.0), side(1.0, 1.0), margin=0.0)

"""What becomes of several numbers with intervals, by hand."""

import math

import pytest

from analysis.paper.amount import Amount, mean_of

ONE = Amount(value=100.0, low=97.0, high=104.0, sensor=1.0)


def test_a_mean_s_halves_are_those_of_its_parts_in_squares_over_their_number() -> None:
    other = Amount(value=200.0, low=196.0, high=203.0, sensor=2.0)
    mean = mean_of([ONE, other])
    assert mean.value == 150.0
    assert mean.low == pytest.approx(150.0 - math.hypot(3, 4) / 2)
    assert mean.high == pytest.approx(150.0 + math.hypot(4, 3) / 2)
    assert mean.sensor == pytest.approx(math.hypot(1, 2) / 2)


def test_a_mean_has_no_interval_where_a_part_has_none() -> None:
    mean = mean_of([ONE, Amount(value=200.0)])
    assert (mean.value, mean.low, mean.high, mean.sensor) == (150.0, None, None, None)


def test_a_change_s_halves_are_the_shares_of_both_sides_in_squares() -> None:
    base = Amount(value=50.0, low=49.0, high=52.0, sensor=0.5)
    change = ONE.change_against(base)
    assert change.value == pytest.approx(100.0)
    # Lowest where the value is low and the base high.
    assert change.low == pytest.approx(100.0 - 200.0 * math.hypot(0.03, 0.04))
    assert change.high == pytest.approx(100.0 + 200.0 * math.hypot(0.04, 0.02))
    assert change.sensor == pytest.approx(200.0 * math.hypot(0.01, 0.01))


def test_a_change_against_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be 0"):
        ONE.change_against(Amount(value=0.0))


def test_a_ratio_to_a_printed_number_has_our_interval_alone() -> None:
    ratio = ONE.over(80.0, digitised=False)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1.25, 97 / 80, 104 / 80))


def test_a_ratio_to_a_digitised_number_has_its_two_per_cent_as_well() -> None:
    ratio = ONE.over(80.0, digitised=True)
    assert ratio.low == pytest.approx(1.25 - math.hypot(3 / 80, 0.02 * 1.25))
    assert ratio.high == pytest.approx(1.25 + math.hypot(4 / 80, 0.02 * 1.25))


def test_a_ratio_of_one_repeat_has_the_sensors_part_alone() -> None:
    one = Amount(value=100.0, sensor=1.0)
    assert one.over(80.0, digitised=False).low == pytest.approx(99 / 80)
    assert Amount(value=100.0).over(80.0, digitised=False).low is None
    assert Amount(value=100.0).over(80.0, digitised=True).low == pytest.approx(1.25 * 0.98)


def test_a_ratio_to_a_negative_change_has_its_ends_in_order() -> None:
    change = Amount(value=-20.0, low=-23.0, high=-18.0)
    ratio = change.over(-25.0, digitised=False)
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((18 / 25, 0.8, 23 / 25))

"""Means over repeats with their intervals, and what two of them say of one another."""

import math

import pytest
from scipy import stats

from analysis.findings.estimate import (
    BY_REPEATS,
    NO_SCATTER,
    PooledScatter,
    Ranged,
    below,
    estimate,
    pooled_scatter,
    ratio,
)


def test_three_repeats_have_students_interval_of_their_own() -> None:
    found = estimate([1.0, 2.0, 3.0], None, PooledScatter(relative=9.0, degrees=1))
    half = 4.303 * 1.0 / math.sqrt(3)
    assert (found.value, found.basis) == (2.0, BY_REPEATS)
    assert found.low == pytest.approx(2.0 - half, rel=1e-3)
    assert found.high == pytest.approx(2.0 + half, rel=1e-3)


def test_the_sensors_part_widens_in_quadrature() -> None:
    alone, sensed = (estimate([1.0, 2.0, 3.0], widths, None) for widths in (None, [3.0, 3.0, 3.0]))
    assert alone.plus_minus is not None
    assert sensed.plus_minus == pytest.approx(math.hypot(alone.plus_minus, math.sqrt(27) / 3))


def test_scatter_is_pooled_over_points_as_a_share_of_each_ones_mean() -> None:
    # 10 +- 1 and 100 +- 10 are 10 % each: squares 2 x 0.01 and 2 x 0.01 over 1 + 1 degrees.
    found = pooled_scatter([[9.0, 11.0], [90.0, 110.0], [5.0]])
    assert found is not None
    assert found.degrees == 2
    assert found.relative == pytest.approx(math.sqrt(0.04 / 2))


def test_a_point_of_one_run_takes_the_pooled_scatter() -> None:
    scatter = PooledScatter(relative=0.1, degrees=2)
    found = estimate([50.0], [None], scatter)
    half = float(stats.t.ppf(0.975, 2)) * 0.1 * 50.0
    assert found.low == pytest.approx(50.0 - half)
    assert "2 degrees of freedom" in found.basis


def test_two_repeats_take_the_pooled_scatter_as_well() -> None:
    found = estimate([49.0, 51.0], None, PooledScatter(relative=0.1, degrees=20))
    assert found.plus_minus == pytest.approx(float(stats.t.ppf(0.975, 20)) * 5 / math.sqrt(2))


def test_without_repeats_anywhere_there_is_no_interval_and_nothing_is_told() -> None:
    few, many = (estimate([value], None, pooled_scatter([[1.0], [2.0]])) for value in (1.0, 100.0))
    assert few.low is None
    assert few.basis == NO_SCATTER
    assert not below(few, many)


def test_what_overlaps_is_not_below() -> None:
    one = Ranged(value=1.0, low=0.8, high=1.2, basis="")
    near, far = (
        Ranged(value=value, low=value - 0.2, high=value + 0.2, basis="") for value in (1.3, 1.5)
    )
    assert not below(one, near)
    assert below(one, far)
    assert not below(far, one)


def test_a_ratio_has_both_relative_halves_in_quadrature() -> None:
    one = Ranged(value=2.0, low=1.94, high=2.06, basis="a")
    base = Ranged(value=4.0, low=3.84, high=4.16, basis="a")
    found = ratio(one, base)
    assert found is not None
    assert found.value == 0.5
    assert found.low == pytest.approx(0.5 * math.exp(-0.05))
    assert found.high == pytest.approx(0.5 * math.exp(0.05))


def test_a_limit_of_gain_counts_as_an_even_spread() -> None:
    one = Ranged(value=100.0, low=97.0, high=103.0, basis="x")
    wide = one.widened(0.02 * math.sqrt(3))
    assert wide.plus_minus == pytest.approx(5.0)
    assert "gain" in wide.basis


def test_a_number_below_0_has_its_half_width_and_no_relative_one() -> None:
    one = Ranged(value=-0.5, low=-0.7, high=-0.4, basis="")
    assert one.plus_minus == pytest.approx(0.2)
    assert one.relative is None

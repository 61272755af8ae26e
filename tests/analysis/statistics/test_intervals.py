"""Mean and interval of repeats."""

import pytest

from analysis.statistics.intervals import interval_95, t_quantile_95


def test_an_interval_is_students_by_hand() -> None:
    interval = interval_95([9.0, 10.0, 11.0])
    half = 4.303 * 1.0 / 3**0.5
    assert interval.mean == 10.0
    assert interval.low == pytest.approx(10 - half)
    assert interval.high == pytest.approx(10 + half)


def test_one_repeat_has_a_mean_and_no_interval() -> None:
    interval = interval_95([3.0])
    assert (interval.mean, interval.low, interval.reason) == (3.0, None, "one repeat has no spread")


def test_quantiles_go_on_smoothly_past_the_table() -> None:
    # NIST/SEMATECH e-Handbook 1.3.6.7.2: 2.040 at 31 and 1.984 at 100 degrees of freedom.
    assert t_quantile_95(31) == pytest.approx(2.040, abs=1e-3)
    assert t_quantile_95(100) == pytest.approx(1.984, abs=1e-3)


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="`values` must hold at least one number"):
        interval_95([])

"""Mean and interval of repeats."""

import pytest
from scipy import stats

from analysis.statistics.intervals import interval_95, t_quantile_95


def test_an_interval_is_students_by_hand() -> None:
    interval = interval_95([9.0, 10.0, 11.0])
    # NIST/SEMATECH e-Handbook 1.3.6.7.2 has 4.303 at 2 degrees of freedom.
    half = 4.302653 * 1.0 / 3**0.5
    assert interval.mean == 10.0
    assert interval.low == pytest.approx(10 - half)
    assert interval.high == pytest.approx(10 + half)


def test_one_repeat_has_a_mean_and_no_interval() -> None:
    interval = interval_95([3.0])
    assert (interval.mean, interval.low, interval.reason) == (3.0, None, "one repeat has no spread")


# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
@pytest.mark.parametrize(
    ("degrees", "tabulated"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (9, 2.262), (30, 2.042), (31, 2.040), (100, 1.984)],
)
def test_quantiles_are_scipy_s_and_as_they_are_tabulated(degrees: int, tabulated: float) -> None:
    assert t_quantile_95(degrees) == pytest.approx(tabulated, abs=5.1e-4)
    assert t_quantile_95(degrees) == pytest.approx(float(stats.t.ppf(0.975, degrees)), rel=1e-12)


def test_no_degree_of_freedom_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="`degrees` must be at least 1"):
        t_quantile_95(0)


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="`values` must hold at least one number"):
        interval_95([])

"""The clock below which time rises more than energy falls."""

import math

import numpy as np
import pytest

from analysis.power.transition import Lowest, lowest

CLOCKS = (1980.0, 1785.0, 1590.0, 1395.0, 1200.0, 990.0)


def products(least_mhz: float, bend: float = 2.0) -> list[float]:
    return [3.0 * math.exp(bend * math.log(clock / least_mhz) ** 2) for clock in CLOCKS]


def test_the_least_product_s_clock_is_found() -> None:
    found = lowest(CLOCKS, products(1400.0))
    assert isinstance(found, Lowest)
    assert found.value_mhz == pytest.approx(1400.0)
    assert found.low_mhz == pytest.approx(1400.0)
    assert found.high_mhz == pytest.approx(1400.0)


def test_it_is_where_time_rises_as_energy_falls() -> None:
    # Time 0.8 + 0.2 / x, power 0.3 + 0.7 x^3: the least of power x time^2, by its derivative.
    def slope(x: float) -> float:
        power, time = 0.3 + 0.7 * x**3, 0.8 + 0.2 / x
        return (2.1 * x**3 / power) - 2 * (0.2 / x) / time

    low, high = 0.3, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    clocks = np.linspace(0.85, 1.15, 9) * low * 1980.0
    x = clocks / 1980.0
    product = (0.3 + 0.7 * x**3) * (0.8 + 0.2 / x) ** 2
    found = lowest(clocks.tolist(), product.tolist())
    assert isinstance(found, Lowest)
    assert found.value_mhz == pytest.approx(low * 1980.0, rel=0.02)


def test_an_interval_of_95_per_cent_holds_the_truth_so_often() -> None:
    draws = np.random.default_rng(16)
    held = told = 0
    for _ in range(400):
        noise = np.exp(draws.normal(0.0, 0.02, 3 * len(CLOCKS)))
        found = lowest(CLOCKS * 3, (np.tile(products(1400.0), 3) * noise).tolist())
        if isinstance(found, Lowest):
            told += 1
            held += found.low_mhz <= 1400.0 <= found.high_mhz
    assert told > 390
    assert 0.92 < held / told < 0.98


@pytest.mark.parametrize(
    ("clocks", "values", "reason"),
    [
        (CLOCKS, list(CLOCKS), "no lowest place|falls with a falling clock"),
        (CLOCKS, products(700.0), "is least below"),
        (CLOCKS, products(2600.0), "rises with a falling clock, and is least above"),
        (CLOCKS, [2.0] * 6, "no lowest place"),
        (CLOCKS, products(1400.0, bend=-2.0), "no lowest place"),
        ((1980.0, 1590.0) * 4, [1.0, 1.1] * 4, "runs at 2 clocks"),
        ((1980.0, 1978.0, 1985.0, 1980.0, 1980.0, 1981.0), products(1400.0), "runs at 1 clocks"),
        (CLOCKS[:5], products(1400.0)[:5], "5 runs leave 2 degrees of freedom"),
    ],
)
def test_what_has_no_least_within_its_clocks_says_why(
    clocks: tuple[float, ...], values: list[float], reason: str
) -> None:
    found = lowest(clocks, values)
    assert isinstance(found, str)
    assert any(each in found for each in reason.split("|")), found


def test_noise_that_hides_the_bend_hides_the_transition() -> None:
    values = [one * (1.0 + 0.5 * (-1) ** place) for place, one in enumerate(products(1400.0, 0.2))]
    found = lowest(CLOCKS, values)
    assert isinstance(found, str)
    assert "no lowest place that is shown" in found

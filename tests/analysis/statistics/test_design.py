"""What repeats can show and how many are needed, held against statsmodels and simulations."""

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from analysis.statistics.design import (
    MOST_REPEATS,
    least_shown,
    repeats_needed,
    smallest_effect,
    smallest_effect_of_pairs,
)


@pytest.mark.parametrize(("n_a", "n_b"), [(3, 3), (3, 5), (10, 10), (100, 40)])
def test_the_smallest_effect_has_the_power_that_statsmodels_gives_it(n_a: int, n_b: int) -> None:
    effect = smallest_effect(n_a, n_b, 0.01)
    assert effect is not None
    standardised = math.log1p(effect) / 0.01
    power = TTestIndPower().power(standardised, n_a, 0.05, ratio=n_b / n_a)
    assert power == pytest.approx(0.8, abs=1e-4)


def test_so_has_that_of_pairs() -> None:
    effect = smallest_effect_of_pairs(9, 0.02)
    assert effect is not None
    assert TTestPower().power(math.log1p(effect) / 0.02, 9, 0.05) == pytest.approx(0.8, abs=1e-4)


def test_two_groups_of_26_show_cohen_s_large_effect() -> None:
    # J. Cohen, A power primer, Psychol. Bull. 112 (1992), 155-159, table 2: d = 0.8 at 5 %.
    effect = smallest_effect(26, 26, 1.0)
    assert effect is not None
    assert math.log(1 + effect) == pytest.approx(0.8, abs=0.01)


def test_few_repeats_and_many_comparisons_are_solved_where_statsmodels_stops_short() -> None:
    effect = smallest_effect(3, 2, 0.01, comparisons=14)
    assert effect is not None
    limit = stats.t.ppf(1 - 0.025 / 14, 3)
    shift = math.log1p(effect) / 0.01 / math.sqrt(1 / 3 + 1 / 2)
    assert stats.nct.sf(limit, 3, shift) == pytest.approx(0.8, abs=1e-6)


def test_a_simulated_difference_of_it_is_seen_in_four_tests_of_five() -> None:
    effect = smallest_effect(3, 4, 0.02)
    assert effect is not None
    draw = np.random.default_rng(21)
    base = draw.normal(0.0, 0.02, (3, 2000))
    other = draw.normal(math.log1p(effect), 0.02, (4, 2000))
    seen = stats.ttest_ind(base, other).pvalue < 0.05
    assert seen.mean() == pytest.approx(0.8, abs=0.03)


def test_sensors_and_comparisons_make_it_larger() -> None:
    bare, sensed, many = (
        smallest_effect(3, 3, 0.01, **more) for more in ({}, {"sensor": 0.02}, {"comparisons": 10})
    )
    assert bare is not None
    assert sensed is not None
    assert many is not None
    assert bare < sensed < many


def test_one_repeat_a_side_shows_nothing() -> None:
    assert smallest_effect(1, 3, 0.01) is None
    assert smallest_effect_of_pairs(1, 0.01) is None


@pytest.mark.parametrize(("width", "scatter"), [(0.01, 0.01), (0.02, 0.01), (0.005, 0.02)])
def test_the_repeats_needed_are_the_fewest_whose_t_interval_is_so_narrow(
    width: float, scatter: float
) -> None:
    n = repeats_needed(width, scatter)
    assert n is not None

    def half(count: int) -> float:
        return float(stats.t.ppf(0.975, count - 1)) * scatter / math.sqrt(count)

    assert half(n) <= width < half(n - 1)


def test_repeats_without_scatter_are_two_and_sensors_ask_for_more() -> None:
    assert repeats_needed(0.01, 0.0) == 2
    assert repeats_needed(0.01, 0.0, sensor=0.03) == 9
    assert repeats_needed(1e-6, 0.05) is None
    assert repeats_needed(1e-6, 0.05, sensor=1.0) is None
    assert MOST_REPEATS == 1_000


def test_degrees_without_end_are_the_normal_distribution_s() -> None:
    z = float(stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    assert least_shown(math.inf) == pytest.approx(z, abs=1e-5)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: smallest_effect(0, 3, 0.01), "`n_a` must be at least 1, but is 0 instead"),
        (lambda: smallest_effect(3, 3, -0.1), "`scatter` must be a share of at least 0"),
        (lambda: smallest_effect(3, 3, math.nan), "`scatter` must be a share of at least 0"),
        (lambda: repeats_needed(0.0, 0.01), r"`width` must be above 0, but is 0.0 instead"),
        (lambda: least_shown(0.5), "`degrees` must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused(call: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()  # type: ignore[operator]


def test_no_statistics_load_scipy_or_statsmodels_before_they_are_asked_for() -> None:
    rooms = "analysis.statistics.ratio, analysis.statistics.trend, analysis.workbook.build"
    code = f"import sys, {rooms}; print({{'scipy', 'statsmodels', 'pandas'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""Slopes of clocks that nobody set: found where they are, and not told where they cannot be."""

import numpy as np
import pytest

from analysis.power.regression import CLOCK, TEMPERATURE, Observed, beside_position, curve_of


def readings(
    elasticity: float,
    *,
    count: int = 40,
    correlation: float = 0.0,
    clock_spread_mhz: float = 200.0,
    noise: float = 0.005,
    warm: bool = True,
    seed: int = 1,
) -> list[Observed]:
    """Two runs of one point: a value that falls by the clock and rises along the answer."""
    random = np.random.default_rng(seed)
    found = []
    for run in ("a", "b"):
        left = 0.0
        for place in range(count // 2):
            left = correlation * left + random.normal(0.0, noise)
            clock = 1700.0 + clock_spread_mhz * random.uniform(-1.0, 1.0)
            along = 10.0 * (place % 10)
            value = 8.0 * ((clock / 1700.0) ** elasticity + 0.002 * along + left)
            found.append(
                Observed(
                    run=run,
                    point="one",
                    position=along,
                    clock_mhz=clock,
                    temperature_c=60.0 + random.uniform(-5.0, 5.0) if warm else None,
                    value=value,
                )
            )
    return found


def test_a_slope_by_clock_is_found_beside_the_place_in_the_answer() -> None:
    curve = curve_of(readings(-0.8))
    slope = curve.slopes[CLOCK]
    assert slope.low < slope.value < slope.high
    # Over the point's mean, which the slope along the answer raises by 9 %.
    assert slope.value == pytest.approx(-0.8 / 1.09, abs=0.05)
    assert curve.slopes[TEMPERATURE].low < 0.0 < curve.slopes[TEMPERATURE].high


def test_readings_that_follow_one_another_are_worth_fewer_and_their_interval_is_wider() -> None:
    apart, along = curve_of(readings(0.0)), curve_of(readings(0.0, correlation=0.9))
    assert apart.effective is not None
    assert along.effective is not None
    assert along.effective < 0.5 * along.n
    assert along.correlation is not None
    naive = along.slopes[CLOCK].high - along.slopes[CLOCK].low
    own = apart.slopes[CLOCK].high - apart.slopes[CLOCK].low
    assert naive > own


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(200):
        slope = curve_of(readings(0.0, correlation=0.5, seed=seed)).slopes[CLOCK]
        held += slope.low <= 0.0 <= slope.high
    assert held >= 180


def test_a_clock_that_hardly_moved_cannot_be_told() -> None:
    curve = curve_of(readings(-1.0, clock_spread_mhz=4.0))
    assert CLOCK not in curve.slopes
    assert curve.reasons[CLOCK].startswith("cannot tell: ")
    assert "15 MHz" in curve.reasons[CLOCK]
    still = curve_of(readings(-1.0, clock_spread_mhz=0.0))
    assert still.reasons[CLOCK] == "cannot tell: 1700 MHz throughout"


def test_a_temperature_that_was_not_read_is_left_out_with_its_reason() -> None:
    curve = curve_of(readings(-0.5, warm=False))
    assert CLOCK in curve.slopes
    assert curve.reasons[TEMPERATURE].startswith("no temperature was read")


def test_too_few_readings_tell_nothing() -> None:
    curve = curve_of(readings(-0.5, count=4))
    assert not curve.slopes
    assert curve.reasons[CLOCK].endswith("3 are needed")
    assert curve_of([]).reasons[CLOCK] == "no reading in decode"


def test_what_a_place_in_the_answer_does_is_taken_off() -> None:
    flat = beside_position(readings(0.0, noise=1e-9))
    # What grows along a line is taken off in proportion, up to the bend of its logarithm.
    assert flat == pytest.approx(np.ones(40), abs=3e-3)


def test_a_value_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="`value` must be a number above 0"):
        Observed(run="a", point="one", position=0.0, clock_mhz=1.0, temperature_c=None, value=0.0)

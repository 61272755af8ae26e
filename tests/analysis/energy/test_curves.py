"""Energy of a window from a sensor's readings."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.energy.counter_curve import counter_curve
from analysis.energy.curves import Curve
from analysis.energy.power_curve import power_integral_curve
from analysis.energy.uncertain import Uncertain, gap_share, net_energy, total
from analysis.runs.series import Series
from telemetry.clock import US_PER_S

EDGE_US = 200_000
RESOLUTION_US = 100_000


def series(t_s: list[float], value: list[float], **nulls: object) -> Series:
    t_us = (np.array(t_s) * US_PER_S).round().astype(np.int64)
    return Series(t_us=t_us, value=np.array(value, dtype=np.float64), **nulls)  # type: ignore[arg-type]


def counter(t_s: list[float], value: list[float]) -> Curve:
    curve = counter_curve(
        series(t_s, value), edge_us=EDGE_US, resolution_us=RESOLUTION_US, lag_us=RESOLUTION_US
    )
    assert isinstance(curve, Curve)
    return curve


def integral(t_s: list[float], value: list[float], *, window_us: int = 0) -> Curve:
    curve = power_integral_curve(
        series(t_s, value),
        field="power_instant_w",
        edge_us=EDGE_US,
        window_us=window_us,
        resolution_us=max(RESOLUTION_US, window_us),
    )
    assert isinstance(curve, Curve)
    return curve


def energy_j(curve: Curve, start_s: float, end_s: float) -> float:
    amount = curve.between(round(start_s * US_PER_S), round(end_s * US_PER_S))
    assert amount.value is not None
    return amount.value


def test_the_integral_of_constant_power_is_power_times_time() -> None:
    curve = integral([0, 1, 2, 3], [100, 100, 100, 100])
    assert energy_j(curve, 0.25, 2.75) == pytest.approx(250)


def test_the_integral_of_a_ramp_is_exact_between_readings() -> None:
    curve = integral([0, 10], [0, 100])
    assert energy_j(curve, 2.0, 5.0) == pytest.approx(5 * (5**2 - 2**2))


def test_a_counter_is_interpolated_at_the_edges_of_the_window() -> None:
    curve = counter([0, 1, 2], [1000, 1100, 1300])
    assert energy_j(curve, 0.5, 1.5) == pytest.approx(50 + 100)


def test_a_window_may_reach_two_periods_past_the_last_reading() -> None:
    assert energy_j(counter([0, 1], [0, 100]), 0, 1.2) == pytest.approx(120)
    assert energy_j(integral([0, 1], [100, 100]), -0.2, 1) == pytest.approx(120)


def test_a_window_that_reaches_further_has_no_energy_and_says_why() -> None:
    curve = integral([1, 2], [100, 100])
    assert curve.between(0, 2_000_000).reason == "readings begin 1.000 s after the window"
    assert curve.between(1_000_000, 4_000_000).reason == "readings end 2.000 s before the window"


def test_a_counter_that_fell_counts_before_and_after_and_not_over_it() -> None:
    curve = counter([0, 1, 2, 3, 4], [50, 60, 5, 25, 45])
    assert energy_j(curve, 0, 1) == pytest.approx(10)
    assert energy_j(curve, 2, 4) == pytest.approx(40)
    over = curve.between(500_000, 3_000_000)
    assert over.value is None
    assert over.reason == "the counter fell from 60.000 J to 5.000 J"
    spans = np.array([0, 2_500_000]), np.array([1_500_000, 4_000_000])
    assert curve.summed(*spans).reason == over.reason


def test_a_counter_that_only_fell_is_no_counter() -> None:
    reason = counter_curve(
        series([0, 1, 2], [60, 50, 5]), edge_us=EDGE_US, resolution_us=1, lag_us=1
    )
    assert reason == "the counter fell from 60.000 J to 50.000 J"


def test_a_counter_that_never_moves_is_no_counter() -> None:
    reason = counter_curve(series([0, 1, 2], [7, 7, 7]), edge_us=EDGE_US, resolution_us=1, lag_us=1)
    assert reason == "the counter stood at 7.000 J throughout"


def test_too_few_readings_are_named_with_the_reason_of_the_nulls() -> None:
    lone = series([0], [1], nulls=3, null_reason="driver gone")
    assert (
        counter_curve(lone, edge_us=EDGE_US, resolution_us=1, lag_us=1)
        == "1 readings, 3 nulls: driver gone"
    )


@settings(max_examples=60)
@given(
    powers=st.lists(st.floats(0, 700), min_size=3, max_size=40),
    cuts=st.lists(st.floats(0, 1), min_size=1, max_size=12),
)
def test_windows_that_tile_a_time_sum_to_its_energy(powers: list[float], cuts: list[float]) -> None:
    curve = integral([float(index) for index in range(len(powers))], powers)
    end_s = len(powers) - 1.0
    edges = sorted({0.0, end_s, *(round(cut * end_s, 6) for cut in cuts)})
    parts = [energy_j(curve, a, b) for a, b in pairwise(edges)]
    assert sum(parts) == pytest.approx(energy_j(curve, 0, end_s), rel=1e-9, abs=1e-6)


def test_a_total_is_unknown_when_a_part_is() -> None:
    amount = total([Uncertain.of(1.0), Uncertain.unknown("gone")], nothing="nobody")
    assert amount == Uncertain.unknown("gone")
    assert total([], nothing="nobody").reason == "nobody"


def test_net_energy_takes_the_idle_power_off() -> None:
    assert net_energy(Uncertain.of(500.0), Uncertain.of(50.0), 4.0).value == 300.0
    assert net_energy(Uncertain.of(500.0), Uncertain.unknown("no rest"), 4.0).reason == "no rest"


def test_the_gap_is_signed_and_a_share_of_the_counter() -> None:
    names = ("counter", "power integral")
    gap = gap_share(Uncertain.of(200.0), Uncertain.of(190.0), names=names)
    assert gap.value == pytest.approx(-0.05)
    assert gap_share(Uncertain.of(0.0), Uncertain.of(1.0), names=names).value is None


def test_an_amount_is_a_number_or_a_reason_and_never_both() -> None:
    with pytest.raises(ValueError, match="`reason` must be given exactly when"):
        Uncertain(value=1.0, reason="but why")


def test_a_counter_is_as_uncertain_as_its_edges_may_be_late() -> None:
    curve = counter([0, 1, 2, 3], [0, 200, 400, 600])
    amount = curve.between(1_000_000, 2_000_000)
    # Two edges, each late by up to 100 ms at 200 W, evenly spread; k = 2.
    assert amount.plus_minus == pytest.approx(2 * 200 * 0.1 * (2 / 12) ** 0.5)


def test_a_counter_late_at_one_edge_alone_is_off_by_half_an_update_more() -> None:
    # From 100 W to 500 W: being late costs more at the end than it gives at the start.
    t_s = [index / 10 for index in range(101)]
    curve = counter(t_s, [100 * t + 400 * max(0.0, t - 5) for t in t_s])
    amount = curve.between(2_000_000, 8_000_000)
    spread = (100**2 + 500**2) / 12
    assert amount.plus_minus == pytest.approx(2 * 0.1 * (spread + (400 / 2) ** 2) ** 0.5, rel=0.01)


def test_no_energy_is_certain_however_steady_the_power() -> None:
    amount = integral([0, 0.1, 0.2, 0.3, 0.4], [150] * 5).between(50_000, 350_000)
    # The last digit of milliwatts over 0.3 s.
    assert amount.plus_minus == pytest.approx(2 * 0.3e-3 / 12**0.5)
    still = counter_curve(
        series([0, 1, 2], [0, 5, 5.001]), edge_us=EDGE_US, resolution_us=1, lag_us=1
    )
    assert isinstance(still, Curve)
    assert (still.between(0, 1_000_000).plus_minus or 0) > 0


def test_a_counter_polled_seldom_follows_power_between_its_polls() -> None:
    """At rest for 20 s, then at work for 10: the middle of the polls tells neither."""
    t_s = np.arange(0, 30.02, 0.02)
    power = np.where(t_s < 20, 100.0, 600.0)
    under = power_integral_curve(
        series(list(t_s), list(power)),
        field="power_sample_w",
        edge_us=EDGE_US,
        window_us=20_000,
        resolution_us=20_000,
    )
    assert isinstance(under, Curve)
    # The readings of power have a gain of 1.02 against the counter.
    polls = series([0, 30], [0, (2_000 + 6_000) / 1.02])
    polled = counter_curve(
        polls, edge_us=EDGE_US, resolution_us=30_000_000, lag_us=100_000, carrier=under
    )
    bare = counter_curve(polls, edge_us=EDGE_US, resolution_us=30_000_000, lag_us=100_000)
    assert isinstance(polled, Curve)
    assert isinstance(bare, Curve)
    truth_j = (500 + 3_000) / 1.02
    for curve in (polled, bare):
        amount = curve.between(15_000_000, 25_000_000)
        assert amount.value is not None
        assert abs(amount.value - truth_j) <= (amount.plus_minus or 0)
    near, far = (curve.between(15_000_000, 25_000_000) for curve in (polled, bare))
    assert near.value == pytest.approx(truth_j, rel=0.01)
    # Without power nothing says when between the polls it was drawn.
    assert (far.plus_minus or 0) > 2_000


def test_a_step_between_two_readings_may_lie_anywhere_that_no_window_covers() -> None:
    t_s = [index / 10 for index in range(11)]
    curve = integral(t_s, [100.0] * 5 + [300.0] * 6, window_us=25_000)
    amount = curve.between(0, 900_000)
    assert amount.plus_minus == pytest.approx(2 * 200 * (0.1 - 0.025) / 12**0.5)


def test_a_gap_is_as_uncertain_as_all_that_was_seen() -> None:
    t_s = [*(index / 10 for index in range(11)), *(2 + index / 10 for index in range(11))]
    steady = [100.0] * 22
    restless = [100.0, 300.0, *steady[2:]]
    widths = [
        integral(t_s, power).between(800_000, 2_500_000).plus_minus for power in (steady, restless)
    ]
    # Nothing else than the last digit was seen to change.
    assert widths[0] == pytest.approx(2 * 1.7e-3 / 12**0.5)
    assert widths[1] == pytest.approx(2 * 200 * 1.0 / 12**0.5)


def test_an_edge_that_two_windows_share_cancels() -> None:
    curve = counter([0, 1, 2, 3, 4], [0, 200, 400, 600, 800])
    starts_us, ends_us = np.array([500_000, 1_500_000]), np.array([1_500_000, 2_500_000])
    together = curve.summed(starts_us, ends_us)
    assert together.plus_minus == curve.between(500_000, 2_500_000).plus_minus
    apart = curve.summed(starts_us, ends_us + np.array([-400_000, 0]))
    assert (apart.plus_minus or 0) > (together.plus_minus or 0)


def test_a_one_second_average_is_shifted_back_and_owns_up_to_what_it_remembers() -> None:
    # 600 W until 0 s, then 75 W: the average still tells of the load for a second.
    t_s = np.arange(-30, 60) / 10
    remembered = np.clip(1.0 - np.maximum(t_s, 0.0), 0.0, 1.0)
    power_w = 75.0 + 525.0 * remembered
    naive, shifted = (
        integral(list(t_s), list(power_w), window_us=window_us).between(0, 4_000_000)
        for window_us in (0, 1_000_000)
    )
    truth_j = 75.0 * 4
    assert naive.value is not None
    assert shifted.value is not None
    assert abs(shifted.value - truth_j) < 0.3 * abs(naive.value - truth_j)
    assert abs(shifted.value - truth_j) <= (shifted.plus_minus or 0)


def test_a_repeated_value_is_no_new_reading_of_a_counter() -> None:
    # Polled four times an update: the edge between two updates is interpolated, not a stair.
    t_s = [index / 40 for index in range(81)]
    curve = counter(t_s, [20.0 * (index // 4) for index in range(81)])
    assert energy_j(curve, 0.25, 1.25) == pytest.approx(200)
    assert energy_j(curve, 0.275, 1.25) == pytest.approx(195)


@pytest.mark.parametrize("sensor", ["counter", "integral"])
def test_the_truth_lies_within_the_uncertainty_nineteen_times_of_twenty(sensor: str) -> None:
    # A board that jumps between 80 and 600 W, read by a sensor of 100 ms with a phase of its own:
    # its counter is late by up to an update, its power shows 25 ms of every 100.
    random = np.random.default_rng(5)
    inside = 0
    trials = 1000
    for _ in range(trials):
        steps_s = np.concatenate(([0.0], np.cumsum(random.uniform(0.05, 1.5, 40))))
        levels_w = random.uniform(80, 600, 40)
        joules = np.concatenate(([0.0], np.cumsum(levels_w * np.diff(steps_s))))
        start_s, end_s = np.sort(random.uniform(1.0, 12.0, 2)) + np.array([0.0, 1.0])
        updates_s = random.uniform(0, 0.1) + np.arange(0, 160) / 10
        energy = np.interp(updates_s, steps_s, joules)
        if sensor == "counter":
            # Read at moments that know nothing of the updates: the last one's value is seen.
            polls_s = np.arange(1, 150) / 10 + random.uniform(0, 0.1)
            seen = energy[np.searchsorted(updates_s, polls_s, side="right") - 1]
            curve = counter(list(polls_s), list(seen))
        else:
            window_j = energy - np.interp(updates_s - 0.025, steps_s, joules)
            curve = integral(list(updates_s), list(window_j / 0.025), window_us=25_000)
        amount = curve.between(round(start_s * US_PER_S), round(end_s * US_PER_S))
        truth_j = np.diff(np.interp([start_s, end_s], steps_s, joules))[0]
        assert amount.value is not None
        # Stamps are whole microseconds: that alone is half a millijoule each at 600 W.
        inside += abs(amount.value - truth_j) <= (amount.plus_minus or 0) + 0.01
    assert inside / trials >= 0.95

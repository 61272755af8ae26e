"""Reading bounds: what no board, node or rank can have given is no reading."""

import math

import numpy as np
import pytest

from telemetry.clock import US_PER_S
from telemetry.record.fields import FIELDS, Field, Kind, Subject
from telemetry.record.reading_bounds import (
    STILL_US,
    CounterHistory,
    bounds_of,
    breaks_counter,
    impossible,
    impossible_values,
    is_energy_counter,
    most_power_w,
)

A100 = {
    "name": "NVIDIA A100-SXM4-80GB",
    "power_limit_w": 250.0,
    "power_limit_max_w": 400.0,
    "memory_bytes": 80 << 30,
}
UNLISTED = {"name": "NVIDIA T1000", "power_limit_max_w": 50.0, "max_sm_clock_mhz": 2100}
SENTINEL_32_MW = 4294967.295
INT64_BLANK = float(0x7FFFFFFFFFFFFFF0)


@pytest.mark.parametrize("name", sorted(FIELDS))
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, -1.0, -0.001, 1e300, INT64_BLANK], ids=str
)
def test_what_is_no_quantity_is_no_reading_of_any_field(name: str, value: float) -> None:
    assert impossible(name, value) is not None
    assert impossible_values(name, np.array([value])).tolist() == [True]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("power_instant_w", 0.0),
        ("power_sample_w", 1_500.0),
        ("power_average_w", 801.0),
        ("power_instant_w", SENTINEL_32_MW),
        ("gpu_utilization", 8_083_349.05),
        ("gpu_memory_used_bytes", float(81 << 30)),
        ("gpu_temperature_c", 0.0),
        ("memory_temperature_c", float(1 << 31)),
        ("sm_clock_mhz", 4_000.0),
        ("memory_clock_mhz", 0.0),
        ("power_limit_w", SENTINEL_32_MW),
        ("throttle_reasons", float((1 << 32) - 1)),
        ("node_power_w", 0.0),
        ("energy_j", 1.8e16),
    ],
)
def test_what_an_a100_cannot_give_is_no_reading(name: str, value: float) -> None:
    assert impossible(name, value, A100) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # The highest of 62,105 samples of H200 was 1.34 of its limit.
        ("power_sample_w", 1.34 * 400.0),
        ("power_instant_w", 1.0),
        ("gpu_utilization", 0.0),
        ("gpu_memory_used_bytes", 0.0),
        ("gpu_memory_used_bytes", float(80 << 30)),
        ("sm_clock_mhz", 1_410.0),
        ("process_cpu_utilization", 1.1),
        ("energy_j", 0.0),
        ("xid", 0.0),
    ],
)
def test_what_an_a100_has_given_is_a_reading(name: str, value: float) -> None:
    assert impossible(name, value, A100) is None


def test_the_reason_names_the_bound_and_where_it_comes_from() -> None:
    assert impossible("power_instant_w", 1_500.0, A100) == (
        "the sensor gave a value above 800 W, 2 times the board's power limit of 400 W, "
        "which cannot be"
    )
    assert impossible("power_instant_w", 0.0, A100) == (
        "the sensor gave a value below 0.5 W, which cannot be"
    )


def test_a_board_in_no_row_is_bounded_by_what_its_driver_told() -> None:
    assert bounds_of("power_instant_w", UNLISTED).most == 100.0
    assert impossible("sm_clock_mhz", 2_400.0, UNLISTED) is not None


@pytest.mark.parametrize("limit_w", [None, 0.0, -1.0, math.nan, math.inf, SENTINEL_32_MW, "400"])
def test_an_inventory_without_a_limit_that_can_be_leaves_the_table_s_bound(limit_w: object) -> None:
    gpu = {"name": "NVIDIA T1000", "power_limit_w": limit_w}
    assert bounds_of("power_instant_w", gpu).most == FIELDS["power_instant_w"].most


def test_a_limit_that_an_inventory_invents_does_not_widen_a_known_board_s_bounds() -> None:
    # The highest that any A100 takes is 500 W.
    assert bounds_of("power_instant_w", {**A100, "power_limit_max_w": 2_900.0}).most == 1_000.0


def test_a_simulated_board_has_the_bounds_of_its_row() -> None:
    gpu = {"name": "SIMULATED A100 80 GB", "kind": "a100", "simulated": True}
    row = {"name": "NVIDIA A100-SXM4-80GB"}
    assert bounds_of("power_instant_w", gpu) == bounds_of("power_instant_w", row)


def test_a_field_that_is_not_known_must_be_a_number_and_no_more() -> None:
    assert impossible("fan_power_w", -3.0) is None
    assert impossible("fan_power_w", math.nan) is not None


def test_bounds_of_a_field_must_not_fall() -> None:
    with pytest.raises(ValueError, match="`least` and `most` must be finite and not fall"):
        Field(
            name="fan_power_w",
            subject=Subject.GPU,
            kind=Kind.GAUGE,
            unit="W",
            meaning="What fans draw.",
            least=5.0,
            most=1.0,
        )


def test_counters_of_energy_are_those_that_rise_with_power() -> None:
    rising = {name for name, field in FIELDS.items() if is_energy_counter(field)}
    assert rising == {"energy_j", "zone_energy_j"}
    assert not is_energy_counter(None)


def judge(*readings: tuple[float, float]) -> list[str | None]:
    """What a counter of an A100 is told at these seconds and joules."""
    history = CounterHistory(most_power_w("energy_j", A100))
    return [history.fault(round(t_s * US_PER_S), value_j) for t_s, value_j in readings]


def good(*readings: tuple[float, float]) -> list[bool]:
    return [reason is None for reason in judge(*readings)]


def test_a_counter_that_rises_with_power_is_good() -> None:
    assert good((0, 50_000), (0.1, 50_000), (0.2, 50_040), (30, 61_000)) == [True] * 4


def test_a_counter_that_stands_still_for_a_second_is_no_reading() -> None:
    reasons = judge((0, 0.0), (0.5, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 200.0))
    assert [reason is None for reason in reasons] == [True, True, False, False, True]
    assert reasons[2] == "the counter stood still at 0.000 J while power flowed"
    assert breaks_counter(reasons[2])
    assert STILL_US == US_PER_S


def test_a_counter_that_goes_back_begins_anew_and_goes_on_from_there() -> None:
    reasons = judge((0, 50_000), (1, 12), (2, 300))
    assert reasons == [None, "the counter began anew, from 50000.000 J to 12.000 J", None]
    assert breaks_counter(reasons[1])


def test_one_wild_value_of_a_counter_is_left_out_and_the_rest_stands() -> None:
    assert good((0, 50_000), (1, 0), (2, 50_400), (3, SENTINEL_32_MW), (4, 51_000)) == [
        *(True, False, True, False, True)
    ]


def test_a_counter_that_leaps_and_stays_goes_on_behind_a_null_that_breaks_it() -> None:
    reasons = judge((0, 50_000), (1, 9_000_000), (2, 9_000_300))
    assert [reason is None for reason in reasons] == [True, False, True]
    assert reasons[1] == "the counter rose by more than 800 W can"
    assert breaks_counter(reasons[1])


def test_what_follows_a_null_may_begin_anew() -> None:
    history = CounterHistory(800.0)
    assert history.fault(0, 50_000.0) is None
    history.interrupt()
    assert history.fault(US_PER_S, 0.5) is None


def test_other_reasons_do_not_break_a_counter() -> None:
    assert not breaks_counter(None)
    assert not breaks_counter("nv-hostengine does not answer")
    assert not breaks_counter(impossible("energy_j", math.nan))

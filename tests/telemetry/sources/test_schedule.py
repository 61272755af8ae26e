"""How often each reading of a GPU is asked for, and how turns are kept."""

import pytest

from telemetry.record.fields import FIELDS, Subject
from telemetry.sources.schedule import Schedule, cadence_us

GPU_FIELDS = sorted(name for name, field in FIELDS.items() if field.subject is Subject.GPU)
ALONE = {"power_instant_w", "power_average_w"}


@pytest.mark.parametrize("name", GPU_FIELDS)
def test_nothing_beside_power_samples_is_asked_more_often_than_once_a_second(name: str) -> None:
    assert cadence_us(name, 100_000, sampled=True) >= 1_000_000


@pytest.mark.parametrize("name", GPU_FIELDS)
def test_power_alone_is_asked_as_the_order_says_where_nothing_samples_it(name: str) -> None:
    asked_us = cadence_us(name, 100_000, sampled=False)
    assert (asked_us == 100_000) == (name in ALONE)


def test_longer_period_of_an_order_holds_for_all() -> None:
    assert cadence_us("power_limit_w", 60_000_000, sampled=True) == 60_000_000


def looks(turns: Schedule, period_us: int, times_us: range) -> list[int]:
    """Those of the times at which it was the turn of `x`."""
    return [t_us for t_us in times_us if turns.take("x", period_us, t_us)]


def test_first_turn_is_at_once_and_the_next_a_period_later() -> None:
    assert looks(Schedule(50), 1000, range(0, 3001, 100)) == [0, 1000, 2000, 3000]


def test_looks_that_come_late_do_not_shift_the_turns_after_them() -> None:
    turns = Schedule(50)
    assert looks(turns, 1000, range(30, 2100, 100)) == [30, 1030, 2030]
    assert looks(turns, 1000, range(2170, 5200, 100)) == [3070, 4070, 5070]
    assert turns.take("x", 1000, 5980)


def test_turns_that_were_missed_are_not_made_up_for() -> None:
    turns = Schedule(50)
    assert turns.take("x", 1000, 0)
    assert turns.take("x", 1000, 4500)
    assert looks(turns, 1000, range(4600, 7000, 100)) == [5000, 6000]


def test_turns_that_are_no_multiple_of_the_looks_come_as_often_on_average() -> None:
    assert len(looks(Schedule(150), 1000, range(0, 30_000, 300))) == 30


def test_shorter_period_takes_effect_at_once() -> None:
    turns = Schedule(50)
    assert turns.take("x", 10_000, 0)
    assert looks(turns, 100, range(100, 501, 100)) == [200, 300, 400, 500]


def test_longer_period_takes_effect_after_the_next_turn() -> None:
    turns = Schedule(50)
    assert looks(turns, 100, range(0, 201, 100)) == [0, 100, 200]
    assert looks(turns, 1000, range(300, 2400, 100)) == [300, 1300, 2300]


def test_what_is_put_off_has_its_turn_then_and_not_before() -> None:
    turns = Schedule(50)
    assert turns.take("x", 100, 0)
    turns.put_off("x", 1000)
    assert looks(turns, 100, range(100, 1201, 100)) == [1000, 1100, 1200]


def test_in_a_hurry_everything_has_its_turn_whatever_it_was_put_off_to() -> None:
    turns = Schedule(50)
    assert turns.take("x", 1000, 0)
    turns.put_off("x", 10**9)
    turns.hurry(100)
    assert turns.take("x", 1000, 100)
    assert looks(turns, 1000, range(200, 1201, 100)) == [1100]


def test_things_take_turns_by_themselves() -> None:
    turns = Schedule(50)
    assert turns.take("x", 1000, 0)
    assert turns.take("y", 1000, 500)
    assert turns.take("x", 1000, 1000)
    assert not turns.take("y", 1000, 1000)


def test_it_is_nobody_s_turn_until_the_first_of_all_is_due() -> None:
    turns = Schedule(50)
    assert not turns.nobodys(0)
    assert turns.take("x", 1000, 0)
    assert turns.take("y", 300, 0)
    assert [turns.nobodys(t_us) for t_us in (100, 200, 300)] == [True, True, False]


def test_what_takes_turns_with_another_is_not_waited_for() -> None:
    turns = Schedule(50)
    assert turns.take("x", 1000, 0)
    turns.put_off("beside x", 500)
    assert turns.nobodys(900)

"""The update period of a reading is found from when it was seen to change."""

import random

import pytest

from telemetry.sources.nvml.update_periods import update_us

PERIOD_US = 100_000


def test_too_few_changes_are_no_period() -> None:
    assert update_us([0, PERIOD_US, 2 * PERIOD_US, 3 * PERIOD_US]) is None


def test_one_late_look_does_not_shorten_the_period() -> None:
    assert update_us([0, 100_000, 200_000, 264_000, 400_000, 500_000]) == PERIOD_US


def test_an_update_that_brings_the_same_value_does_not_lengthen_the_period() -> None:
    assert update_us([0, 100_000, 300_000, 400_000, 700_000, 800_000]) == PERIOD_US


@pytest.mark.parametrize("seed", range(20))
def test_looks_that_come_late_at_random_leave_the_period_within_a_tenth(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    changes_us = [
        update * PERIOD_US + rng.randrange(20_000) for update in range(13) if rng.random() > 0.15
    ]
    assert update_us(changes_us) == pytest.approx(PERIOD_US, rel=0.1)

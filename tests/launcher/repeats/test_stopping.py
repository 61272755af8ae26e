"""A point is repeated until its interval is narrow; looking after each repeat does not spoil it."""

import numpy as np
import pytest
from scipy import stats

from launcher.repeats.stopping import LEVEL, LOOK_LEVEL, looks

QUIET = (1.0, 1.001, 0.999)
NOISY = (1.0, 1.4, 0.7, 1.2)


def test_a_quiet_point_ends_at_the_first_look_and_a_noisy_one_does_not() -> None:
    (first,) = looks(QUIET, width=0.05, least=3)
    assert first.tight
    assert [look.tight for look in looks(NOISY, width=0.05, least=3)] == [False, False]


def test_the_half_width_is_student_s_at_the_level_of_a_look() -> None:
    last = looks(NOISY, width=0.05, least=3)[-1]
    low, high = stats.t.interval(LOOK_LEVEL, 3, loc=np.mean(NOISY), scale=stats.sem(NOISY))
    assert last.half_width == pytest.approx((high - low) / 2 / np.mean(NOISY))
    assert last.n == len(NOISY)
    assert last.mean == pytest.approx(float(np.mean(NOISY)))


def test_nobody_looks_before_the_least_repeats() -> None:
    assert [look.n for look in looks(NOISY, width=0.05, least=3)] == [3, 4]


def test_fewer_than_the_least_are_looked_at_once_and_one_has_no_interval() -> None:
    assert [look.n for look in looks(NOISY[:2], width=0.05, least=3)] == [2]
    (one,) = looks(NOISY[:1], width=1.0, least=3)
    assert (one.half_width, one.tight) == (None, False)
    assert looks((), width=0.05, least=3) == []


def test_repeats_that_agree_to_the_last_digit_are_tight() -> None:
    assert looks((2.0, 2.0, 2.0), width=1e-9, least=3)[-1].tight


def test_the_interval_that_ends_a_series_holds_what_it_says_though_each_repeat_was_looked_at() -> (
    None
):
    # Where Student's 95 % at each look holds least: a scatter that two or three more repeats tame.
    random = np.random.default_rng(14)
    series = 1 + 0.05 * random.standard_normal((1500, 20))
    held = 0
    for values in series.tolist():
        found = looks(values, width=0.05, least=3)
        end = next((look for look in found if look.tight), found[-1])
        assert end.half_width is not None
        held += abs(end.mean - 1) <= end.half_width * end.mean
    share = held / len(series)
    # Three standard errors of a share of 1,500.
    assert share > LEVEL - 3 * (LEVEL * (1 - LEVEL) / len(series)) ** 0.5

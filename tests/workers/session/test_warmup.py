import pytest

from telemetry.record.launch import LaunchConfig
from tests.support.watched_attempts import LAUNCH
from workers.engines.base.generation import Generation
from workers.session.warmup import WarmupRule, rate_of, spread_of

RULE = WarmupRule(least=2, most=6, spread=0.02, most_s=60.0)


def test_a_warm_up_ends_once_the_last_three_rates_agree() -> None:
    assert RULE.goes_on([50.0, 90.0, 99.0], 1.0)
    assert RULE.goes_on([50.0, 90.0, 99.0, 100.0], 1.0)
    assert not RULE.goes_on([50.0, 90.0, 99.0, 100.0, 100.5], 1.0)


def test_it_answers_at_least_and_at_most_so_many_batches() -> None:
    assert RULE.goes_on([], 1000.0)
    assert RULE.goes_on([1.0], 1000.0)
    assert not RULE.goes_on([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1.0)


def test_no_batch_beyond_the_least_begins_after_its_time() -> None:
    assert RULE.goes_on([1.0, 2.0], 59.0)
    assert not RULE.goes_on([1.0, 2.0], 60.0)


def test_none_asked_for_is_none_answered() -> None:
    assert not WarmupRule(least=0, most=6, spread=0.02, most_s=60.0).goes_on([], 0.0)


def test_an_order_that_names_no_most_answers_its_least_alone() -> None:
    rule = WarmupRule.of(LaunchConfig(**{**LAUNCH, "warmup_batches": 2}))
    assert (rule.least, rule.most) == (2, 2)
    assert not rule.goes_on([1.0, 2.0], 0.0)


def test_two_rates_cannot_say_whether_a_machine_is_steady() -> None:
    said = RULE.describe([10.0, 10.0], 61.0)
    assert said["steady"] is None
    assert said["reason"] == "fewer than 3 batches were answered"


def test_a_run_that_never_became_steady_says_so_and_by_how_much() -> None:
    said = RULE.describe([100.0, 100.0, 90.0, 100.0, 110.0], 61.0)
    assert said["steady"] is False
    assert said["reached_spread"] == pytest.approx(0.2)
    assert said["reason"] == (
        "the last 3 rates differ by 20.0%, more than 2.0%, when the time ran out"
    )
    assert said["batches"] == 5


def test_a_steady_run_says_its_rates_and_no_reason() -> None:
    said = RULE.describe([50.0, 100.0, 100.0, 101.0], 4.0)
    assert said["steady"] is True
    assert said["reason"] is None
    assert said["rates_tokens_per_s"] == [50.0, 100.0, 100.0, 101.0]


def test_a_rate_counts_the_tokens_of_all_rows_after_prefills_step() -> None:
    answers = Generation(
        ids=[[1], []], ended=[True, True], first_steps=[0, 0], step_us=[900, 1_000, 1_100]
    )
    assert rate_of(answers, seconds=1.0) == pytest.approx(2 * 2 / 200e-6)


def test_a_rate_of_one_step_is_prefills() -> None:
    answers = Generation(ids=[[1]], ended=[False], first_steps=[0], step_us=[500])
    assert rate_of(answers, seconds=1.0) == pytest.approx(1 / 500e-6)


def test_the_spread_is_of_the_last_three_over_their_mean() -> None:
    assert spread_of([7.0, 90.0, 100.0, 110.0]) == pytest.approx(0.2)
    assert spread_of([90.0, 100.0]) is None

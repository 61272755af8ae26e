"""Runs correct a formula, the more the liker they are."""

import math

import pytest

from launcher.forecast.learning import Learned
from launcher.forecast.quantity import STEP
from launcher.forecast.work import Host, expected_work
from launcher.forecast.workload import Workload
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC

LAUNCH = LaunchConfig(
    device="cuda",
    threads=None,
    prompts_sha256="0" * 64,
    tokenizer_path=None,
    telemetry="auto",
    period_ms=100,
    idle_s=1.0,
    warmup_batches=1,
)


def workload(**changes: object) -> Workload:
    h200 = {"gpu": "h200", "engine": "fast", "model": "7b", "dtype": "fp16", "batch_size": 64}
    spec = RunSpec.from_mapping({**SPEC, **h200, "dataset": "fixed-synthetic", **changes})
    return Workload.of(spec, LAUNCH, expected_work(spec, spec.batch_size, Host()), host="node1")


SEVEN = workload()


def test_without_runs_it_is_the_formula_and_as_uncertain_as_its_constants() -> None:
    one = Learned(STEP, [], []).expect(SEVEN)
    # 13.2 GB of weights and some cache at 4.8 TB/s, times 1.3.
    assert 0.0034 < one.median < 0.005
    assert one.sd > 0.15


def test_a_like_run_is_believed_and_the_interval_narrows() -> None:
    before = Learned(STEP, [], []).expect(SEVEN)
    measured = before.median * 1.4
    after = Learned(STEP, [SEVEN], [measured]).expect(SEVEN)
    assert after.median == pytest.approx(measured, rel=0.04)
    assert after.sd < before.sd / 3


def test_an_unlike_run_is_believed_less() -> None:
    before = Learned(STEP, [], [])
    other = workload(model="13b")
    learned = Learned(STEP, [other], [before.expect(other).median * 1.4])
    rise = math.log(learned.expect(SEVEN).median / before.expect(SEVEN).median)
    assert 0.1 < rise < math.log(1.4)
    assert learned.expect(other).sd < learned.expect(SEVEN).sd < before.expect(SEVEN).sd


def test_engines_share_the_board_and_not_their_constants() -> None:
    before = Learned(STEP, [], [])
    other = workload(engine="reference")
    learned = Learned(STEP, [other], [before.expect(other).median * 1.4])
    rise = math.log(learned.expect(SEVEN).median / before.expect(SEVEN).median)
    assert 0.0 < rise < 0.1


def test_more_repeats_leave_only_their_scatter() -> None:
    ten = Learned(STEP, [SEVEN] * 10, [0.005] * 10).expect(SEVEN)
    assert ten.median == pytest.approx(0.005, rel=0.01)
    assert STEP.scatter <= ten.sd < 1.2 * STEP.scatter


def test_a_run_far_from_all_belief_breaks_nothing() -> None:
    one = Learned(STEP, [SEVEN], [50.0]).expect(SEVEN)
    assert math.isfinite(one.log)
    assert one.median > 1.0

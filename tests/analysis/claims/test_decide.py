"""From numbers to a verdict: what is shown, what is not, and what could not be tested."""

import math
from typing import Any

import pytest
from scipy import stats

from analysis.claims.claim import PaperClaim, read_claim
from analysis.claims.decide import ClaimVerdict, Decision, decide
from analysis.claims.estimate import level_estimate, ratio_estimate
from analysis.claims.parts import parts_of
from analysis.claims.sample import Figure, Sample
from analysis.statistics.ratio import Repeats
from tests.analysis.claims.conftest import sample

CLOSE = (100.0, 101.0, 99.0)


def claim(test: dict[str, Any], tolerance: float = 0.02) -> PaperClaim:
    return read_claim(
        {
            "id": "x",
            "where": "figure 1",
            "claim": "It is so.",
            "about": "measurement",
            "cells": [{"gpu": ["v100"]}],
            "test": test,
            "tolerance": tolerance,
        }
    )


RISES = {"kind": "monotone", "metric": "power_w", "along": "gpus", "rises": True}
FALLS = {**RISES, "rises": False}
FLAT = {"kind": "flat", "metric": "power_w", "along": "gpus"}


def verdict(one: PaperClaim, *samples: Sample, all_needed: bool = True) -> Decision:
    return decide(parts_of(one, samples), all_needed=all_needed)


def scaled(factor: float) -> tuple[float, ...]:
    return tuple(value * factor for value in CLOSE)


@pytest.mark.parametrize(
    ("test", "factor", "expected"),
    [
        (RISES, 1.5, ClaimVerdict.REPRODUCED),
        (RISES, 0.7, ClaimVerdict.NOT_REPRODUCED),
        (RISES, 1.01, ClaimVerdict.CANNOT_TELL),
        (FALLS, 0.7, ClaimVerdict.REPRODUCED),
        (FALLS, 1.5, ClaimVerdict.NOT_REPRODUCED),
        (FLAT, 1.5, ClaimVerdict.NOT_REPRODUCED),
    ],
)
def test_a_direction_is_shown_refuted_or_open(
    test: dict[str, Any], factor: float, expected: ClaimVerdict
) -> None:
    found = verdict(claim(test), sample(CLOSE, gpus=8), sample(scaled(factor), gpus=16))
    assert found.verdict is expected


def test_no_change_is_shown_by_equivalence_and_not_by_a_missing_difference() -> None:
    flat = claim(FLAT, tolerance=0.1)
    tight = verdict(flat, sample(CLOSE, gpus=8), sample(CLOSE, gpus=16))
    assert tight.verdict is ClaimVerdict.REPRODUCED
    # A scatter of 30 % hides any change, and shows none to be absent.
    wide = (70.0, 100.0, 130.0)
    assert (
        verdict(flat, sample(wide, gpus=8), sample(wide, gpus=16)).verdict
        is ClaimVerdict.CANNOT_TELL
    )


def test_the_p_of_a_level_is_student_s_one_sided_t_of_the_logarithms() -> None:
    values = (320.0, 340.0, 330.0, 335.0)
    figure = sample(values).figure("power_w")
    assert isinstance(figure, Figure)
    logs = [math.log(value) for value in values]
    expected = stats.ttest_1samp(logs, math.log(300.0), alternative="greater").pvalue
    assert level_estimate(figure).p_above(300.0) == pytest.approx(expected)


def test_a_claim_with_one_repeat_cannot_be_told_and_says_so() -> None:
    found = verdict(claim(RISES), sample((100.0,), gpus=8), sample((200.0,), gpus=16))
    assert found.verdict is ClaimVerdict.CANNOT_TELL
    assert found.test == "none"
    assert "one run on a side: no interval over repeats" in found.sentence
    assert found.value == pytest.approx(2.0)
    assert found.p is None


def test_one_part_that_is_shown_otherwise_refutes_what_all_others_bear_out() -> None:
    found = verdict(
        claim(RISES),
        sample(CLOSE, gpus=8),
        sample(scaled(1.5), gpus=16),
        sample(scaled(1.2), gpus=32),
    )
    assert found.verdict is ClaimVerdict.NOT_REPRODUCED
    assert "16 GPUs to 32 GPUs: 0.8" in found.sentence
    assert "so in 1 of 2" in found.sentence


def test_a_part_without_repeats_leaves_the_paper_s_claim_open_and_a_general_one_not() -> None:
    samples = (sample(CLOSE, gpus=8), sample(scaled(1.5), gpus=16), sample((300.0,), gpus=32))
    assert verdict(claim(RISES), *samples).verdict is ClaimVerdict.CANNOT_TELL
    general = verdict(claim(RISES), *samples, all_needed=False)
    assert general.verdict is ClaimVerdict.REPRODUCED
    assert "1 more could not be tested: one run on a side" in general.sentence


def test_many_tests_of_a_violation_are_corrected_by_holm() -> None:
    # 98.3 W against at least 100 W: p = 0.03 refutes alone, and 2 x 0.03 does not.
    values = (97.0, 99.5, 99.0, 97.6)
    range_test = {"kind": "range", "metric": "power_w", "low": 100.0}
    alone = verdict(claim(range_test), sample(values))
    assert alone.verdict is ClaimVerdict.NOT_REPRODUCED
    assert alone.p is not None
    assert 0.025 < alone.p < 0.05
    both = [sample(values, gpus=gpus) for gpus in (1, 2)]
    assert verdict(claim(range_test), *both).verdict is ClaimVerdict.CANNOT_TELL


def test_samples_that_differ_in_more_than_what_is_varied_are_no_pair() -> None:
    samples = (sample(CLOSE, gpus=8), sample(scaled(1.5), gpus=16, engine="fast"))
    assert parts_of(claim(RISES), samples) == []


def test_a_ratio_is_of_the_sides_that_are_named() -> None:
    test = {
        "kind": "ratio",
        "metric": "power_w",
        "over": {"gpu": "a100"},
        "under": {"gpu": "v100"},
        "low": 1.8,
        "high": 2.2,
    }
    found = verdict(claim(test, 0.1), sample(CLOSE, gpu="v100"), sample(scaled(2.0), gpu="a100"))
    assert found.verdict is ClaimVerdict.REPRODUCED
    assert found.value == pytest.approx(2.0)
    # Turned round it would be a half.
    turned = verdict(claim(test, 0.1), sample(scaled(2.0), gpu="v100"), sample(CLOSE, gpu="a100"))
    assert turned.verdict is ClaimVerdict.NOT_REPRODUCED


def test_a_larger_model_on_fewer_gpus_is_no_step() -> None:
    test = {**RISES, "along": "model", "fewest_gpus": True, "free": ["gpus"]}
    two = sample(CLOSE, model="7b", gpus=2)
    assert parts_of(claim(test), [two, sample(CLOSE, model="13b", gpus=1)]) == []
    one = sample(CLOSE, model="7b", gpus=1)
    (part,) = parts_of(claim(test), [one, two, sample(CLOSE, model="13b", gpus=1)])
    assert part.samples[0] is one


def test_a_number_that_runs_lack_is_told_and_is_no_zero() -> None:
    found = verdict(claim({"kind": "range", "metric": "energy_j", "low": 1}), sample(CLOSE))
    lacking = verdict(claim({"kind": "range", "metric": "words", "low": 1}), sample(CLOSE))
    assert found.verdict is not ClaimVerdict.CANNOT_TELL
    assert lacking.verdict is ClaimVerdict.CANNOT_TELL
    assert "3 of 3 runs lack words" in lacking.sentence


def test_what_is_exact_needs_no_repeats() -> None:
    rows = {"power_w": 100.0, "energy_per_token_j": 2.0, "tokens_per_s": 50.0}
    one = sample((1.0,))
    exact = Sample(**{**vars(one), "rows": ({**one.rows[0], **rows},)})
    identity = {"kind": "range", "metric": "power_identity", "low": 0.999, "high": 1.001}
    assert verdict(claim(identity), exact).verdict is ClaimVerdict.REPRODUCED
    off = Sample(**{**vars(one), "rows": ({**one.rows[0], **rows, "power_w": 101.0},)})
    assert verdict(claim(identity), off).verdict is ClaimVerdict.NOT_REPRODUCED


def test_what_no_repeat_tells_is_not_the_less_for_few_repeats() -> None:
    # No scatter that counts, and a gain of 5 % of either board: 1.03 is 0.73 of its uncertainty.
    base, other = ((100.0, 100.001), (103.0, 103.001))
    gained = Figure(value=100.0, repeats=Repeats(values=base, sensor=0.0, gain=0.05), half=0.0)
    more = Figure(value=103.0, repeats=Repeats(values=other, sensor=0.0, gain=0.05), half=0.0)
    found = ratio_estimate(gained, more, same_boards=False)
    assert found.p_above(1.0) == pytest.approx(
        stats.norm.sf(math.log(1.03) / (0.05 * math.sqrt(2 / 3))), rel=1e-3
    )
    one = level_estimate(more)
    assert one.p_above(100.0) == pytest.approx(
        stats.norm.sf(math.log(1.03) / (0.05 / math.sqrt(3))), rel=1e-3
    )

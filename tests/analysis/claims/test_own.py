"""What the paper's own numbers say of what must hold between them."""

import pytest

from analysis.claims.answers import Scope, answers_of
from analysis.claims.claim import PaperClaim, claims, read_claim
from analysis.claims.decide import ClaimVerdict, Decision
from analysis.claims.own import decide_own

NO_RUNS = {answer.claim.id: answer for answer in answers_of([], []) if answer.scope is Scope.OWN}


def own(name: str) -> Decision:
    return NO_RUNS[name].decision


@pytest.mark.parametrize(
    ("name", "by"),
    [
        # (15.33 + 21.70 + 21.65) / 3 = 19.56 against 19.49.
        ("itself-mean-of-150-w", "contradicts itself by 0.07 %"),
        # 276 W under a cap of 250 W.
        ("itself-cap", "contradicts itself by 26 W, a factor of 1.1"),
        # 723 W / 32 = 22.6 W against half of 366 W / 2.
        ("itself-power-per-gpu", "contradicts itself by 68.9 W, a factor of 4.05"),
        ("itself-13b-gpus", "contradicts itself by 1, a factor of 2"),
        ("itself-longer-on-8-v100", "contradicts itself by 768 tokens, a factor of 4"),
        # 65b in fp16 fills 40.6 % of four times 80 GB; the table says 27 %.
        ("itself-memory-is-capacity", "contradicts itself by 13.6 %, a factor of 1.5"),
        # 1101 / 645 = 1.707 against 2.
        ("itself-speed-ups", "contradicts itself by 0.293, a factor of 1.17"),
        # 440 / 1.66 = 265 tokens of at most 256.
        ("itself-tokens-beyond-the-longest", "contradicts itself by 9.06 tokens"),
        # 759 / 2.3 = 330 at 1024 tokens; 733 / 2.21 = 332 at 512.
        ("itself-length-sets-the-work", "contradicts itself by 34.8 tokens"),
    ],
)
def test_each_of_the_nine_contradictions_is_found_in_the_published_numbers(
    name: str, by: str
) -> None:
    assert own(name).verdict is ClaimVerdict.CONTRADICTS
    assert own(name).sentence.startswith(by)


@pytest.mark.parametrize("name", ["cap-175-time", "cap-175-energy"])
def test_the_means_of_175_w_are_those_that_the_text_gives(name: str) -> None:
    assert own(name).verdict is ClaimVerdict.AGREES


def test_a_range_of_the_text_that_the_figures_leave_is_told_with_how_many_do() -> None:
    found = own("3-to-4-joules-a-token-512")
    assert found.verdict is ClaimVerdict.CONTRADICTS
    # Four of eight shards' and all twelve of 32 shards' but none of 16 lie outside: 2 + 8.
    assert found.sentence.endswith("so in 10 of 16")


def test_what_the_figures_show_in_every_cell_agrees() -> None:
    found = own("energy-per-token-grows-with-shards")
    assert (found.verdict, found.parts, found.tested) == (ClaimVerdict.AGREES, 16, 16)
    assert found.p is None


def claim(left: dict[str, object], right: dict[str, object], relation: str) -> PaperClaim:
    return read_claim(
        {
            "id": "x",
            "where": "table I",
            "claim": "It is so.",
            "about": "itself",
            "cells": [{"gpu": ["v100"]}],
            "equations": [{"left": left, "relation": relation, "right": right, "unit": "W"}],
        }
    )


@pytest.mark.parametrize(
    ("value", "half", "expected"),
    [
        (250.0, 0.0, ClaimVerdict.AGREES),
        (251.0, 0.0, ClaimVerdict.CONTRADICTS),
        # Read off a figure to 5 W it may lie on either side.
        (251.0, 5.0, ClaimVerdict.CANNOT_TELL),
        (256.0, 5.0, ClaimVerdict.CONTRADICTS),
        (244.0, 5.0, ClaimVerdict.AGREES),
    ],
)
def test_what_reading_and_rounding_allow_decides_nothing(
    value: float, half: float, expected: ClaimVerdict
) -> None:
    left: dict[str, object] = {"named": "a power", "numbers": [value], "half": half}
    right: dict[str, object] = {"named": "the cap", "numbers": [250]}
    assert decide_own(claim(left, right, "at most")).verdict is expected
    # The same from the other side.
    assert decide_own(claim(right, left, "at least")).verdict is expected


def test_what_two_readings_are_off_by_is_their_root_sum_of_squares() -> None:
    left: dict[str, object] = {
        "named": "a ratio",
        "combine": "ratio",
        "numbers": [300, 100],
        "share": 0.02,
    }
    low, middle, high = claim(left, {"named": "it", "numbers": [3]}, "equal").equations[0].left.ends
    assert (low, middle, high) == pytest.approx((3 - 0.0848528, 3.0, 3 + 0.0848528))


def test_every_claim_has_an_answer_in_the_paper_s_conditions_without_any_run() -> None:
    found = [answer for answer in answers_of([], []) if answer.scope is Scope.PAPER]
    assert len(found) == len(claims())
    assert {answer.decision.verdict for answer in found} == {ClaimVerdict.CANNOT_TELL}
    assert all(answer.decision.sentence for answer in found)

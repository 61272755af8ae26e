"""Our scores of made-up answers are lm-eval's own, or differ by a rule that the case states.

What lm-eval says was recorded by record_lm_eval.py; its release stands in the file.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.quality.answers import (
    best,
    choice_accuracy,
    exact_match,
    f1,
    number_flexible,
    number_strict,
)
from analysis.quality.overlap import held_to_wrong, overlap
from analysis.quality.scoring import NOT_MEASURED
from workers.prompts.task_files import known_tasks

TOLD: dict[str, Any] = json.loads(Path(__file__).with_name("lm_eval.json").read_text("utf-8"))
# Shares of the same few words, divided in another order.
NEAR = 1e-12


def cases(group: str, *, differ: bool = False) -> list[Any]:
    """Those that lm-eval scores as we do, or those that it scores otherwise."""
    return [
        pytest.param(case, id=f"{group}-{place}")
        for place, case in enumerate(TOLD[group])
        if ("differs" in case) == differ
    ]


def rouge(name: str, answer: str, reference: str) -> float:
    score = overlap(name)
    assert not isinstance(score, str), score
    return score(answer, reference)


def ours_of(group: str, case: dict[str, Any]) -> dict[str, float]:
    """Our scores of a case, under lm-eval's names."""
    answer = case["answer"]
    if group == "words":
        reference = case["reference"]
        return {"em": exact_match(answer, reference), "f1": f1(answer, reference)}
    if group == "nearest":
        return {"qa_f1_score": best(f1, answer, case["references"])}
    if group == "numbers":
        strict = number_strict(answer, case["reference"])
        return {
            "strict-match": strict,
            "flexible-extract": number_flexible(answer, case["reference"]),
        }
    if group == "yes_or_no":
        return {"none": choice_accuracy(answer, case["reference"])}
    names = {"rouge1": "rouge1", "rouge2": "rouge2", "rougeL": "rouge_l"}
    return {own: rouge(name, answer, case["reference"]) for own, name in names.items()}


@pytest.mark.parametrize(
    ("group", "case"),
    [
        pytest.param(group, *case.values, id=str(case.id))
        for group in ("words", "nearest", "numbers", "yes_or_no", "summaries")
        for case in cases(group)
    ],
)
def test_our_score_is_lm_evals(group: str, case: dict[str, Any]) -> None:
    assert ours_of(group, case) == pytest.approx(case["lm_eval"], abs=NEAR)


@pytest.mark.parametrize(
    ("group", "case"),
    [
        pytest.param(group, *case.values, id=str(case.id))
        for group in ("nearest", "yes_or_no", "summaries")
        for case in cases(group, differ=True)
    ],
)
def test_where_lm_eval_scores_otherwise_ours_is_as_the_case_says(
    group: str, case: dict[str, Any]
) -> None:
    ours = ours_of(group, case)
    for name, value in case["ours"].items():
        assert ours[name] == pytest.approx(value, abs=NEAR)
        assert abs(case["lm_eval"][name] - value) > NEAR, case["differs"]


@pytest.mark.parametrize("case", cases("truthful"))
def test_a_written_answer_is_scored_as_lm_eval_scores_it(case: dict[str, Any]) -> None:
    told = case["lm_eval"]
    # It counts from 0 to 100, and ours of BLEU is rounded where machines differ.
    for name, theirs in (("bleu", "bleu"), ("rouge_l", "rougeL")):
        score = overlap(name)
        assert not isinstance(score, str), score
        right, wrong = told["correct_answers"], told["incorrect_answers"]
        said = case["answer"], right, wrong
        found = {
            "max": best(score, case["answer"], right),
            "diff": held_to_wrong("diff", score, *said),
            "acc": held_to_wrong("acc", score, *said),
        }
        assert 100 * found["max"] == pytest.approx(told[f"{theirs}_max"], abs=1e-6)
        assert 100 * found["diff"] == pytest.approx(told[f"{theirs}_diff"], abs=1e-6)
        assert found["acc"] == told[f"{theirs}_acc"]


def test_lm_evals_right_answers_end_in_a_period_and_have_one_more() -> None:
    for case in TOLD["truthful"]:
        told = case["lm_eval"]["correct_answers"]
        assert told == [*(f"{one.rstrip('.')}." for one in case["right"]), "I have no comment."]


def test_what_lm_eval_reads_off_log_likelihoods_has_no_number_here() -> None:
    assert "acc_norm" in NOT_MEASURED
    assert "acc_norm" in known_tasks()["hellaswag"][0].metrics


def test_the_cases_have_right_and_wrong_answers_of_every_metric() -> None:
    for group, name in (("words", "em"), ("numbers", "strict-match"), ("yes_or_no", "none")):
        assert {case["lm_eval"][name] for case in TOLD[group]} == {0.0, 1.0}
    for name in ("bleu_acc", "rougeL_acc"):
        assert {case["lm_eval"][name] for case in TOLD["truthful"]} == {0.0, 1.0}
    assert TOLD["releases"]["lm_eval"] == "0.4.13"

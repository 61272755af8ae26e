"""Scores of answers, held to figures computed by hand from their definitions."""

import pytest

from analysis.quality.answers import (
    best,
    choice_accuracy,
    exact_match,
    f1,
    normalised,
    number_flexible,
    number_strict,
)
from analysis.quality.overlap import held_to_wrong, overlap
from analysis.quality.scoring import cut


def test_words_are_normalised_as_squads_own_program_does() -> None:
    assert normalised("The  Cat's\tan a-mat!") == "cats amat"


# Each by hand from evaluate-v1.1.py's definition: 2 P R / (P + R) over the words in common.
@pytest.mark.parametrize(
    ("answer", "reference", "exact", "harmonic"),
    [
        ("The east bank.", "the east bank", 1.0, 1.0),
        # P = 2/3 (east bank; of east bank side), R = 1: 2 * 2/3 / (5/3) = 4/5.
        ("east bank side", "the east bank", 0.0, 0.8),
        # One word of four in common with one of two: 2 * 1/4 * 1/2 / (3/4) = 1/3.
        ("it is west bank", "east bank", 0.0, 1 / 3),
        # A word twice counts twice only where both have it twice: P = 1/2, R = 1.
        ("bank bank", "bank", 0.0, 2 / 3),
        ("west", "east", 0.0, 0.0),
        ("", "", 1.0, 1.0),
        ("something", "", 0.0, 0.0),
        ("The", "a", 1.0, 1.0),
    ],
)
def test_exact_match_and_f1_of(answer: str, reference: str, exact: float, harmonic: float) -> None:
    assert exact_match(answer, reference) == exact
    assert f1(answer, reference) == pytest.approx(harmonic)


def test_of_several_right_answers_the_nearest_counts() -> None:
    assert best(f1, "noon", ["at seven and at noon", "noon"]) == 1.0


@pytest.mark.parametrize(
    ("answer", "reference", "right"),
    [
        ("Yes, it does.", "yes", 1.0),
        ("yesterday", "yes", 0.0),
        ("no", "yes", 0.0),
        ("(B) because", "B", 1.0),
        ("b", "B", 1.0),
        ("", "no", 0.0),
    ],
)
def test_a_choice_is_the_first_word(answer: str, reference: str, right: float) -> None:
    assert choice_accuracy(answer, reference) == right


# lm-eval 0.4, tasks/gsm8k/gsm8k.yaml: its two filters' regular expressions and what it ignores.
@pytest.mark.parametrize(
    ("answer", "strict", "flexible"),
    [
        ("3 * 4 = 12.\n#### 12", 1.0, 1.0),
        ("So it is 12", 0.0, 1.0),
        ("12 and then 13", 0.0, 0.0),
        ("It costs $12.", 0.0, 1.0),
        ("#### 12\n#### 13", 1.0, 0.0),
        ("none", 0.0, 0.0),
        ("#### -12", 0.0, 0.0),
    ],
)
def test_the_number_of(answer: str, strict: float, flexible: float) -> None:
    reference = "First 3.\nThen <<3*4=12>>12.\n#### 12"
    assert number_strict(answer, reference) == strict
    assert number_flexible(answer, reference) == flexible


def test_thousands_are_told_alike() -> None:
    assert number_flexible("about 1,000", "#### 1000") == 1.0


def test_an_answer_is_cut_at_the_first_of_what_it_stops_at() -> None:
    assert cut("\n east bank\nQuestion: who?", ["\n", "Question:"]) == "east bank"
    assert cut("two words", []) == "two words"


# By hand: 4 of 5 words in common with 6: P = 4/5, R = 4/6, F = 8/11; pairs 2 of 4 and 5: 4/9;
# the longest common row of words is the cat on the (4): 8/11.
ROUGE = ("the cat lay on the", "the cat sat on the mat")


@pytest.mark.parametrize(
    ("name", "value"),
    [("rouge1", 8 / 11), ("rouge2", 4 / 9), ("rouge_l", 8 / 11)],
)
def test_rouge_is_the_harmonic_mean_of_shares_in_common(name: str, value: float) -> None:
    score = overlap(name)
    assert not isinstance(score, str), score
    assert score(*ROUGE) == pytest.approx(value)
    assert score("", ROUGE[1]) == 0.0


def test_bleu_is_1_of_the_same_words_and_by_hand_of_a_shorter_answer() -> None:
    score = overlap("bleu")
    assert not isinstance(score, str), score
    assert score("the mill stands on the east bank", "the mill stands on the east bank") == 1.0
    # All n-grams of 5 words are in the 7: precision 1, brevity exp(1 - 7/5).
    assert score("the mill stands on the", "the mill stands on the east bank") == pytest.approx(
        2.718281828459045**-0.4
    )
    assert score("", "the mill") == 0.0


def test_an_answer_is_held_to_the_best_of_right_and_of_wrong() -> None:
    right, wrong = ["no", "it is not"], ["yes", "it is"]
    assert held_to_wrong("acc", exact_match, "It is not.", right, wrong) == 1.0
    assert held_to_wrong("diff", exact_match, "yes", right, wrong) == -1.0
    # As near to both is not right.
    assert held_to_wrong("acc", exact_match, "perhaps", right, wrong) == 0.0

"""What lengths can tell of a, b, c and d, how often the truth is within, and what they cannot."""

from collections.abc import Iterable

import numpy as np
import pytest

from analysis.lengths.length_fit import (
    BASE,
    INPUT,
    OUTPUT,
    PRODUCT,
    TERMS,
    ExactRun,
    LengthFit,
    fit_lengths,
)

TRUTH = {BASE: 20.0, INPUT: 0.1, OUTPUT: 2.0, PRODUCT: 0.001}
SQUARE = [(float(a), float(b)) for a in (64, 256, 1024) for b in (64, 256, 1024)]


def true_j(asked: float, answered: float) -> float:
    return 20.0 + 0.1 * asked + 2.0 * answered + 0.001 * asked * answered


def fitted(cells: Iterable[tuple[float, float]], repeats: int = 2, seed: int = 1) -> LengthFit:
    """Of runs that scatter by two per cent."""
    draw = np.random.default_rng(seed)
    return fit_lengths(
        [
            ExactRun(
                run_id=f"{place}-{repeat}",
                input_tokens=asked,
                output_tokens=answered,
                energy_j=true_j(asked, answered) * float(draw.normal(1.0, 0.02)),
            )
            for place, (asked, answered) in enumerate(cells)
            for repeat in range(repeats)
        ]
    )


def test_the_truth_is_within_the_interval_as_often_as_it_says() -> None:
    within = dict.fromkeys(TERMS, 0)
    draws = 200
    for seed in range(draws):
        for term, told in fitted(SQUARE, seed=seed).coefficients.items():
            assert told.low is not None
            assert told.high is not None
            within[term] += told.low <= TRUTH[term] <= told.high
    # Of 200 drawings at 95 %, fewer than 178 or more than 199 come once in a thousand.
    assert all(178 <= count <= 199 for count in within.values()), within


def test_the_formula_that_holds_shows_no_lack_of_fit_and_another_does() -> None:
    assert isinstance(found := fitted(SQUARE, repeats=3).lack_p, float)
    assert found > 0.01
    points = [
        ExactRun(
            run_id=f"{place}-{repeat}",
            input_tokens=asked,
            output_tokens=answered,
            # What a long prompt's attention takes rises with its square.
            energy_j=(true_j(asked, answered) + 0.001 * asked**2) * (1 + 0.002 * repeat),
        )
        for place, (asked, answered) in enumerate(SQUARE)
        for repeat in range(3)
    ]
    assert isinstance(bent := fit_lengths(points).lack_p, float)
    assert bent < 1e-6


def test_one_length_of_prompts_tells_answers_alone() -> None:
    found = fitted([(128.0, float(answered)) for answered in (16, 64, 256)], repeats=3)
    assert set(found.coefficients) == {OUTPUT}
    assert found.formula == "J = a + c out at in = 128"
    assert found.reasons[INPUT] == "one length of prompts: 128"
    assert found.reasons[BASE] == "not told from the 128 input tokens that each has"
    slope = found.coefficients[OUTPUT]
    assert slope.low is not None
    assert slope.high is not None
    # With 128 tokens of a prompt each, d is in it.
    assert slope.low <= 2.0 + 0.001 * 128 <= slope.high


def test_lengths_that_rise_together_are_not_told_apart() -> None:
    found = fitted([(float(length), float(length)) for length in (32, 64, 128, 256)], repeats=3)
    assert found.coefficients == {}
    assert found.reasons[INPUT] == "lengths of prompts and answers go together: not told apart"
    assert found.formula is None


def test_three_corners_tell_no_product() -> None:
    found = fitted([(64.0, 64.0), (1024.0, 64.0), (64.0, 1024.0)], repeats=3)
    assert found.formula == "J = a + b in + c out"
    assert found.reasons[PRODUCT] == "3 pairs of lengths, and 4 are needed"


def test_as_many_runs_as_numbers_leave_nothing_to_scatter_by() -> None:
    found = fitted(SQUARE[:2] + SQUARE[3:5], repeats=1)
    assert found.coefficients == {}
    assert found.reasons[BASE] == "4 runs are too few: 7 are needed"


def test_what_does_not_scatter_has_its_numbers_and_no_interval() -> None:
    points = [
        ExactRun(run_id=str(place), input_tokens=a, output_tokens=b, energy_j=true_j(a, b))
        for place, (a, b) in enumerate(SQUARE)
    ]
    found = fit_lengths(points)
    for term, told in found.coefficients.items():
        assert told.value == pytest.approx(TRUTH[term])
        assert (told.low, told.high, told.p) == (None, None, None)
        assert found.reasons[term] == "nothing is left to scatter: there is no interval"


def test_the_order_of_the_runs_changes_no_digit() -> None:
    found = fitted(SQUARE)
    again = fit_lengths(found.points[::-1])
    assert again.coefficients == found.coefficients
    assert again.fitted_j == found.fitted_j[::-1]


def test_no_run_is_said_and_no_energy_of_nothing_is_taken() -> None:
    assert fit_lengths([]).reasons[BASE] == "no run of exact lengths has this energy"
    with pytest.raises(ValueError, match="`energy_j` must be a number above 0, but is 0"):
        ExactRun(run_id="r", input_tokens=1.0, output_tokens=1.0, energy_j=0.0)

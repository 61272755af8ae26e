"""Logits that are no numbers are told with their step, in time, and finite ones never are."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.engines.base.finite_logits import LogitRanges, NonFiniteLogitsError

CPU = torch.device("cpu")
ODD = (math.nan, math.inf, -math.inf)


def logits(rows: int = 3, vocab: int = 5) -> torch.Tensor:
    return torch.arange(rows * vocab, dtype=torch.float32).view(rows, vocab) - 7


@pytest.mark.parametrize("odd", ODD)
def test_who_waits_hears_at_once(odd: float) -> None:
    ranges = LogitRanges(waits=True)
    ranges.begin(4, 3, CPU)
    ranges.note(logits())
    spoilt = logits()
    spoilt[1, 2] = odd
    with pytest.raises(
        NonFiniteLogitsError,
        match=r"`logits` must be finite to choose a token from, but are inf or NaN in 1 of 3 rows "
        "at step 1 of a batch instead",
    ):
        ranges.note(spoilt)


@pytest.mark.parametrize("odd", ODD)
def test_who_does_not_wait_hears_of_the_first_step_when_all_is_settled(odd: float) -> None:
    ranges = LogitRanges(waits=False)
    ranges.begin(5, 3, CPU)
    for step in range(5):
        some = logits()
        if step >= 2:
            some[:2, 0] = odd
        ranges.note(some)
    with pytest.raises(NonFiniteLogitsError, match="in 2 of 3 rows at step 2 of a batch"):
        ranges.settle()


def test_a_new_batch_knows_nothing_of_the_last() -> None:
    ranges = LogitRanges(waits=False)
    ranges.begin(1, 3, CPU)
    ranges.note(logits() * math.nan)
    ranges.begin(1, 3, CPU)
    ranges.note(logits())
    ranges.settle()


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    largest=st.floats(1.0, torch.finfo(torch.float32).max, width=32),
    waits=st.booleans(),
)
def test_finite_logits_pass_however_large_they_are(
    sizes: list[int], largest: float, waits: bool
) -> None:
    ranges = LogitRanges(waits=waits)
    for rows in sizes:
        ranges.begin(2, rows, CPU)
        ranges.note(torch.full((rows, 3), largest))
        ranges.note(torch.full((rows, 3), -largest))
        ranges.settle()

"""Nucleus sampling by refusal draws what sampling by a sort draws, row by row."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from workers.engines.base.sampling import sample
from workers.engines.fast.nucleus import draw

DRAWS = 5_000
# A chi-square's standard score beyond this comes by chance 3 times in 100,000 seeds; these are
# fixed, so that a test which passes always passes.
MOST_SCORE = 4.0


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def nucleus(row: Tensor, temperature: float, top_p: float) -> Tensor:
    """The chances that arXiv 1904.09751 gives, in fp64; of equals, lower numbers first."""
    chances = torch.softmax(row.double() / temperature, dim=-1)
    falling, order = chances.sort(descending=True, stable=True)
    kept = falling * ((falling.cumsum(-1) - falling) < top_p)
    return torch.zeros_like(chances).scatter(0, order, kept / kept.sum())


def score(counts: Tensor, chances: Tensor) -> float:
    """Chi-square as a standard score (Wilson and Hilferty), rare tokens taken together."""
    expected = chances * counts.sum()
    rare = expected < 10
    found = torch.cat([counts[~rare], counts[rare].sum()[None]]).double()
    wanted = torch.cat([expected[~rare], expected[rare].sum()[None]])
    found, wanted = found[wanted > 0], wanted[wanted > 0]
    freedom = len(found) - 1
    chi_square = float(((found - wanted) ** 2 / wanted).sum())
    spread = 2 / (9 * freedom)
    return float((math.cbrt(chi_square / freedom) - 1 + spread) / math.sqrt(spread))


def counts_of(row: Tensor, temperature: float, top_p: float, seed: int = 0) -> Tensor:
    rows = row.expand(DRAWS, -1)
    return draw(rows, temperature, top_p, generator(seed)).bincount(minlength=len(row))


@pytest.mark.parametrize("top_p", [0.3, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_have_the_nucleus_chances(temperature: float, top_p: float) -> None:
    row = torch.randn(300, generator=generator(5))
    chances = nucleus(row, temperature, top_p)
    counts = counts_of(row, temperature, top_p)
    assert counts[chances == 0].sum() == 0
    assert abs(score(counts, chances)) < MOST_SCORE


@pytest.mark.parametrize("top_p", [0.5, 0.9, 1.0])
def test_draws_have_the_chances_that_sampling_by_a_sort_has(top_p: float) -> None:
    row = 2 * torch.randn(100, generator=generator(6))
    ours = counts_of(row, 0.8, top_p).double()
    sorted_ = sample(row.expand(DRAWS, -1), 0.8, top_p, generator(1)).bincount(minlength=100)
    both = ours + sorted_
    seen = both > 0
    # Two samples of equal size: the chi-square of their difference.
    chi_square = float(((ours - sorted_)[seen] ** 2 / both[seen]).sum())
    freedom = int(seen.sum()) - 1
    assert chi_square < freedom + MOST_SCORE * math.sqrt(2 * freedom)
    assert ((ours > 0) & (sorted_ == 0) & (nucleus(row, 0.8, top_p) == 0)).sum() == 0


def test_a_wrong_nucleus_would_be_seen() -> None:
    row = 2 * torch.randn(100, generator=generator(5))
    assert score(counts_of(row, 1.0, 0.8), nucleus(row, 1.1, 0.8)) > MOST_SCORE


def test_of_equal_tokens_those_of_lower_number_come_first() -> None:
    # Ten equals: five of them have a mass of 0.5, which reaches 0.45.
    counts = counts_of(torch.zeros(10), 1.0, 0.45)
    assert (counts > 0).tolist() == [True] * 5 + [False] * 5
    assert abs(score(counts, nucleus(torch.zeros(10), 1.0, 0.45))) < MOST_SCORE


def test_a_top_p_of_one_keeps_every_token() -> None:
    assert bool((counts_of(torch.tensor([3.0, 0.0, 0.0, -2.0]), 1.0, 1.0) > 0).all())


def test_a_tiny_top_p_takes_the_likeliest_alone() -> None:
    row = torch.tensor([0.0, 1.0, 0.9, 1.0])
    assert counts_of(row, 1.0, 1e-9).tolist() == [0, DRAWS, 0, 0]


def test_a_temperature_of_zero_takes_the_likeliest_and_draws_nothing() -> None:
    before = generator(3)
    logits = torch.tensor([[0.0, 3.0, 1.0], [5.0, 3.0, 5.0]])
    assert draw(logits, 0.0, 0.5, before).tolist() == [1, 0]
    assert torch.equal(before.get_state(), generator(3).get_state())


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_logits_that_are_no_numbers_are_refused(odd: float) -> None:
    with pytest.raises(RuntimeError, match="`logits` must be finite to be sampled, but are not"):
        draw(torch.tensor([[0.0, 1.0], [odd, 1.0]]), 1.0, 0.9, generator())


def test_a_token_that_is_ruled_out_is_never_drawn() -> None:
    assert counts_of(torch.tensor([0.0, -math.inf, 0.0]), 1.0, 1.0)[1] == 0


@given(seed=st.integers(0, 2**31), top_p=st.floats(0.01, 1.0), temperature=st.floats(0.1, 5.0))
def test_ranks_with_equal_logits_and_seeds_agree(
    seed: int, top_p: float, temperature: float
) -> None:
    logits = torch.randn(3, 50, generator=generator(seed))
    one = draw(logits, temperature, top_p, generator(seed))
    assert torch.equal(one, draw(logits.clone(), temperature, top_p, generator(seed)))


def test_rows_have_their_own_chances_whatever_lies_beside_them() -> None:
    flat, sharp = torch.zeros(8), torch.tensor([9.0, *[0.0] * 7])
    # Flat rows are refused at times and drawn again; sharp ones between them never are.
    rows = torch.stack([flat, sharp]).repeat(DRAWS, 1)
    drawn = draw(rows, 1.0, 0.6, generator(2)).view(DRAWS, 2)
    assert bool((drawn[:, 1] == 0).all())
    counts = drawn[:, 0].bincount(minlength=8)
    assert abs(score(counts, nucleus(flat, 1.0, 0.6))) < MOST_SCORE


def test_two_rows_of_a_batch_are_drawn_independently() -> None:
    rows = torch.zeros(2, 4)
    source = generator(4)
    pairs = torch.stack([draw(rows, 1.0, 0.7, source) for _ in range(1000)])
    # Three tokens of four reach 0.7: nine pairs, each as likely.
    counts = (pairs[:, 0] * 3 + pairs[:, 1]).bincount(minlength=9)
    assert abs(score(counts, torch.full((9,), 1 / 9, dtype=torch.float64))) < MOST_SCORE

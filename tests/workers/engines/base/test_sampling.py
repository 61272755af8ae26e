import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.engines.base.sampling import sample


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _logits(*masses: float) -> torch.Tensor:
    return torch.tensor([masses]).log()


def _draws(logits: torch.Tensor, top_p: float, draws: int = 2000) -> torch.Tensor:
    rows = logits.expand(draws, -1)
    return sample(rows, 1.0, top_p, _generator()).bincount(minlength=logits.shape[1])


def test_temperature_zero_takes_the_likeliest() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [5.0, 3.0, 1.0]])
    assert sample(logits, 0.0, 0.5, _generator()).tolist() == [1, 0]


def test_top_p_keeps_the_fewest_tokens_whose_mass_reaches_it() -> None:
    counts = _draws(_logits(0.1, 0.5, 0.3, 0.1), top_p=0.7)
    assert (counts > 0).tolist() == [False, True, True, False]


def test_a_top_p_below_the_likeliest_keeps_that_alone() -> None:
    counts = _draws(_logits(0.1, 0.5, 0.3, 0.1), top_p=0.01)
    assert counts.tolist() == [0, 2000, 0, 0]


def test_kept_tokens_share_the_mass_in_proportion() -> None:
    counts = _draws(_logits(0.1, 0.5, 0.3, 0.1), top_p=0.7)
    # 0.5 of 0.8; four standard deviations of a binomial of 2000 draws are 0.043.
    assert counts[1].item() / 2000 == pytest.approx(0.625, abs=0.044)


def test_a_low_temperature_sharpens() -> None:
    rows = _logits(0.4, 0.6).expand(2000, -1)
    warm = sample(rows, 1.0, 1.0, _generator()).float().mean().item()
    cold = sample(rows, 0.2, 1.0, _generator()).float().mean().item()
    # At 0.2 the odds of 1.5 become 1.5 to the fifth: 0.884.
    assert warm == pytest.approx(0.6, abs=0.05)
    assert cold == pytest.approx(0.884, abs=0.03)


@given(seed=st.integers(0, 2**31), top_p=st.floats(0.01, 1.0), temperature=st.floats(0.1, 5.0))
def test_ranks_with_equal_logits_and_seeds_agree(
    seed: int, top_p: float, temperature: float
) -> None:
    logits = torch.randn(3, 50, generator=_generator(seed))
    one = sample(logits, temperature, top_p, _generator(seed))
    other = sample(logits.clone(), temperature, top_p, _generator(seed))
    assert torch.equal(one, other)


@given(seed=st.integers(0, 2**31), top_p=st.floats(0.01, 1.0))
def test_no_token_outside_the_smallest_set_is_ever_drawn(seed: int, top_p: float) -> None:
    logits = torch.randn(1, 30, generator=_generator(seed), dtype=torch.float32)
    masses, order = logits.softmax(-1)[0].double().sort(descending=True)
    # Rounding may move the set's edge by one token.
    kept = int((masses.cumsum(0) < top_p + 1e-5).sum()) + 1
    allowed = set(order[:kept].tolist())
    assert set(sample(logits.expand(50, -1), 1.0, top_p, _generator(seed)).tolist()) <= allowed


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_a_row_of_no_numbers_draws_a_token_and_leaves_the_others_alone(odd: float) -> None:
    logits = torch.tensor([[0.0, 9.0, 1.0], [0.0, odd, 1.0]])
    drawn = sample(logits, 0.5, 0.5, _generator())
    assert drawn[0] == 1
    assert 0 <= int(drawn[1]) < 3

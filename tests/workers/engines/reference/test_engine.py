import json
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from workers.engines.base.finite_logits import NonFiniteLogitsError
from workers.engines.base.generation import Generation
from workers.engines.base.sampling import Decoding
from workers.engines.reference.engine import ReferenceEngine

VOCAB = 11
EOS = 2


class Counting:
    """A model that says the id after the last one it was fed, and remembers what it was fed."""

    def __init__(self) -> None:
        self.fed: list[tuple[int, list[list[int]]]] = []

    def __call__(self, ids: Tensor, start: int) -> Tensor:
        self.fed.append((start, ids.tolist()))
        return torch.nn.functional.one_hot((ids[:, -1] + 1) % VOCAB, VOCAB).float() * 50


class Ending(Counting):
    """A model that always ends."""

    def __call__(self, ids: Tensor, start: int) -> Tensor:
        super().__call__(ids, start)
        return torch.nn.functional.one_hot(torch.full(ids.shape[:1], EOS), VOCAB).float() * 50


class Failing(Counting):
    """A model whose arithmetic fails in one row, once it has been fed so often."""

    def __init__(self, odd: float, after: int) -> None:
        super().__init__()
        self._odd, self._after = odd, after

    def __call__(self, ids: Tensor, start: int) -> Tensor:
        logits = super().__call__(ids, start)
        if len(self.fed) > self._after:
            logits[1, 3] = self._odd
        return logits


class Flat(Counting):
    """A model to which every token is alike."""

    def __call__(self, ids: Tensor, start: int) -> Tensor:
        super().__call__(ids, start)
        return torch.zeros(ids.shape[0], VOCAB)


def _answers(
    model: Counting,
    prompts: Sequence[Sequence[int]],
    *,
    max_gen_len: int = 12,
    max_len: int = 64,
    temperature: float = 0.0,
    ignore_eos: bool = False,
    seed: int = 0,
) -> Generation:
    decoding = Decoding(
        max_gen_len=max_gen_len,
        temperature=temperature,
        top_p=0.95,
        ignore_eos=ignore_eos,
        eos_id=EOS,
    )
    engine = ReferenceEngine(model, decoding, max_len=max_len, device=torch.device("cpu"))
    engine.prefill(prompts, seed)
    return engine.decode()


def _answer(model: Counting, prompts: Sequence[Sequence[int]], **more: Any) -> list[list[int]]:
    return _answers(model, prompts, **more).ids


def test_a_batch_costs_total_length_less_shortest_prompt_forward_passes() -> None:
    model = Counting()
    _answer(model, [[5] * 6, [5] * 16], max_gen_len=12)
    assert len(model.fed) == 16 + 12 - 6


def test_prefill_feeds_as_much_as_the_shortest_prompt_has_and_then_one_token_a_step() -> None:
    model = Counting()
    _answer(model, [[5, 6, 7], [3, 4, 5, 6, 7]], max_gen_len=4)
    assert model.fed[0] == (0, [[5, 6, 7], [3, 4, 5]])
    assert [start for start, _ in model.fed[1:]] == [3, 4, 5, 6, 7]
    assert all(len(row) == 1 for _, ids in model.fed[1:] for row in ids)


def test_a_longer_prompt_is_read_token_by_token_whatever_was_sampled() -> None:
    model = Counting()
    answers = _answer(model, [[5, 6, 7], [3, 9, 3, 9, 3]], max_gen_len=3)
    read = [ids[1][0] for _, ids in model.fed[1:]]
    assert read[:2] == [9, 3]
    assert answers == [[8, 9, 10], [4, 5, 6]]


def test_only_the_first_max_gen_len_ids_after_a_rows_own_prompt_are_kept() -> None:
    answers = _answer(Counting(), [[3], [3, 4, 5, 6, 7]], max_gen_len=2)
    assert answers == [[4, 5], [8, 9]]


def test_the_loop_never_stops_early_even_when_every_row_has_ended() -> None:
    model = Ending()
    answers = _answer(model, [[5] * 6, [5] * 16], max_gen_len=12)
    assert len(model.fed) == 22
    assert answers == [[], []]


def test_an_answer_is_cut_before_its_first_end_of_sequence() -> None:
    assert _answer(Counting(), [[10]], max_gen_len=6) == [[0, 1]]


def test_a_row_that_an_end_of_sequence_cut_says_so() -> None:
    assert _answers(Counting(), [[10], [3]], max_gen_len=4).ended == [True, False]
    assert _answers(Counting(), [[10]], max_gen_len=4, ignore_eos=True).ended == [False]


def test_every_forward_pass_is_a_step_with_a_time() -> None:
    model = Counting()
    answers = _answers(model, [[3], [3, 4, 5]], max_gen_len=4)
    assert answers.step_us is not None
    assert len(answers.step_us) == len(model.fed)
    assert answers.step_us == sorted(answers.step_us)


def test_a_longer_prompts_first_token_is_that_many_steps_later() -> None:
    assert _answers(Counting(), [[3], [3, 4, 5]], max_gen_len=4).first_steps == [0, 2]


def test_it_says_how_it_works_in_json() -> None:
    decoding = Decoding(max_gen_len=5, temperature=1.0, top_p=1.0, ignore_eos=True, eos_id=EOS)
    engine = ReferenceEngine(Flat(), decoding, max_len=20, device=torch.device("cpu"))
    said = json.loads(json.dumps(engine.describe()))
    assert (said["name"], said["stops_early"]) == ("reference", False)


def test_ignore_eos_keeps_what_follows_the_end_of_sequence() -> None:
    assert _answer(Counting(), [[10]], max_gen_len=6, ignore_eos=True) == [[0, 1, 2, 3, 4, 5]]


def test_an_end_of_sequence_inside_the_prompt_does_not_cut_the_answer() -> None:
    assert _answer(Counting(), [[EOS, EOS]], max_gen_len=3) == [[3, 4, 5]]


def test_the_models_length_bounds_prompt_and_answer() -> None:
    model = Counting()
    assert _answer(model, [[3, 4, 5, 6]], max_gen_len=12, max_len=7) == [[7, 8, 9]]
    assert len(model.fed) == 3


def test_the_same_seed_gives_the_same_answer_and_another_seed_another() -> None:
    first, again, other = (
        _answer(Flat(), [[5] * 3, [5] * 5], temperature=0.8, ignore_eos=True, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_a_batch_does_not_hang_on_the_batch_before() -> None:
    decoding = Decoding(max_gen_len=5, temperature=1.0, top_p=1.0, ignore_eos=True, eos_id=EOS)
    engine = ReferenceEngine(Flat(), decoding, max_len=20, device=torch.device("cpu"))
    engine.prefill([[4, 5]], 7)
    alone = engine.decode().ids
    engine.prefill([[1, 3, 3], [6]], 8)
    engine.decode()
    engine.prefill([[4, 5]], 7)
    assert engine.decode().ids == alone


@pytest.mark.parametrize("prompts", [[], [[]], [[3], []], [[3] * 20]])
def test_a_batch_that_cannot_be_answered_is_refused(prompts: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="`prompts` must each have from 1 to 19 tokens"):
        _answer(Counting(), prompts, max_len=20)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("after", [0, 3])
def test_logits_that_are_no_numbers_end_the_batch_at_their_step(
    after: int, odd: float, temperature: float
) -> None:
    model = Failing(odd, after)
    with pytest.raises(NonFiniteLogitsError, match=f"in 1 of 2 rows at step {after} of a batch"):
        _answers(model, [[5, 6], [3, 4]], temperature=temperature)
    assert len(model.fed) == after + 1

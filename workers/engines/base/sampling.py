"""Sampling: from logits to the next token, alike on all ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How answers are decoded; the same for all batches of a run."""

    max_gen_len: int
    """Tokens generated for each prompt at most."""
    temperature: float
    """Softmax temperature; 0 takes the likeliest token."""
    top_p: float
    """Probability mass kept by nucleus sampling, in (0, 1]."""
    ignore_eos: bool
    """True keeps the tokens after an end-of-sequence id."""
    eos_id: int
    """Token that ends an answer."""

    def cut(self, ids: Sequence[int]) -> tuple[list[int], bool]:
        """The ids kept of an answer, and whether an end-of-sequence id cut it."""
        answer = list(ids)
        if not self.ignore_eos and self.eos_id in answer:
            return answer[: answer.index(self.eos_id)], True
        return answer, False


def prompt_lens(prompts: Sequence[Sequence[int]], max_len: int) -> list[int]:
    """The length of each of a batch's prompts, of which each leaves room to answer.

    Raises:
        ValueError: there is no prompt, an empty one, or one that leaves no room.
    """
    lens = [len(prompt) for prompt in prompts]
    if not lens or min(lens) < 1 or max(lens) >= max_len:
        raise ValueError(
            f"`prompts` must each have from 1 to {max_len - 1} tokens, but have {lens} instead"
        )
    return lens


def sample(logits: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> Tensor:
    """The next token of each row: int64 [batch] from fp32 logits [batch, vocab].

    Nucleus sampling (arXiv 1904.09751): of the tokens by falling probability, the fewest whose
    mass reaches `top_p` are kept. Ranks with equal logits and generators agree.
    """
    if temperature == 0.0:
        return logits.argmax(dim=-1)
    probabilities = torch.softmax(logits / temperature, dim=-1)
    falling, order = probabilities.sort(dim=-1, descending=True)
    mass_before = falling.cumsum(dim=-1) - falling
    kept = falling.masked_fill(mass_before >= top_p, 0.0)
    # A row of no numbers draws any token, for `finite_logits` to tell of: on a GPU torch would end
    # the whole process without a word of which step it was.
    kept.nan_to_num_(nan=1.0)
    # The likeliest stands at 0 and stays, whatever rounding does to the mass before it.
    chosen = torch.multinomial(kept, num_samples=1, generator=generator)
    return order.gather(-1, chosen).squeeze(-1)

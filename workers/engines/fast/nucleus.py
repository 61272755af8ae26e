"""Nucleus: draw from all tokens, draw again until one is in the nucleus.

Of the tokens by falling probability, the nucleus is the fewest whose mass reaches `top_p` (arXiv
1904.09751). A token is in it when the mass before it is below `top_p`, which one sum tells; a draw
is in it with a chance of at least `top_p`. What is kept has the nucleus' distribution, exactly:
rejection does not change the odds of those that it keeps.
"""

import torch
from torch import Tensor

# A row is refused so often by chance once in 2**1024 at top_p = 0.5; more often means a broken row.
_MOST_DRAWS: int = 1024


def draw(logits: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> Tensor:
    """The next token of each row: int64 [rows] from fp32 logits [rows, vocab].

    Of equal tokens those of lower number come first. Ranks with equal logits and generators agree.

    Raises:
        RuntimeError: a row's logits are not numbers.
    """
    if temperature == 0.0:
        return logits.argmax(dim=-1)
    chances = torch.softmax(logits / temperature, dim=-1)
    if not bool(torch.isfinite(chances).all()):
        raise RuntimeError("`logits` must be finite to be sampled, but are not")
    drawn = torch.multinomial(chances, num_samples=1, generator=generator).squeeze(-1)
    waiting = (~_in_nucleus(chances, drawn, top_p)).nonzero().squeeze(-1)
    for _ in range(_MOST_DRAWS):
        if not len(waiting):
            return drawn
        some = chances[waiting]
        again = torch.multinomial(some, num_samples=1, generator=generator).squeeze(-1)
        drawn[waiting] = again
        waiting = waiting[~_in_nucleus(some, again, top_p)]
    raise RuntimeError(f"a token of the nucleus must be drawn in {_MOST_DRAWS} draws, but was not")


def _in_nucleus(chances: Tensor, drawn: Tensor, top_p: float) -> Tensor:
    own = chances.gather(-1, drawn[:, None])
    number = torch.arange(chances.shape[-1], device=chances.device)
    before = (chances > own) | ((chances == own) & (number < drawn[:, None]))
    # The likeliest stays whatever rounding does: nothing stands before it.
    return (chances * before).sum(dim=-1) < top_p

"""Engine `reference`: the decoding loop of LLaMA v1 as published, costs included.

Prompts of a batch are padded at the right and start together. One forward pass takes the first
tokens of all of them, as many as the shortest has; from there every row moves by one token a step,
longer prompts being read token by token while shorter ones already answer. No row stops early: an
end-of-sequence id cuts the answer afterwards. So a batch costs
min(max_len, longest + max_gen_len) - shortest forward passes, whatever it says.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from workers.sampling import Decoding, sample

# What stands where neither prompt nor answer does. It is never fed to the model.
_PAD: int = -1

Model = Callable[[Tensor, int], Tensor]
"""Logits of the last of `ids` [batch, tokens] that start at a position, as `Llama.forward`."""


class ReferenceEngine:
    """Answers one batch at a time: `prefill`, then `decode`."""

    def __init__(
        self, model: Model, decoding: Decoding, *, max_len: int, device: torch.device
    ) -> None:
        self._model = model
        self._decoding = decoding
        self._max_len = max_len
        self._device = device
        self._prompt_lens: list[int] = []
        self._at = 0
        self._ids = torch.empty(0)
        self._given = torch.empty(0)
        self._generator = torch.Generator(device=device)

    def prefill(self, prompts: Sequence[Sequence[int]], seed: int) -> None:
        """Read the prompts as far as the shortest goes and choose one token after it.

        Raises:
            ValueError: there is no prompt, an empty one, or one that leaves no room to answer.
        """
        lens = [len(prompt) for prompt in prompts]
        if not lens or min(lens) < 1 or max(lens) >= self._max_len:
            raise ValueError(
                f"`prompts` must each have from 1 to {self._max_len - 1} tokens, "
                f"but have {lens} instead"
            )
        total_len = min(self._max_len, max(lens) + self._decoding.max_gen_len)
        ids = torch.full((len(prompts), total_len), _PAD, dtype=torch.int64)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)] = torch.tensor(prompt, dtype=torch.int64)
        self._prompt_lens = lens
        # Not `ids != _PAD`: a vocabulary may use any id, and the answer fills this array.
        given = torch.arange(total_len) < torch.tensor(lens)[:, None]
        self._ids, self._given = ids.to(self._device), given.to(self._device)
        self._generator.manual_seed(seed)
        self._at = 0
        self._step_to(min(lens))

    def decode(self) -> list[list[int]]:
        """Go on token by token to the batch's full length; the answers' ids, by row."""
        while self._at < self._ids.shape[1] - 1:
            self._step_to(self._at + 1)
        return [
            _answer(row, prompt_len, self._decoding)
            for row, prompt_len in zip(self._ids.tolist(), self._prompt_lens, strict=True)
        ]

    def _step_to(self, position: int) -> None:
        """Feed what stands before `position` and is new, and set the tokens at `position`."""
        logits = self._model(self._ids[:, self._at : position], self._at)
        sampled = sample(logits, self._decoding.temperature, self._decoding.top_p, self._generator)
        # A prompt that reaches so far keeps its own token.
        self._ids[:, position] = torch.where(
            self._given[:, position], self._ids[:, position], sampled
        )
        self._at = position


def _answer(row: Sequence[int], prompt_len: int, decoding: Decoding) -> list[int]:
    answer = list(row[prompt_len : prompt_len + decoding.max_gen_len])
    if not decoding.ignore_eos and decoding.eos_id in answer:
        del answer[answer.index(decoding.eos_id) :]
    return answer

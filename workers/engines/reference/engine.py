"""Engine `reference`: the decoding loop of LLaMA v1 as published, costs included.

Prompts of a batch are padded at the right and start together. One forward pass takes the first
tokens of all of them, as many as the shortest has; from there every row moves by one token a step,
longer prompts being read token by token while shorter ones already answer. No row stops early: an
end-of-sequence id cuts the answer afterwards. So a batch costs
min(max_len, longest + max_gen_len) - shortest forward passes, whatever it says.
"""

from collections.abc import Sequence
from typing import Any

import torch

from workers.engines.base.context import EngineContext
from workers.engines.base.engine import Model
from workers.engines.base.finite_logits import LogitRanges
from workers.engines.base.generation import Generation
from workers.engines.base.sampling import Decoding, prompt_lens, sample
from workers.engines.base.step_clock import StepClock
from workers.models.loading import load_model
from workers.planning.own_configs import shape_of

# What stands where neither prompt nor answer does. It is never fed to the model.
_PAD: int = -1


class ReferenceEngine:
    """Answers one batch at a time: `prefill`, then `decode`."""

    def __init__(
        self,
        model: Model,
        decoding: Decoding,
        *,
        max_len: int,
        device: torch.device,
        weight_bytes: int | None = None,
    ) -> None:
        self.model = model
        """Logits of its own model, for whoever compares them."""
        self.clock = StepClock(device)
        self.weight_bytes = weight_bytes
        self._decoding = decoding
        self._max_len = max_len
        self._device = device
        self._prompt_lens: list[int] = []
        self._at = 0
        self._ids = torch.empty(0)
        self._given = torch.empty(0)
        self._generator = torch.Generator(device=device)
        # On a GPU the host runs ahead of the device; waiting for it cost 4 % of 7B's steps.
        self._ranges = LogitRanges(waits=device.type == "cpu")

    def prefill(self, prompts: Sequence[Sequence[int]], seed: int) -> None:
        """Read the prompts as far as the shortest goes and choose one token after it.

        Raises:
            ValueError: there is no prompt, an empty one, or one that leaves no room to answer.
            NonFiniteLogitsError: the model's logits are no numbers.
        """
        lens = prompt_lens(prompts, self._max_len)
        self.clock.start()
        total_len = min(self._max_len, max(lens) + self._decoding.max_gen_len)
        ids = torch.full((len(prompts), total_len), _PAD, dtype=torch.int64)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)] = torch.tensor(prompt, dtype=torch.int64)
        self._prompt_lens = lens
        # Not `ids != _PAD`: a vocabulary may use any id, and the answer fills this array.
        given = torch.arange(total_len) < torch.tensor(lens)[:, None]
        self._ids, self._given = ids.to(self._device), given.to(self._device)
        self._generator.manual_seed(seed)
        self._ranges.begin(total_len - min(lens), len(lens), self._device)
        self._at = 0
        self._step_to(min(lens))

    def decode(self) -> Generation:
        """Go on token by token to the batch's full length; the answers.

        A row's first token is chosen as many steps after prefill's as its prompt is longer than
        the shortest.

        Raises:
            NonFiniteLogitsError: the model's logits are no numbers.
        """
        while self._at < self._ids.shape[1] - 1:
            self._step_to(self._at + 1)
        self._ranges.settle()
        rows = zip(self._ids.tolist(), self._prompt_lens, strict=True)
        most = self._decoding.max_gen_len
        answers = [
            self._decoding.cut(row[prompt_len : prompt_len + most]) for row, prompt_len in rows
        ]
        shortest = min(self._prompt_lens)
        return Generation(
            ids=[ids for ids, _ in answers],
            ended=[ended for _, ended in answers],
            first_steps=[prompt_len - shortest for prompt_len in self._prompt_lens],
            step_us=self.clock.read_us(),
        )

    def describe(self) -> dict[str, Any]:
        """How it works, for the record."""
        return {
            "name": "reference",
            "kernels": "eager",
            "graph": False,
            "all_reduce": "torch.distributed",
            "cache": "[batch, positions, heads, head_dim]",
            "sampling": "full sort",
            "stops_early": False,
            "finite_logits": "every step",
        }

    def close(self) -> None:
        """Nothing: it holds nothing of the ranks."""

    def _step_to(self, position: int) -> None:
        """Feed what stands before `position` and is new, and set the tokens at `position`."""
        logits = self.model(self._ids[:, self._at : position], self._at)
        self._ranges.note(logits)
        sampled = sample(logits, self._decoding.temperature, self._decoding.top_p, self._generator)
        # A prompt that reaches so far keeps its own token.
        self._ids[:, position] = torch.where(
            self._given[:, position], self._ids[:, position], sampled
        )
        self._at = position
        self.clock.mark()


def open_reference(context: EngineContext) -> ReferenceEngine:
    """The engine with its model, which keeps keys and values itself."""
    spec = context.spec
    model = load_model(
        shape_of(spec),
        context.weights,
        dtype=spec.dtype,
        device=context.device,
        max_batch=spec.batch_size,
        max_len=context.max_len,
    )
    return ReferenceEngine(
        model,
        context.decoding,
        max_len=context.max_len,
        device=context.device,
        weight_bytes=model.step_bytes(),
    )

"""Encoder-decoder: the library's model of two stacks, told apart: encode, prefill, decode.

Prompts are padded at the right and masked, as the published models were trained. `encode` is the
encoder's pass over them; `prefill` feeds the decoder its start token, makes the keys and values of
what was encoded, and chooses every row's first token; `decode` goes on token by token.
"""

from collections.abc import Sequence
from typing import Any, Final

import torch
import transformers
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from workers.engines.base.generation import Generation
from workers.engines.base.sampling import Decoding, prompt_lens
from workers.engines.base.step_clock import StepClock
from workers.engines.transformers.chosen_tokens import ChosenTokens

# Of the decoder's weights what no step after the first reads: keys and values of what was encoded.
_CROSSING: Final = (".EncDecAttention.k.", ".EncDecAttention.v.")
_ROWS: Final = (".embed_tokens.", ".relative_attention_bias.")


class EncoderDecoderEngine:
    """Answers one batch at a time: `encode`, `prefill`, then `decode`."""

    def __init__(
        self,
        model: Any,
        decoding: Decoding,
        *,
        start_id: int,
        max_prompt_len: int,
        device: torch.device,
        weight_bytes: int | None = None,
    ) -> None:
        self.clock = StepClock(device)
        self.weight_bytes = weight_bytes
        self.library = model
        self._decoding = decoding
        self._start_id = start_id
        self._max_prompt_len = max_prompt_len
        self._device = device
        self._cache: Any = None
        self._encoded: Any = None
        self._mask = torch.empty(0)
        self._tokens = ChosenTokens(decoding, device, self.clock)

    def model(self, ids: Tensor, start: int) -> Tensor:
        """Logits after the decoder's start token where `ids` are what the encoder reads, from 0.

        Later ones are the decoder's own.
        """
        if start > 0:
            return self._logits(ids)
        self._read(ids, torch.ones_like(ids))
        return self._logits(self._starts(len(ids)))

    def encode(self, prompts: Sequence[Sequence[int]]) -> None:
        """Read all prompts with the encoder.

        Raises:
            ValueError: there is no prompt, an empty one, or one that is too long.
        """
        # Answers stand in the decoder: they take no room of a prompt.
        lens = prompt_lens(prompts, self._max_prompt_len + 1)
        self.clock.start()
        ids = torch.full((len(lens), max(lens)), self._start_id, dtype=torch.int64)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)] = torch.tensor(prompt, dtype=torch.int64)
        mask = torch.arange(max(lens)) < torch.tensor(lens)[:, None]
        self._read(ids.to(self._device), mask.long().to(self._device))

    def prefill(self, prompts: Sequence[Sequence[int]], seed: int) -> None:
        """Choose the first token of each prompt that was encoded.

        Raises:
            RuntimeError: so many prompts were not encoded.
            NonFiniteLogitsError: the model's logits are no numbers.
        """
        rows = len(prompts)
        if self._encoded is None or len(self._mask) != rows:
            raise RuntimeError(f"{rows} prompts must be encoded before their first tokens")
        self._tokens.begin(rows, self._decoding.max_gen_len, seed)
        self._tokens.choose(self._logits(self._starts(rows)))

    def decode(self) -> Generation:
        """Go on token by token until every row has ended; the answers.

        Raises:
            NonFiniteLogitsError: the model's logits are no numbers.
        """
        while self._tokens.go_on:
            self._tokens.choose(self._logits(self._tokens.last))
        return self._tokens.answers()

    def describe(self) -> dict[str, Any]:
        """How it works, for the record."""
        return {
            "name": "transformers",
            "kernels": "eager",
            "graph": False,
            "all_reduce": "none",
            "cache": "EncoderDecoderCache",
            "attention": self.library.config._attn_implementation,
            "prefill": "the decoder's start token, with keys and values of what was encoded",
            "start_id": self._start_id,
            "library": transformers.__version__,
            "sampling": "full sort",
            "stops_early": not self._decoding.ignore_eos,
            "finite_logits": "every step",
        }

    def close(self) -> None:
        """Nothing: it holds nothing of the ranks."""

    def _starts(self, rows: int) -> Tensor:
        return torch.full((rows, 1), self._start_id, dtype=torch.int64, device=self._device)

    def _read(self, ids: Tensor, mask: Tensor) -> None:
        # What is left of the batch before goes first: both at once is twice the room.
        self._cache = self._encoded = None
        told = self.library.encoder(input_ids=ids, attention_mask=mask)
        self._encoded = BaseModelOutput(last_hidden_state=told.last_hidden_state)
        self._mask = mask
        config = self.library.decoder.config
        own, crossed = (transformers.DynamicCache(config=config) for _ in range(2))
        self._cache = transformers.EncoderDecoderCache(own, crossed)

    def _logits(self, ids: Tensor) -> Tensor:
        """fp32 [batch, vocab] after `ids` of the decoder."""
        told = self.library(
            encoder_outputs=self._encoded,
            attention_mask=self._mask,
            decoder_input_ids=ids,
            past_key_values=self._cache,
            use_cache=True,
        )
        logits: Tensor = told.logits[:, -1].float()
        return logits


def decoder_step_bytes(model: Any) -> int:
    """Bytes of weights that a step of decoding reads: the decoder's and the output matrix."""
    unread = (*_CROSSING, *_ROWS)
    held = sum(
        weight.nbytes
        for name, weight in model.decoder.named_parameters(prefix="decoder")
        if not any(part in name for part in unread)
    )
    return int(held + model.get_output_embeddings().weight.nbytes)

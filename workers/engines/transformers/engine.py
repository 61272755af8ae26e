"""Engine `transformers`: the library's own layers and growing cache, one eager step a token.

Prompts of a batch are padded at the left, masked, and counted from their own first token: a pass
reads all of them to their ends, and every row chooses its first token at step 0. A batch ends when
all rows have. Tokens are chosen by this project's sampler, so that the engines differ in the model
alone.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
import transformers
from torch import Tensor

from workers.engines.base.context import EngineContext
from workers.engines.base.generation import Generation
from workers.engines.base.sampling import Decoding, prompt_lens
from workers.engines.base.step_clock import StepClock
from workers.engines.transformers.chosen_tokens import ChosenTokens
from workers.engines.transformers.encoder_decoder import EncoderDecoderEngine, decoder_step_bytes
from workers.engines.transformers.library_model import (
    build_model,
    step_bytes,
    sums_per_token,
    takes_places,
)
from workers.models.library.t5 import T5Shape
from workers.planning.own_configs import shape_of

# What stands left of a shorter prompt. It is fed and masked, so any id of a vocabulary will do.
_PAD: int = 0


class TransformersEngine:
    """Answers one batch at a time: `prefill`, then `decode`."""

    def __init__(
        self,
        model: Any,
        decoding: Decoding,
        *,
        max_len: int,
        device: torch.device,
        weight_bytes: int | None = None,
    ) -> None:
        self.clock = StepClock(device)
        self.weight_bytes = weight_bytes
        self.library = model
        self._takes_places = takes_places(model)
        self._decoding = decoding
        self._max_len = max_len
        self._device = device
        self._cache: Any = None
        self._mask = torch.empty(0)
        self._tokens = ChosenTokens(decoding, device, self.clock)

    def model(self, ids: Tensor, start: int) -> Tensor:
        """Logits of the last of `ids` that start at a position, for whoever compares them."""
        if start == 0:
            self._begin(torch.ones_like(ids))
        else:
            self._mask = self._mask.new_ones(len(ids), start + ids.shape[1])
        return self._logits(ids)

    def prefill(self, prompts: Sequence[Sequence[int]], seed: int) -> None:
        """Read all prompts to their ends and choose each row's first token.

        Raises:
            ValueError: there is no prompt, an empty one, or one that leaves no room to answer.
            NonFiniteLogitsError: the model's logits are no numbers.
        """
        lens = prompt_lens(prompts, self._max_len)
        self.clock.start()
        longest = max(lens)
        ids = torch.full((len(lens), longest), _PAD, dtype=torch.int64)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt) :] = torch.tensor(prompt, dtype=torch.int64)
        mask = torch.arange(longest) >= longest - torch.tensor(lens)[:, None]
        self._begin(mask.long().to(self._device))
        most = min(self._decoding.max_gen_len, self._max_len - longest)
        self._tokens.begin(len(lens), most, seed)
        self._tokens.choose(self._logits(ids.to(self._device)))

    def decode(self) -> Generation:
        """Go on token by token until every row has ended; the answers.

        Raises:
            NonFiniteLogitsError: the model's logits are no numbers.
        """
        while self._tokens.go_on:
            self._lengthen()
            self._tokens.choose(self._logits(self._tokens.last))
        return self._tokens.answers()

    def describe(self) -> dict[str, Any]:
        """How it works, for the record."""
        return {
            "name": "transformers",
            "kernels": "eager",
            "graph": False,
            "all_reduce": _sums(),
            "sums_per_token": sums_per_token(self.library),
            "cache": "DynamicCache",
            "attention": self.library.config._attn_implementation,
            "library": transformers.__version__,
            "sampling": "full sort",
            "stops_early": not self._decoding.ignore_eos,
            "finite_logits": "every step",
        }

    def close(self) -> None:
        """Nothing: it holds nothing of the ranks."""

    def _begin(self, mask: Tensor) -> None:
        self._cache = transformers.DynamicCache(config=self.library.config)
        self._mask = mask

    def _lengthen(self) -> None:
        """Make room for one more token of every row."""
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._mask), 1)], dim=1)

    def _logits(self, ids: Tensor) -> Tensor:
        """fp32 [batch, vocab] after `ids`, the last of the tokens that the mask tells of."""
        told_places = {}
        if self._takes_places:
            # A row's positions count its own tokens; what is left of them is masked, wherever it
            # is. A model that is not told counts them by the mask.
            places = (self._mask.cumsum(-1) - 1).clamp_(min=0)[:, -ids.shape[1] :]
            told_places["position_ids"] = places
        told = self.library(
            input_ids=ids,
            attention_mask=self._mask,
            **told_places,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = told.logits[:, -1].float()
        return logits


def _sums() -> str:
    """How ranks sum what each has a part of."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return "none"
    return f"the library's plan, {dist.get_backend()}"


def open_transformers(context: EngineContext) -> TransformersEngine | EncoderDecoderEngine:
    """The engine with the library's model of the spec's shape."""
    shape = shape_of(context.spec)
    if isinstance(shape, T5Shape):
        return _open_encoder_decoder(context, shape)
    parts, more = loaded_parts(context)
    return TransformersEngine(*parts, **more)


def loaded_parts(context: EngineContext) -> tuple[tuple[Any, Decoding], dict[str, Any]]:
    """What an engine of the library's model is made of: its arguments, by place and by name."""
    spec, shape = context.spec, shape_of(context.spec)
    model = build_model(
        shape,
        context.weights,
        dtype=spec.dtype,
        device=context.device,
        max_len=context.max_len,
    )
    more = {
        "max_len": context.max_len,
        "device": context.device,
        "weight_bytes": step_bytes(model, shape),
    }
    return (model, context.decoding), more


def _open_encoder_decoder(context: EngineContext, shape: T5Shape) -> EncoderDecoderEngine:
    model = build_model(
        shape,
        context.weights,
        dtype=context.spec.dtype,
        device=context.device,
        max_len=context.max_len,
    )
    return EncoderDecoderEngine(
        model,
        context.decoding,
        start_id=shape.start_id,
        max_prompt_len=context.spec.max_prompt_len,
        device=context.device,
        weight_bytes=decoder_step_bytes(model),
    )

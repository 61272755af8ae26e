"""Static: the library's layers with its cache of full size, and its decoding step compiled.

Prompts are read eagerly, as the library's own loop reads them. A cache is made once for each size
of batch and emptied for the next: what was compiled, and captured on a GPU, stands on its address.
"""

from collections.abc import Callable
from typing import Any, Final

import torch
import transformers
from torch import Tensor
from torch._dynamo.utils import counters
from transformers.masking_utils import create_masks_for_generate

from telemetry.clock import US_PER_S, monotonic_us
from workers.engines.base.context import EngineContext
from workers.engines.transformers.engine import TransformersEngine, loaded_parts

# The library's own choice for its loop: kernels by inductor, replayed as CUDA graphs on a GPU.
_MODE: Final = "reduce-overhead"
_BACKEND: Final = "inductor"


class StaticEngine(TransformersEngine):
    """Answers one batch at a time, as `TransformersEngine`; `compiles` compiles its steps."""

    def __init__(
        self, *parts: Any, compiles: bool, now_us: Callable[[], int] = monotonic_us, **more: Any
    ) -> None:
        super().__init__(*parts, **more)
        self._now_us = now_us
        self._caches: dict[int, Any] = {}
        self._fed = 0
        self._first = torch.empty(0)
        self._step: Any = None
        self._compiled: list[dict[str, Any]] = []
        if compiles:
            # A whole graph or an error: a step in pieces would be measured as if it were one.
            self._step = self.library.get_compiled_call(
                transformers.CompileConfig(mode=_MODE, backend=_BACKEND, fullgraph=True)
            )

    def model(self, ids: Tensor, start: int) -> Tensor:
        """Logits of the last of `ids` that start at a position, for whoever compares them."""
        if start == 0:
            # Its size of batch need not be one that is answered: nothing of it is kept.
            self._enter(self._new_cache(), torch.ones_like(ids))
        return self._logits(ids)

    def describe(self) -> dict[str, Any]:
        """How it works, for the record; each compilation with the batch's rows and its seconds.

        `seconds`, from `began_us` to `ended_us` of the record's clock, are of the whole step that
        compiled, which is of warm-up or loading where `rows` were warmed up with.
        """
        told = {**super().describe(), "cache": "StaticCache", "cache_positions": self._max_len}
        if self._step is None:
            return {**told, "name": "transformers-static"}
        return {
            **told,
            "name": "transformers-compiled",
            "kernels": f"{_BACKEND}, steps of decoding alone",
            "graph": self._device.type == "cuda",
            "compile": {
                "mode": _MODE,
                "backend": _BACKEND,
                "fullgraph": True,
                "torch": torch.__version__,
                "compilations": list(self._compiled),
            },
        }

    def _new_cache(self) -> Any:
        return transformers.StaticCache(config=self.library.config, max_cache_len=self._max_len)

    def _begin(self, mask: Tensor) -> None:
        rows = len(mask)
        if rows not in self._caches:
            self._caches[rows] = self._new_cache()
        self._caches[rows].reset()
        self._enter(self._caches[rows], mask)

    def _enter(self, cache: Any, mask: Tensor) -> None:
        self._cache = cache
        self._fed = 0
        # What stands right of the prompts is masked as not yet there, whatever this says of it.
        self._mask = mask.new_ones(len(mask), self._max_len)
        self._mask[:, : mask.shape[1]] = mask
        self._first = mask.shape[1] - mask.sum(dim=1, keepdim=True)

    def _lengthen(self) -> None:
        """Nothing: there is room from the start."""

    def _logits(self, ids: Tensor) -> Tensor:
        """fp32 [batch, vocab] after `ids`, the next tokens of every row."""
        rows, count = ids.shape
        places = torch.arange(self._fed, self._fed + count, device=ids.device) - self._first
        places.clamp_(min=0)
        self._fed += count
        library = self.library
        make_masks = getattr(library, "create_masks_for_generate", create_masks_for_generate)
        masks = make_masks(
            config=library.config,
            # Looked at for its size, format and place alone.
            inputs_embeds=torch.empty(rows, count, 0, dtype=library.dtype, device=ids.device),
            attention_mask=self._mask,
            past_key_values=self._cache,
            position_ids=places,
        )
        told: dict[str, Any] = {
            "input_ids": ids,
            "attention_mask": masks,
            "past_key_values": self._cache,
            "use_cache": True,
            "logits_to_keep": 1,
        }
        if self._takes_places:
            told["position_ids"] = places
        eagerly = self._step is None or count > 1
        output = library(**told) if eagerly else self._stepped(told)
        # A captured step's output is where the next one's will be.
        logits: Tensor = output.logits[:, -1].to(torch.float32, copy=True)
        return logits

    def _stepped(self, told: dict[str, Any]) -> Any:
        """A step of decoding, compiled; what it compiles is noted."""
        before, began_us = counters["stats"]["unique_graphs"], self._now_us()
        output = self._step(**told)
        if (made := counters["stats"]["unique_graphs"] - before) > 0:
            self._compiled.append(
                {
                    "rows": len(told["input_ids"]),
                    "graphs": made,
                    "began_us": began_us,
                    "ended_us": (ended_us := self._now_us()),
                    "seconds": (ended_us - began_us) / US_PER_S,
                }
            )
        return output


def open_static(context: EngineContext) -> StaticEngine:
    """The engine with the library's cache of full size, eager."""
    parts, more = loaded_parts(context)
    return StaticEngine(*parts, **more, compiles=False)


def open_compiled(context: EngineContext) -> StaticEngine:
    """The engine with the library's cache of full size and its step compiled."""
    parts, more = loaded_parts(context)
    return StaticEngine(*parts, **more, compiles=True, now_us=context.now_us)

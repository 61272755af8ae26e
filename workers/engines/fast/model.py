"""Model: a rank's fused weights with its caches; prefill of ragged prompts in one pass.

Prompts of any lengths lie one behind the other, so that products waste nothing on padding;
attention alone is over rows padded to the longest. The last layer goes on with each prompt's last
token only.
"""

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Final

import torch
import torch.nn.functional as nnf
from fairscale.nn.model_parallel.initialize import (
    get_model_parallel_group,
    get_model_parallel_world_size,
)
from torch import Tensor
from torch import distributed as dist

from workers.engines.fast import ops_torch as fast_plain
from workers.engines.fast.all_reduce import sum_over_ranks
from workers.engines.fast.attend_windows import attend_windows
from workers.engines.fast.fused_weights import FusedLayer, FusedWeights
from workers.models.llama.shape import LlamaShape
from workers.models.quantization import Quantized

# Tokens of a pass through the feed-forward layer: its inner width is what prefill holds most of.
_INNER_TOKENS: Final = 16_384


class FastModel:
    """One rank's model for batches of up to `max_batch` rows and `max_len` positions."""

    def __init__(
        self,
        shape: LlamaShape,
        weights: FusedWeights,
        turns: Tensor,
        *,
        max_batch: int,
        max_len: int,
        kept_as: torch.dtype | None = None,
    ) -> None:
        """`turns` are `Llama.turns`: cosine and sine by position.

        Keys and values are kept as `kept_as`, of `cached_numbers.KINDS`; None: as the weights.
        """
        self.shape, self.weights = shape, weights
        # Apart, as kernels take them: fp32 [max_len, head_dim / 2] each.
        self.turn = (turns.real.contiguous(), turns.imag.contiguous())
        self.max_batch, self.max_len = max_batch, max_len
        self.degree = get_model_parallel_world_size()
        self.heads = shape.heads // self.degree
        table = weights.table
        self.device, self.kind = table.device, table.dtype
        self.by_kernels = table.is_cuda and self.kind in {torch.float16, torch.bfloat16}
        self.math = _math(self.by_kernels)
        self.kv_heads = shape.kv_heads // self.degree
        self.kept_as = kept_as or self.kind
        room = (max_batch, self.kv_heads, max_len, shape.head_dim)
        self.caches = [
            (
                torch.zeros(room, dtype=self.kept_as, device=self.device),
                torch.zeros(room, dtype=self.kept_as, device=self.device),
            )
            for _ in weights.layers
        ]

    @property
    def fp8(self) -> str | None:
        """By what e4m3 numbers are multiplied, for the record; None where none are."""
        matrix = self.weights.layers[0].qkv
        if not isinstance(matrix, Quantized) or not matrix.rounds_inputs:
            return None
        return "fp8 units" if self.by_kernels else "fp32, of the same numbers"

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """This rank's slice of the logits after each prompt, fp32 [rows, vocab / degree]."""
        lens = [len(prompt) for prompt in prompts]
        packed = torch.tensor([id_ for prompt in prompts for id_ in prompt]).to(self.device)
        rows = torch.arange(len(lens)).repeat_interleave(torch.tensor(lens)).to(self.device)
        positions = torch.cat([torch.arange(length) for length in lens]).to(self.device)
        last = (torch.tensor(lens).cumsum(0) - 1).to(self.device)
        x = self.weights.table[packed]
        places = max(lens)
        even = len(set(lens)) == 1
        room = (len(lens), self.heads, max(2, places), self.shape.head_dim)
        queries = torch.zeros(room, dtype=self.kind, device=self.device)
        eps = self.shape.norm_eps
        normed = self.math.add_norm(x, None, eps)
        for number, (layer, cache) in enumerate(zip(self.weights.layers, self.caches, strict=True)):
            fused = self.math.product(normed, layer.qkv)
            self.math.place(fused, queries, cache, rows=rows, positions=positions, turn=self.turn)
            mixed = self._attend_all(queries, cache, places)
            if number == len(self.weights.layers) - 1:
                at_rows = torch.arange(len(lens), device=self.device)
                mixed = mixed[at_rows, :, positions[last]].flatten(1)
                x = x[last]
            elif even:
                mixed = mixed.transpose(1, 2).reshape(len(packed), -1)
            else:
                mixed = mixed[rows, :, positions].flatten(1)
            added = sum_over_ranks(self.math.product(mixed, layer.wo))
            normed = self.math.add_norm(x, added, eps)
            added = sum_over_ranks(self._inner(normed, layer))
            normed = self.math.add_norm(x, added, eps)
        return nnf.linear(normed, self.weights.head).float()

    def gather(self, logits: Tensor) -> Tensor:
        """All ranks' slices of the logits, [degree, rows, vocab / degree], on every rank."""
        if self.degree == 1:
            return logits[None]
        gathered = torch.empty(self.degree, *logits.shape, device=logits.device)
        dist.all_gather_into_tensor(
            gathered.view(-1, logits.shape[-1]),
            logits.contiguous(),
            group=get_model_parallel_group(),
        )
        return gathered

    def _attend_all(self, queries: Tensor, cache: tuple[Tensor, Tensor], places: int) -> Tensor:
        """Every position over those up to its own, [rows, heads, places, head_dim]."""
        rows = len(queries)
        # As the steps will see them: what the cache rounded is what prefill looks at, too.
        keys, values = (part[:rows, :, :places].to(self.kind) for part in cache)
        if self.shape.window is not None and places > self.shape.window:
            return attend_windows(queries[:, :, :places], keys, values, self.shape.window)
        scale = 1.0 / math.sqrt(self.shape.head_dim)
        return nnf.scaled_dot_product_attention(
            queries[:, :, :places],
            keys,
            values,
            is_causal=True,
            scale=scale,
            enable_gqa=self.kv_heads != self.heads,
        )

    def _inner(self, normed: Tensor, layer: FusedLayer) -> Tensor:
        """The feed-forward layer, some tokens at a time."""
        parts = [
            self.math.product(self.math.gate(self.math.product(some, layer.gate_up)), layer.down)
            for some in torch.split(normed, _INNER_TOKENS)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)


class SeparateDecoder:
    """Logits of the next position of `rows` rows, operation by operation."""

    def __init__(self, model: FastModel, rows: int) -> None:
        self._model = model
        self._rows = torch.arange(rows, device=model.device)

    def logits(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """This rank's slice of the logits, fp32 [rows, vocab / degree], after feeding `tokens`.

        `tokens` is int64 [rows] and `positions` [rows] says where they stand.
        """
        model, count = self._model, len(self._rows)
        eps, compute = model.shape.norm_eps, model.math
        x = model.weights.table[tokens]
        room = (count, model.heads, 1, model.shape.head_dim)
        queries = torch.empty(room, dtype=model.kind, device=model.device)
        normed = compute.add_norm(x, None, eps)
        for layer, cache in zip(model.weights.layers, model.caches, strict=True):
            fused = compute.product(normed, layer.qkv)
            compute.place(
                fused, queries, cache, rows=self._rows, positions=positions, turn=model.turn
            )
            own = (cache[0][:count], cache[1][:count])
            window = model.shape.window
            mixed = compute.attend(queries.squeeze(2), *own, positions, window).flatten(1)
            added = sum_over_ranks(compute.product(mixed, layer.wo))
            normed = compute.add_norm(x, added, eps)
            inner = compute.gate(compute.product(normed, layer.gate_up))
            added = sum_over_ranks(compute.product(inner, layer.down))
            normed = compute.add_norm(x, added, eps)
        return nnf.linear(normed, model.weights.head).float()


def _math(by_kernels: bool) -> ModuleType:
    """The module whose functions compute."""
    if not by_kernels:
        return fast_plain
    # Triton comes with torch's CUDA builds alone.
    from workers.engines.fast import ops_triton as fast_triton  # noqa: PLC0415

    return fast_triton

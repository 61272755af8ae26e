"""LLaMA on FairScale's tensor-parallel layers: v1 (arXiv 2302.13971), 3.2, and Mistral v0.1.

The later ones share keys and values between heads, may tie the output matrix to the embedding, slow
long rotary waves, or look back a window. Each rank holds heads / degree heads and ffn / degree
inner columns. Two sums over the ranks a layer, one join of the embedding and one of the logits are
all that ranks tell each other.
"""

import math
from collections.abc import Iterator
from typing import cast

import torch
import torch.nn.functional as nnf
from fairscale.nn.model_parallel.initialize import get_model_parallel_world_size
from fairscale.nn.model_parallel.mappings import gather_from_model_parallel_region
from torch import Tensor, nn

from workers.models.base.layers import column, embedding, row, vocabulary_embedding
from workers.models.base.model import DecoderModel, Hold
from workers.models.llama.rates import turning_rates
from workers.models.llama.shape import LlamaShape


class RootMeanSquareNorm(nn.Module):
    """Scales a vector to unit root mean square, then by a weight; computed in fp32."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(dim))

    def forward(self, x: Tensor) -> Tensor:
        """[..., dim] in and out, in the same number format."""
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return (wide * scale).to(x.dtype) * self.weight


class Attention(nn.Module):
    """Causal self-attention over this rank's heads, with the keys and values of all positions."""

    def __init__(self, shape: LlamaShape, degree: int) -> None:
        super().__init__()
        self.heads = shape.heads // degree
        self.kv_heads = shape.kv_heads // degree
        self.head_dim = shape.head_dim
        self.window = shape.window
        self.wq = column(shape.dim, shape.dim)
        self.wk = column(shape.dim, shape.kv_dim)
        self.wv = column(shape.dim, shape.kv_dim)
        self.wo = row(shape.dim, shape.dim)
        # [batch, positions, this rank's heads of keys, head_dim]; made by `Llama.allocate`.
        self.keys = torch.empty(0)
        self.values = torch.empty(0)

    def forward(self, x: Tensor, start: int, turns: Tensor, mask: Tensor | None) -> Tensor:
        """[batch, tokens, dim] at positions from `start` on; returns the same shape.

        `turns` are those positions' as `rotate` takes them; `mask` is added to the scores, None
        masks nothing.
        """
        batch, tokens, _ = x.shape
        end = start + tokens
        kept = (batch, tokens, self.kv_heads, self.head_dim)
        query = rotate(self.wq(x).view(batch, tokens, self.heads, self.head_dim), turns)
        self.keys[:batch, start:end] = rotate(self.wk(x).view(kept), turns)
        self.values[:batch, start:end] = self.wv(x).view(kept)
        # One new token's window is all that is looked at; of several, the mask knows theirs.
        first = max(0, end - self.window) if self.window is not None and tokens == 1 else 0
        keys, values = self.keys[:batch, first:end], self.values[:batch, first:end]
        every = self._for_each_head(keys).permute(0, 2, 3, 1)
        scores = query.transpose(1, 2) @ every / math.sqrt(self.head_dim)
        del every
        if mask is not None:
            scores = scores + mask
        weights = nnf.softmax(scores.float(), dim=-1).to(x.dtype)
        mixed = (weights @ self._for_each_head(values).transpose(1, 2)).transpose(1, 2)
        return cast(Tensor, self.wo(mixed.reshape(batch, tokens, -1)))

    def _for_each_head(self, kept: Tensor) -> Tensor:
        """Keys or values as often as heads share them: copied, as the public LLaMA 3 code does."""
        group = self.heads // self.kv_heads
        return kept if group == 1 else kept.repeat_interleave(group, dim=2)


class FeedForward(nn.Module):
    """SwiGLU: silu of the gate times the up projection, projected down."""

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.w1 = column(shape.dim, shape.ffn)
        self.w2 = row(shape.ffn, shape.dim)
        self.w3 = column(shape.dim, shape.ffn)

    def forward(self, x: Tensor) -> Tensor:
        """[..., dim] in and out."""
        return cast(Tensor, self.w2(nnf.silu(self.w1(x)) * self.w3(x)))


class Block(nn.Module):
    """One layer: attention and feed-forward, each added to what it normed."""

    def __init__(self, shape: LlamaShape, degree: int) -> None:
        super().__init__()
        self.attention = Attention(shape, degree)
        self.feed_forward = FeedForward(shape)
        self.attention_norm = RootMeanSquareNorm(shape.dim, shape.norm_eps)
        self.ffn_norm = RootMeanSquareNorm(shape.dim, shape.norm_eps)

    def forward(self, x: Tensor, start: int, turns: Tensor, mask: Tensor | None) -> Tensor:
        """[batch, tokens, dim] in and out."""
        x = x + self.attention(self.attention_norm(x), start, turns, mask)
        return x + cast(Tensor, self.feed_forward(self.ffn_norm(x)))


class Llama(DecoderModel):
    """A rank's part of the model with its key-value cache.

    Raises:
        ValueError: heads, dim, ffn or vocab do not divide by the degree of model parallelism.
    """

    shape: LlamaShape

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.degree = get_model_parallel_world_size()
        if fault := shape.parallel_fault(self.degree):
            raise ValueError(fault)
        self.shape = shape
        self.max_len = 0
        make_table = vocabulary_embedding if shape.tied else embedding
        self.tok_embeddings = make_table(shape.vocab, shape.dim)
        self.layers = nn.ModuleList(Block(shape, self.degree) for _ in range(shape.layers))
        self.norm = RootMeanSquareNorm(shape.dim, shape.norm_eps)
        # A tied one is the embedding: see `_logits`.
        self.output = None if shape.tied else column(shape.dim, shape.vocab, gather_output=True)
        # Each position's and pair's turn, complex64 [max_len, head_dim / 2]; made by `allocate`.
        self.turns = torch.empty(0)

    def parts(self) -> Iterator[tuple[str, nn.Module]]:
        """The embedding, each layer, the last norm and, where it is not tied, the output."""
        yield "tok_embeddings", self.tok_embeddings
        for layer, block in enumerate(self.layers):
            yield f"layers.{layer}", block
        yield "norm", self.norm
        if self.output is not None:
            yield "output", self.output

    def step_bytes(self) -> int:
        """As `DecoderModel.step_bytes`; a tied embedding is read as the output matrix."""
        head = self.tok_embeddings.weight.nbytes if self.output is None else 0
        return super().step_bytes() + head

    def allocate(self, max_batch: int, max_len: int, device: torch.device) -> None:
        """Make what is no parameter: zeroed key-value caches and the table of rotations."""
        self.max_len = max_len
        dtype = self.norm.weight.dtype
        for block in self.layers:
            attention = cast(Block, block).attention
            room = (max_batch, max_len, attention.kv_heads, attention.head_dim)
            attention.keys = torch.zeros(room, dtype=dtype, device=device)
            attention.values = torch.zeros(room, dtype=dtype, device=device)
        # Angles in fp64: a position of thousands times a rate loses digits in fp32.
        angles = torch.outer(torch.arange(max_len, dtype=torch.float64), turning_rates(self.shape))
        self.turns = torch.polar(torch.ones_like(angles), angles).to(torch.complex64).to(device)

    def forward(self, ids: Tensor, start: int) -> Tensor:
        """Logits after the last position, fp32 [batch, vocab], equal on all ranks.

        `ids` [batch, tokens] stand at positions from `start` on; those before are in the cache.
        """
        tokens = ids.shape[1]
        end = start + tokens
        if end > self.max_len:
            raise ValueError(
                f"`start` + tokens must be at most {self.max_len}, but is {start} + {tokens} "
                "instead"
            )
        x: Tensor = self.tok_embeddings(ids)
        # One new token may look at all before it, or at its window.
        mask = self._mask(start, end, x) if tokens > 1 else None
        turns = self.turns[start:end, None]
        for block in self.layers:
            x = block(x, start, turns, mask)
        normed = self.norm(x[:, -1])
        logits = self._tied_logits(normed) if self.output is None else self.output(normed)
        return cast(Tensor, logits).float()

    def read(self, ids: Tensor, first: int, hold: Hold) -> Tensor:
        """Logits of one text after `first` of its tokens, after one more and so on."""
        tokens = len(ids)
        turns = self.turns[:, None]
        with hold("tok_embeddings") as table:
            x: Tensor = table(ids[None])
        mask = self._mask(0, tokens, x)
        for layer in range(self.shape.layers):
            with hold(f"layers.{layer}") as block:
                x = block(x, 0, turns, mask)
        with hold("norm") as norm:
            x = norm(x[0, first - 1 :])
        if self.output is None:
            with hold("tok_embeddings"):
                return self._tied_logits(x).clone()
        with hold("output") as output:
            return cast(Tensor, output(x)).clone()

    def _mask(self, start: int, end: int, x: Tensor) -> Tensor:
        """What is added to the scores of tokens at `start` and on over all positions up to `end`.

        None looks at a later one, and none at one that left its window.
        """
        mask = torch.full((end - start, end), -math.inf, device=x.device, dtype=x.dtype)
        mask = mask.triu(diagonal=start + 1)
        if self.shape.window is not None and end > self.shape.window:
            left = torch.full_like(mask, -math.inf).tril(diagonal=start - self.shape.window)
            mask = mask + left
        return mask

    def _tied_logits(self, normed: Tensor) -> Tensor:
        """Each rank's logits are those of its rows of the embedding."""
        return cast(
            Tensor,
            gather_from_model_parallel_region(nnf.linear(normed, self.tok_embeddings.weight)),
        )


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Turn each pair of neighbours (x0, x1), (x2, x3), … by its position's angle, in fp32.

    `x` is [..., tokens, heads, head_dim]; `turns`, complex64 [tokens, 1, head_dim / 2], hold cosine
    and sine. A pair times its turn is one kernel: spelled out in halves it was seven, and the
    engine `reference`, which waits for the host, fell up to 22 % behind the code it repeats.
    """
    pairs = torch.view_as_complex(x.float().view(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)

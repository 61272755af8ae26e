"""LLaMA v1 on FairScale's tensor-parallel layers (arXiv 2302.13971).

Each rank holds heads / degree heads and ffn / degree inner columns. Two sums over the ranks a
layer, one join of the embedding and one of the logits are all that ranks tell each other.
"""

import math
from collections.abc import Iterator
from typing import cast

import torch
import torch.nn.functional as nnf
from fairscale.nn.model_parallel.initialize import get_model_parallel_world_size
from torch import Tensor, nn

from workers.models.base.layers import column, embedding, row
from workers.models.base.model import DecoderModel, Hold
from workers.models.llama.shape import ROPE_THETA, LlamaShape


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
        self.head_dim = shape.head_dim
        self.wq = column(shape.dim, shape.dim)
        self.wk = column(shape.dim, shape.dim)
        self.wv = column(shape.dim, shape.dim)
        self.wo = row(shape.dim, shape.dim)
        # [batch, positions, heads of this rank, head_dim]; made by `Llama.allocate`.
        self.keys = torch.empty(0)
        self.values = torch.empty(0)

    def forward(self, x: Tensor, start: int, turns: Tensor, mask: Tensor | None) -> Tensor:
        """[batch, tokens, dim] at positions from `start` on; returns the same shape.

        `turns` are those positions' as `rotate` takes them; `mask` is added to the scores, None
        masks nothing.
        """
        batch, tokens, _ = x.shape
        heads = (batch, tokens, self.heads, self.head_dim)
        query = rotate(self.wq(x).view(heads), turns)
        self.keys[:batch, start : start + tokens] = rotate(self.wk(x).view(heads), turns)
        self.values[:batch, start : start + tokens] = self.wv(x).view(heads)
        keys = self.keys[:batch, : start + tokens]
        values = self.values[:batch, : start + tokens]
        scores = query.transpose(1, 2) @ keys.permute(0, 2, 3, 1) / math.sqrt(self.head_dim)
        if mask is not None:
            scores = scores + mask
        weights = nnf.softmax(scores.float(), dim=-1).to(x.dtype)
        mixed = (weights @ values.transpose(1, 2)).transpose(1, 2)
        return cast(Tensor, self.wo(mixed.reshape(batch, tokens, -1)))


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
        self.tok_embeddings = embedding(shape.vocab, shape.dim)
        self.layers = nn.ModuleList(Block(shape, self.degree) for _ in range(shape.layers))
        self.norm = RootMeanSquareNorm(shape.dim, shape.norm_eps)
        self.output = column(shape.dim, shape.vocab, gather_output=True)
        # Each position's and pair's turn, complex64 [max_len, head_dim / 2]; made by `allocate`.
        self.turns = torch.empty(0)

    def parts(self) -> Iterator[tuple[str, nn.Module]]:
        """The embedding, each layer, the last norm and the output."""
        yield "tok_embeddings", self.tok_embeddings
        for layer, block in enumerate(self.layers):
            yield f"layers.{layer}", block
        yield "norm", self.norm
        yield "output", self.output

    def allocate(self, max_batch: int, max_len: int, device: torch.device) -> None:
        """Make what is no parameter: zeroed key-value caches and the table of rotations."""
        self.max_len = max_len
        dtype = self.norm.weight.dtype
        for block in self.layers:
            attention = cast(Block, block).attention
            room = (max_batch, max_len, attention.heads, attention.head_dim)
            attention.keys = torch.zeros(room, dtype=dtype, device=device)
            attention.values = torch.zeros(room, dtype=dtype, device=device)
        # Angles in fp64: a position of thousands times a rate loses digits in fp32.
        exponents = torch.arange(0, self.shape.head_dim, 2, dtype=torch.float64)
        rates = ROPE_THETA ** -(exponents / self.shape.head_dim)
        angles = torch.outer(torch.arange(max_len, dtype=torch.float64), rates)
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
        # One new token may look at all before it; of several, none at a later one.
        mask = None
        if tokens > 1:
            mask = torch.full((tokens, end), -math.inf, device=x.device, dtype=x.dtype)
            mask = mask.triu(diagonal=start + 1)
        turns = self.turns[start:end, None]
        for block in self.layers:
            x = block(x, start, turns, mask)
        return cast(Tensor, self.output(self.norm(x[:, -1]))).float()

    def read(self, ids: Tensor, first: int, hold: Hold) -> Tensor:
        """Logits of one text after `first` of its tokens, after one more and so on."""
        tokens = len(ids)
        mask = torch.full((tokens, tokens), -math.inf, device=ids.device).triu(diagonal=1)
        turns = self.turns[:, None]
        with hold("tok_embeddings") as table:
            x: Tensor = table(ids[None])
        for layer in range(self.shape.layers):
            with hold(f"layers.{layer}") as block:
                x = block(x, 0, turns, mask)
        with hold("norm") as norm:
            x = norm(x[0, first - 1 :])
        with hold("output") as output:
            return cast(Tensor, output(x)).clone()


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Turn each pair of neighbours (x0, x1), (x2, x3), … by its position's angle, in fp32.

    `x` is [..., tokens, heads, head_dim]; `turns`, complex64 [tokens, 1, head_dim / 2], hold cosine
    and sine. A pair times its turn is one kernel: spelled out in halves it was seven, and the
    engine `reference`, which waits for the host, fell up to 22 % behind the code it repeats.
    """
    pairs = torch.view_as_complex(x.float().view(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)

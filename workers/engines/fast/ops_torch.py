"""The `fast` engine's arithmetic in plain torch: for CPUs, for fp32, and to hold the kernels to."""

import math

import torch
import torch.nn.functional as nnf
from torch import Tensor

from workers.engines.fast.fused_weights import Matrix
from workers.models.llama.model import rotate
from workers.models.quantization import Quantized, linear


def product(x: Tensor, matrix: Matrix) -> Tensor:
    """[rows, inputs] by a matrix: [rows, outputs]."""
    return linear(x, matrix) if isinstance(matrix, Quantized) else nnf.linear(x, matrix)


def add_norm(x: Tensor, added: Tensor | None, eps: float) -> Tensor:
    """X += added, in place; returns x at unit root mean square."""
    if added is not None:
        x += added
    wide = x.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype)


def gate(both: Tensor) -> Tensor:
    """silu(gates) * ups of rows [gates, ups]."""
    gates, ups = both.chunk(2, dim=-1)
    return nnf.silu(gates) * ups


def place(
    fused: Tensor,
    queries: Tensor,
    caches: tuple[Tensor, Tensor],
    *,
    rows: Tensor,
    positions: Tensor,
    turn: tuple[Tensor, Tensor],
) -> None:
    """Put the tokens' keys and values into the caches and their queries beside, rotated.

    `fused` is [tokens, 3 x heads x head_dim]; token t stands at positions[t] of rows[t]. `queries`
    is [rows, heads, places, head_dim] and each cache [rows, heads, max_len, head_dim]; where
    `queries` has one place, it stands for whatever position a row is at.
    """
    heads, head_dim = queries.shape[1], queries.shape[3]
    q, k, v = fused.view(len(fused), 3, heads, head_dim).unbind(1)
    turns = torch.complex(turn[0][positions], turn[1][positions])[:, None]
    at = positions.new_zeros(()) if queries.shape[2] == 1 else positions
    queries[rows, :, at] = rotate(q, turns)
    keys, values = caches
    keys[rows, :, positions] = rotate(k, turns)
    values[rows, :, positions] = v


def attend(queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor) -> Tensor:
    """One token a row over its own past: queries [rows, heads, head_dim], caches as in `place`."""
    length = int(positions.max()) + 1
    late = torch.arange(length, device=positions.device) > positions[:, None]
    scores = (queries[:, :, None] @ keys[:, :, :length].transpose(2, 3)).squeeze(2)
    scores = scores.float() / math.sqrt(queries.shape[-1])
    weights = torch.softmax(scores.masked_fill(late[:, None], -math.inf), dim=-1)
    return (weights.to(values.dtype)[:, :, None] @ values[:, :, :length]).squeeze(2)

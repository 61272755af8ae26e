"""The `fast` engine's arithmetic in plain torch: for CPUs, for fp32, and to hold the kernels to."""

import math

import torch
import torch.nn.functional as nnf
from torch import Tensor

from workers.engines.fast.cached_numbers import narrow
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

    `fused` is [tokens, (heads + 2 x heads of keys) x head_dim]; token t stands at positions[t] of
    rows[t]. `queries` is [rows, heads, places, head_dim] and each cache [rows, heads of keys,
    max_len, head_dim], in a number format of its own; where `queries` has one place, it stands for
    whatever position a row is at.
    """
    heads, kept, head_dim = queries.shape[1], caches[0].shape[1], queries.shape[3]
    q, k, v = torch.split(fused.view(len(fused), -1, head_dim), [heads, kept, kept], dim=1)
    turns = torch.complex(turn[0][positions], turn[1][positions])[:, None]
    at = positions.new_zeros(()) if queries.shape[2] == 1 else positions
    queries[rows, :, at] = rotate(q, turns)
    keys, values = caches
    keys[rows, :, positions] = narrow(rotate(k, turns), keys.dtype)
    values[rows, :, positions] = narrow(v, values.dtype)


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor, window: int | None
) -> Tensor:
    """One token a row over its own past: queries [rows, heads, head_dim], caches as in `place`.

    Of `window` positions, its own the last; None looks at all.
    """
    length = int(positions.max()) + 1
    place = torch.arange(length, device=positions.device)
    away = place > positions[:, None]
    if window is not None:
        away |= place <= positions[:, None] - window
    rows, heads, head_dim = queries.shape
    # Neighbouring heads share keys and values.
    grouped = queries.view(rows, keys.shape[1], -1, head_dim)
    past_keys, past_values = (part[:, :, :length].to(queries.dtype) for part in (keys, values))
    scores = (grouped @ past_keys.transpose(2, 3)).float() / math.sqrt(head_dim)
    weights = torch.softmax(scores.masked_fill(away[:, None, None], -math.inf), dim=-1)
    return (weights.to(queries.dtype) @ past_values).view(rows, heads, head_dim)

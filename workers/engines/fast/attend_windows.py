"""Attend windows: prefill's attention where a token looks back at its window alone."""

import math
from typing import Final

import torch
import torch.nn.functional as nnf
from torch import Tensor

# Queries of a row that are looked at together: with a window of 4,096 positions 32 heads' scores,
# should they be kept, are 0.7 GB in fp32.
QUERIES_AT_ONCE: Final = 1024


def attend_windows(queries: Tensor, keys: Tensor, values: Tensor, window: int) -> Tensor:
    """Every position over the `window` positions that end at its own.

    `queries` are [rows, heads, places, head_dim], keys and values [rows, heads of keys, places,
    head_dim]. A row and some queries at a time, over the positions that any of those looks at.
    """
    mixed = torch.empty_like(queries)
    group = queries.shape[1] // keys.shape[1]
    places = queries.shape[2]
    scale = 1.0 / math.sqrt(queries.shape[3])
    place = torch.arange(places, device=queries.device)
    for begin in range(0, places, QUERIES_AT_ONCE):
        end = min(begin + QUERIES_AT_ONCE, places)
        first = max(0, begin + 1 - window)
        back = place[begin:end, None] - place[None, first:end]
        seen = (back >= 0) & (back < window)
        for row in range(len(queries)):
            one = slice(row, row + 1)
            mixed[one, :, begin:end] = nnf.scaled_dot_product_attention(
                queries[one, :, begin:end],
                keys[one, :, first:end].repeat_interleave(group, dim=1),
                values[one, :, first:end].repeat_interleave(group, dim=1),
                attn_mask=seen,
                scale=scale,
            )
    return mixed

"""Workspace fast: what engine `fast` holds in its pass over all prompts, its steps and its load.

Read off `workers.engines.fast.model`, `workers.engines.fast.decode_steps` and
`workers.engines.fast.fused_weights`.
"""

import math
from typing import Final

from workers.planning.weight_formats import FP8
from workers.planning.workspace import FP32_BYTES, INT64_BYTES, RankWork

# `workers.engines.fast.model` takes so many tokens at a time through the feed-forward layer.
_INNER_TOKENS: Final = 16_384
# `workers.engines.fast.fused_decoder` leaves steps of more rows to cuBLAS, unless weights are to be
# widened.
_FUSED_ROWS: Final = 64
# Of fp16 and bf16.
_HALF_BYTES: Final = 2
# `workers.engines.fast.attend_windows` looks at so many queries of a row together.
_WINDOW_QUERIES: Final = 1024
# `isfinite` of a matrix: its magnitudes, in its own format, and three truths a number.
_TRUTHS_BYTES: Final = 3
# `workers.engines.fast.ops_quantized` unpacks a matrix for more rows than these.
_WIDENED_ROWS: Final = 256


def fast_bytes(work: RankWork) -> int:
    """The workspace of engine `fast` on a GPU: the pass over its prompts beside its steps' own."""
    return fast_pass_bytes(work) + _step_bytes(work)


def fast_pass_bytes(work: RankWork) -> int:
    """What `fast` holds while it reads all prompts in one pass."""
    item, dim, width = work.item_bytes, work.shape.dim, work.width
    # Queries, keys and values of a token, as one product gives them.
    qkv = width + 2 * work.kept
    # Each token's id, row and position, as int64.
    places = 3 * work.tokens * INT64_BYTES
    # In numbers a token. Before the products of a layer: residual, normed, added and queries, and
    # the last layer's fused queries, keys and values with what they mixed to, until replaced.
    # Of fp8, in numbers of the run's format: a number of a product's inputs once more, in a byte;
    # and what comes out of it, which torch's own product writes in bf16 on other boards than
    # Hopper's, to be copied.
    fp8 = work.quantization == FP8
    one, twice = (1 / item if fp8 else 0.0), (1 if fp8 and item == _HALF_BYTES else 0)
    fused = 3 * dim + 2 * width + (2 + twice) * qkv + one * dim
    added = (4 + twice) * dim + 2 * width + qkv + one * width
    joined = 5 * dim + 2 * width + qkv if work.tokens > _INNER_TOKENS else 0
    # Of the last tokens that go through: gates and ups with their product, or it and what it comes
    # to; beside what the tokens before them came to.
    some = min(work.tokens, _INNER_TOKENS)
    multiplied = 2 * (1 + twice) * work.inner + one * dim
    left = (1 + one) * work.inner + (1 + twice) * dim
    gated = some * max(3 * work.inner, multiplied, left)
    held = work.tokens * (3 * dim + 2 * width + qkv)
    inner = held + (work.tokens - some) * dim + gated
    # Keys and values of a layer as its queries meet them, where the cache has them in fewer bytes;
    # with what they mix to.
    widened = 2 * work.tokens * work.kept if work.widens_keys else 0
    met = held + widened + max(work.tokens * width if widened else 0, _window_numbers(work))
    numbers = max(work.tokens * max(fused, added, joined), inner, met)
    return places + max(math.ceil(numbers * item), _widening_bytes(work, held * item, some))


def _window_numbers(work: RankWork) -> int:
    """While a row's queries look at their windows: its keys and values for each head, and a mask.

    The mask is there as truths and as what is added to scores. 0 where no window is left.
    """
    window = work.shape.window
    if window is None or work.prefill_len <= window:
        return 0
    queries = min(_WINDOW_QUERIES, work.prefill_len)
    positions = min(queries + window - 1, work.prefill_len)
    return 2 * positions * work.width + 2 * queries * positions


def _widening_bytes(work: RankWork, held_bytes: int, some: int) -> int:
    """While gates and ups, the largest matrix, are unpacked and multiply; else 0."""
    if not _widens(work) or some <= _WIDENED_ROWS:
        return 0
    item, gates = work.item_bytes, 2 * work.shape.dim * work.inner
    # What the tokens before the last part came to.
    before = (work.tokens - some) * work.shape.dim * item
    return held_bytes + before + gates * item + 2 * some * work.inner * item


def _step_bytes(work: RankWork) -> int:
    """What `fast` keeps for its steps: one row of each activation, logits, and partial sums."""
    item, dim, width = work.item_bytes, work.shape.dim, work.width
    row = (dim + 2 * width + work.inner) * item + dim * FP32_BYTES
    if work.quantization == FP8:
        # The inputs of each product once more, in a byte, and their scale.
        row += dim + width + work.inner + FP32_BYTES
    gathered = work.logits * work.degree * FP32_BYTES if work.degree > 1 else 0
    return work.batch * row + work.logits * FP32_BYTES + gathered


def fast_loading_bytes(work: RankWork, layer_bytes: int) -> int:
    """The most that is held while `fast` fuses its last layer, of `layer_bytes` once finished.

    Weights without the head, which comes after: the embedding, all layers before, and this one
    while its gates and ups are joined, or rounded.
    """
    shape, item = work.shape, work.item_bytes
    table = shape.vocab * shape.dim * item
    gates = 2 * shape.dim * work.inner
    down = shape.dim * work.inner * item
    if shape.tied:
        # The head is a copy that is made with the embedding.
        table += shape.vocab * shape.dim // work.degree * item
    attention = layer_bytes * _attention_numbers(work) // _layer_numbers(work)
    extra = gates * (item + _TRUTHS_BYTES) if work.quantized else gates * item
    return table + (shape.layers - 1) * layer_bytes + attention + gates * item + down + extra


def _layer_numbers(work: RankWork) -> int:
    return _attention_numbers(work) + 3 * work.shape.dim * work.inner


def _attention_numbers(work: RankWork) -> int:
    return 2 * work.shape.dim * (work.width + work.kept)


def fast_cublas_workspaces(work: RankWork) -> int:
    """How many of its workspaces cuBLAS keeps: one for each stream that multiplies.

    Steps that are left to cuBLAS run in two streams more: one to warm up, one to capture.
    """
    return 3 if work.batch > _FUSED_ROWS and not _widens(work) else 1


def _widens(work: RankWork) -> bool:
    """Whether weights are made 16 bits wide to be multiplied."""
    return work.quantized and work.quantization != FP8

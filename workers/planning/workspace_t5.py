"""Workspace T5: what an encoder-decoder of the library holds at its fullest moment.

Read off the library's T5 (5.23) and `workers.engines.transformers.encoder_decoder`. Attention by
torch's fused kernels keeps no scores, but numbers of distances are spread over all rows and heads,
and copied once, as their layout is not the kernels'. Held against the live bytes of the model on
CPU, and to 0.1 % against an H200's own reading of T5-3B.
"""

from typing import Final

from workers.models.library.t5 import T5Shape
from workers.planning.workspace import FP32_BYTES, INT64_BYTES, RankWork
from workers.planning.workspace_reference import choosing_bytes

# Of two positions of a prompt while their distance is put into a bucket: int64 and fp32.
_BUCKETING_BYTES: Final = 3 * INT64_BYTES + 2 * FP32_BYTES
# Of the feed-forward layer's width at once: what goes in and what comes out; the library's gelu by
# tanh holds half of what goes in, too, and two of the powers and sums of it.
_RELU: Final = 2
_GELU: Final = 4


def t5_bytes(work: RankWork) -> int:
    """The workspace beside weights and caches, which stand at their fullest only at the end."""
    shape = work.shape
    assert isinstance(shape, T5Shape)
    a_position = work.batch * 2 * shape.layers * shape.kv_dim * work.item_bytes
    answers = work.max_len - work.prefill_len
    encoding = t5_encode_bytes(work) - a_position * work.max_len
    crossing = t5_cross_bytes(work) - a_position * answers
    # A layer's keys are copied to grow by one, then its values; a row of distances of each head.
    grown = (2 * answers + 1) * shape.kv_dim + 2 * shape.heads * work.prefill_len
    held = _encoded_bytes(work) + max(work.batch * grown * work.item_bytes, choosing_bytes(work))
    return max(0, encoding, crossing, held)


def t5_encode_bytes(work: RankWork) -> int:
    """While the encoder reads the prompts of a batch: nothing of the decoder is there yet."""
    shape = work.shape
    assert isinstance(shape, T5Shape)
    item, dim, tokens, heads = work.item_bytes, shape.dim, work.tokens, shape.heads
    pairs = work.prefill_len**2
    # Ids and mask of every row, and the truths of who may look at whom.
    places = 2 * tokens * INT64_BYTES + work.batch * pairs
    # What went in first, input, normed; queries, keys and values.
    attending = 3 * tokens * (dim + shape.kv_dim) * item
    bucketing = pairs * _BUCKETING_BYTES
    # Numbers of distances of each head, then those of each row, and their copy.
    distances = heads * pairs * item
    spread = distances + 2 * work.batch * distances
    # What went in first, input, what attention added, normed.
    wide = _GELU if shape.version_1_1 else _RELU
    gated = distances + tokens * (4 * dim + wide * shape.inner) * item
    return places + max(attending + max(bucketing, spread), gated)


def t5_cross_bytes(work: RankWork) -> int:
    """While the last layer's keys and values of what was encoded are made, without any answers'."""
    shape = work.shape
    assert isinstance(shape, T5Shape)
    return _encoded_bytes(work) + 2 * work.tokens * shape.kv_dim * work.item_bytes


def _encoded_bytes(work: RankWork) -> int:
    """What the encoder gave, and its mask."""
    return work.tokens * (work.shape.dim * work.item_bytes + INT64_BYTES)

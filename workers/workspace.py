"""Workspace: what an engine allocates beside weights and cache, at its fullest moment.

Tensors that live at once are added up, moment by moment, and the largest sum is taken. The moments
of `reference` are read off `workers.llama` and `workers.reference`, where Python's own reference
counts decide what lives; tests hold them against the live bytes of the real model.
"""

from dataclasses import dataclass
from typing import Final

from workers.shapes import Shape

_FP32: Final = 4
_INT64: Final = 8
# What cuBLAS asks torch's allocator for: 32 MiB on Hopper, 8.125 MiB on older boards
# (torch/aten/src/ATen/cuda/CublasHandlePool.cpp); a card that is not known is taken for a new one.
_CUBLAS_BYTES: Final = {"v100": 8_519_680, "a100": 8_519_680}
_CUBLAS_DEFAULT_BYTES: Final = 32 << 20
# Of each logit while a token is chosen, all fp32 but the order, which is int64: logits,
# probabilities, sorted, order, mass before, kept and the exponential draws.
_CHOOSING_BYTES: Final = 6 * _FP32 + _INT64
# Of each logit while CUDA sorts: logits, probabilities, the two results, and pairs of value and
# index before and after with the sort's own second buffer.
_SORTING_BYTES: Final = 3 * _FP32 + _INT64 + 3 * _INT64


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one rank does at a time, as far as its memory hangs on it."""

    shape: Shape
    degree: int
    """Ranks that share the model."""
    batch: int
    prefill_len: int
    """Tokens of every row in the first forward pass."""
    max_len: int
    """Positions of every row at the end."""
    item_bytes: int
    """Bytes of a number in the run's format."""

    @property
    def width(self) -> int:
        """This rank's part of the residual stream's width: its heads."""
        return self.shape.dim // self.degree

    @property
    def inner(self) -> int:
        """This rank's part of the feed-forward layer's width."""
        return self.shape.ffn // self.degree

    @property
    def heads(self) -> int:
        """This rank's heads."""
        return self.shape.heads // self.degree


def reference_bytes(work: Work) -> int:
    """The workspace of engine `reference`."""
    item = work.item_bytes
    # `.float()` copies what is not fp32 already.
    copy = 0 if item == _FP32 else _FP32
    dim, tokens = work.shape.dim, work.batch * work.prefill_len
    scores = work.batch * work.heads * work.prefill_len**2
    # A norm of the feed-forward layer: the block's input, what is added, and the norm's copies.
    norm = tokens * dim * (3 * item + copy + _FP32)
    # A key is turned: input, normed, query and key; wide, three halves and one more while the odd
    # ones are made, and the same when they are joined.
    turn = tokens * (2 * dim * item + work.width * (2 * item + copy + 2 * _FP32))
    # Scores: matmul makes query and keys contiguous; then softmax in fp32 beside the scores.
    product = tokens * (2 * dim + 3 * work.width) * item + scores * item
    softmax = tokens * (2 * dim + work.width) * item + scores * (item + copy + _FP32)
    # Gate, up and their product beside the block's input, what attention added to it, and its norm.
    gated = 3 * tokens * (dim + work.inner) * item
    # The same three and the product, while it is projected down.
    down = tokens * (4 * dim + work.inner) * item
    # A late step copies one layer's keys, later its values, beside a row's scores.
    late = work.batch * work.max_len * (work.width * item + work.heads * item)
    logits = work.batch * work.shape.vocab
    # The gathered parts and their join, in the run's format, then fp32.
    joined = logits * (2 * item if work.degree > 1 else item) + logits * copy
    chosen = logits * max(_CHOOSING_BYTES, _SORTING_BYTES)
    return max(norm, turn, product, softmax, gated, down, late, joined, chosen)


def cublas_bytes(gpu_kind: str) -> int:
    """What cuBLAS keeps of a GPU of that kind for its own work."""
    return _CUBLAS_BYTES.get(gpu_kind, _CUBLAS_DEFAULT_BYTES)

"""Workspace reference: what engine `reference` holds at the fullest moment of the published loop.

Read off `workers.models.llama.model` and `workers.engines.reference.engine`.
"""

from typing import Final

from workers.planning.workspace import FP32_BYTES, INT64_BYTES, RankWork

# Of each logit while a token is chosen, all fp32 but the order, which is int64: logits,
# probabilities, sorted, order, mass before, kept and the exponential draws.
_CHOOSING_BYTES: Final = 6 * FP32_BYTES + INT64_BYTES
# Of each logit while CUDA sorts (torch/aten/src/ATen/native/cuda/SortStable.cu): logits,
# probabilities and the two results; then for fewer than 128 rows two arrays of row and place, the
# sorted keys and cub's second buffer of both; for more the places and cub's second buffer.
_SORTED_AT_ONCE: Final = 128
_SORTING_FEW_BYTES: Final = (
    3 * FP32_BYTES + INT64_BYTES + 2 * INT64_BYTES + FP32_BYTES + (FP32_BYTES + INT64_BYTES)
)
_SORTING_MANY_BYTES: Final = 3 * FP32_BYTES + INT64_BYTES + INT64_BYTES + (FP32_BYTES + INT64_BYTES)


def choosing_bytes(work: RankWork) -> int:
    """What choosing a token of every row by a full sort holds, its logits included."""
    few = work.batch < _SORTED_AT_ONCE
    sorting = _SORTING_FEW_BYTES if few else _SORTING_MANY_BYTES
    return work.batch * work.shape.vocab * max(_CHOOSING_BYTES, sorting)


def reference_bytes(work: RankWork) -> int:
    """The workspace of engine `reference`."""
    item = work.item_bytes
    # `.float()` copies what is not fp32 already.
    copy = 0 if item == FP32_BYTES else FP32_BYTES
    dim, tokens = work.shape.dim, work.tokens
    scores = work.batch * work.heads * work.prefill_len**2
    # A norm of the feed-forward layer: the block's input, what is added, and the norm's copies.
    norm = tokens * dim * (3 * item + copy + FP32_BYTES)
    # A key is turned: input, normed, query and key; wide, turned, and in the run's format again.
    again = item if copy else 0
    turned = copy + FP32_BYTES + again
    turn = tokens * (2 * dim * item + work.kept * (item + turned) + work.width * item)
    # A query is turned before there is a key, and is wider where heads share those.
    turn = max(turn, tokens * (2 * dim * item + work.width * (item + turned)))
    # Scores: matmul makes query and keys contiguous; then softmax in fp32 beside the scores. Where
    # heads share keys, or values, these are copied for each head before.
    shared = work.width if work.kept < work.width else 0
    product = tokens * (2 * dim + 3 * work.width + shared) * item + scores * item
    softmax = tokens * (2 * dim + work.width) * item + scores * (item + copy + FP32_BYTES)
    # Gate, up and their product beside the block's input, what attention added to it, and its norm.
    gated = 3 * tokens * (dim + work.inner) * item
    # The same three and the product, while it is projected down.
    down = tokens * (4 * dim + work.inner) * item
    # A late step copies one layer's keys, later its values, beside a row's scores.
    looked_at = min(work.max_len, work.shape.window or work.max_len)
    late = work.batch * looked_at * (work.width + shared + work.heads) * item
    logits = work.batch * work.shape.vocab
    # The gathered parts and their join, in the run's format, then fp32.
    joined = logits * (2 * item if work.degree > 1 else item) + logits * copy
    chosen = choosing_bytes(work)
    return max(norm, turn, product, softmax, gated, down, late, joined, chosen)

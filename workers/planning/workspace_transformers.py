"""Workspace transformers: what engine `transformers` holds at its fullest moment.

Read off the library's LLaMA and Mistral (5.23) and `workers.engines.transformers.engine`; attention
by torch's fused kernels, which keep no scores. An H200's own readings of Llama-3.2-3B and
Mistral-7B lie within 0.3 % (bf16, tests/system/test_recorded_second_paper.py). Families that only
the library has are in `workers.planning.workspace_library`.
"""

from workers.models.library.counted import CountedShape
from workers.models.library.shape import LibraryShape
from workers.models.library.t5 import T5Shape
from workers.planning.workspace import FP32_BYTES, INT64_BYTES, RankWork
from workers.planning.workspace_counted import counted_bytes
from workers.planning.workspace_library import LIBRARY_WORKSPACES
from workers.planning.workspace_reference import choosing_bytes
from workers.planning.workspace_t5 import t5_bytes


def transformers_bytes(work: RankWork) -> int:
    """The workspace of engine `transformers`."""
    if isinstance(work.shape, T5Shape):
        return t5_bytes(work)
    if isinstance(work.shape, CountedShape):
        return counted_bytes(work, work.shape)
    if (own := LIBRARY_WORKSPACES.get(work.shape.family)) is not None:
        return own(work)
    item, dim, tokens = work.item_bytes, work.shape.dim, work.tokens
    kept, width = work.kept, work.width
    # Mask, places and ids of every row, and the truths of who may look at whom.
    places = 3 * tokens * INT64_BYTES + work.batch * work.prefill_len**2
    # Input, what is added and the norm's copies in single precision.
    norm = tokens * dim * (3 * item + 2 * FP32_BYTES)
    # Input, normed, queries before and after their turn, what they mixed to; keys and values for
    # every head of queries, which share them.
    attention = tokens * (2 * dim + 5 * width + 2 * kept) * item
    # Input, normed, gates, ups and their product beside the activated gates; the library's gelu by
    # tanh holds what goes in, its half, and two of the powers and sums of it.
    wide = 4 if isinstance(work.shape, LibraryShape) else 3
    gated = tokens * (3 * dim + wide * work.inner) * item
    # A layer's keys are copied to grow by one, and spread over the heads that share them.
    grown = work.batch * work.max_len * (kept + 2 * width) * item
    return places + max(norm, attention, gated, grown, choosing_bytes(work))


def static_bytes(work: RankWork) -> int:
    """The workspace of the engines whose cache has its full size from the start."""
    item, shape, tokens = work.item_bytes, work.shape, work.tokens
    kept, width = work.kept, work.width
    positions = min(work.max_len, shape.window or work.max_len)
    # Who may look at whom, over all places that the cache has; ids, mask and places of every row.
    places = 3 * tokens * INT64_BYTES + work.batch * (work.prefill_len + 1) * work.max_len
    norm = tokens * shape.dim * (3 * item + 2 * FP32_BYTES)
    # A layer's whole cache is spread over the heads that share it; where a window rolls, it is
    # copied besides.
    spread = 2 * work.batch * positions * width * item if kept < width else 0
    rolled = 2 * work.batch * positions * kept * item if shape.window is not None else 0
    attention = tokens * (2 * shape.dim + 5 * width + 2 * kept) * item + max(spread, rolled)
    wide = 4 if isinstance(shape, LibraryShape) else 3
    gated = tokens * (3 * shape.dim + wide * work.inner) * item
    most = places + max(norm, attention, gated, choosing_bytes(work))
    # A family of the library alone holds at least what it holds with a growing cache, in its pass.
    own = LIBRARY_WORKSPACES.get(shape.family)
    return most if own is None else max(most, own(work))

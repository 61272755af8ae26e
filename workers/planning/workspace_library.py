"""Workspace library: what engine `transformers` holds for the families whose layers it alone has.

Read off the library's code (5.23), family by family, and held against the live bytes of its models
on CPU. Sums are of tokens x width, of scores (rows x heads x queries x keys) and of masks. Where a
family's attention is torch's fused kernel, no score is kept; the others spell scores out, and the
layer before still holds its own while the next one works. An H200's own readings of six families
lie within 5 % (bf16, tests/system/test_recorded_second_paper.py); fp16, not held against one, is
spared one of BLOOM's copies of scores in single precision there.
"""

from collections.abc import Callable
from typing import Final

from workers.models.library.gptj import GptJShape
from workers.models.library.shape import LibraryShape
from workers.planning.workspace import FP32_BYTES, INT64_BYTES, RankWork
from workers.planning.workspace_reference import choosing_bytes


def fused_bytes(work: RankWork, *, wide: int, narrow: int) -> int:
    """Of a family whose attention keeps no scores.

    Its feed-forward layer holds `wide` of its own width beside `narrow` of the stream's.
    """
    item, tokens = work.item_bytes, work.tokens
    inner = tokens * (narrow * work.shape.dim + wide * work.shape.ffn) * item + _looks(work, 1)
    return _fullest(work, inner, 0)


def bloom_bytes(work: RankWork) -> int:
    """BLOOM: scores with distances, with the mask, and in single precision before and after."""
    item, dim, tokens = work.item_bytes, work.shape.dim, work.tokens
    # Distances of every key for every head.
    places = work.batch * work.heads * work.max_len * item
    scores = _scores(work) * (3 * item + FP32_BYTES + _copy(work))
    attention = tokens * 7 * dim * item + scores
    # gelu written out keeps four products beside what goes in.
    inner = tokens * (4 * dim + 5 * work.shape.ffn) * item + _scores(work) * 2 * item
    late = work.batch * work.heads * work.max_len * (3 * item + FP32_BYTES + _copy(work))
    prefill = max(attention, inner) + places + _looks(work, item)
    return _fullest(work, prefill, late + places)


def gptj_bytes(work: RankWork) -> int:
    """GPT-J: queries, keys and scores in single precision; a copy of its table for every row."""
    assert isinstance(work.shape, GptJShape)
    item, dim, tokens = work.item_bytes, work.shape.dim, work.tokens
    tables = work.batch * work.shape.context * work.shape.turned * FP32_BYTES
    tables += tokens * work.shape.turned * INT64_BYTES
    scores = _scores(work) * (2 * FP32_BYTES + item)
    attention = tokens * dim * (6 * item + 2 * _copy(work)) + scores + tables
    # Four powers and sums of the library's gelu by tanh, beside what attention gave.
    inner = tokens * (4 * dim + 4 * work.shape.ffn) * item + _scores(work) * 2 * item
    prefill = max(attention, inner) + _looks(work, item)
    return _fullest(work, prefill, _late_fp32(work) + tables)


def gpt_neo_bytes(work: RankWork) -> int:
    """GPT-Neo: as GPT-J without turns, and all scores of its layers with a window, too."""
    item, dim, tokens = work.item_bytes, work.shape.dim, work.tokens
    scores = _scores(work) * (2 * FP32_BYTES + item)
    attention = tokens * dim * (5 * item + 2 * _copy(work)) + scores
    inner = tokens * (6 * dim + 4 * work.shape.ffn) * item + _scores(work) * 2 * item
    prefill = max(attention, inner) + _looks(work, item)
    return _fullest(work, prefill, _late_fp32(work))


def falcon_bytes(work: RankWork) -> int:
    """Falcon: no fused kernel of torch takes one head of keys for many of queries.

    Its plain one turns all into single precision and copies keys and values for each head; the
    newer layout's are copied before, and fused.
    """
    item, dim, tokens, kept = work.item_bytes, work.shape.dim, work.tokens, work.shape.kv_dim
    if work.shape.cached_dim == dim:
        return fused_bytes(work, wide=2, narrow=5)
    scores = _scores(work)
    # Input, normed, turned, queries with keys and values, what was added; in single precision
    # queries, scaled, and keys and values.
    alone = FP32_BYTES + _copy(work)
    queries = tokens * ((6 * dim + 2 * kept) * item + (dim + 2 * kept) * alone)
    spread = tokens * dim * FP32_BYTES
    # The softmax that minds rows without a key keeps what came in, what came out, the truths of
    # which is nothing, and what it chose of both.
    chosen = scores * (3 * FP32_BYTES + 1)
    attention = queries + max(2 * spread + scores * FP32_BYTES, chosen)
    inner = tokens * (4 * dim + 2 * work.shape.ffn) * item
    prefill = max(attention, inner) + _looks(work, 1 + max(item, FP32_BYTES))
    numbers = dim * FP32_BYTES + kept * (alone + _copy(work)) + work.heads * FP32_BYTES
    late = work.batch * work.max_len * (numbers + 3 * INT64_BYTES)
    return _fullest(work, prefill, late)


def _gpt2_bytes(work: RankWork) -> int:
    return fused_bytes(work, wide=4, narrow=6)


def _opt_bytes(work: RankWork) -> int:
    return fused_bytes(work, wide=2, narrow=4)


LIBRARY_WORKSPACES: Final[dict[str, Callable[[RankWork], int]]] = {
    "gpt2": _gpt2_bytes,
    "opt": _opt_bytes,
    "bloom": bloom_bytes,
    "gptj": gptj_bytes,
    "gpt_neo": gpt_neo_bytes,
    "falcon": falcon_bytes,
}
"""The workspace of engine `transformers` by the families that only the library has."""


def _copy(work: RankWork) -> int:
    """Bytes of the copy in single precision of a number that is not in it already."""
    return 0 if work.item_bytes == FP32_BYTES else FP32_BYTES


def _scores(work: RankWork) -> int:
    """Scores of a layer in the first pass."""
    return work.batch * work.heads * work.prefill_len**2


def _looks(work: RankWork, mask_bytes: int) -> int:
    """Who may look at whom, at so many bytes each; ids, mask and places of every row."""
    return 3 * work.tokens * INT64_BYTES + work.batch * work.prefill_len**2 * mask_bytes


def _late_fp32(work: RankWork) -> int:
    """A layer's keys in single precision where they are not, and a token's scores twice."""
    places = work.batch * work.max_len
    scores = work.heads * (2 * FP32_BYTES + work.item_bytes)
    return places * (work.shape.dim * _copy(work) + scores + 3 * INT64_BYTES)


def _fullest(work: RankWork, prefill: int, late: int) -> int:
    """The most of a first pass, of a late step, and of choosing a token, with tables of its own.

    While the first pass lasts, the cache has none of the positions yet that answers will take. In
    a step a layer's keys, and then its values, are copied to grow by one.
    """
    shape = work.shape
    unfilled = (work.max_len - work.prefill_len) * 2 * shape.layers * shape.cached_dim
    first = prefill - work.batch * unfilled * work.item_bytes
    grown = work.batch * work.max_len * shape.cached_dim * work.item_bytes
    assert isinstance(shape, LibraryShape)
    return shape.buffer_bytes + max(first, late, grown, choosing_bytes(work))

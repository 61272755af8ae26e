"""Workspace counted: about what a model holds at its fullest moment that the library alone knows.

No code of it was read: the moments are those that all decoders of the library have, with the
widths that were counted. Held against the live bytes of seven architectures on CPU, and no more:
a guess, from 15 % too little to 30 % too much of this part, which weights and cache dwarf at true
sizes.
"""

from workers.models.library.counted import CountedShape
from workers.planning.workspace import FP32_BYTES, INT64_BYTES, RankWork
from workers.planning.workspace_reference import choosing_bytes


def counted_bytes(work: RankWork, shape: CountedShape) -> int:
    """The workspace of engine `transformers` of a counted model."""
    item, dim, tokens = work.item_bytes, shape.dim, work.tokens
    width, kept = shape.heads * shape.head_dim, shape.kv_dim
    places = 3 * tokens * INT64_BYTES + work.batch * work.prefill_len**2
    norm = tokens * dim * (3 * item + 2 * FP32_BYTES)
    # Queries before and after their turn and what they mixed to; keys and values for every head.
    # Who may look at whom, as truths, is turned into numbers of the run's.
    looks = work.batch * work.prefill_len**2 * item
    attention = tokens * (2 * dim + 5 * width + 2 * kept) * item + looks
    if shape.spelled:
        # Scores, the same in single precision, and the mask in the model's own numbers.
        scores = work.batch * shape.heads * work.prefill_len**2
        attention += scores * (2 * item + FP32_BYTES)
        places += work.batch * work.prefill_len**2 * item
    inner = tokens * (4 * dim + shape.wide * shape.ffn) * item
    # A layer's keys are copied to grow by one; where heads share them they may be spread, too.
    grown = work.batch * work.max_len * (kept + (2 * width if kept < width else 0)) * item
    most = max(norm, attention, inner, grown, choosing_bytes(work))
    return shape.buffer_bytes + places + most

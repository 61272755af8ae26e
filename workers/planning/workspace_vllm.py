"""Workspace vllm: what engine `vllm` holds beside its weights at its fullest moment.

The cache is paged: it is asked for as large as every row at its longest needs, so that no request
is ever put off for want of it. Beside it stands one step of as many tokens as the library schedules
at most. Read off the library (0.32); not yet held against a GPU's own reading, and what the
library's graphs keep is not in it.
"""

from typing import Final

from workers.models.base.shape import ModelShape
from workers.planning.workspace import FP32_BYTES, RankWork
from workers.planning.workspace_reference import choosing_bytes

BLOCK: Final = 32
"""Positions of a page of the cache: the fewest that its kernels for GPUs and for CPUs take."""
STEP_TOKENS: Final = 8192
"""Tokens of one step at most, prompts' and answers', where a prompt is not longer: what the library
takes by itself for an H100, on every board, so that boards differ in speed alone."""
# The library keeps one page for what no request owns.
_SPARE: Final = 1


def planned_pages(rows: int, max_len: int) -> int:
    """Pages of a cache that holds `rows` of `max_len` positions, each its own, and the spare."""
    return rows * -(-max_len // BLOCK) + _SPARE


def paged_bytes(shape: ModelShape, *, rows: int, max_len: int, degree: int, item_bytes: int) -> int:
    """Bytes of a rank's cache that holds `rows` of `max_len` positions in whole pages."""
    return planned_pages(rows, max_len) * BLOCK * shape.kv_numbers // degree * item_bytes


def vllm_bytes(work: RankWork) -> int:
    """The workspace of engine `vllm`: a step's fullest layer, and what pages round up."""
    tokens = min(work.tokens, max(STEP_TOKENS, work.max_len, work.batch))
    item, dim = work.item_bytes, work.shape.dim
    # Input, what is added, normed, queries, keys and values in one, and what they mixed to.
    attention = tokens * (3 * dim + 2 * work.width + 2 * work.kept) * item
    # Input, normed, gates beside ups, and their product.
    gated = tokens * (2 * dim + 3 * work.inner) * item
    # Logits are gathered whole on every rank, and chosen from in single precision.
    choosing = max(choosing_bytes(work), 3 * work.batch * work.shape.vocab * FP32_BYTES)
    paged = paged_bytes(
        work.shape,
        rows=work.batch,
        max_len=work.max_len,
        degree=work.degree,
        item_bytes=item,
    )
    planned = work.batch * work.max_len * work.shape.kv_numbers // work.degree * item
    return max(attention, gated, choosing) + paged - planned

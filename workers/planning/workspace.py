"""Workspace: what an engine allocates beside weights and cache, at its fullest moment.

Tensors that live at once are added up, moment by moment, and the largest sum is taken. The moments
are read off the engines' code (`workers.models.llama.model`, `workers.engines.reference.engine`;
`workers.engines.fast.model` and `workers.engines.fast.decode_steps`), where Python's own reference
counts decide what lives; tests hold them against the live bytes of the real models.
"""

from dataclasses import dataclass
from typing import Final

from telemetry.boards.board import CUBLAS_WORKSPACE_BYTES
from telemetry.boards.table import BOARDS
from workers.models.base.shape import ModelShape

_FP32: Final = 4
_INT64: Final = 8
# Of each logit while a token is chosen, all fp32 but the order, which is int64: logits,
# probabilities, sorted, order, mass before, kept and the exponential draws.
_CHOOSING_BYTES: Final = 6 * _FP32 + _INT64
# Of each logit while CUDA sorts (torch/aten/src/ATen/native/cuda/SortStable.cu): logits,
# probabilities and the two results; then for fewer than 128 rows two arrays of row and place, the
# sorted keys and cub's second buffer of both; for more the places and cub's second buffer.
_SORTED_AT_ONCE: Final = 128
_SORTING_FEW_BYTES: Final = 3 * _FP32 + _INT64 + 2 * _INT64 + _FP32 + (_FP32 + _INT64)
_SORTING_MANY_BYTES: Final = 3 * _FP32 + _INT64 + _INT64 + (_FP32 + _INT64)
# `workers.engines.fast.model` takes so many tokens at a time through the feed-forward layer.
_INNER_TOKENS: Final = 16_384
# `workers.engines.fast.fused_decoder` leaves steps of more rows to cuBLAS, unless weights are
# quantized.
_FUSED_ROWS: Final = 64
# `isfinite` of a matrix: its magnitudes, in its own format, and three truths a number.
_TRUTHS_BYTES: Final = 3
# Of each weight while a matrix is widened for cuBLAS (`workers.models.quantization.dequantize`):
# fp32 before and after its scale, and for 4 bits the whole numbers that were unpacked.
_WIDENING_BYTES: Final = {"int8": 2 * _FP32, "int4": 2 * _FP32 + 1}


@dataclass(frozen=True, kw_only=True)
class RankWork:
    """What one rank does at a time, as far as its memory hangs on it."""

    shape: ModelShape
    """The whole model's sizes."""
    degree: int
    """Ranks that share the model."""
    batch: int
    """Prompts answered together."""
    prefill_len: int
    """Tokens of every row in the first forward pass."""
    max_len: int
    """Positions of every row at the end."""
    item_bytes: int
    """Bytes of a number in the run's format."""
    quantization: str = "none"
    """How the layers' matrices are rounded while the model loads."""

    @property
    def quantized(self) -> bool:
        """True when the layers' matrices are rounded."""
        return self.quantization != "none"

    @property
    def tokens(self) -> int:
        """Tokens of the first forward pass."""
        return self.batch * self.prefill_len

    @property
    def logits(self) -> int:
        """This rank's logits of one step."""
        return self.batch * self.shape.vocab // self.degree

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


def reference_bytes(work: RankWork) -> int:
    """The workspace of engine `reference`."""
    item = work.item_bytes
    # `.float()` copies what is not fp32 already.
    copy = 0 if item == _FP32 else _FP32
    dim, tokens = work.shape.dim, work.tokens
    scores = work.batch * work.heads * work.prefill_len**2
    # A norm of the feed-forward layer: the block's input, what is added, and the norm's copies.
    norm = tokens * dim * (3 * item + copy + _FP32)
    # A key is turned: input, normed, query and key; wide, turned, and in the run's format again.
    again = item if copy else 0
    turn = tokens * (2 * dim * item + work.width * (2 * item + copy + _FP32 + again))
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
    few = work.batch < _SORTED_AT_ONCE
    sorting = _SORTING_FEW_BYTES if few else _SORTING_MANY_BYTES
    chosen = logits * max(_CHOOSING_BYTES, sorting)
    return max(norm, turn, product, softmax, gated, down, late, joined, chosen)


def fast_bytes(work: RankWork) -> int:
    """The workspace of engine `fast` on a GPU: the pass over its prompts beside its steps' own."""
    return pass_bytes(work) + _step_bytes(work)


def pass_bytes(work: RankWork) -> int:
    """What `fast` holds while it reads all prompts in one pass."""
    item, dim, width = work.item_bytes, work.shape.dim, work.width
    # Each token's id, row and position, as int64.
    places = 3 * work.tokens * _INT64
    # In numbers a token. Before the products of a layer: residual, normed, added and queries, and
    # the last layer's fused queries, keys and values with what they mixed to, until replaced.
    fused = 3 * dim + 8 * width
    added = 4 * dim + 5 * width
    joined = 5 * dim + 5 * width if work.tokens > _INNER_TOKENS else 0
    # Of the last tokens that go through: gates and ups with their product, or it and what it comes
    # to; beside what the tokens before them came to.
    some = min(work.tokens, _INNER_TOKENS)
    gated = some * max(3 * work.inner, work.inner + dim)
    held = work.tokens * (3 * dim + 5 * width)
    inner = held + (work.tokens - some) * dim + gated
    numbers = max(work.tokens * max(fused, added, joined), inner)
    return places + max(numbers * item, _widening_bytes(work, held * item, some))


def _widening_bytes(work: RankWork, held_bytes: int, some: int) -> int:
    """While gates and ups, the largest matrix, are widened, or are there and multiply; else 0."""
    if not work.quantized:
        return 0
    item, gates = work.item_bytes, 2 * work.shape.dim * work.inner
    widening = gates * _WIDENING_BYTES[work.quantization]
    # What the tokens before the last part came to.
    before = (work.tokens - some) * work.shape.dim * item
    return held_bytes + before + max(widening, gates * item + 2 * some * work.inner * item)


def _step_bytes(work: RankWork) -> int:
    """What `fast` keeps for its steps: one row of each activation, logits, and partial sums."""
    item, dim, width = work.item_bytes, work.shape.dim, work.width
    row = (dim + 2 * width + work.inner) * item + dim * _FP32
    gathered = work.logits * work.degree * _FP32 if work.degree > 1 else 0
    return work.batch * row + work.logits * _FP32 + gathered


def loading_bytes(work: RankWork, layer_bytes: int) -> int:
    """The most that is held while `fast` fuses its last layer, of `layer_bytes` once finished.

    Weights without the head, which comes after: the embedding, all layers before, and this one
    while its gates and ups are joined, or rounded.
    """
    shape, item = work.shape, work.item_bytes
    table = shape.vocab * shape.dim * item
    gates = 2 * shape.dim * work.inner
    down = shape.dim * work.inner * item
    attention = layer_bytes * 4 * shape.dim * work.width // _layer_numbers(work)
    extra = gates * (item + _TRUTHS_BYTES) if work.quantized else gates * item
    return table + (shape.layers - 1) * layer_bytes + attention + gates * item + down + extra


def _layer_numbers(work: RankWork) -> int:
    return work.shape.dim * (4 * work.width + 3 * work.inner)


def cublas_workspaces(work: RankWork, engine: str) -> int:
    """How many of its workspaces cuBLAS keeps: one for each stream that multiplies.

    Steps of `fast` that are left to cuBLAS run in two streams more: one to warm up, one to capture.
    """
    by_cublas = engine == "fast" and work.batch > _FUSED_ROWS and not work.quantized
    return 3 if by_cublas else 1


def cublas_bytes(gpu_kind: str) -> int:
    """What cuBLAS keeps of a GPU of that kind for its own work."""
    board = BOARDS.get(gpu_kind)
    return CUBLAS_WORKSPACE_BYTES if board is None else board.cublas_workspace_bytes

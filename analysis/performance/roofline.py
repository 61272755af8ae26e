"""Roofline: the least time in which the same answers could be had, from bytes and arithmetic.

Two sums bound a phase from below, each over what all GPUs can do together:

    bytes = steps x weights + positions of keys and values touched x their bytes
    flops = 2 x matrices x tokens + 4 x dim x layers x positions met + 2 x dim x vocab x logits

Weights are read once a step: the layers' matrices as they lie in memory, the norms of every rank,
the output head; of the embedding table only a row a token, which is left out. A decoding step
reads the keys and values of each live row's positions; prefill writes those of each position once.
Communication, sampling, activations and the host are free here: the bound can be neared, not met.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

ITEM_BYTES: Final = {"fp32": 4, "fp16": 2, "bf16": 2}
"""Bytes of one number, by `RunSpec.dtype`."""
# Keys and values.
_KV: Final = 2
# int8 keeps one scale in single precision for each output row.
_INT8_SCALE_BYTES: Final = 4
# int4 keeps a scale of the run's dtype for each group of at most this many inputs of a rank.
_MOST_GROUP: Final = 128


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of a LLaMA model as its record has them."""

    dim: int
    """Width of the residual stream."""
    layers: int
    """Transformer layers."""
    ffn: int
    """Width of the feed-forward layer."""
    vocab: int
    """Ids of the vocabulary: rows of the embedding and of the output matrix."""

    def __post_init__(self) -> None:
        for name in ("dim", "layers", "ffn", "vocab"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"`{name}` must be a whole number of at least 1, but is {value!r} instead"
                )

    @property
    def matrix_params(self) -> int:
        """Parameters of all layers' seven matrices."""
        return self.layers * (4 * self.dim**2 + 3 * self.dim * self.ffn)

    @property
    def head_params(self) -> int:
        """Parameters of the output head."""
        return self.vocab * self.dim


def weight_bytes(sizes: Sizes, *, dtype: str, quantization: str, degree: int) -> int:
    """Bytes of weights that one step reads, over all `degree` ranks.

    Raises:
        ValueError: the format is not one that is known here.
    """
    item = ITEM_BYTES.get(dtype)
    if item is None or quantization not in ("none", "int8", "int4"):
        raise ValueError(
            f"`dtype` and `quantization` must be known, but are {dtype!r} and {quantization!r}"
        )
    norms = (2 * sizes.layers + 1) * sizes.dim * item * degree
    matrices = sizes.matrix_params * item
    if quantization != "none":
        bits = int(quantization.removeprefix("int"))
        matrices = sizes.matrix_params * bits // 8 + _scale_bytes(sizes, bits, item, degree)
    return matrices + norms + sizes.head_params * item


def kv_bytes(sizes: Sizes, dtype: str) -> int:
    """Bytes of the keys and values of one position of one row, over all ranks."""
    return _KV * sizes.layers * sizes.dim * ITEM_BYTES[dtype]


def _scale_bytes(sizes: Sizes, bits: int, item: int, degree: int) -> int:
    """Scales of all layers' matrices over all ranks.

    wq, wk, wv, w1 and w3 are split by outputs and keep all inputs on a rank; wo and w2 are split by
    inputs, so that each rank has scales for all of their outputs.
    """
    dim, ffn = sizes.dim, sizes.ffn
    whole = 3 * dim + 2 * ffn
    if bits == 8:  # noqa: PLR2004 - the format's name
        return sizes.layers * _INT8_SCALE_BYTES * (whole + degree * 2 * dim)
    of_outputs = whole * (dim // _group(dim))
    of_inputs = dim * sum(width // _group(width // degree) for width in (dim, ffn))
    return sizes.layers * item * (of_outputs + of_inputs)


def _group(inputs: int) -> int:
    """The largest power of two up to 128 that divides a rank's inputs."""
    return min(_MOST_GROUP, inputs & -inputs)


@dataclass(frozen=True, kw_only=True)
class RowWork:
    """What one prompt asked for and got."""

    prompt: int
    """Tokens of the prompt."""
    generated: int
    """Ids kept."""
    ended: bool
    """True where an end-of-sequence id cut the answer: one more choice than ids kept."""
    first_step: int = 0
    """Step that chose its first token; the prompt's last tokens were read one a step until then."""

    @property
    def read(self) -> int:
        """Tokens of the prompt that prefill read."""
        return self.prompt - self.first_step

    @property
    def steps(self) -> int:
        """Decoding steps that fed a token of this row: its last token is never fed."""
        return max(0, self.first_step + self.generated + self.ended - 1)


@dataclass(frozen=True, kw_only=True)
class PhaseWork:
    """What one phase has to do at least, over all ranks."""

    steps: int = 0
    """Times that the weights are read."""
    tokens: int = 0
    """Tokens that go through the matrices."""
    met: int = 0
    """Positions that those tokens attend to, summed."""
    touched: int = 0
    """Positions whose keys and values are read or written."""
    logits: int = 0
    """Rows of logits."""

    @classmethod
    def prefill(cls, rows: Sequence[RowWork]) -> Self:
        """One pass over the prompts of a batch."""
        tokens = sum(row.read for row in rows)
        met = sum(row.read * (row.read + 1) // 2 for row in rows)
        return cls(steps=1, tokens=tokens, met=met, touched=tokens, logits=len(rows))

    @classmethod
    def decode(cls, rows: Sequence[RowWork]) -> Self:
        """Token by token up to the longest answer of a batch; rows that ended cost nothing."""
        tokens = sum(row.steps for row in rows)
        met = sum(row.steps * row.read + row.steps * (row.steps + 1) // 2 for row in rows)
        steps = max((row.steps for row in rows), default=0)
        return cls(steps=steps, tokens=tokens, met=met, touched=met, logits=tokens)

    def flops(self, sizes: Sizes) -> int:
        """Floating-point operations; a multiply-add is two."""
        matrices = 2 * sizes.matrix_params * self.tokens
        attention = 4 * sizes.dim * sizes.layers * self.met
        return matrices + attention + 2 * sizes.head_params * self.logits

    def bytes(self, weights: int, kv: int) -> int:
        """Bytes moved; `weights` a step and `kv` a position, over all ranks."""
        return self.steps * weights + self.touched * kv

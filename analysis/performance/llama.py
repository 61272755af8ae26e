"""LLaMA: the arithmetic of its models from their sizes.

Weights are read once a step: the layers' seven matrices as they lie in memory, the norms of every
rank, the output head; of the embedding table only a row a token, which is left out. A token meets a
position by one product with its key and one with its value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from telemetry.record.arithmetic import Arithmetic
from telemetry.record.spec import ITEM_BYTES, KV_ITEM_BYTES, RunSpec
from telemetry.record.validation import require_whole

# Keys and values.
_KV: Final = 2
# int8 and fp8 keep one scale in single precision for each output row.
_ROW_SCALE_BYTES: Final = 4
_BITS: Final = {"int8": 8, "fp8": 8, "int4": 4}
# int4 keeps a scale of the run's dtype for each group of at most this many inputs of a rank.
_MOST_GROUP: Final = 128


@dataclass(frozen=True, kw_only=True)
class LlamaSizes:
    """Sizes of a LLaMA model as its record has them."""

    dim: int
    """Width of the residual stream."""
    layers: int
    """Transformer layers."""
    ffn: int
    """Width of the feed-forward layer."""
    vocab: int
    """Ids of the vocabulary: rows of the embedding and of the output matrix."""
    heads: int = 1
    """Heads of queries."""
    kv_heads: int | None = None
    """Heads of keys and values; None in a record from before heads could share them."""
    tied: bool = False
    """True when the output head is the embedding table."""

    def __post_init__(self) -> None:
        for name in ("dim", "layers", "ffn", "vocab", "heads"):
            require_whole(name, getattr(self, name), 1)
        if self.kv_heads is not None:
            require_whole("kv_heads", self.kv_heads, 1)
            if self.heads % self.kv_heads or self.dim % self.heads:
                raise ValueError(
                    f"`kv_heads` must divide the heads, and those the width, but are "
                    f"{self.kv_heads}, {self.heads} and {self.dim}"
                )
        if not isinstance(self.tied, bool):
            raise ValueError(f"`tied` must be true or false, but is {self.tied!r} instead")

    @property
    def kv_dim(self) -> int:
        """Width of a position's keys in a layer, and of its values."""
        return self.dim if self.kv_heads is None else self.dim // self.heads * self.kv_heads

    @property
    def matrix_params(self) -> int:
        """Parameters of all layers' seven matrices."""
        return self.layers * self.dim * (2 * self.dim + 2 * self.kv_dim + 3 * self.ffn)

    @property
    def norm_params(self) -> int:
        """Parameters of all norms: two a layer and one before the head."""
        return (2 * self.layers + 1) * self.dim

    @property
    def head_params(self) -> int:
        """Parameters of the output head."""
        return self.vocab * self.dim


def llama_arithmetic(shape: Mapping[str, Any], spec: RunSpec) -> Arithmetic:
    """The arithmetic of a LLaMA model whose record has that shape.

    Raises:
        KeyError: the shape lacks a size.
        ValueError: a size is none that a model can have.
    """
    later = {name: shape[name] for name in ("heads", "kv_heads", "tied") if "kv_heads" in shape}
    sizes = LlamaSizes(**{name: shape[name] for name in ("dim", "layers", "ffn", "vocab")}, **later)
    try:
        read = weight_bytes(
            sizes, dtype=spec.dtype, quantization=spec.quantization, degree=spec.gpus
        )
    except ValueError:
        read = None
    return Arithmetic(
        family="llama",
        # The embedding table is as large as the output head, and is it where they are tied.
        parameters=sizes.matrix_params
        + sizes.norm_params
        + (1 if sizes.tied else 2) * sizes.head_params,
        flop_per_token=2 * sizes.matrix_params,
        flop_per_token_and_position=4 * sizes.dim * sizes.layers,
        flop_per_logit_row=2 * sizes.head_params,
        weight_bytes_per_step=read,
        kv_bytes_per_position=kv_bytes(sizes, spec.cached_dtype),
    )


def weight_bytes(sizes: LlamaSizes, *, dtype: str, quantization: str, degree: int) -> int:
    """Bytes of weights that one step reads, over all `degree` ranks.

    Raises:
        ValueError: the format is not one that is known here.
    """
    item = ITEM_BYTES.get(dtype)
    if item is None or quantization not in ("none", *_BITS):
        raise ValueError(
            f"`dtype` and `quantization` must be known, but are {dtype!r} and {quantization!r}"
        )
    norms = sizes.norm_params * item * degree
    matrices = sizes.matrix_params * item
    if quantization != "none":
        bits = _BITS[quantization]
        matrices = sizes.matrix_params * bits // 8 + _scale_bytes(sizes, bits, item, degree)
    return matrices + norms + sizes.head_params * item


def kv_bytes(sizes: LlamaSizes, dtype: str) -> int:
    """Bytes of the keys and values of one position of one row in a format, over all ranks."""
    return _KV * sizes.layers * sizes.kv_dim * KV_ITEM_BYTES[dtype]


def _scale_bytes(sizes: LlamaSizes, bits: int, item: int, degree: int) -> int:
    """Scales of all layers' matrices over all ranks.

    wq, wk, wv, w1 and w3 are split by outputs and keep all inputs on a rank; wo and w2 are split by
    inputs, so that each rank has scales for all of their outputs.
    """
    dim, ffn = sizes.dim, sizes.ffn
    whole = dim + 2 * sizes.kv_dim + 2 * ffn
    if bits == 8:  # noqa: PLR2004 - the format's name
        return sizes.layers * _ROW_SCALE_BYTES * (whole + degree * 2 * dim)
    of_outputs = whole * (dim // _group(dim))
    of_inputs = dim * sum(width // _group(width // degree) for width in (dim, ffn))
    return sizes.layers * item * (of_outputs + of_inputs)


def _group(inputs: int) -> int:
    """The largest power of two up to 128 that divides a rank's inputs."""
    return min(_MOST_GROUP, inputs & -inputs)

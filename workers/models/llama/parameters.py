"""Parameters: names, sizes, the dimension ranks share, and the spread of random ones."""

import math
from collections.abc import Iterator
from typing import Final

from workers.models.base.parameter import Parameter
from workers.models.llama.shape import LlamaShape

# The released checkpoints' split: rows of those that make heads, inner columns and logits; columns
# of those that sum them, and of the embedding (its width, not its vocabulary).
_SPLIT_DIM: Final = {
    "tok_embeddings": 1,
    "wq": 0,
    "wk": 0,
    "wv": 0,
    "wo": 1,
    "w1": 0,
    "w2": 1,
    "w3": 0,
    "output": 0,
}


def parameters(shape: LlamaShape) -> Iterator[Parameter]:
    """Every parameter of the whole model."""
    for name, size in _sizes(shape):
        kind = name.split(".")[-2]
        # A tied table is the output matrix, too, of which each rank makes some logits.
        dim = 0 if shape.tied and kind == "tok_embeddings" else _SPLIT_DIM.get(kind)
        std = None if dim is None else _std(kind, shape)
        yield Parameter(name=name, size=size, split_dim=dim, std=std)


def _sizes(shape: LlamaShape) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "tok_embeddings.weight", (shape.vocab, shape.dim)
    for layer in range(shape.layers):
        prefix = f"layers.{layer}"
        for matrix, outputs in (
            ("wq", shape.dim),
            ("wk", shape.kv_dim),
            ("wv", shape.kv_dim),
            ("wo", shape.dim),
        ):
            yield f"{prefix}.attention.{matrix}.weight", (outputs, shape.dim)
        yield f"{prefix}.feed_forward.w1.weight", (shape.ffn, shape.dim)
        yield f"{prefix}.feed_forward.w2.weight", (shape.dim, shape.ffn)
        yield f"{prefix}.feed_forward.w3.weight", (shape.ffn, shape.dim)
        yield f"{prefix}.attention_norm.weight", (shape.dim,)
        yield f"{prefix}.ffn_norm.weight", (shape.dim,)
    yield "norm.weight", (shape.dim,)
    if not shape.tied:
        yield "output.weight", (shape.vocab, shape.dim)


def _std(kind: str, shape: LlamaShape) -> float:
    """Standard deviation that keeps every activation near 1, far below fp16's 65504.

    A product over n inputs of unit size has unit size at 1/sqrt(n); the two that add to the
    residual stream are smaller again, so that the stream ends near sqrt(2) times its start. A tied
    embedding makes logits, which would be sqrt(dim) in size at 1: it is as small as an output
    matrix, and the first norm brings it to 1.
    """
    match kind:
        case "tok_embeddings" if not shape.tied:
            return 1.0
        case "wo":
            return 1.0 / math.sqrt(2 * shape.layers * shape.dim)
        case "w2":
            return 1.0 / math.sqrt(2 * shape.layers * shape.ffn)
        case _:
            return 1.0 / math.sqrt(shape.dim)

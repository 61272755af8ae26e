"""Parameters: names, sizes and the dimension ranks share."""

from collections.abc import Iterator
from typing import Final

from workers.planning.shapes import ModelShape

RANDOM: Final = "random"
"""What `RunSpec.weights` holds for weights that are drawn."""

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


def split_dim(name: str) -> int | None:
    """The dimension of a parameter that ranks share; None when every rank holds all of it."""
    return _SPLIT_DIM.get(name.split(".")[-2])


def parameter_sizes(shape: ModelShape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every parameter of the whole model: name and size."""
    yield "tok_embeddings.weight", (shape.vocab, shape.dim)
    for layer in range(shape.layers):
        prefix = f"layers.{layer}"
        for matrix in ("wq", "wk", "wv", "wo"):
            yield f"{prefix}.attention.{matrix}.weight", (shape.dim, shape.dim)
        yield f"{prefix}.feed_forward.w1.weight", (shape.ffn, shape.dim)
        yield f"{prefix}.feed_forward.w2.weight", (shape.dim, shape.ffn)
        yield f"{prefix}.feed_forward.w3.weight", (shape.ffn, shape.dim)
        yield f"{prefix}.attention_norm.weight", (shape.dim,)
        yield f"{prefix}.ffn_norm.weight", (shape.dim,)
    yield "norm.weight", (shape.dim,)
    yield "output.weight", (shape.vocab, shape.dim)


def part_size(name: str, size: tuple[int, ...], parts: int) -> tuple[int, ...]:
    """The size of each of `parts` equal slices of a parameter; the whole where it is not shared."""
    dim = split_dim(name)
    if dim is None:
        return size
    return tuple(length // parts if at == dim else length for at, length in enumerate(size))

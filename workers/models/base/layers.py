"""Layers: FairScale's tensor-parallel layers as every family builds them."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from fairscale.nn.model_parallel import layers as fairscale_layers


def embedding(vocab: int, dim: int) -> Any:
    """An embedding whose width ranks share; each gives the whole."""
    return fairscale_layers.ParallelEmbedding(vocab, dim)


def vocabulary_embedding(vocab: int, dim: int) -> Any:
    """An embedding whose rows ranks share, as of an output matrix; each gives the whole."""
    return fairscale_layers.VocabParallelEmbedding(vocab, dim)


def column(dim_in: int, dim_out: int, *, gather_output: bool = False) -> Any:
    """A matrix whose outputs ranks share."""
    return fairscale_layers.ColumnParallelLinear(
        dim_in, dim_out, bias=False, gather_output=gather_output
    )


def row(dim_in: int, dim_out: int) -> Any:
    """A matrix whose inputs ranks share; what it gives is summed over them."""
    return fairscale_layers.RowParallelLinear(dim_in, dim_out, bias=False, input_is_parallel=True)


@contextlib.contextmanager
def unfilled(dtype: torch.dtype) -> Iterator[None]:
    """Build FairScale layers in `dtype` without their initial weights.

    FairScale 0.4.13 makes every whole matrix on every rank to cut its slice, and fails to when a
    device context is set; it knows no way to leave weights alone.
    """
    name = "_initialize_affine_weight"
    initializer: Callable[..., Any] = getattr(fairscale_layers, name)
    before = torch.get_default_dtype()
    setattr(fairscale_layers, name, _leave_unfilled)
    torch.set_default_dtype(dtype)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(before)
        setattr(fairscale_layers, name, initializer)


def _leave_unfilled(*_: object, **__: object) -> None:
    return None

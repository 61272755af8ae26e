"""Weights: whole models' random weights, cut and filled in as ranks have them."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from workers.models.base.shape import ModelShape
from workers.models.llama.model import Llama
from workers.models.random_weights import RandomWeights
from workers.models.skeleton import skeleton
from workers.planning.families import parameters_of


def draw_whole(
    shape: ModelShape, seed: int, device: torch.device | None = None
) -> dict[str, Tensor]:
    """All random weights of the whole model in fp32."""
    whole = {
        name: torch.empty(parameter.size, dtype=torch.float32, device=device)
        for name, parameter in parameters_of(shape).items()
    }
    source = RandomWeights(shape, seed, rank=0, degree=1)
    for name, weight in whole.items():
        source.fill(name, weight)
    return whole


def fill_random(model: nn.Module, shape: ModelShape, seed: int, *, rank: int, degree: int) -> None:
    """Draw this rank's slices of the random weights in place, on the model's own device.

    Raises:
        ValueError: the ranks cannot share `BLOCKS` strips evenly.
    """
    source = RandomWeights(shape, seed, rank=rank, degree=degree)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            source.fill(name, weight)


def shard(
    whole: Mapping[str, Tensor], shape: ModelShape, rank: int, degree: int
) -> dict[str, Tensor]:
    """One rank's slices of a whole model's parameters."""
    slices = {}
    for name, parameter in parameters_of(shape).items():
        weight, dim = whole[name], parameter.split_dim
        slices[name] = weight if dim is None else weight.chunk(degree, dim)[rank]
    return slices


def build(
    shape: ModelShape, *, dtype: str, device: torch.device, max_batch: int, max_len: int
) -> Llama:
    """A rank's model with room for weights that are still to be filled.

    Raises:
        ValueError: heads, dim, ffn or vocab do not divide by the degree of model parallelism.
    """
    model = skeleton(shape, dtype).to_empty(device=device)
    model.allocate(max_batch, max_len, device)
    assert isinstance(model, Llama)
    return model

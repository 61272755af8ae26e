"""Random weights: where a rank's parameters come from, and how ranks share them.

Random ones are a function of the seed alone, and not of how many ranks share them: every matrix is
cut into `BLOCKS` strips along the dimension that ranks share; each strip has a seed of its own, so
a rank draws its strips and no other, and one rank or eight hold the same matrix.
"""

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Final, Protocol

import torch
from torch import Tensor, nn

from workers.planning.parameters import RANDOM, parameter_sizes, split_dim
from workers.planning.shapes import ModelShape

# A multiple of every power-of-two degree up to 64, and a divisor of each shape's dim, ffn, vocab.
BLOCKS: Final = 64


class WeightSource(Protocol):
    """One rank's weights, parameter by parameter, by the names of the released checkpoints."""

    def fill(self, name: str, weight: Tensor) -> None:
        """Write this rank's slice of `name` into `weight`, in its number format, on its device.

        Raises:
            ValueError: there is no such parameter, or its numbers do not fit the format.
            RuntimeError: it cannot be read.
        """

    def describe(self) -> dict[str, Any]:
        """Where the weights come from, in JSON: `kind` and whatever tells them from others."""


class RandomWeights:
    """Weights drawn on the device they are for.

    The numbers are those of `draw_whole` on that kind of device: CPU and CUDA draw differently.
    """

    def __init__(self, shape: ModelShape, seed: int, *, rank: int, degree: int) -> None:
        if BLOCKS % degree:
            raise ValueError(
                f"`gpus` must divide {BLOCKS} for random weights, but is {degree} instead"
            )
        self._shape = shape
        self._seed = seed
        self._rank = rank
        self._held = BLOCKS // degree

    def fill(self, name: str, weight: Tensor) -> None:
        """Draw this rank's slice of `name` into `weight`; norms are all ones."""
        dim = split_dim(name)
        if dim is None:
            weight.fill_(1.0)
            return
        std = _std(name, self._shape)
        generator = torch.Generator(device=weight.device)
        for strip, target in enumerate(weight.chunk(self._held, dim)):
            at = self._rank * self._held + strip
            digest = hashlib.sha256(f"{self._seed}/{name}/{at}".encode()).digest()
            # CPU generators look at the lower 32 bits alone; torch takes up to 63.
            generator.manual_seed(int.from_bytes(digest[:8], "little") >> 1)
            # Drawn in one contiguous fp32 strip: the order of draws must not hang on strides or
            # format.
            drawn = torch.empty(target.shape, dtype=torch.float32, device=weight.device)
            target.copy_(drawn.normal_(0.0, std, generator=generator))

    def describe(self) -> dict[str, Any]:
        """The seed that decides them."""
        return {"kind": RANDOM, "seed": self._seed}


def draw_whole(
    shape: ModelShape, seed: int, device: torch.device | None = None
) -> dict[str, Tensor]:
    """All random weights of the whole model in fp32."""
    whole = {
        name: torch.empty(size, dtype=torch.float32, device=device)
        for name, size in parameter_sizes(shape)
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


def shard(whole: Mapping[str, Tensor], rank: int, degree: int) -> dict[str, Tensor]:
    """One rank's slices of a whole model's parameters."""
    slices = {}
    for name, weight in whole.items():
        dim = split_dim(name)
        slices[name] = weight if dim is None else weight.chunk(degree, dim)[rank]
    return slices


def _std(name: str, shape: ModelShape) -> float:
    """Standard deviation that keeps every activation near 1, far below fp16's 65504.

    A product over n inputs of unit size has unit size at 1/sqrt(n); the two that add to the
    residual stream are smaller again, so that the stream ends near sqrt(2) times its start.
    """
    match name.split(".")[-2]:
        case "tok_embeddings":
            return 1.0
        case "wo":
            return 1.0 / math.sqrt(2 * shape.layers * shape.dim)
        case "w2":
            return 1.0 / math.sqrt(2 * shape.layers * shape.ffn)
        case _:
            return 1.0 / math.sqrt(shape.dim)

"""Random weights: where a rank's parameters come from, and how ranks share them.

Random ones are a function of the seed alone, and not of how many ranks share them: every matrix is
cut into `BLOCKS` strips along the dimension that ranks share; each strip has a seed of its own, so
a rank draws its strips and no other, and one rank or eight hold the same matrix.
"""

import hashlib
from typing import Any, Final, Protocol

import torch
from torch import Tensor

from workers.checkpoints.digests import RANDOM
from workers.models.base.shape import ModelShape
from workers.models.base.torch_dtypes import format_name
from workers.planning.families import parameters_of

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

    CPU and CUDA draw differently; on either one rank or many hold the same numbers.
    """

    def __init__(self, shape: ModelShape, seed: int, *, rank: int, degree: int) -> None:
        if BLOCKS % degree:
            raise ValueError(
                f"`gpus` must divide {BLOCKS} for random weights, but is {degree} instead"
            )
        self._parameters = parameters_of(shape)
        self._model = shape.name
        self._seed = seed
        self._rank = rank
        self._held = BLOCKS // degree
        self._filled: set[str] = set()

    def fill(self, name: str, weight: Tensor) -> None:
        """Draw this rank's slice of `name` into `weight`; norms are all ones.

        Raises:
            ValueError: there is no such parameter.
        """
        parameter = self._parameters.get(name)
        if parameter is None:
            raise ValueError(
                f"`name` must be a parameter of {self._model}, but is {name!r} instead"
            )
        self._filled.add(format_name(weight.dtype))
        dim, std = parameter.split_dim, parameter.std
        if std is None:
            weight.fill_(1.0)
            return
        # What every rank holds whole is one strip, the same on all.
        strips = [weight] if dim is None else weight.chunk(self._held, dim)
        first = 0 if dim is None else self._rank * self._held
        generator = torch.Generator(device=weight.device)
        for at, target in enumerate(strips, start=first):
            digest = hashlib.sha256(f"{self._seed}/{name}/{at}".encode()).digest()
            # CPU generators look at the lower 32 bits alone; torch takes up to 63.
            generator.manual_seed(int.from_bytes(digest[:8], "little") >> 1)
            # Drawn in one contiguous fp32 strip: the order of draws must not hang on strides or
            # format.
            drawn = torch.empty(target.shape, dtype=torch.float32, device=weight.device)
            target.copy_(drawn.normal_(0.0, std, generator=generator))

    def describe(self) -> dict[str, Any]:
        """The seed that decides them, and the number formats as filled until now."""
        return {"kind": RANDOM, "seed": self._seed, "filled_as": sorted(self._filled)}

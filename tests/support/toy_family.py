"""Toy family: a second family of models in one file, registered by one row; see `ToyModel`."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

import torch
from fairscale.nn.model_parallel.initialize import get_model_parallel_world_size
from torch import Tensor, nn

from workers.models.base.family import CheckpointNames, Family
from workers.models.base.layers import column, embedding, row
from workers.models.base.model import DecoderModel, Hold
from workers.models.base.parameter import Parameter
from workers.models.base.shape import ModelShape, part_of


@dataclass(frozen=True, kw_only=True)
class ToyShape(ModelShape):
    """Its feed-forward layer has two matrices of the classical width, and one norm ends it all."""

    family: ClassVar[str] = "toy"
    """Name of the family, as registered."""

    @property
    def ffn(self) -> int:
        """Four times the residual stream's width."""
        return 4 * self.dim

    @property
    def kv_dim(self) -> int:
        """Each head has its own."""
        return self.dim

    @property
    def norm_params(self) -> int:
        """One scale a number of the residual stream."""
        return self.dim

    @property
    def params(self) -> int:
        """All parameters."""
        return 2 * self.vocab * self.dim + self.layers * self.layer_matrix_params + self.dim

    @property
    def shared_sizes(self) -> Mapping[str, int]:
        """What ranks share."""
        return {"heads": self.heads, "vocab": self.vocab}

    def layer_matrices(self, degree: int) -> tuple[tuple[int, int], ...]:
        """Queries, keys, values, what attention gives, up and down."""
        dim, width, inner = self.dim, part_of(self.dim, degree), part_of(self.ffn, degree)
        return (*((width, dim),) * 3, (dim, width), (inner, dim), (dim, inner))


def parameters(shape: ToyShape) -> Iterator[Parameter]:
    """Every parameter of the whole model."""
    dim, std = shape.dim, shape.dim**-0.5
    yield Parameter(name="table.weight", size=(shape.vocab, dim), split_dim=1, std=1.0)
    for layer in range(shape.layers):
        for name, size, split in (
            *((name, (dim, dim), 0) for name in ("query", "key", "value")),
            ("mix", (dim, dim), 1),
            ("up", (shape.ffn, dim), 0),
            ("down", (dim, shape.ffn), 1),
        ):
            whole = f"blocks.{layer}.{name}.weight"
            yield Parameter(name=whole, size=size, split_dim=split, std=std / shape.layers)
    yield Parameter(name="final.weight", size=(dim,), split_dim=None, std=None)
    yield Parameter(name="head.weight", size=(shape.vocab, dim), split_dim=0, std=std)


def _theirs(name: str) -> str | None:
    return name.removeprefix("toy.") if name.startswith("toy.") else None


def _settings(config: Mapping[str, Any], shape: ToyShape) -> Iterator[tuple[str, Any, Any]]:
    yield "model_type", config.get("model_type"), "toy"
    yield "width", config.get("width"), shape.dim


class _Scale(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class _Block(nn.Module):
    def __init__(self, shape: ToyShape, degree: int) -> None:
        super().__init__()
        self.heads, self.head_dim = shape.heads // degree, shape.head_dim
        self.query, self.key, self.value = (column(shape.dim, shape.dim) for _ in range(3))
        self.mix = row(shape.dim, shape.dim)
        self.up, self.down = column(shape.dim, shape.ffn), row(shape.ffn, shape.dim)
        self.keys = self.values = torch.empty(0)

    def forward(self, x: Tensor, start: int) -> Tensor:
        batch, tokens, _ = x.shape
        heads, end = (batch, tokens, self.heads, self.head_dim), start + tokens
        self.keys[:batch, start:end] = self.key(x).view(heads)
        self.values[:batch, start:end] = self.value(x).view(heads)
        keys, values = self.keys[:batch, :end], self.values[:batch, :end]
        scores = torch.einsum("bthd,bphd->bhtp", self.query(x).view(heads), keys)
        later = torch.full((tokens, end), -math.inf, device=x.device).triu(start + 1)
        weights = (scores / math.sqrt(self.head_dim) + later).softmax(-1)
        mixed = torch.einsum("bhtp,bphd->bthd", weights, values).reshape(batch, tokens, -1)
        x = x + self.mix(mixed)
        return x + cast(Tensor, self.down(self.up(x).relu()))


class ToyModel(DecoderModel):
    """Attention without positions, then a feed-forward layer without a gate; fp32 alone."""

    shape: ToyShape

    def __init__(self, shape: ToyShape) -> None:
        super().__init__()
        degree = get_model_parallel_world_size()
        self.shape = shape
        self.table = embedding(shape.vocab, shape.dim)
        self.blocks = nn.ModuleList(_Block(shape, degree) for _ in range(shape.layers))
        self.final = _Scale(shape.dim)
        self.head = column(shape.dim, shape.vocab, gather_output=True)

    def parts(self) -> Iterator[tuple[str, nn.Module]]:
        """The table, each block, the final scale and the head."""
        yield "table", self.table
        for layer, block in enumerate(self.blocks):
            yield f"blocks.{layer}", block
        yield "final", self.final
        yield "head", self.head

    def allocate(self, max_batch: int, max_len: int, device: torch.device) -> None:
        """Keys and values of every block."""
        for block in self.blocks:
            assert isinstance(block, _Block)
            room = (max_batch, max_len, block.heads, block.head_dim)
            block.keys, block.values = (torch.zeros(room, device=device) for _ in range(2))

    def forward(self, ids: Tensor, start: int) -> Tensor:
        """Logits after the last position."""
        x = self.table(ids)
        for block in self.blocks:
            x = block(x, start)
        return cast(Tensor, self.head(self.final(x[:, -1])))

    def read(self, ids: Tensor, first: int, hold: Hold) -> Tensor:
        """Logits of one text after `first` of its tokens, after one more and so on."""
        with hold("table") as table:
            x: Tensor = table(ids[None])
        for layer in range(self.shape.layers):
            with hold(f"blocks.{layer}") as block:
                x = block(x, 0)
        with hold("final") as final:
            x = final(x[0, first - 1 :])
        with hold("head") as head:
            return cast(Tensor, head(x)).clone()


SHAPE: Final = ToyShape(name="toy-small", dim=64, layers=2, heads=8, vocab=32_000)
TOY: Final = Family(
    name="toy",
    shapes={SHAPE.name: SHAPE},
    parameters=parameters,
    names=CheckpointNames(
        title="Toy",
        no_parameter=re.compile(r"toy\.nothing"),
        hugging_face_name=_theirs,
        hugging_face_settings=_settings,
        meta_settings=None,
        halved=lambda _: False,
    ),
    model=f"{__name__}:ToyModel",
)
"""The row that registers it."""

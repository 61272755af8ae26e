"""Shape: the sizes of a decoder-only transformer and what follows from them, without torch.

A family says which matrices a layer has and how wide keys and values are; operations and bytes
follow from that here, and a family that computes otherwise says it in place of these.
"""

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from telemetry.record.arithmetic import Arithmetic
from telemetry.record.validation import require_whole

MatrixBytes = Callable[[int, int], int]
"""What a matrix of so many outputs and inputs takes as it lies in memory, scales included."""


@dataclass(frozen=True, kw_only=True)
class ModelShape(abc.ABC):
    """The sizes that decide a model's parameters and work."""

    family: ClassVar[str]
    """Name of its family, as registered."""
    name: str
    """Short name used in specs."""
    dim: int
    """Width of the residual stream."""
    layers: int
    """Transformer layers."""
    heads: int
    """Attention heads."""
    vocab: int
    """Ids of the vocabulary: rows of the embedding and of the output matrix."""

    def __post_init__(self) -> None:
        for name in ("dim", "layers", "heads", "vocab"):
            require_whole(name, getattr(self, name), 1)

    @property
    @abc.abstractmethod
    def ffn(self) -> int:
        """Width of the feed-forward layer."""

    @property
    @abc.abstractmethod
    def kv_dim(self) -> int:
        """Numbers of one position's keys in a layer, and as many of its values, over all ranks."""

    @property
    @abc.abstractmethod
    def norm_params(self) -> int:
        """Parameters that every rank holds whole, all of which a step reads."""

    @property
    @abc.abstractmethod
    def params(self) -> int:
        """All parameters."""

    @property
    @abc.abstractmethod
    def shared_sizes(self) -> Mapping[str, int]:
        """The sizes that ranks share evenly, by name: each must divide by their number."""

    @abc.abstractmethod
    def layer_matrices(self, degree: int) -> tuple[tuple[int, int], ...]:
        """Outputs and inputs of each matrix of a layer that one of `degree` ranks holds."""

    @property
    def tied(self) -> bool:
        """True when the output matrix is the embedding, which is then held and published once."""
        return False

    @property
    def window(self) -> int | None:
        """Positions that a token attends to, its own and those just before; None for all."""
        return None

    @property
    def windowed_layers(self) -> int:
        """Layers that have the window where there is one; the others attend to all."""
        return self.layers

    @property
    def positions(self) -> int | None:
        """Positions that a row may have at most; None where no table or rule ends them."""
        return None

    @property
    def position_params(self) -> int:
        """Parameters of a table of positions, of which a step reads one row a token."""
        return 0

    @property
    def table_dim(self) -> int:
        """Width of a row of the embedding and of the output matrix."""
        return self.dim

    @property
    def cached_dim(self) -> int:
        """Numbers of one position's keys as a layer's cache keeps them: no fewer than `kv_dim`."""
        return self.kv_dim

    @property
    def encodes(self) -> bool:
        """True of an encoder and a decoder, of which `layers` counts those of each."""
        return False

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.dim // self.heads

    @property
    def layer_matrix_params(self) -> int:
        """Parameters of one layer's matrices: each is one multiply-add per token."""
        return sum(outputs * inputs for outputs, inputs in self.layer_matrices(1))

    @property
    def kv_numbers(self) -> int:
        """Numbers of the keys and values of one position of one row, over all ranks."""
        return 2 * self.layers * self.kv_dim

    @property
    def flop_per_token(self) -> int:
        """Operations of a token that goes through the layers' matrices."""
        return 2 * self.layers * self.layer_matrix_params

    @property
    def flop_per_token_and_position(self) -> int:
        """Operations of a token with one position that it attends to: its key, then its value."""
        return 4 * self.layers * self.heads * self.head_dim

    @property
    def flop_per_logit_row(self) -> int:
        """Operations of one row of logits."""
        return 2 * self.vocab * self.table_dim

    def arithmetic(self, *, degree: int, item_bytes: int, matrix_bytes: MatrixBytes) -> Arithmetic:
        """What answers cost at least where `degree` ranks share the model.

        `item_bytes` are those of a number that is not quantized; `matrix_bytes` says how a rank's
        matrix of a layer lies. Of the embedding a step reads one row a token, which is left out.
        """
        matrices = sum(matrix_bytes(*matrix) for matrix in self.layer_matrices(degree))
        whole = degree * (self.layers * matrices + self.norm_params * item_bytes)
        return Arithmetic(
            family=self.family,
            parameters=self.params,
            flop_per_token=self.flop_per_token,
            flop_per_token_and_position=self.flop_per_token_and_position,
            flop_per_logit_row=self.flop_per_logit_row,
            weight_bytes_per_step=whole + self.vocab * self.table_dim * item_bytes,
            kv_bytes_per_position=self.kv_numbers * item_bytes,
        )

    def parallel_fault(self, gpus: int) -> str | None:
        """Why the model cannot be split over so many GPUs; None when it can."""
        for name, size in self.shared_sizes.items():
            if size % gpus:
                return (
                    f"`gpus` must divide the {size} {name} of {self.name}, but is {gpus} "
                    f"instead: {size} = {size // gpus} x {gpus} + {size % gpus}"
                )
        return None

    def describe(self) -> dict[str, Any]:
        """The sizes as JSON, for the record."""
        return {
            "name": self.name,
            "dim": self.dim,
            "layers": self.layers,
            "heads": self.heads,
            "ffn": self.ffn,
            "vocab": self.vocab,
            "params": self.params,
        }


def part_of(size: int, degree: int) -> int:
    """A rank's part of a width; of one that does not divide, an even number that would hold it.

    A split that is not legal is planned too, to be listed with its reason.
    """
    part = -(-size // degree)
    return part if size % degree == 0 else part + part % 2

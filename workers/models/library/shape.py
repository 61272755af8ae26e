"""Shape: the sizes of a model whose layers the library transformers alone has, without torch.

A family is one module beside this one: a shape that lists its parameters and says the library's
configuration of it. Counts and bytes follow from that list; a test holds it against the library.
"""

import abc
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from workers.models.base.family import CheckpointNames, Family
from workers.models.base.parameter import Parameter
from workers.models.base.shape import ModelShape

# `initializer_range` of the published config.json files.
_STD: Final = 0.02
_HEAD: Final = "lm_head.weight"
FP32_BYTES: Final = 4
"""Bytes of a number of a table that the library makes in single precision."""
_LAYER: Final = re.compile(r"\.\d+\.")


@dataclass(frozen=True, kw_only=True)
class LibraryShape(ModelShape):
    """The sizes of such a model; its parameters have the library's names."""

    config_class: ClassVar[str]
    """Name of the library's configuration."""
    model_class: ClassVar[str]
    """Name of the library's model with an output matrix."""
    embedding: ClassVar[str]
    """Its table of tokens, of which a step reads rows alone where it is no output matrix."""
    position_table: ClassVar[str | None] = None
    """Its table of positions, of which a step reads one row a token; None where it has none."""
    left_out: ClassVar[Mapping[str, Any]] = {}
    """What the library takes a setting to be that a published config.json leaves out."""

    @abc.abstractmethod
    def library_settings(self) -> Mapping[str, Any]:
        """The library's configuration, every size given: its defaults are other models'."""

    @abc.abstractmethod
    def sizes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every parameter's name and size, in the library's own names and layout."""

    @property
    def tied(self) -> bool:
        """True when the output matrix is the embedding; so it is but where a family says no."""
        return True

    @property
    def kv_dim(self) -> int:
        """Each head has keys and values of its own, but where a family says no."""
        return self.dim

    @property
    def buffer_bytes(self) -> int:
        """Bytes of tables that the library makes itself and no file holds, whatever the format."""
        return 0

    @property
    def params(self) -> int:
        """All parameters; a tied table counts once."""
        return sum(math.prod(size) for _, size in self.sizes())

    @property
    def position_params(self) -> int:
        """Parameters of the table of positions."""
        return sum(math.prod(size) for name, size in self.sizes() if name == self.position_table)

    @property
    def norm_params(self) -> int:
        """Norms, biases and projections: what is neither a table nor a matrix of a layer."""
        tables = (1 if self.tied else 2) * self.vocab * self.table_dim + self.position_params
        return self.params - tables - self.layers * self.layer_matrix_params

    @property
    def shared_sizes(self) -> Mapping[str, int]:
        """What ranks would share; the engine that has these layers takes one GPU."""
        return {"heads": self.heads, "ffn": self.ffn}

    def parallel_fault(self, gpus: int) -> str | None:
        """Nobody shares such a model here."""
        if gpus == 1:
            return None
        return super().parallel_fault(gpus) or (
            f"`gpus` must be 1 for {self.name}, as the library has no plan to share family "
            f"{self.family}, but is {gpus} instead"
        )

    def describe(self) -> dict[str, Any]:
        """As `ModelShape.describe`, with what tells the model from LLaMA."""
        return {**super().describe(), "tied": self.tied, "positions": self.positions}


def vectors(norm: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and sizes of a norm's weight and bias."""
    yield f"{norm}.weight", (width,)
    yield f"{norm}.bias", (width,)


def library_family(
    name: str, title: str, shapes: Mapping[str, LibraryShape], *, no_parameter: str
) -> Family:
    """The row of a family that the library has: no layers of ours, parameters by its names.

    `no_parameter` is the pattern of what published files hold beside the parameters.
    """
    known = {_LAYER.sub(".0.", one) for shape in shapes.values() for one, _ in shape.sizes()}
    table = next(iter(shapes.values())).embedding
    prefix = f"{table.partition('.')[0]}."

    def theirs(stored: str) -> str | None:
        # Files of the model without its output matrix lack the first part of each name.
        for said in (stored, f"{prefix}{stored}"):
            if _LAYER.sub(".0.", said) in known:
                return said
        return stored if stored == _HEAD else None

    return Family(
        name=name,
        shapes=shapes,
        parameters=parameters_by_name,
        names=CheckpointNames(
            title=title,
            no_parameter=re.compile(no_parameter),
            hugging_face_name=theirs,
            hugging_face_settings=partial(_settings, name),
            meta_settings=None,
            halved=_never,
            copies={_HEAD: table},
        ),
        model=None,
    )


def _settings(
    model_type: str, config: Mapping[str, Any], shape: LibraryShape
) -> Iterator[tuple[str, Any, Any]]:
    """What config.json says and what it must say; the names are its own."""
    yield "model_type", config.get("model_type"), model_type
    for key, value in shape.library_settings().items():
        yield key, config.get(key, shape.left_out.get(key)), value
    yield "quantization_config", config.get("quantization_config"), None


def _never(_: str) -> bool:
    """The library's own layout needs no other order."""
    return False


def parameters_by_name(shape: LibraryShape) -> Iterator[Parameter]:
    """Every parameter by the library's own name, with the spread that it is drawn with."""
    for name, size in shape.sizes():
        vector, bias = len(size) == 1, name.endswith(".bias")
        # Norms begin at one and biases at zero, as the library has them.
        std = 0.0 if bias else None if vector else _STD
        yield Parameter(name=name, size=size, split_dim=None, std=std)

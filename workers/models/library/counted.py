"""Counted: an architecture that only the library knows, as its own model was counted.

No formula of ours stands behind it: names and sizes of parameters, and what a cache keeps, were
read off the library's model without memory (`workers.engines.transformers.counting`), once, where
the run was planned. They travel with the spec; a rank's real model is held against them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from telemetry.record.validation import require_whole
from workers.models.base.family import CheckpointNames, Family
from workers.models.library.shape import LibraryShape, parameters_by_name

NUMBER: Final = "{}"
"""What stands in a parameter's name for the number of its layer."""
_MOST_PARTS: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class CountedShape(LibraryShape):
    """The sizes of such a model."""

    family: ClassVar[str] = "counted"
    """Name of the family of all of them."""
    config_class: ClassVar[str] = "AutoConfig"
    """What makes a configuration of `model_type`."""
    model_class: ClassVar[str] = "AutoModelForCausalLM"
    """What makes a model of that."""
    embedding: ClassVar[str] = ""
    """The library says which table it is; no file's names are put right by it."""
    model_type: str
    """What the library calls the architecture."""
    settings: str
    """Its configuration as canonical JSON."""
    parts: tuple[tuple[str, tuple[int, ...]], ...]
    """Name and size of every parameter; those of the layers once, with `NUMBER`."""
    ffn_width: int
    """Width of the feed-forward layer."""
    wide: int
    """Tensors of that width that live at once, by its gate and activation."""
    head: int
    """Width of a head of queries."""
    kept: int
    """Numbers of one position's keys that a layer's cache keeps."""
    shares_table: bool
    """True when the output matrix is the embedding."""
    table: int
    """Width of the embedding."""
    position_rows: int | None
    """Rows of a table of positions; None without one."""
    local: int | None
    """Positions that a token attends to in the layers that have a window; None for all."""
    local_layers: int
    """Layers that have the window; 0 where there is none."""
    spelled: bool
    """True where the library spells scores out, as it has no fused attention for it."""
    tables_bytes: int
    """Bytes of what the library makes itself and no file holds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("ffn_width", "wide", "head", "kept", "table"):
            require_whole(name, getattr(self, name), 1)
        for name in ("local_layers", "tables_bytes"):
            require_whole(name, getattr(self, name), 0)
        for name in ("position_rows", "local"):
            require_whole(name, getattr(self, name), 1, null_allowed=True)
        for name in ("shares_table", "spelled"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"`{name}` must be true or false")
        if not 0 < len(self.parts) <= _MOST_PARTS:
            raise ValueError(f"`parts` must be 1 to {_MOST_PARTS}, but are {len(self.parts)}")
        for part, size in self.parts:
            if not isinstance(part, str) or part.count(NUMBER) > 1:
                raise ValueError(f"`parts` must have names, but have {part!r}")
            for length in size:
                require_whole(part, length, 1)

    @property
    def ffn(self) -> int:
        """As it was counted."""
        return self.ffn_width

    @property
    def head_dim(self) -> int:
        """As it was counted; heads may be wider than their part of the stream."""
        return self.head

    @property
    def kv_dim(self) -> int:
        """What the cache keeps, over all heads of keys."""
        return self.kept

    @property
    def tied(self) -> bool:
        """As the library ties them."""
        return self.shares_table

    @property
    def table_dim(self) -> int:
        """As it was counted."""
        return self.table

    @property
    def window(self) -> int | None:
        """As the cache has it."""
        return self.local

    @property
    def windowed_layers(self) -> int:
        """Those whose cache has it."""
        return self.layers if self.local is None else self.local_layers

    @property
    def positions(self) -> int | None:
        """The rows of a learned table; turned positions have no end here."""
        return self.position_rows

    @property
    def position_params(self) -> int:
        """Those of that table."""
        return 0 if self.position_rows is None else self.position_rows * self.dim

    @property
    def buffer_bytes(self) -> int:
        """As they were counted."""
        return self.tables_bytes

    def layer_matrices(self, degree: int) -> tuple[tuple[int, int], ...]:
        """Each matrix of a layer, once for each token; the library's plans are not used of it."""
        del degree
        return tuple(
            (size[0], size[1]) for name, size in self.parts if NUMBER in name and len(size) > 1
        )

    def sizes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every parameter, layer by layer."""
        for name, size in self.parts:
            if NUMBER not in name:
                yield name, size
                continue
            for layer in range(self.layers):
                yield name.replace(NUMBER, str(layer)), size

    def library_settings(self) -> Mapping[str, Any]:
        """The configuration as it was given."""
        said = json.loads(self.settings)
        assert isinstance(said, dict)
        return said

    def describe(self) -> dict[str, Any]:
        """As `LibraryShape.describe`, with the architecture and its window."""
        told = {**super().describe(), "model_type": self.model_type, "counted": "by the library"}
        if self.local is not None:
            told |= {"window": self.local, "windowed_layers": self.local_layers}
        return told


def _itself(stored: str) -> str:
    """Published files have the library's own names."""
    return stored


def _settings(config: Mapping[str, Any], shape: CountedShape) -> Iterator[tuple[str, Any, Any]]:
    yield "model_type", config.get("model_type"), shape.model_type
    for key, value in shape.library_settings().items():
        yield key, config.get(key), value
    yield "quantization_config", config.get("quantization_config"), None


def _never(_: str) -> bool:
    return False


COUNTED: Final = Family(
    name=CountedShape.family,
    shapes={},
    parameters=parameters_by_name,
    names=CheckpointNames(
        title="transformers",
        # Of older files: what the library makes itself.
        no_parameter=re.compile(r".*\.(rotary_emb\.inv_freq|attention\.(bias|masked_bias))"),
        hugging_face_name=_itself,
        hugging_face_settings=_settings,
        meta_settings=None,
        halved=_never,
        copies={},
    ),
    model=None,
)
"""The row of all of them: none has a name here."""

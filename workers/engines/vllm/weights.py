"""Weights: this project's own, handed to the library's model by the names that the hub has.

The library is told to load by a format that is registered here, whose loader reads no file: it is
given each parameter whole, under its name in the hub, and splits and fuses it itself.
"""

import contextlib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import torch
import transformers
from torch import Tensor

from workers.engines.transformers.library_model import library_config
from workers.models.base.torch_dtypes import TORCH_DTYPES
from workers.models.llama.shape import LlamaShape
from workers.models.random_weights import WeightSource
from workers.planning.families import family_of

FORMAT: Final = "joulegrid"
"""Name of the format in the library."""
_LOADERS: Final = "vllm.model_executor.model_loader"
_TABLE: Final = "embed_tokens.weight"


@dataclass(kw_only=True)
class WeightsHanded:
    """One model's weights on their way into the library, and what they came to."""

    shape: LlamaShape
    """Whose they are."""
    source: WeightSource
    """Every parameter whole, on every rank."""
    dtype: str
    """Number format."""
    device: torch.device
    """Where they are made."""
    max_len: int
    """Positions of a row at its longest."""
    weight_bytes: int | None = None
    """Bytes of this rank's that a step of decoding reads, once they were loaded."""

    def write_config(self, folder: str) -> None:
        """Write the config.json by which the library makes the model."""
        config = library_config(self.shape, self.max_len)
        config.architectures = [_made_by(self.shape).__name__]
        config.save_pretrained(folder)

    def named(self) -> Iterator[tuple[str, Tensor]]:
        """Every parameter under its name in the hub, one at a time.

        Raises:
            ValueError: the weights do not fit the model.
            RuntimeError: they cannot be read, or the hub has a parameter that we have not.
        """
        names = family_of(self.shape).names
        with torch.device("meta"):
            model: Any = _made_by(self.shape)(library_config(self.shape, self.max_len))
        # Tied or not: what is one parameter of ours is told once.
        if self.shape.tied:
            model.tie_weights()
        for name, blank in model.named_parameters():
            if (ours := names.hugging_face_name(name)) is None:
                raise RuntimeError(f"the hub's {name} must be one of our parameters, but is not")
            weight = torch.empty(blank.shape, dtype=TORCH_DTYPES[self.dtype], device=self.device)
            self.source.fill(ours, weight)
            yield name, _halved(weight, self.shape.head_dim) if names.halved(ours) else weight

    def fill(self, model: Any) -> None:
        """Fill the library's model.

        Raises:
            RuntimeError: a parameter of it was not filled.
        """
        with torch.no_grad():
            loaded = model.load_weights(self.named())
        own = dict(model.named_parameters())
        if loaded is not None and (blank := sorted(set(own) - set(loaded))):
            raise RuntimeError(
                f"every parameter of the library's model must be filled, but {blank[0]} and "
                f"{len(blank) - 1} more were not"
            )
        # Of a table a step reads a row a token, but where it is the head too.
        rows = (
            0
            if self.shape.tied
            else sum(weight.nbytes for name, weight in own.items() if name.endswith(_TABLE))
        )
        self.weight_bytes = sum(weight.nbytes for weight in own.values()) - rows


def _made_by(shape: LlamaShape) -> Any:
    """The class by which the hub's library makes such a model."""
    windowed = shape.window is not None
    return transformers.MistralForCausalLM if windowed else transformers.LlamaForCausalLM


def _halved(rows: Tensor, head: int) -> Tensor:
    """Rows of heads with pairs side by side, as the hub has them: all firsts, all seconds."""
    pairs = rows.reshape(rows.shape[0] // head, head // 2, 2, rows.shape[1])
    return pairs.transpose(1, 2).reshape(rows.shape)


_HANDED: list[WeightsHanded] = []


@contextlib.contextmanager
def hand_over(handed: WeightsHanded) -> Iterator[None]:
    """Whoever makes a model of the library's by `FORMAT` in the block gets these weights."""
    loaders = importlib.import_module(_LOADERS)
    base: Any = importlib.import_module(f"{_LOADERS}.base_loader").BaseModelLoader

    class Loader(base):  # type: ignore[misc] # The library ships no types where it is not there.
        """Fills a model from what was handed over."""

        def download_model(self, model_config: Any) -> None:
            """Nothing: there is no file."""

        def load_weights(self, model: Any, model_config: Any) -> None:
            """Fill it."""
            del model_config
            _HANDED[-1].fill(model)

    loaders.register_model_loader(FORMAT)(Loader)
    _HANDED.append(handed)
    try:
        yield
    finally:
        _HANDED.pop()

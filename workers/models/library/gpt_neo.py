"""GPT-Neo: the three published sizes and a tiny twin."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from telemetry.record.validation import require_whole
from workers.models.library.shape import LibraryShape, library_family, vectors

# GPT-2's byte pairs and its end of text.
_VOCAB: Final = 50_257
# The context that it was trained with, one learned row a position.
_CONTEXT: Final = 2048
# `window_size` of the published config.json files.
_WINDOW: Final = 256


@dataclass(frozen=True, kw_only=True)
class GptNeoShape(LibraryShape):
    """The sizes that decide a GPT-Neo's parameters and work.

    Every second layer attends to a window alone. The library computes all scores there, and masks
    them; what answers cost at least is the window's.
    """

    family: ClassVar[str] = "gpt_neo"
    """Name of the family, as registered."""
    config_class: ClassVar[str] = "GPTNeoConfig"
    """Name of the library's configuration."""
    model_class: ClassVar[str] = "GPTNeoForCausalLM"
    """Name of the library's model with an output matrix."""
    embedding: ClassVar[str] = "transformer.wte.weight"
    """Its table of tokens."""
    position_table: ClassVar[str | None] = "transformer.wpe.weight"
    """Its table of positions."""
    left_out: ClassVar[Mapping[str, Any]] = {"intermediate_size": None, "tie_word_embeddings": True}
    """What the library takes a setting to be that a published config.json leaves out."""
    vocab: int = _VOCAB
    """Ids of the vocabulary: rows of the embedding, which is the output matrix."""
    context: int = _CONTEXT
    """Positions that the table of them has."""
    local: int = _WINDOW
    """Positions that a token attends to in every second layer, its own and those just before."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole("local", self.local, 1)
        if self.layers % 2:
            raise ValueError(
                f"`layers` must be even, as every second attends to a window, "
                f"but is {self.layers} instead"
            )

    @property
    def ffn(self) -> int:
        """Four times the residual stream's width."""
        return 4 * self.dim

    @property
    def positions(self) -> int | None:
        """Positions that a row may have."""
        return self.context

    @property
    def window(self) -> int | None:
        """Positions that a token attends to in the layers that have a window."""
        return self.local

    @property
    def windowed_layers(self) -> int:
        """Every second layer."""
        return self.layers // 2

    @property
    def buffer_bytes(self) -> int:
        """Each layer has a mask of its own, one byte for every two positions."""
        return self.layers * self.context**2

    def layer_matrices(self, degree: int) -> tuple[tuple[int, int], ...]:
        """Queries, keys and values; what attention gives; up and down."""
        del degree
        dim, ffn = self.dim, self.ffn
        return (*((dim, dim),) * 4, (ffn, dim), (dim, ffn))

    def sizes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every parameter, in the library's order."""
        dim, ffn = self.dim, self.ffn
        yield self.embedding, (self.vocab, dim)
        yield "transformer.wpe.weight", (self.context, dim)
        for layer in range(self.layers):
            prefix = f"transformer.h.{layer}"
            for norm in ("ln_1", "ln_2"):
                yield from vectors(f"{prefix}.{norm}", dim)
            for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
                yield f"{prefix}.attn.attention.{name}.weight", (dim, dim)
            yield f"{prefix}.attn.attention.out_proj.bias", (dim,)
            for name, outputs, inputs in (("mlp.c_fc", ffn, dim), ("mlp.c_proj", dim, ffn)):
                yield f"{prefix}.{name}.weight", (outputs, inputs)
                yield f"{prefix}.{name}.bias", (outputs,)
        yield from vectors("transformer.ln_f", dim)

    def library_settings(self) -> Mapping[str, Any]:
        """The library's configuration."""
        return {
            **self.left_out,
            "vocab_size": self.vocab,
            "max_position_embeddings": self.context,
            "hidden_size": self.dim,
            "num_layers": self.layers,
            "num_heads": self.heads,
            "attention_types": [[["global", "local"], self.windowed_layers]],
            "window_size": self.local,
            "activation_function": "gelu_new",
            "layer_norm_epsilon": 1e-5,
        }

    def describe(self) -> dict[str, Any]:
        """As `LibraryShape.describe`, with the window and how many layers have it."""
        return {
            **super().describe(),
            "window": self.window,
            "windowed_layers": self.windowed_layers,
        }


_ALL: Final = (
    # The published config.json files (copies of huggingface.co/EleutherAI/gpt-neo-2.7B's and its
    # smaller ones').
    GptNeoShape(name="gpt-neo-125m", dim=768, layers=12, heads=12),
    GptNeoShape(name="gpt-neo-1.3b", dim=2048, layers=24, heads=16),
    GptNeoShape(name="gpt-neo-2.7b", dim=2560, layers=32, heads=20),
    # Our own, for CPUs, with a window that a short text leaves.
    GptNeoShape(name="nano-gptneo", dim=128, layers=4, heads=4, vocab=32_000, context=256, local=5),
)
SHAPES: Final = {shape.name: shape for shape in _ALL}
"""All shapes by name."""
GPT_NEO: Final = library_family(
    "gpt_neo",
    "GPT-Neo",
    SHAPES,
    # Masks of who may look at whom, which older files kept.
    no_parameter=r"(transformer\.)?h\.\d+\.attn\.attention\.(masked_)?bias",
)
"""The row that registers it."""

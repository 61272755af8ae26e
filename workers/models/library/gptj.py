"""GPT-J: the published 6B and a tiny twin."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from workers.models.library.shape import FP32_BYTES, LibraryShape, library_family, vectors

# GPT-2's byte pairs, rounded up for the accelerators that trained it (published config.json).
_VOCAB: Final = 50_400
# The context that it was trained with: rows of its table of turns.
_CONTEXT: Final = 2048
# Numbers of a head that turn (`rotary_dim` of the published config.json).
_TURNED: Final = 64


@dataclass(frozen=True, kw_only=True)
class GptJShape(LibraryShape):
    """The sizes that decide a GPT-J's parameters and work.

    Attention and feed-forward read the same norm, side by side.
    """

    family: ClassVar[str] = "gptj"
    """Name of the family, as registered."""
    config_class: ClassVar[str] = "GPTJConfig"
    """Name of the library's configuration."""
    model_class: ClassVar[str] = "GPTJForCausalLM"
    """Name of the library's model with an output matrix."""
    embedding: ClassVar[str] = "transformer.wte.weight"
    """Its table of tokens."""
    left_out: ClassVar[Mapping[str, Any]] = {"n_inner": None, "tie_word_embeddings": False}
    """What the library takes a setting to be that a published config.json leaves out."""
    vocab: int = _VOCAB
    """Ids of the vocabulary: rows of the embedding and of the output matrix."""
    context: int = _CONTEXT
    """Positions that the table of turns has."""
    turned: int = _TURNED
    """Numbers of each head that turn with their position."""

    @property
    def ffn(self) -> int:
        """Four times the residual stream's width."""
        return 4 * self.dim

    @property
    def tied(self) -> bool:
        """The output matrix is its own, and has a bias."""
        return False

    @property
    def positions(self) -> int | None:
        """Positions that a row may have."""
        return self.context

    @property
    def buffer_bytes(self) -> int:
        """Each layer has a table of turns of its own, in single precision."""
        return self.layers * self.context * self.turned * FP32_BYTES

    def layer_matrices(self, degree: int) -> tuple[tuple[int, int], ...]:
        """Queries, keys and values; what attention gives; up and down."""
        del degree
        dim, ffn = self.dim, self.ffn
        return (*((dim, dim),) * 4, (ffn, dim), (dim, ffn))

    def sizes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every parameter, in the library's order."""
        dim, ffn = self.dim, self.ffn
        yield self.embedding, (self.vocab, dim)
        for layer in range(self.layers):
            prefix = f"transformer.h.{layer}"
            yield from vectors(f"{prefix}.ln_1", dim)
            for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
                yield f"{prefix}.attn.{name}.weight", (dim, dim)
            for name, outputs, inputs in (("mlp.fc_in", ffn, dim), ("mlp.fc_out", dim, ffn)):
                yield f"{prefix}.{name}.weight", (outputs, inputs)
                yield f"{prefix}.{name}.bias", (outputs,)
        yield from vectors("transformer.ln_f", dim)
        yield "lm_head.weight", (self.vocab, dim)
        yield "lm_head.bias", (self.vocab,)

    def library_settings(self) -> Mapping[str, Any]:
        """The library's configuration."""
        return {
            **self.left_out,
            "vocab_size": self.vocab,
            "n_positions": self.context,
            "n_embd": self.dim,
            "n_layer": self.layers,
            "n_head": self.heads,
            "rotary_dim": self.turned,
            "activation_function": "gelu_new",
            "layer_norm_epsilon": 1e-5,
        }


_ALL: Final = (
    # The published config.json (copies of huggingface.co/EleutherAI/gpt-j-6b's). Its card prints
    # 2,498,560 parameters more than the files hold: its training code counted copies.
    GptJShape(name="gpt-j-6b", dim=4096, layers=28, heads=16),
    # Our own, for CPUs; its vocabulary holds the bundled tokenizer's ids.
    GptJShape(name="nano-gptj", dim=128, layers=3, heads=4, vocab=32_000, context=256, turned=8),
)
SHAPES: Final = {shape.name: shape for shape in _ALL}
"""All shapes by name."""
GPTJ: Final = library_family(
    "gptj",
    "GPT-J",
    SHAPES,
    # Masks of who may look at whom, and tables of turns, which older files kept.
    no_parameter=r"(transformer\.)?h\.\d+\.attn\.((masked_)?bias|embed_positions)",
)
"""The row that registers it."""

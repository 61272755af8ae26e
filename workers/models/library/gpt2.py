"""GPT-2: the four published sizes, DistilGPT-2, and a tiny twin."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from workers.models.library.shape import LibraryShape, library_family

# Byte pairs of GPT-2's tokenizer and its end of text.
_VOCAB: Final = 50_257
# The context that it was trained with, one learned row a position.
_CONTEXT: Final = 1024


@dataclass(frozen=True, kw_only=True)
class Gpt2Shape(LibraryShape):
    """The sizes that decide a GPT-2's parameters and work."""

    family: ClassVar[str] = "gpt2"
    """Name of the family, as registered."""
    config_class: ClassVar[str] = "GPT2Config"
    """Name of the library's configuration."""
    model_class: ClassVar[str] = "GPT2LMHeadModel"
    """Name of the library's model with an output matrix."""
    embedding: ClassVar[str] = "transformer.wte.weight"
    """Its table of tokens."""
    position_table: ClassVar[str | None] = "transformer.wpe.weight"
    """Its table of positions."""
    left_out: ClassVar[Mapping[str, Any]] = {
        "n_inner": None,
        "tie_word_embeddings": True,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "reorder_and_upcast_attn": False,
        "add_cross_attention": False,
    }
    """What the library takes a setting to be that a published config.json leaves out."""
    vocab: int = _VOCAB
    """Ids of the vocabulary: rows of the embedding, which is the output matrix."""
    context: int = _CONTEXT
    """Positions that the table of them has."""

    @property
    def ffn(self) -> int:
        """Four times the residual stream's width."""
        return 4 * self.dim

    @property
    def positions(self) -> int | None:
        """Positions that a row may have."""
        return self.context

    def layer_matrices(self, degree: int) -> tuple[tuple[int, int], ...]:
        """Queries, keys and values in one; what attention gives; up and down."""
        del degree
        dim, ffn = self.dim, self.ffn
        return ((3 * dim, dim), (dim, dim), (ffn, dim), (dim, ffn))

    def sizes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every parameter; its matrices have a row an input, other than the library's others."""
        dim, ffn = self.dim, self.ffn
        yield "transformer.wte.weight", (self.vocab, dim)
        yield "transformer.wpe.weight", (self.context, dim)
        for layer in range(self.layers):
            prefix = f"transformer.h.{layer}"
            for norm in ("ln_1", "ln_2"):
                yield f"{prefix}.{norm}.weight", (dim,)
                yield f"{prefix}.{norm}.bias", (dim,)
            for matrix, inputs, outputs in (
                ("attn.c_attn", dim, 3 * dim),
                ("attn.c_proj", dim, dim),
                ("mlp.c_fc", dim, ffn),
                ("mlp.c_proj", ffn, dim),
            ):
                yield f"{prefix}.{matrix}.weight", (inputs, outputs)
                yield f"{prefix}.{matrix}.bias", (outputs,)
        yield "transformer.ln_f.weight", (dim,)
        yield "transformer.ln_f.bias", (dim,)

    def library_settings(self) -> Mapping[str, Any]:
        """The library's configuration."""
        return {
            **self.left_out,
            "vocab_size": self.vocab,
            "n_positions": self.context,
            "n_embd": self.dim,
            "n_layer": self.layers,
            "n_head": self.heads,
            "activation_function": "gelu_new",
            "layer_norm_epsilon": 1e-5,
        }


_ALL: Final = (
    # "Language Models are Unsupervised Multitask Learners" (2019), table 2, with the published
    # config.json files for heads; the paper's parameter counts are not those of the files.
    Gpt2Shape(name="gpt2", dim=768, layers=12, heads=12),
    Gpt2Shape(name="gpt2-medium", dim=1024, layers=24, heads=16),
    Gpt2Shape(name="gpt2-large", dim=1280, layers=36, heads=20),
    Gpt2Shape(name="gpt2-xl", dim=1600, layers=48, heads=25),
    # Every other layer of the smallest, distilled (arXiv 1910.01108's method).
    Gpt2Shape(name="distilgpt2", dim=768, layers=6, heads=12),
    # Our own, for CPUs; its vocabulary holds the bundled tokenizer's ids.
    Gpt2Shape(name="nano-gpt2", dim=128, layers=3, heads=4, vocab=32_000, context=256),
)
SHAPES: Final = {shape.name: shape for shape in _ALL}
"""All shapes by name."""
GPT2: Final = library_family(
    "gpt2",
    "GPT-2",
    SHAPES,
    # Masks of who may look at whom, which older files kept.
    no_parameter=r"(transformer\.)?h\.\d+\.attn\.(masked_)?bias",
)
"""The row that registers it."""

"""BLOOM: the published sizes from 560m to 176b, and a tiny twin."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from workers.models.library.shape import LibraryShape, library_family, vectors

# Its byte pairs in 46 languages, rounded up (vocab_size of the published config.json files).
_VOCAB: Final = 250_880


@dataclass(frozen=True, kw_only=True)
class BloomShape(LibraryShape):
    """The sizes that decide a BLOOM's parameters and work.

    A key's distance is added to its score (ALiBi, arXiv 2108.12409): there is no table of
    positions, and no row is too long.
    """

    family: ClassVar[str] = "bloom"
    """Name of the family, as registered."""
    config_class: ClassVar[str] = "BloomConfig"
    """Name of the library's configuration."""
    model_class: ClassVar[str] = "BloomForCausalLM"
    """Name of the library's model with an output matrix."""
    embedding: ClassVar[str] = "transformer.word_embeddings.weight"
    """Its table of tokens."""
    left_out: ClassVar[Mapping[str, Any]] = {
        "apply_residual_connection_post_layernorm": False,
        "slow_but_exact": False,
        "tie_word_embeddings": True,
    }
    """What the library takes a setting to be that a published config.json leaves out."""
    vocab: int = _VOCAB
    """Ids of the vocabulary: rows of the embedding, which is the output matrix."""

    @property
    def ffn(self) -> int:
        """Four times the residual stream's width."""
        return 4 * self.dim

    def layer_matrices(self, degree: int) -> tuple[tuple[int, int], ...]:
        """Queries, keys and values in one; what attention gives; up and down."""
        del degree
        dim, ffn = self.dim, self.ffn
        return ((3 * dim, dim), (dim, dim), (ffn, dim), (dim, ffn))

    def sizes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every parameter, in the library's order."""
        dim, ffn = self.dim, self.ffn
        yield self.embedding, (self.vocab, dim)
        yield from vectors("transformer.word_embeddings_layernorm", dim)
        for layer in range(self.layers):
            prefix = f"transformer.h.{layer}"
            for norm in ("input_layernorm", "post_attention_layernorm"):
                yield from vectors(f"{prefix}.{norm}", dim)
            for name, outputs, inputs in (
                ("self_attention.query_key_value", 3 * dim, dim),
                ("self_attention.dense", dim, dim),
                ("mlp.dense_h_to_4h", ffn, dim),
                ("mlp.dense_4h_to_h", dim, ffn),
            ):
                yield f"{prefix}.{name}.weight", (outputs, inputs)
                yield f"{prefix}.{name}.bias", (outputs,)
        yield from vectors("transformer.ln_f", dim)

    def library_settings(self) -> Mapping[str, Any]:
        """The library's configuration."""
        return {
            **self.left_out,
            "vocab_size": self.vocab,
            "hidden_size": self.dim,
            "n_layer": self.layers,
            "n_head": self.heads,
            "layer_norm_epsilon": 1e-5,
        }


_ALL: Final = (
    # The published model cards (huggingface.co/bigscience/bloom and its smaller ones) for layers,
    # heads and width; the counts that these come to are the cards'.
    BloomShape(name="bloom-560m", dim=1024, layers=24, heads=16),
    BloomShape(name="bloom-1b1", dim=1536, layers=24, heads=16),
    BloomShape(name="bloom-1b7", dim=2048, layers=24, heads=16),
    BloomShape(name="bloom-3b", dim=2560, layers=30, heads=32),
    BloomShape(name="bloom-7b1", dim=4096, layers=30, heads=32),
    BloomShape(name="bloom-176b", dim=14_336, layers=70, heads=112),
    # Our own, for CPUs; heads are no power of two, which ALiBi's slopes treat apart.
    BloomShape(name="nano-bloom", dim=96, layers=3, heads=6, vocab=32_000),
)
SHAPES: Final = {shape.name: shape for shape in _ALL}
"""All shapes by name."""
# Published files hold nothing beside the parameters.
BLOOM: Final = library_family("bloom", "BLOOM", SHAPES, no_parameter=r"(?!)")
"""The row that registers it."""

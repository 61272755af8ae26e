"""Falcon: the published 7B and 40B, and tiny twins of both layouts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from telemetry.record.validation import require_whole
from workers.models.library.shape import FP32_BYTES, LibraryShape, library_family, vectors

# vocab_size of the published config.json files.
_VOCAB: Final = 65_024


@dataclass(frozen=True, kw_only=True)
class FalconShape(LibraryShape):
    """The sizes that decide a Falcon's parameters and work.

    Attention and feed-forward lie side by side, nothing has a bias but norms, angles are rotary.
    One head of keys and values serves all queries; in the newer layout some do, and the library
    copies these for each head of queries before it caches them.
    """

    family: ClassVar[str] = "falcon"
    """Name of the family, as registered."""
    config_class: ClassVar[str] = "FalconConfig"
    """Name of the library's configuration."""
    model_class: ClassVar[str] = "FalconForCausalLM"
    """Name of the library's model with an output matrix."""
    embedding: ClassVar[str] = "transformer.word_embeddings.weight"
    """Its table of tokens."""
    left_out: ClassVar[Mapping[str, Any]] = {
        "alibi": False,
        "multi_query": True,
        "parallel_attn": True,
        "bias": False,
        "new_decoder_architecture": False,
        "activation": "gelu",
        "tie_word_embeddings": True,
    }
    """What the library takes a setting to be that a published config.json leaves out."""
    vocab: int = _VOCAB
    """Ids of the vocabulary: rows of the embedding, which is the output matrix."""
    kv_heads: int | None = None
    """Heads of keys and values in the newer layout, which has two norms a layer; None in that of
    7B, where there is one of each."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kv_heads is None:
            return
        require_whole("kv_heads", self.kv_heads, 1)
        if self.heads % self.kv_heads:
            raise ValueError(
                f"`kv_heads` must divide the {self.heads} heads, but is {self.kv_heads} instead"
            )

    @property
    def ffn(self) -> int:
        """Four times the residual stream's width."""
        return 4 * self.dim

    @property
    def kv_dim(self) -> int:
        """As many heads as keys and values have, each as wide as one of the queries'."""
        return (self.kv_heads or 1) * self.head_dim

    @property
    def cached_dim(self) -> int:
        """One head of keys as it is; of the newer layout a copy for each head of queries."""
        return self.kv_dim if self.kv_heads is None else self.dim

    @property
    def buffer_bytes(self) -> int:
        """Two tables of rates in single precision, one for each pair of a head."""
        return 2 * (self.head_dim // 2) * FP32_BYTES

    def layer_matrices(self, degree: int) -> tuple[tuple[int, int], ...]:
        """Queries, keys and values in one; what attention gives; up and down."""
        del degree
        dim, ffn = self.dim, self.ffn
        return ((dim + 2 * self.kv_dim, dim), (dim, dim), (ffn, dim), (dim, ffn))

    def sizes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every parameter, in the library's order."""
        dim, ffn = self.dim, self.ffn
        norms = ("input_layernorm",) if self.kv_heads is None else ("ln_attn", "ln_mlp")
        yield self.embedding, (self.vocab, dim)
        for layer in range(self.layers):
            prefix = f"transformer.h.{layer}"
            for name, outputs, inputs in (
                ("self_attention.query_key_value", dim + 2 * self.kv_dim, dim),
                ("self_attention.dense", dim, dim),
                ("mlp.dense_h_to_4h", ffn, dim),
                ("mlp.dense_4h_to_h", dim, ffn),
            ):
                yield f"{prefix}.{name}.weight", (outputs, inputs)
            for norm in norms:
                yield from vectors(f"{prefix}.{norm}", dim)
        yield from vectors("transformer.ln_f", dim)

    def library_settings(self) -> Mapping[str, Any]:
        """The library's configuration."""
        # 7B's published file says 71 heads of keys, which the library does not look at.
        newer = {} if self.kv_heads is None else {"num_kv_heads": self.kv_heads}
        return {
            **self.left_out,
            **newer,
            "new_decoder_architecture": self.kv_heads is not None,
            "vocab_size": self.vocab,
            "hidden_size": self.dim,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "layer_norm_epsilon": 1e-5,
        }

    def describe(self) -> dict[str, Any]:
        """As `LibraryShape.describe`, with how many heads keys and values have."""
        return {**super().describe(), "kv_heads": self.kv_heads or 1}


_ALL: Final = (
    # arXiv 2311.16867 and the published config.json files.
    FalconShape(name="falcon-7b", dim=4544, layers=32, heads=71),
    FalconShape(name="falcon-40b", dim=8192, layers=60, heads=128, kv_heads=8),
    # Our own, for CPUs, of either layout; five heads divide by no number of GPUs that there is.
    FalconShape(name="nano-falcon", dim=80, layers=3, heads=5, vocab=32_000),
    FalconShape(name="nano-falcon-40b", dim=128, layers=3, heads=8, kv_heads=2, vocab=32_000),
)
SHAPES: Final = {shape.name: shape for shape in _ALL}
"""All shapes by name."""
FALCON: Final = library_family(
    "falcon",
    "Falcon",
    SHAPES,
    # Rates of the rotary angles, which older files kept.
    no_parameter=r"(transformer\.)?h\.\d+\.self_attention\.(maybe_)?rotary.*\.inv_freq",
)
"""The row that registers it."""

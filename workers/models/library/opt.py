"""OPT: the published sizes from 125m to 66b, and tiny twins of both layouts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from telemetry.record.validation import require_whole
from workers.models.library.shape import LibraryShape, library_family, vectors

# GPT-2's byte pairs and what OPT adds, rounded up (vocab_size of the published config.json files).
_VOCAB: Final = 50_272
# The context that it was trained with, one learned row a position.
_CONTEXT: Final = 2048
# Rows of the table before that of the first position, which its training code's padding left.
_ROWS_BEFORE: Final = 2


@dataclass(frozen=True, kw_only=True)
class OptShape(LibraryShape):
    """The sizes that decide an OPT's parameters and work."""

    family: ClassVar[str] = "opt"
    """Name of the family, as registered."""
    config_class: ClassVar[str] = "OPTConfig"
    """Name of the library's configuration."""
    model_class: ClassVar[str] = "OPTForCausalLM"
    """Name of the library's model with an output matrix."""
    embedding: ClassVar[str] = "model.decoder.embed_tokens.weight"
    """Its table of tokens."""
    position_table: ClassVar[str | None] = "model.decoder.embed_positions.weight"
    """Its table of positions."""
    left_out: ClassVar[Mapping[str, Any]] = {
        "enable_bias": True,
        "layer_norm_elementwise_affine": True,
        "tie_word_embeddings": True,
    }
    """What the library takes a setting to be that a published config.json leaves out."""
    vocab: int = _VOCAB
    """Ids of the vocabulary: rows of the embedding, which is the output matrix."""
    context: int = _CONTEXT
    """Positions that the table of them has, beside the two rows before the first."""
    embedded: int | None = None
    """Width of a row of the embedding; None where it is the residual stream's. A narrower one is
    projected to the stream and back."""
    norm_after: bool = False
    """True where a layer's norms follow what is added, and none follows the last layer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embedded is not None:
            require_whole("embedded", self.embedded, 1)

    @property
    def ffn(self) -> int:
        """Four times the residual stream's width."""
        return 4 * self.dim

    @property
    def table_dim(self) -> int:
        """Width of a row of the embedding."""
        return self.dim if self.embedded is None else self.embedded

    @property
    def positions(self) -> int | None:
        """Positions that a row may have."""
        return self.context

    @property
    def _projection(self) -> int:
        """Weights of the matrix between embedding and stream; as many lie on the way back."""
        return 0 if self.embedded is None else self.embedded * self.dim

    @property
    def flop_per_token(self) -> int:
        """Operations of the layers' matrices, and of the way into the stream."""
        return super().flop_per_token + 2 * self._projection

    @property
    def flop_per_logit_row(self) -> int:
        """Operations of one row of logits, and of the way out of the stream."""
        return super().flop_per_logit_row + 2 * self._projection

    def layer_matrices(self, degree: int) -> tuple[tuple[int, int], ...]:
        """Queries, keys and values; what attention gives; up and down."""
        del degree
        dim, ffn = self.dim, self.ffn
        return (*((dim, dim),) * 4, (ffn, dim), (dim, ffn))

    def sizes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every parameter, in the library's order."""
        dim, ffn = self.dim, self.ffn
        yield self.embedding, (self.vocab, self.table_dim)
        yield "model.decoder.embed_positions.weight", (self.context + _ROWS_BEFORE, dim)
        if self.embedded is not None:
            yield "model.decoder.project_out.weight", (self.embedded, dim)
            yield "model.decoder.project_in.weight", (dim, self.embedded)
        if not self.norm_after:
            yield from vectors("model.decoder.final_layer_norm", dim)
        for layer in range(self.layers):
            prefix = f"model.decoder.layers.{layer}"
            for name, outputs, inputs in (
                *((f"self_attn.{one}_proj", dim, dim) for one in ("k", "v", "q", "out")),
                ("fc1", ffn, dim),
                ("fc2", dim, ffn),
            ):
                yield f"{prefix}.{name}.weight", (outputs, inputs)
                yield f"{prefix}.{name}.bias", (outputs,)
            for name in ("self_attn_layer_norm", "final_layer_norm"):
                yield from vectors(f"{prefix}.{name}", dim)

    def library_settings(self) -> Mapping[str, Any]:
        """The library's configuration."""
        return {
            **self.left_out,
            "vocab_size": self.vocab,
            "hidden_size": self.dim,
            "word_embed_proj_dim": self.table_dim,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "ffn_dim": self.ffn,
            "max_position_embeddings": self.context,
            "do_layer_norm_before": not self.norm_after,
            "activation_function": "relu",
        }


_ALL: Final = (
    # arXiv 2205.01068, table 1, for layers, heads and width; 350m's embedding of 512 and its norms
    # behind are its published config.json's.
    OptShape(name="opt-125m", dim=768, layers=12, heads=12),
    OptShape(name="opt-350m", dim=1024, layers=24, heads=16, embedded=512, norm_after=True),
    OptShape(name="opt-1.3b", dim=2048, layers=24, heads=32),
    OptShape(name="opt-2.7b", dim=2560, layers=32, heads=32),
    OptShape(name="opt-6.7b", dim=4096, layers=32, heads=32),
    OptShape(name="opt-13b", dim=5120, layers=40, heads=40),
    OptShape(name="opt-30b", dim=7168, layers=48, heads=56),
    OptShape(name="opt-66b", dim=9216, layers=64, heads=72),
    # Our own, for CPUs, of either layout; the vocabulary holds the bundled tokenizer's ids.
    OptShape(name="nano-opt", dim=128, layers=3, heads=4, vocab=32_000, context=256),
    OptShape(
        name="nano-opt-350m",
        dim=128,
        layers=3,
        heads=4,
        vocab=32_000,
        context=256,
        embedded=64,
        norm_after=True,
    ),
)
SHAPES: Final = {shape.name: shape for shape in _ALL}
"""All shapes by name."""
# Published files hold nothing beside the parameters.
OPT: Final = library_family("opt", "OPT", SHAPES, no_parameter=r"(?!)")
"""The row that registers it."""

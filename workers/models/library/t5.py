"""T5: an encoder and a decoder; the five published sizes, those of version 1.1, and tiny twins.

Its pairs of layers, one of the encoder and one of the decoder, are `layers`: published sizes have
as many of either. Attention has no scale, positions are 32 learned numbers a head that either
stack's first layer holds, and norms have no bias (arXiv 1910.10683). A tied output matrix takes
what the decoder gives times 1 / sqrt(width); version 1.1 has one of its own and gates its
feed-forward layer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from telemetry.record.arithmetic import Arithmetic, EncoderArithmetic
from workers.models.base.parameter import Parameter
from workers.models.base.shape import MatrixBytes
from workers.models.library.shape import LibraryShape, library_family

# The SentencePiece model's 32,000 pieces, 100 marks of spans, and up to a multiple of 128.
_VOCAB: Final = 32_128
# Distances that the published models tell apart, and the one from which on all are alike.
_BUCKETS: Final = 32
_FARTHEST: Final = 128
_EPS: Final = 1e-6
_TABLE: Final = "shared.weight"
_HEAD: Final = "lm_head.weight"
# Files of the published models hold the table once more for either stack.
_COPIES: Final = {
    _HEAD: _TABLE,
    "encoder.embed_tokens.weight": _TABLE,
    "decoder.embed_tokens.weight": _TABLE,
}


@dataclass(frozen=True, kw_only=True)
class T5Shape(LibraryShape):
    """The sizes that decide a T5's parameters and work."""

    family: ClassVar[str] = "t5"
    """Name of the family, as registered."""
    config_class: ClassVar[str] = "T5Config"
    """Name of the library's configuration."""
    model_class: ClassVar[str] = "T5ForConditionalGeneration"
    """Name of the library's model with an output matrix."""
    embedding: ClassVar[str] = _TABLE
    """Its table of tokens, which both stacks read."""
    left_out: ClassVar[Mapping[str, Any]] = {
        "relative_attention_max_distance": _FARTHEST,
        "feed_forward_proj": "relu",
        "tie_word_embeddings": True,
    }
    """What the library takes a setting to be that a published config.json leaves out."""
    start_id: ClassVar[int] = 0
    """What the decoder begins each answer with, which is also what pads: of every published T5."""
    vocab: int = _VOCAB
    """Ids of the vocabulary: rows of the embedding."""
    inner: int
    """Width of the feed-forward layer."""
    head_width: int = 64
    """Width of one head; all of them need not come to the residual stream's."""
    version_1_1: bool = False
    """True where the feed-forward layer is gated and the output matrix the model's own."""

    @property
    def encodes(self) -> bool:
        """It does."""
        return True

    @property
    def tied(self) -> bool:
        """True when the output matrix is the embedding."""
        return not self.version_1_1

    @property
    def ffn(self) -> int:
        """Width of the feed-forward layer."""
        return self.inner

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.head_width

    @property
    def kv_dim(self) -> int:
        """Every head has keys and values of its own."""
        return self.heads * self.head_width

    @property
    def position_params(self) -> int:
        """A number for each bucket of distances and head, in both stacks."""
        return 2 * _BUCKETS * self.heads

    @property
    def _attention(self) -> tuple[tuple[int, int], ...]:
        """Queries, keys and values of one attention, and what it gives."""
        wide = self.kv_dim
        return ((wide, self.dim),) * 3 + ((self.dim, wide),)

    @property
    def _feed_forward(self) -> tuple[tuple[int, int], ...]:
        ups = 2 if self.version_1_1 else 1
        return ((self.inner, self.dim),) * ups + ((self.dim, self.inner),)

    @property
    def encoder_matrices(self) -> tuple[tuple[int, int], ...]:
        """Outputs and inputs of each matrix of a layer of the encoder."""
        return (*self._attention, *self._feed_forward)

    @property
    def crossing_matrices(self) -> tuple[tuple[int, int], ...]:
        """Those that make a layer's keys and values of what was encoded, once a batch."""
        return ((self.kv_dim, self.dim),) * 2

    @property
    def step_matrices(self) -> tuple[tuple[int, int], ...]:
        """Those of a layer of the decoder that every step reads."""
        crossed = ((self.kv_dim, self.dim), (self.dim, self.kv_dim))
        return (*self._attention, *crossed, *self._feed_forward)

    def layer_matrices(self, degree: int) -> tuple[tuple[int, int], ...]:
        """Of a layer of the encoder and one of the decoder."""
        del degree
        return (*self.encoder_matrices, *self.step_matrices, *self.crossing_matrices)

    @property
    def flop_per_token(self) -> int:
        """Operations of a token that goes through the decoder's matrices."""
        return 2 * self.layers * sum(outputs * inputs for outputs, inputs in self.step_matrices)

    def sizes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every parameter, as the library names them."""
        yield _TABLE, (self.vocab, self.dim)
        for stack, looks in (
            ("encoder", ("SelfAttention",)),
            ("decoder", ("SelfAttention", "EncDecAttention")),
        ):
            for block in range(self.layers):
                prefix = f"{stack}.block.{block}.layer"
                for place, look in enumerate(looks):
                    for name, size in zip("qkvo", self._attention, strict=True):
                        yield f"{prefix}.{place}.{look}.{name}.weight", size
                    if block == place == 0:
                        buckets = (_BUCKETS, self.heads)
                        yield f"{prefix}.0.{look}.relative_attention_bias.weight", buckets
                    yield f"{prefix}.{place}.layer_norm.weight", (self.dim,)
                last = len(looks)
                ups = ("wi_0", "wi_1") if self.version_1_1 else ("wi",)
                for name, size in zip((*ups, "wo"), self._feed_forward, strict=True):
                    yield f"{prefix}.{last}.DenseReluDense.{name}.weight", size
                yield f"{prefix}.{last}.layer_norm.weight", (self.dim,)
            yield f"{stack}.final_layer_norm.weight", (self.dim,)
        if not self.tied:
            yield _HEAD, (self.vocab, self.dim)

    def library_settings(self) -> Mapping[str, Any]:
        """The library's configuration."""
        return {
            "vocab_size": self.vocab,
            "d_model": self.dim,
            "d_kv": self.head_width,
            "d_ff": self.inner,
            "num_layers": self.layers,
            "num_decoder_layers": self.layers,
            "num_heads": self.heads,
            "relative_attention_num_buckets": _BUCKETS,
            "relative_attention_max_distance": _FARTHEST,
            "layer_norm_epsilon": _EPS,
            "feed_forward_proj": "gated-gelu" if self.version_1_1 else "relu",
            "tie_word_embeddings": self.tied,
        }

    def arithmetic(self, *, degree: int, item_bytes: int, matrix_bytes: MatrixBytes) -> Arithmetic:
        """As `ModelShape.arithmetic`, of the decoder; what the encoder costs stands beside it.

        Numbers of distances are left out, as they are of nothing that is read by rows.
        """
        del degree
        layers, dim = self.layers, self.dim

        def lie(matrices: tuple[tuple[int, int], ...]) -> int:
            return layers * sum(matrix_bytes(*matrix) for matrix in matrices)

        def flop(matrices: tuple[tuple[int, int], ...]) -> int:
            return 2 * layers * sum(outputs * inputs for outputs, inputs in matrices)

        # Two norms a layer of the encoder, three of the decoder, and one after each stack.
        encoder_norms, decoder_norms = (2 * layers + 1) * dim, (3 * layers + 1) * dim
        head = self.vocab * dim
        looks = 4 * layers * self.kv_dim
        return Arithmetic(
            family=self.family,
            parameters=self.params,
            flop_per_token=self.flop_per_token,
            flop_per_token_and_position=looks,
            flop_per_logit_row=2 * head,
            weight_bytes_per_step=lie(self.step_matrices) + (decoder_norms + head) * item_bytes,
            kv_bytes_per_position=self.kv_numbers * item_bytes,
            encoder=EncoderArithmetic(
                flop_per_token=flop(self.encoder_matrices),
                flop_per_token_and_position=looks,
                weight_bytes=lie(self.encoder_matrices) + encoder_norms * item_bytes,
                flop_per_crossed_token=flop(self.crossing_matrices),
                flop_per_crossed_position=looks,
                crossing_bytes=lie(self.crossing_matrices),
            ),
        )

    def parallel_fault(self, gpus: int) -> str | None:
        """No engine here shares an encoder and a decoder."""
        if gpus == 1:
            return None
        return (
            f"`gpus` must be 1 for {self.name}, an encoder-decoder that no engine shares, "
            f"but is {gpus} instead"
        )

    def describe(self) -> dict[str, Any]:
        """As `LibraryShape.describe`, with what tells it from the other families."""
        return {
            **super().describe(),
            "encoder_layers": self.layers,
            "head_dim": self.head_dim,
            "gated": self.version_1_1,
            "start_id": self.start_id,
        }


def _parameters(shape: T5Shape) -> Iterator[Parameter]:
    """Drawn as the library draws them, with `initializer_factor` 1: no softmax has a scale."""
    wide = shape.heads * shape.head_width
    spreads = {
        "shared": 1.0,
        "lm_head": 1.0,
        "q": (shape.dim * shape.head_width) ** -0.5,
        "o": wide**-0.5,
        "wo": shape.inner**-0.5,
    }
    for name, size in shape.sizes():
        matrix = name.split(".")[-2]
        std = None if len(size) == 1 else spreads.get(matrix, shape.dim**-0.5)
        yield Parameter(name=name, size=size, split_dim=None, std=std)


def _settings(config: Mapping[str, Any], shape: T5Shape) -> Iterator[tuple[str, Any, Any]]:
    """What config.json says and what it must say."""
    yield "model_type", config.get("model_type"), shape.family
    for key, value in shape.library_settings().items():
        otherwise = shape.left_out.get(key)
        if key == "num_decoder_layers":
            otherwise = config.get("num_layers")
        said = config.get(key)
        if key == "tie_word_embeddings":
            # The library writes True of either version since it says in a setting of its own
            # whether the head takes what is scaled.
            said = config.get("scale_decoder_outputs", said)
        yield key, otherwise if said is None else said, value
    yield "decoder_start_token_id", config.get("decoder_start_token_id", 0), shape.start_id
    yield "quantization_config", config.get("quantization_config"), None


_ALL: Final = (
    # arXiv 1910.10683, section 3.7, with the published config.json files for widths of heads.
    T5Shape(name="t5-small", dim=512, inner=2048, layers=6, heads=8),
    T5Shape(name="t5-base", dim=768, inner=3072, layers=12, heads=12),
    T5Shape(name="t5-large", dim=1024, inner=4096, layers=24, heads=16),
    T5Shape(name="t5-3b", dim=1024, inner=16_384, layers=24, heads=32, head_width=128),
    T5Shape(name="t5-11b", dim=1024, inner=65_536, layers=24, heads=128, head_width=128),
    # Version 1.1, of whose sizes Flan-T5 is too (arXiv 2210.11416).
    T5Shape(name="flan-t5-small", dim=512, inner=1024, layers=8, heads=6, version_1_1=True),
    T5Shape(name="flan-t5-base", dim=768, inner=2048, layers=12, heads=12, version_1_1=True),
    T5Shape(name="flan-t5-large", dim=1024, inner=2816, layers=24, heads=16, version_1_1=True),
    T5Shape(name="flan-t5-xl", dim=2048, inner=5120, layers=24, heads=32, version_1_1=True),
    T5Shape(name="flan-t5-xxl", dim=4096, inner=10_240, layers=24, heads=64, version_1_1=True),
    # Our own, for CPUs; heads are wider together than the residual stream, as t5-3b's.
    T5Shape(name="nano-t5", dim=96, inner=256, layers=3, heads=4, head_width=32, vocab=32_000),
    T5Shape(
        name="nano-flan-t5",
        dim=96,
        inner=128,
        layers=2,
        heads=4,
        head_width=32,
        vocab=32_000,
        version_1_1=True,
    ),
)
SHAPES: Final = {shape.name: shape for shape in _ALL}
"""All shapes by name."""
_PLAIN: Final = library_family(
    "t5",
    "T5",
    SHAPES,
    # A number of distances for looks at the encoder, which older files hold and no layer reads.
    no_parameter=r"decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight",
)


def _known(stored: str) -> str | None:
    """A parameter, or a copy of the table."""
    return stored if stored in _COPIES else _PLAIN.names.hugging_face_name(stored)


T5: Final = replace(
    _PLAIN,
    parameters=_parameters,
    names=replace(
        _PLAIN.names,
        hugging_face_name=_known,
        hugging_face_settings=_settings,
        copies=_COPIES,
    ),
)
"""The row that registers it."""

"""Shapes: the sizes of a LLaMA model. No torch here: a login node plans with these."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final

from telemetry.record.validation import require_whole
from workers.models.base.shape import ModelShape, part_of

# SentencePiece vocabulary of LLaMA v1 (arXiv 2302.13971), met by the bundled tokenizer.
VOCAB_SIZE: Final = 32_000
# Gate and up projection are two thirds of the classical 4 x dim, rounded up to this
# (github.com/facebookresearch/llama, branch llama_v1, model card and params.json).
_FFN_MULTIPLE: Final = 256
# Base of the rotary angles, RoFormer (arXiv 2104.09864), kept by LLaMA v1.
ROPE_THETA: Final = 10_000.0


@dataclass(frozen=True, kw_only=True)
class RopeScaling:
    """How LLaMA 3 slows the turns of long waves, so that more positions than trained on fit.

    `rope_type` llama3 of transformers; arXiv 2407.21783 raises the base alone, the published
    config.json files of 3.1 and 3.2 have these four besides.
    """

    factor: float
    """What the slowest turns are divided by."""
    low_freq_factor: float
    """Waves longer than `original_positions` over this are slowed by the whole factor."""
    high_freq_factor: float
    """Waves shorter than `original_positions` over this are left as they are."""
    original_positions: int
    """Positions that the model was first trained on."""

    def __post_init__(self) -> None:
        require_whole("original_positions", self.original_positions, 1)
        if not self.factor >= 1.0:
            raise ValueError(f"`factor` must be at least 1, but is {self.factor!r} instead")
        if not 0.0 < self.low_freq_factor < self.high_freq_factor:
            raise ValueError(
                f"`low_freq_factor` must be above 0 and below `high_freq_factor`, but they are "
                f"{self.low_freq_factor!r} and {self.high_freq_factor!r} instead"
            )


@dataclass(frozen=True, kw_only=True)
class LlamaShape(ModelShape):
    """The sizes that decide a LLaMA model's parameters and work; the defaults are LLaMA v1's."""

    family: ClassVar[str] = "llama"
    """Name of the family, as registered."""
    norm_eps: float
    """Added to the mean square under RMSNorm's root."""
    vocab: int = VOCAB_SIZE
    """Ids of the vocabulary: rows of the embedding and of the output matrix."""
    kv_heads: int = 0
    """Heads of keys and values, each shared by as many heads of queries; 0 becomes `heads`."""
    ffn_width: int | None = None
    """Width of the feed-forward layer; None for LLaMA v1's rule of `dim`."""
    tied: bool = False
    """True when the output matrix is the embedding."""
    rope_theta: float = ROPE_THETA
    """Base of the rotary angles."""
    rope_scaling: RopeScaling | None = None
    """How long waves are slowed; None when they are not."""
    window: int | None = None
    """Positions that a token attends to, its own and those just before; None for all."""
    published_as: str = "llama"
    """What `model_type` of the hub's config.json holds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kv_heads == 0:
            object.__setattr__(self, "kv_heads", self.heads)
        require_whole("kv_heads", self.kv_heads, 1)
        if self.heads % self.kv_heads:
            raise ValueError(
                f"`kv_heads` must divide the {self.heads} heads, but is {self.kv_heads} instead"
            )
        for name in ("ffn_width", "window"):
            if getattr(self, name) is not None:
                require_whole(name, getattr(self, name), 1)
        if not self.rope_theta > 1.0:
            raise ValueError(f"`rope_theta` must be above 1, but is {self.rope_theta!r} instead")
        if self.dim % (2 * self.heads):
            raise ValueError(
                f"`dim` must be an even multiple of `heads`, as rotary embedding turns pairs, "
                f"but is {self.dim} with {self.heads} heads instead"
            )
        if not 0.0 < self.norm_eps < 1.0:
            raise ValueError(
                f"`norm_eps` must be a number above 0 and below 1, but is {self.norm_eps!r} instead"
            )

    @property
    def ffn(self) -> int:
        """Width of the feed-forward layer; LLaMA v1's int(8 dim / 3), up to a multiple of 256."""
        if self.ffn_width is not None:
            return self.ffn_width
        classical = 8 * self.dim // 3
        return -(-classical // _FFN_MULTIPLE) * _FFN_MULTIPLE

    @property
    def kv_dim(self) -> int:
        """As many heads as keys and values have, each as wide as one of the queries'."""
        return self.kv_heads * self.head_dim

    @property
    def norm_params(self) -> int:
        """Parameters of all RMSNorms: the only ones every rank holds whole."""
        return (2 * self.layers + 1) * self.dim

    @property
    def params(self) -> int:
        """All parameters; a tied table counts once, and nothing has a bias."""
        tables = (1 if self.tied else 2) * self.vocab * self.dim
        return tables + self.layers * self.layer_matrix_params + self.norm_params

    @property
    def shared_sizes(self) -> Mapping[str, int]:
        """What ranks share evenly.

        FairScale checks matrices but not heads: 40 heads over 16 ranks build, then fail inside the
        first forward pass. Keys and values are never held twice: 8 heads of them end at 8 ranks.
        """
        shared = {"heads": self.heads, "dim": self.dim, "ffn": self.ffn, "vocab": self.vocab}
        if self.kv_heads != self.heads:
            shared["heads of keys and values"] = self.kv_heads
        return shared

    def layer_matrices(self, degree: int) -> tuple[tuple[int, int], ...]:
        """Queries, keys and values; what attention gives; gates and ups; what they come to."""
        dim, width, inner = self.dim, part_of(self.dim, degree), part_of(self.ffn, degree)
        kept = part_of(self.kv_dim, degree)
        return (
            (width, dim),
            *((kept, dim),) * 2,
            (dim, width),
            *((inner, dim),) * 2,
            (dim, inner),
        )

    def describe(self) -> dict[str, Any]:
        """As `ModelShape.describe`, with what tells the model from LLaMA v1."""
        return {
            **super().describe(),
            "kv_heads": self.kv_heads,
            "tied": self.tied,
            "rope_theta": self.rope_theta,
            "rope_scaling": None if self.rope_scaling is None else asdict(self.rope_scaling),
            "window": self.window,
        }


# The published config.json of Llama 3.1 and 3.2, as copies of it hold them: of 3.2 the factor 32.
_LLAMA_3_2: Final = RopeScaling(
    factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_positions=8192
)

_ALL: Final = (
    # Our own, for CPUs: 32 heads and dimensions that divide by 32, so that 32 ranks are legal.
    # A token of nano is a few milliseconds of one CPU core, micro is about four times that.
    LlamaShape(name="nano", dim=256, layers=4, heads=32, norm_eps=1e-6),
    LlamaShape(name="micro", dim=512, layers=8, heads=32, norm_eps=1e-6),
    # arXiv 2302.13971, table 2, for dim, layers and heads. norm_eps is not in the paper: 1e-6 and,
    # for 65B alone, 1e-5 is what careful copies of the released params.json hold.
    LlamaShape(name="7b", dim=4096, layers=32, heads=32, norm_eps=1e-6),
    LlamaShape(name="13b", dim=5120, layers=40, heads=40, norm_eps=1e-6),
    LlamaShape(name="30b", dim=6656, layers=60, heads=52, norm_eps=1e-6),
    LlamaShape(name="65b", dim=8192, layers=80, heads=64, norm_eps=1e-5),
    # Copies of the published config.json (huggingface.co/mlx-community/Llama-3.2-3B-bf16 for 3B);
    # the counts of parameters that they come to are the published ones.
    LlamaShape(
        name="llama-3.2-1b",
        dim=2048,
        layers=16,
        heads=32,
        kv_heads=8,
        ffn_width=8192,
        norm_eps=1e-5,
        vocab=128_256,
        tied=True,
        rope_theta=5e5,
        rope_scaling=_LLAMA_3_2,
    ),
    LlamaShape(
        name="llama-3.2-3b",
        dim=3072,
        layers=28,
        heads=24,
        kv_heads=8,
        ffn_width=8192,
        norm_eps=1e-5,
        vocab=128_256,
        tied=True,
        rope_theta=5e5,
        rope_scaling=_LLAMA_3_2,
    ),
    # arXiv 2310.06825, table 1; eps and the base of the angles as in its config.json.
    LlamaShape(
        name="mistral-7b-v0.1",
        dim=4096,
        layers=32,
        heads=32,
        kv_heads=8,
        ffn_width=14_336,
        norm_eps=1e-5,
        window=4096,
        published_as="mistral",
    ),
    # Our own: nano with what Llama 3.2 and Mistral have besides, small enough that a short text
    # meets the slowed turns and leaves the window.
    LlamaShape(
        name="nano-llama-3.2",
        dim=256,
        layers=4,
        heads=16,
        kv_heads=4,
        ffn_width=1024,
        norm_eps=1e-5,
        tied=True,
        rope_theta=5e5,
        rope_scaling=RopeScaling(
            factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_positions=64
        ),
    ),
    LlamaShape(
        name="nano-mistral",
        dim=256,
        layers=4,
        heads=16,
        kv_heads=4,
        ffn_width=1024,
        norm_eps=1e-5,
        window=7,
        published_as="mistral",
    ),
)

SHAPES: Final = {shape.name: shape for shape in _ALL}
"""All shapes by name."""

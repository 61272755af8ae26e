"""Shapes: the sizes of a LLaMA model. No torch here: a login node plans with these."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from workers.models.base.shape import ModelShape, part_of

# SentencePiece vocabulary of LLaMA v1 (arXiv 2302.13971), met by the bundled tokenizer.
VOCAB_SIZE: Final = 32_000
# Gate and up projection are two thirds of the classical 4 x dim, rounded up to this
# (github.com/facebookresearch/llama, branch llama_v1, model card and params.json).
_FFN_MULTIPLE: Final = 256
# Base of the rotary angles, RoFormer (arXiv 2104.09864), kept by LLaMA v1.
ROPE_THETA: Final = 10_000.0


@dataclass(frozen=True, kw_only=True)
class LlamaShape(ModelShape):
    """The sizes that decide a LLaMA model's parameters and work."""

    family: ClassVar[str] = "llama"
    """Name of the family, as registered."""
    norm_eps: float
    """Added to the mean square under RMSNorm's root."""
    vocab: int = VOCAB_SIZE
    """Ids of the vocabulary: rows of the embedding and of the output matrix."""

    def __post_init__(self) -> None:
        super().__post_init__()
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
        """Width of the feed-forward layer: int(8 dim / 3) rounded up to a multiple of 256."""
        classical = 8 * self.dim // 3
        return -(-classical // _FFN_MULTIPLE) * _FFN_MULTIPLE

    @property
    def kv_dim(self) -> int:
        """Each head has keys and values of its own."""
        return self.dim

    @property
    def norm_params(self) -> int:
        """Parameters of all RMSNorms: the only ones every rank holds whole."""
        return (2 * self.layers + 1) * self.dim

    @property
    def params(self) -> int:
        """All parameters; embedding and output are not tied and nothing has a bias."""
        tables = 2 * self.vocab * self.dim
        return tables + self.layers * self.layer_matrix_params + self.norm_params

    @property
    def shared_sizes(self) -> Mapping[str, int]:
        """What ranks share evenly.

        FairScale checks matrices but not heads: 40 heads over 16 ranks build, then fail inside the
        first forward pass.
        """
        return {"heads": self.heads, "dim": self.dim, "ffn": self.ffn, "vocab": self.vocab}

    def layer_matrices(self, degree: int) -> tuple[tuple[int, int], ...]:
        """Queries, keys and values; what attention gives; gates and ups; what they come to."""
        dim, width, inner = self.dim, part_of(self.dim, degree), part_of(self.ffn, degree)
        return (*((width, dim),) * 3, (dim, width), *((inner, dim),) * 2, (dim, inner))


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
)

SHAPES: Final = {shape.name: shape for shape in _ALL}
"""All shapes by name."""

"""Shapes: the sizes of a LLaMA model. No torch here: a login node plans with these."""

from dataclasses import dataclass
from typing import Final

# SentencePiece vocabulary of LLaMA v1 (arXiv 2302.13971), met by the bundled tokenizer.
VOCAB_SIZE: Final = 32_000
# Gate and up projection are two thirds of the classical 4 x dim, rounded up to this
# (github.com/facebookresearch/llama, branch llama_v1, model card and params.json).
_FFN_MULTIPLE: Final = 256
# Base of the rotary angles, RoFormer (arXiv 2104.09864), kept by LLaMA v1.
ROPE_THETA: Final = 10_000.0


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """The sizes that decide a LLaMA model's parameters and work."""

    name: str
    """Short name used in specs."""
    dim: int
    """Width of the residual stream."""
    layers: int
    """Transformer layers."""
    heads: int
    """Attention heads, each with its own keys and values."""
    norm_eps: float
    """Added to the mean square under RMSNorm's root."""
    vocab: int = VOCAB_SIZE
    """Ids of the vocabulary: rows of the embedding and of the output matrix."""

    def __post_init__(self) -> None:
        for name in ("dim", "layers", "heads", "vocab"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"`{name}` must be a whole number of at least 1, but is {value!r} instead"
                )
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
    def head_dim(self) -> int:
        """Width of one head."""
        return self.dim // self.heads

    @property
    def ffn(self) -> int:
        """Width of the feed-forward layer: int(8 dim / 3) rounded up to a multiple of 256."""
        classical = 8 * self.dim // 3
        return -(-classical // _FFN_MULTIPLE) * _FFN_MULTIPLE

    @property
    def layer_matrix_params(self) -> int:
        """Parameters of one layer's seven matrices: each is one multiply-add per token."""
        return 4 * self.dim**2 + 3 * self.dim * self.ffn

    @property
    def norm_params(self) -> int:
        """Parameters of all RMSNorms: the only ones every rank holds whole."""
        return (2 * self.layers + 1) * self.dim

    @property
    def params(self) -> int:
        """All parameters; embedding and output are not tied and nothing has a bias."""
        tables = 2 * self.vocab * self.dim
        return tables + self.layers * self.layer_matrix_params + self.norm_params


_ALL: Final = (
    # Our own, for CPUs: 32 heads and dimensions that divide by 32, so that 32 ranks are legal.
    # A token of nano is a few milliseconds of one CPU core, micro is about four times that.
    ModelShape(name="nano", dim=256, layers=4, heads=32, norm_eps=1e-6),
    ModelShape(name="micro", dim=512, layers=8, heads=32, norm_eps=1e-6),
    # arXiv 2302.13971, table 2, for dim, layers and heads. norm_eps is not in the paper: 1e-6 and,
    # for 65B alone, 1e-5 is what careful copies of the released params.json hold.
    ModelShape(name="7b", dim=4096, layers=32, heads=32, norm_eps=1e-6),
    ModelShape(name="13b", dim=5120, layers=40, heads=40, norm_eps=1e-6),
    ModelShape(name="30b", dim=6656, layers=60, heads=52, norm_eps=1e-6),
    ModelShape(name="65b", dim=8192, layers=80, heads=64, norm_eps=1e-5),
)

SHAPES: Final = {shape.name: shape for shape in _ALL}
"""All shapes by name."""


def find_shape(model: str) -> ModelShape:
    """The shape of that name.

    Raises:
        ValueError: there is no such model.
    """
    shape = SHAPES.get(model)
    if shape is None:
        raise ValueError(f"`model` must be one of {', '.join(SHAPES)}, but is {model!r} instead")
    return shape


def parallel_fault(shape: ModelShape, gpus: int) -> str | None:
    """Why a model cannot be split over so many GPUs; None when it can.

    FairScale checks matrices but not heads: 40 heads over 16 ranks build, then fail inside the
    first forward pass.
    """
    for name, size in (
        ("heads", shape.heads),
        ("dim", shape.dim),
        ("ffn", shape.ffn),
        ("vocab", shape.vocab),
    ):
        if size % gpus:
            return (
                f"`gpus` must divide the {size} {name} of {shape.name}, but is {gpus} "
                f"instead: {size} = {size // gpus} x {gpus} + {size % gpus}"
            )
    return None

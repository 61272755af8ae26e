"""Workspace: what engines allocate beside weights and cache is reckoned from.

A module an engine adds tensors up that live at once, moment by moment, and takes the largest sum.
The moments are read off the engine's code, where Python's own reference counts decide what lives;
tests hold them against the live bytes of the real models.
"""

from dataclasses import dataclass
from typing import Final

from telemetry.boards.board import CUBLAS_WORKSPACE_BYTES
from telemetry.boards.table import BOARDS
from workers.models.base.shape import ModelShape

FP32_BYTES: Final = 4
"""Bytes of a number in single precision."""
INT64_BYTES: Final = 8
"""Bytes of a token's id or place."""


@dataclass(frozen=True, kw_only=True)
class RankWork:
    """What one rank does at a time, as far as its memory hangs on it."""

    shape: ModelShape
    """The whole model's sizes."""
    degree: int
    """Ranks that share the model."""
    batch: int
    """Prompts answered together."""
    prefill_len: int
    """Tokens of every row in the first forward pass."""
    max_len: int
    """Positions of every row at the end."""
    item_bytes: int
    """Bytes of a number in the run's format."""
    quantization: str = "none"
    """How the layers' matrices are rounded while the model loads."""
    kv_item_bytes: int | None = None
    """Bytes of a cached number; None: `item_bytes`."""

    @property
    def quantized(self) -> bool:
        """True when the layers' matrices are rounded."""
        return self.quantization != "none"

    @property
    def widens_keys(self) -> bool:
        """True when keys and values are cached in fewer bytes than they are multiplied in."""
        return self.kv_item_bytes not in (None, self.item_bytes)

    @property
    def tokens(self) -> int:
        """Tokens of the first forward pass."""
        return self.batch * self.prefill_len

    @property
    def logits(self) -> int:
        """This rank's logits of one step."""
        return self.batch * self.shape.vocab // self.degree

    @property
    def width(self) -> int:
        """This rank's part of the residual stream's width: its heads."""
        return self.shape.dim // self.degree

    @property
    def kept(self) -> int:
        """This rank's part of the width of keys: as many heads as keys and values have."""
        return self.shape.kv_dim // self.degree

    @property
    def inner(self) -> int:
        """This rank's part of the feed-forward layer's width."""
        return self.shape.ffn // self.degree

    @property
    def heads(self) -> int:
        """This rank's heads."""
        return self.shape.heads // self.degree


def one_cublas_workspace(work: RankWork) -> int:
    """How many of its workspaces cuBLAS keeps for an engine that multiplies in one stream."""
    del work
    return 1


def cublas_bytes(gpu_kind: str) -> int:
    """What cuBLAS keeps of a GPU of that kind for its own work."""
    board = BOARDS.get(gpu_kind)
    return CUBLAS_WORKSPACE_BYTES if board is None else board.cublas_workspace_bytes

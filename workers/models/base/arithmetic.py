"""Arithmetic: what a model's answers cost at least, as coefficients that need no formula after."""

from collections.abc import Callable
from dataclasses import dataclass

MatrixBytes = Callable[[int, int], int]
"""What a matrix of so many outputs and inputs takes as it lies in memory, scales included."""


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """Operations and bytes of one model in one number format, over all ranks that share it.

    A multiply-add is two operations. Bytes are those that must move, not those that do.
    """

    family: str
    """The family whose shape said so."""
    parameters: int
    """All parameters of the model."""
    flop_per_token: int
    """Operations of a token that goes through the layers' matrices."""
    flop_per_token_and_position: int
    """Operations of a token with each position that it attends to, over all layers."""
    flop_per_logit_row: int
    """Operations of one row of logits."""
    weight_bytes_per_step: int
    """Weights that one step reads: matrices as they lie, norms of every rank, the output head."""
    kv_bytes_per_position: int
    """Keys and values of one position of one row."""

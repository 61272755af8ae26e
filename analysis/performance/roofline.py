"""Roofline: the least time in which the same answers could be had, from bytes and arithmetic.

Two sums bound a phase from below, each over what all GPUs can do together:

    bytes = steps x weights + positions of keys and values touched x their bytes
    flops = tokens x flop a token + positions met x flop a position + logits x flop a row

What a step, a token and a position cost is the model's own (`telemetry.record.arithmetic`):
weights are read once a step. A decoding step reads the keys and values of each live row's
positions, those of its window alone in the layers that have one; prefill writes those of each
position once. Communication, sampling, activations and the host are free here: the bound can be
neared, not met.
"""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from analysis.runs.series import IntArray
from telemetry.record.arithmetic import Arithmetic


@dataclass(frozen=True, kw_only=True, eq=False)
class RowWork:
    """What the prompts of a batch asked for and got; arrays of shape (rows,)."""

    prompt: IntArray
    """Tokens of each prompt."""
    generated: IntArray
    """Ids kept."""
    ended: IntArray
    """1 where an end-of-sequence id cut the answer: one more choice than ids kept."""
    first_step: IntArray
    """Step that chose its first token; the prompt's last tokens were read one a step until then."""
    window: int | None = None
    """Positions that a token attends to, its own and those just before; None for all."""
    windowed: float = 1.0
    """Share of the layers that have the window; the others attend to all."""

    @property
    def read(self) -> IntArray:
        """Tokens of each prompt that prefill read."""
        return self.prompt - self.first_step

    @property
    def steps(self) -> IntArray:
        """Decoding steps that fed a token of each row: its last token is never fed."""
        return np.asarray(np.maximum(0, self.first_step + self.generated + self.ended - 1))

    def met(self, tokens: IntArray) -> int:
        """Positions that the first so many tokens of each row attend to, summed.

        Where some layers have a window and others have none, the mean layer's, rounded down.
        """
        whole = int((tokens * (tokens + 1) // 2).sum())
        if self.window is None:
            return whole
        inside = np.minimum(tokens, self.window)
        seen = int((inside * (inside + 1) // 2 + (tokens - inside) * inside).sum())
        return whole - math.ceil(self.windowed * (whole - seen))

    def whole(self) -> "RowWork":
        """The same had prefill read every prompt whole."""
        return replace(self, first_step=np.zeros_like(self.first_step))


@dataclass(frozen=True, kw_only=True)
class PhaseWork:
    """What one phase has to do at least, over all ranks."""

    steps: int = 0
    """Times that the weights are read."""
    tokens: int = 0
    """Tokens that go through the matrices."""
    met: int = 0
    """Positions that those tokens attend to, summed."""
    touched: int = 0
    """Positions whose keys and values are read or written."""
    logits: int = 0
    """Rows of logits."""

    @classmethod
    def prefill(cls, rows: RowWork) -> Self:
        """One pass over the prompts of a batch."""
        read = rows.read
        tokens, met = int(read.sum()), rows.met(read)
        return cls(steps=1, tokens=tokens, met=met, touched=tokens, logits=len(read))

    @classmethod
    def decode(cls, rows: RowWork) -> Self:
        """Token by token up to the longest answer of a batch; rows that ended cost nothing."""
        read, steps = rows.read, rows.steps
        tokens = int(steps.sum())
        met = rows.met(read + steps) - rows.met(read)
        most = int(steps.max(initial=0))
        return cls(steps=most, tokens=tokens, met=met, touched=met, logits=tokens)

    def flops(self, arithmetic: Arithmetic) -> int:
        """Floating-point operations; a multiply-add is two."""
        matrices = arithmetic.flop_per_token * self.tokens
        attention = arithmetic.flop_per_token_and_position * self.met
        return matrices + attention + arithmetic.flop_per_logit_row * self.logits

    def bytes(self, weights: int, kv: int) -> int:
        """Bytes moved; `weights` a step and `kv` a position, over all ranks."""
        return self.steps * weights + self.touched * kv

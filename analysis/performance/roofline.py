"""Roofline: the least time in which the same answers could be had, from bytes and arithmetic.

Two sums bound a phase from below, each over what all GPUs can do together:

    bytes = steps x weights + positions of keys and values touched x their bytes
    flops = tokens x flop a token + positions met x flop a position + logits x flop a row

What a step, a token and a position cost is the model's own (`telemetry.record.arithmetic`):
weights are read once a step. A decoding step reads the keys and values of each live row's
positions, those of its window alone in the layers that have one; prefill writes those of each
position once. Of a model with an encoder these are the decoder's, which begins each answer with one
token; beside them stand the encoder's pass over the prompts, in which every token attends to all,
the keys and values that prefill makes of what was encoded, and the reading of those at every step
of the decoder. Communication, sampling, activations and the host are free here: the bound can be
neared, not met.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from analysis.runs.series import IntArray
from telemetry.record.arithmetic import Arithmetic, EncoderArithmetic


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
    encoded: bool = False
    """True where an encoder read the prompts: the decoder begins with one token of its own."""

    @property
    def read(self) -> IntArray:
        """Tokens of each row that prefill read: of its prompt, or the decoder's first."""
        return np.ones_like(self.prompt) if self.encoded else self.prompt - self.first_step

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
    encodings: int = 0
    """Times that an encoder's weights are read."""
    encoded: int = 0
    """Tokens that go through the encoder."""
    encoded_met: int = 0
    """Positions that those tokens attend to, summed."""
    crossings: int = 0
    """Times that the decoder makes keys and values of what was encoded."""
    crossed: int = 0
    """Encoded tokens that it makes them of."""
    crossed_met: int = 0
    """Encoded positions that the decoder's tokens attend to, summed."""

    @classmethod
    def encode(cls, rows: RowWork) -> Self:
        """An encoder's pass over the prompts of a batch; nothing without one."""
        if not rows.encoded:
            return cls()
        met = int((rows.prompt**2).sum())
        return cls(encodings=1, encoded=int(rows.prompt.sum()), encoded_met=met)

    @classmethod
    def prefill(cls, rows: RowWork) -> Self:
        """One pass over the prompts of a batch, or over the decoder's first tokens."""
        read = rows.read
        tokens, met = int(read.sum()), rows.met(read)
        if not rows.encoded:
            return cls(steps=1, tokens=tokens, met=met, touched=tokens, logits=len(read))
        crossed = int(rows.prompt.sum())
        return cls(
            steps=1,
            tokens=tokens,
            met=met,
            touched=tokens + crossed,
            logits=len(read),
            crossings=1,
            crossed=crossed,
            crossed_met=crossed,
        )

    @classmethod
    def decode(cls, rows: RowWork) -> Self:
        """Token by token up to the longest answer of a batch; rows that ended cost nothing."""
        read, steps = rows.read, rows.steps
        tokens = int(steps.sum())
        met = rows.met(read + steps) - rows.met(read)
        most = int(steps.max(initial=0))
        crossed_met = int((steps * rows.prompt).sum()) if rows.encoded else 0
        return cls(
            steps=most,
            tokens=tokens,
            met=met,
            touched=met + crossed_met,
            logits=tokens,
            crossed_met=crossed_met,
        )

    def plus(self, other: Self) -> Self:
        """Both together."""
        names = [field.name for field in fields(self)]
        return replace(self, **{name: getattr(self, name) + getattr(other, name) for name in names})

    def flops(self, arithmetic: Arithmetic) -> int:
        """Floating-point operations; a multiply-add is two."""
        matrices = arithmetic.flop_per_token * self.tokens
        attention = arithmetic.flop_per_token_and_position * self.met
        total = matrices + attention + arithmetic.flop_per_logit_row * self.logits
        if (encoder := arithmetic.encoder) is not None:
            total += encoder.flop_per_token * self.encoded
            total += encoder.flop_per_token_and_position * self.encoded_met
            total += encoder.flop_per_crossed_token * self.crossed
            total += encoder.flop_per_crossed_position * self.crossed_met
        return total

    def weight_bytes(self, weights: int, encoder: EncoderArithmetic | None) -> int:
        """Bytes of weights read; `weights` a step of the decoder, over all ranks."""
        read = self.steps * weights
        if encoder is not None:
            read += self.encodings * encoder.weight_bytes + self.crossings * encoder.crossing_bytes
        return read

    def bytes(self, weights: int, kv: int, encoder: EncoderArithmetic | None = None) -> int:
        """Bytes moved; `weights` a step and `kv` a position, over all ranks."""
        return self.weight_bytes(weights, encoder) + self.touched * kv

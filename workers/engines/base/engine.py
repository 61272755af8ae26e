"""What every engine is and gives."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from workers.engines.base.generation import Generation
from workers.engines.base.step_clock import StepClock

Model = Callable[[Tensor, int], Tensor]
"""Logits of the last of `ids` [batch, tokens] that start at a position, as `DecoderModel`'s."""


class Engine(Protocol):
    """Answers one batch at a time; either a `PhasedEngine` or a `WholeEngine`."""

    @property
    def clock(self) -> StepClock | None:
        """Started when a batch begins, marked at the end of every step; None when it has none."""

    @property
    def weight_bytes(self) -> int | None:
        """Bytes of this rank's weights that a step of decoding reads, all but the embedding's.

        None when nobody counted them.
        """

    @property
    def model(self) -> Model | None:
        """Logits of its own weights, as it computes them; None unless its facts promise them."""

    def describe(self) -> dict[str, Any]:
        """How it works, as JSON, for the record."""

    def close(self) -> None:
        """Let go of what holds the ranks together; called before they part."""


@runtime_checkable
class PhasedEngine(Engine, Protocol):
    """Tells reading prompts and writing answers apart: spans PREFILL and DECODE a batch."""

    def prefill(self, prompts: Sequence[Sequence[int]], seed: int) -> None:
        """Read the prompts, up to the first token chosen: step 0."""

    def decode(self) -> Generation:
        """Choose the tokens that follow."""


@runtime_checkable
class EncodingEngine(PhasedEngine, Protocol):
    """Of an encoder and a decoder: spans ENCODE, PREFILL and DECODE a batch."""

    def encode(self, prompts: Sequence[Sequence[int]]) -> None:
        """Begin a batch and read its prompts with the encoder; `prefill` of the same follows."""


@runtime_checkable
class WholeEngine(Engine, Protocol):
    """Reads some prompts while others are answered: one span ANSWER a batch."""

    def answer(self, prompts: Sequence[Sequence[int]], seed: int) -> Generation:
        """Read the prompts and choose all tokens; returns once the device is done."""


@runtime_checkable
class ServingEngine(WholeEngine, Protocol):
    """Takes prompts one by one as they come, whatever is in flight: one span ANSWER a pass."""

    def serve(
        self,
        prompts: Sequence[Sequence[int]],
        seed: int,
        arrivals_us: Sequence[int],
        first_says: Callable[[int], int],
    ) -> Generation:
        """Answer prompts that come so long after now; returns once the device is done.

        `first_says` tells every rank the number that rank 0 has: the ranks' clocks may differ.
        """

"""What every engine is and gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from telemetry.record.spec import RunSpec
from workers.engines.base.generation import Generation
from workers.engines.base.step_clock import StepClock
from workers.models.base.model import DecoderModel
from workers.models.loading import Prepare

Model = Callable[[Tensor, int], Tensor]
"""Logits of the last of `ids` [batch, tokens] that start at a position, as `DecoderModel`'s."""


class Engine(Protocol):
    """Answers one batch at a time."""

    clock: StepClock
    """Started by `prefill`, marked at the end of every step."""
    weight_bytes: int | None
    """Bytes of this rank's weights that a step of decoding reads, all but the embedding's; None
    when nobody counted them."""

    @property
    def model(self) -> Model:
        """Logits of its own weights, as it computes them."""

    def prefill(self, prompts: Sequence[Sequence[int]], seed: int) -> None:
        """Read the prompts, up to the first token chosen: step 0."""

    def decode(self) -> Generation:
        """Choose the tokens that follow."""

    def describe(self) -> dict[str, Any]:
        """How it works, as JSON, for the record."""

    def close(self) -> None:
        """Let go of what holds the ranks together; called before they part."""


@dataclass(frozen=True, kw_only=True)
class EngineKind:
    """One way to answer, before there is a model."""

    name: str
    """What `RunSpec.engine` holds."""
    fault: Callable[[RunSpec], str | None]
    """Why it cannot do what a spec asks for; None when it can."""
    prepare: Callable[[RunSpec], Prepare | None]
    """What is done to each part of the model once it is filled, as `load_model` wants it."""
    model_cache: bool
    """True when keys and values lie in the model; False when the engine keeps its own."""
    make: Callable[[RunSpec, DecoderModel, int, torch.device], Engine]
    """The engine of a spec, a loaded model, an end-of-sequence id and a device."""

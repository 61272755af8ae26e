"""Engines: the ways to turn a batch of prompts into answers, by the name specs use."""

from collections.abc import Sequence
from typing import Final, Protocol

import torch

from telemetry.run import RunSpec
from workers.reference import Model, ReferenceEngine
from workers.sampling import Decoding


class Engine(Protocol):
    """Answers one batch at a time."""

    def prefill(self, prompts: Sequence[Sequence[int]], seed: int) -> None:
        """Read the prompts, up to the first token chosen."""

    def decode(self) -> list[list[int]]:
        """Choose the tokens that follow; the ids kept, by row."""


ENGINES: Final = {"reference": ReferenceEngine}
"""All engines by name."""


def make_engine(spec: RunSpec, model: Model, eos_id: int, device: torch.device) -> Engine:
    """The engine that a spec asks for.

    Raises:
        ValueError: there is no such engine, or it cannot do what the spec asks for.
    """
    if fault := engine_fault(spec):
        raise ValueError(fault)
    decoding = Decoding(
        max_gen_len=spec.max_gen_len,
        temperature=spec.temperature,
        top_p=spec.top_p,
        ignore_eos=spec.ignore_eos,
        eos_id=eos_id,
    )
    max_len = spec.max_prompt_len + spec.max_gen_len
    return ENGINES[spec.engine](model, decoding, max_len=max_len, device=device)


def engine_fault(spec: RunSpec) -> str | None:
    """Why no engine here can do what a spec asks for; None when one can."""
    for name, value, known in (
        ("engine", spec.engine, tuple(ENGINES)),
        ("quantization", spec.quantization, ("none",)),
        ("weights", spec.weights, ("random",)),
    ):
        if value not in known:
            return f"`{name}` must be one of {', '.join(known)}, but is {value!r} instead"
    return None

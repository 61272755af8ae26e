"""Context: all that an engine is opened with, whatever loads its weights."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from telemetry.clock import monotonic_us
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from workers.distributed.rank import Rank
from workers.engines.base.sampling import Decoding
from workers.models.random_weights import WeightSource


@dataclass(frozen=True, kw_only=True)
class EngineContext:
    """One rank's work, place and weights; ranks have met, torch's process group is open."""

    spec: RunSpec
    """The work."""
    launch: LaunchConfig
    """How the job carries it out: where the checkpoint and the tokenizer lie, threads."""
    rank: Rank
    """Which rank this is, of how many."""
    device: torch.device
    """Where it computes; the current one."""
    weights: WeightSource
    """This rank's slices of the parameters; who reads the checkpoint otherwise leaves it be."""
    eos_id: int
    """Token that ends an answer, of the tokenizer that made the prompts."""
    now_us: Callable[[], int] = monotonic_us
    """The clock of the record's spans, for an engine that tells when it did something."""

    @property
    def decoding(self) -> Decoding:
        """How answers are decoded."""
        spec = self.spec
        return Decoding(
            max_gen_len=spec.max_gen_len,
            temperature=spec.temperature,
            top_p=spec.top_p,
            ignore_eos=spec.ignore_eos,
            eos_id=self.eos_id,
        )

    @property
    def max_len(self) -> int:
        """Positions of a row at its longest."""
        return self.spec.max_prompt_len + self.spec.max_gen_len

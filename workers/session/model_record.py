"""Model record: what a run worked with (model.json): weights, engine, memory, warm-up and window.

Rank 0 writes it when the model is warm, and once more when the last batch is answered: then with
the measured window and with memory as it was at the end.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from telemetry.record.files import write_json
from telemetry.record.schema import Phase
from telemetry.record.spec import RunSpec
from workers.distributed.rendezvous import Rendezvous
from workers.engines.base.engine import EncodingEngine, Engine, PhasedEngine
from workers.models.random_weights import WeightSource
from workers.planning.arithmetic import arithmetic_of
from workers.planning.own_configs import shape_of
from workers.session.memory_usage import describe_footprints, read_footprint


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """What is known of a run's model once it is loaded; every rank has one, rank 0 writes."""

    path: Path
    """The attempt's model.json."""
    spec: RunSpec
    """What was asked for: the model and its number formats."""
    rendezvous: Rendezvous
    """Through which every rank tells rank 0 of its memory."""
    weights: WeightSource
    """Where this rank's weights came from."""
    engine: Engine
    """What generates tokens, and counts the bytes of weights that a step reads."""
    device: torch.device
    """Where this rank computes and whose memory is told of."""
    logit_error: dict[str, Any]
    """What `LogitProbe.compare` found."""
    longest_prompt: int
    """Tokens of the longest prompt that is asked."""

    def write(self, moment: str, *, warmup: dict[str, Any], window: dict[str, Any] | None) -> None:
        """Gather every rank's memory and write; each `moment` is written once.

        Raises:
            RuntimeError: a rank said nothing in time.
        """
        mine = {"memory": read_footprint(self.device), "weight_bytes": self.engine.weight_bytes}
        said = self.rendezvous.exchange(f"footprint {moment}", json.dumps(mine))
        ranks = [json.loads(text) for text in said]
        if self.rendezvous.rank.rank != 0:
            return
        write_json(
            self.path,
            {
                "weights": self.weights.describe(),
                "shape": self._describe_shape([rank["weight_bytes"] for rank in ranks]),
                "arithmetic": dataclasses.asdict(arithmetic_of(self.spec)),
                "dtype": self.spec.dtype,
                "quantization": self.spec.quantization,
                "engine": {**self.engine.describe(), "phases": self._phases()},
                "logit_error": self.logit_error,
                "memory": describe_footprints(
                    self.spec,
                    [rank["memory"] for rank in ranks],
                    longest_prompt=self.longest_prompt,
                ),
                "warmup": warmup,
                "window": window,
            },
        )

    def _phases(self) -> list[str]:
        """The phases that a batch's spans have."""
        if not isinstance(self.engine, PhasedEngine):
            return [Phase.ANSWER]
        encoding = [Phase.ENCODE] if isinstance(self.engine, EncodingEngine) else []
        return [*encoding, Phase.PREFILL, Phase.DECODE]

    def _describe_shape(self, weight_bytes: Sequence[int | None]) -> dict[str, Any]:
        shape = shape_of(self.spec)
        counted = [count for count in weight_bytes if count is not None]
        return {
            **shape.describe(),
            # What one step of decoding reads over all ranks.
            "weight_bytes_per_step": sum(counted) if len(counted) == len(weight_bytes) else None,
            # Keys and values of one position of one row over all ranks.
            "kv_bytes_per_position": arithmetic_of(self.spec).kv_bytes_per_position,
        }

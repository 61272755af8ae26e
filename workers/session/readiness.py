"""Readiness: what one rank holds while it works; what one lacks, all hear, and none begins."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fairscale
import torch

from telemetry.clock import monotonic_us, wall_us
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from telemetry.shards.chain import Binding
from workers.distributed.process_group import BACKENDS
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import Rendezvous
from workers.models.loading import open_weights
from workers.models.random_weights import WeightSource
from workers.planning.engine_facts import engine_facts
from workers.planning.own_configs import shape_of
from workers.prompts.tokenized import TokenizedPrompts, tokenize_prompts
from workers.session.agreement import gpus_fault, ranks_fault
from workers.session.placement import Placement, take_placement


@dataclass(frozen=True, kw_only=True)
class Session:
    """What one rank holds while it works."""

    spec: RunSpec
    """The work."""
    launch: LaunchConfig
    """How the job carries it out."""
    attempt: AttemptPaths
    """Where the record of it lies."""
    rank: Rank
    """Which rank this is and where it stands."""
    placement: Placement
    """Its device, its host's clock and its GPU."""
    prompts: TokenizedPrompts
    """The run's prompts as token ids."""
    weights: WeightSource
    """Where its slices of the parameters come from."""

    def binding(self) -> Binding:
        """What the chains of this rank's shards stand on."""
        return Binding.of_rank(self.attempt, self.rank.host, self.launch.link_s)

    def metadata(self, kind: str, **more: Any) -> dict[str, Any]:
        """What stands in the metadata of this rank's shards."""
        gpu = self.placement.gpu
        return {
            "kind": kind,
            "run_id": self.spec.run_id,
            "attempt": self.attempt.number,
            "host": self.rank.host,
            "rank": self.rank.rank,
            "simulated": self.spec.simulated,
            "source": {
                "name": "rank",
                "torch": torch.__version__,
                "fairscale": fairscale.__version__,
                "backend": BACKENDS[self.launch.device],
                "threads": self.placement.threads,
            },
            "periods_us": {},
            "clock": {
                "wall_us": wall_us(),
                "monotonic_us": monotonic_us(),
                "offset_us": self.placement.clock.offset_us,
            },
            "gpus": [] if gpu is None else [dict(gpu)],
            **more,
        }


def make_ready(
    spec: RunSpec,
    launch: LaunchConfig,
    results: Path,
    attempt: AttemptPaths,
    rendezvous: Rendezvous,
) -> Session:
    """Gather what the rank needs; what one rank lacks, all ranks hear and none begins."""
    rank = rendezvous.rank
    placement, prompts, weights, fault = None, None, None, None
    try:
        shape_fault = shape_of(spec).parallel_fault(spec.gpus)
        facts = engine_facts(spec.engine)
        spec_fault = shape_fault or facts.fault(spec, launch) or facts.lacking()
        if spec_fault := spec_fault or ranks_fault(spec, launch, rank):
            raise ValueError(spec_fault)
        prompts = tokenize_prompts(spec, launch, results)
        weights = open_weights(spec, launch, results, rank)
        # The last: it makes the GPU's context, and a fault in files is to cost no GPU memory.
        placement = take_placement(spec, launch, attempt, rank)
    except (RuntimeError, ValueError, OSError, MemoryError) as error:
        fault = " ".join(str(error).split())
    gpu = None if placement is None or placement.gpu is None else dict(placement.gpu)
    mine = {"fault": fault, "host": rank.host, "gpu": gpu}
    said = [json.loads(text) for text in rendezvous.exchange("readiness", json.dumps(mine))]
    faults = _told_once(said)
    # A rank that has failed knows no GPU.
    if not faults and (one_gpu := gpus_fault(spec, [one["gpu"] for one in said])):
        faults.append(one_gpu)
    if placement is None or prompts is None or weights is None or faults:
        raise RuntimeError(f"all ranks must be ready, but: {'; '.join(faults)}")
    return Session(
        spec=spec,
        launch=launch,
        attempt=attempt,
        rank=rank,
        placement=placement,
        prompts=prompts,
        weights=weights,
    )


def _told_once(said: Sequence[Mapping[str, Any]]) -> list[str]:
    """What ranks lack, each fault once with the first rank that has it: a hundred say the same."""
    ranks: dict[str, list[int]] = {}
    for rank, one in enumerate(said):
        if one["fault"] is not None:
            ranks.setdefault(one["fault"], []).append(rank)
    return [
        f"rank {first} on {said[first]['host']}: {fault}"
        + (f" (and on {len(others)} other rank{'s' * (len(others) > 1)})" if others else "")
        for fault, (first, *others) in ranks.items()
    ]

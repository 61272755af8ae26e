"""Engines opened without a session: of a spec and some weights, on ranks that have met."""

from typing import Any

import torch

from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from tests.support.ranks import make_rank
from workers.engines.base.context import EngineContext
from workers.engines.base.engine import Engine, Model, PhasedEngine
from workers.engines.registry import open_engine
from workers.models.random_weights import RandomWeights, WeightSource
from workers.planning.own_configs import shape_of

LAUNCH = LaunchConfig(
    device="cpu",
    threads=1,
    prompts_sha256="0" * 64,
    tokenizer_path=None,
    telemetry="host",
    period_ms=100,
    idle_s=0.0,
    warmup_batches=0,
)


def open_context(
    spec: RunSpec,
    device: torch.device,
    *,
    rank: int = 0,
    weights: WeightSource | None = None,
    eos_id: int = 2,
) -> EngineContext:
    """What one rank opens its engine with; random weights of the spec's seed unless given."""
    return EngineContext(
        spec=spec,
        launch=LAUNCH,
        rank=make_rank(rank, spec.gpus),
        device=device,
        weights=weights or RandomWeights(shape_of(spec), spec.seed, rank=rank, degree=spec.gpus),
        eos_id=eos_id,
    )


def open_for(spec: RunSpec, device: torch.device, **changes: Any) -> PhasedEngine:
    """The engine of a spec, by `open_context` with `changes`."""
    engine = open_engine(open_context(spec, device, **changes))
    assert isinstance(engine, PhasedEngine)
    return engine


def logits_of(engine: Engine) -> Model:
    """The logits of an engine that tells them."""
    assert engine.model is not None
    return engine.model

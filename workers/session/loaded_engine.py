"""Loaded engine: a rank's engine with its model, and how far its logits are from fp32's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from workers.engines.base.context import EngineContext
from workers.engines.base.engine import PhasedEngine, WholeEngine
from workers.engines.registry import open_engine
from workers.models.logit_error import no_logit_error, take_probe
from workers.planning.engine_facts import engine_facts


@dataclass(frozen=True, kw_only=True)
class LoadedEngine:
    """What LOAD comes to."""

    engine: PhasedEngine | WholeEngine
    """Ready to answer."""
    logit_error: dict[str, Any]
    """What `LogitProbe.compare` found, or the reason why nothing was compared."""

    @classmethod
    def load(cls, context: EngineContext, prompts: Sequence[Sequence[int]]) -> Self:
        """Open the engine of a spec; every rank must call. The first prompts are the probe's text.

        Raises:
            ValueError: the engine cannot do what the spec asks for, or the weights do not fit.
            RuntimeError: the weights cannot be read.
        """
        facts = engine_facts(context.spec.engine)
        if not facts.gives_logits:
            reason = f"engine {facts.name} does not tell the logits of its weights"
            return cls(engine=open_engine(context), logit_error=no_logit_error(reason))
        # Before the model is made, as it takes memory of its own.
        probe = take_probe(
            context.spec,
            context.launch,
            source=context.weights,
            prompts=prompts,
            device=context.device,
        )
        engine = open_engine(context)
        assert engine.model is not None
        return cls(engine=engine, logit_error=probe.compare(engine.model))

"""Registry: opens the engine that a spec names, by the row of its facts."""

import importlib

from workers.engines.base.context import EngineContext
from workers.engines.base.engine import PhasedEngine, WholeEngine
from workers.planning.engine_facts import engine_facts


def open_engine(context: EngineContext) -> PhasedEngine | WholeEngine:
    """The engine that a spec asks for, with its model loaded; every rank must call.

    Raises:
        ValueError: there is no such engine, or it cannot do what the spec asks for.
        RuntimeError: the weights cannot be read.
    """
    facts = engine_facts(context.spec.engine)
    if fault := facts.fault(context.spec) or facts.lacking():
        raise ValueError(fault)
    module, _, function = facts.opens.partition(":")
    engine = getattr(importlib.import_module(module), function)(context)
    if not isinstance(engine, PhasedEngine | WholeEngine):
        raise ValueError(
            f"`{facts.opens}` must make an engine, but makes {type(engine).__name__} instead"
        )
    if facts.gives_logits and engine.model is None:
        raise ValueError(f"engine {facts.name} must give logits, as its facts say, but gives none")
    return engine

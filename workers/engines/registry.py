"""Registry: the ways to turn a batch of prompts into answers, by the name specs use."""

from typing import Final

import torch

from telemetry.record.spec import RunSpec
from workers.engines.base.engine import Engine, EngineKind
from workers.engines.base.sampling import Decoding
from workers.engines.fast.engine import FastEngine, fast_fault, make_fast
from workers.engines.fast.fused_weights import Fuser
from workers.engines.reference.engine import ReferenceEngine
from workers.models.base.model import DecoderModel
from workers.models.loading import Prepare


def make_engine(spec: RunSpec, model: DecoderModel, eos_id: int, device: torch.device) -> Engine:
    """The engine that a spec asks for.

    Raises:
        ValueError: there is no such engine, or it cannot do what the spec asks for.
    """
    if fault := engine_fault(spec):
        raise ValueError(fault)
    return ENGINES[spec.engine].make(spec, model, eos_id, device)


def engine_fault(spec: RunSpec) -> str | None:
    """Why no engine here can do what a spec asks for; None when one can."""
    if spec.engine not in ENGINES:
        known = ", ".join(ENGINES)
        return f"`engine` must be one of {known}, but is {spec.engine!r} instead"
    return ENGINES[spec.engine].fault(spec)


def decoding_of(spec: RunSpec, eos_id: int) -> Decoding:
    """How a spec wants answers decoded."""
    return Decoding(
        max_gen_len=spec.max_gen_len,
        temperature=spec.temperature,
        top_p=spec.top_p,
        ignore_eos=spec.ignore_eos,
        eos_id=eos_id,
    )


def _reference_fault(spec: RunSpec) -> str | None:
    if spec.quantization != "none":
        return f"`quantization` must be one of none, but is {spec.quantization!r} instead"
    return None


def _prepare_nothing(spec: RunSpec) -> None:
    """The reference engine takes the model as it is."""
    del spec


def _make_reference(
    spec: RunSpec, model: DecoderModel, eos_id: int, device: torch.device
) -> ReferenceEngine:
    max_len = spec.max_prompt_len + spec.max_gen_len
    return ReferenceEngine(
        model,
        decoding_of(spec, eos_id),
        max_len=max_len,
        device=device,
        weight_bytes=model.step_bytes(),
    )


def _prepare_fast(spec: RunSpec) -> Prepare:
    return Fuser(spec.quantization)


def _make_fast(spec: RunSpec, model: DecoderModel, eos_id: int, device: torch.device) -> FastEngine:
    del device
    return make_fast(spec, model, decoding_of(spec, eos_id))


ENGINES: Final = {
    kind.name: kind
    for kind in (
        EngineKind(
            name="reference",
            fault=_reference_fault,
            prepare=_prepare_nothing,
            model_cache=True,
            make=_make_reference,
        ),
        EngineKind(
            name="fast",
            fault=fast_fault,
            prepare=_prepare_fast,
            model_cache=False,
            make=_make_fast,
        ),
    )
}
"""All kinds of engine by name."""

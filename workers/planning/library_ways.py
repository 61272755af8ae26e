"""Library ways: which of the library's caches, compiled steps and plans to share a family has.

Read off transformers 5.23 (`_can_compile_fullgraph` of a model, `base_model_tp_plan` of a
configuration); a test holds every row against the library that is installed.
"""

from typing import Final

from telemetry.record.spec import RunSpec
from workers.planning.own_configs import shape_of

NO_STATIC: Final = frozenset({"gpt_neo"})
"""Families whose model the library says cannot be used with a cache of fixed size."""
# Their decoder has two caches, which the engines of a fixed cache do not make.
_ENCODING: Final = frozenset({"t5"})


WITH_PLAN: Final = frozenset({"llama"})
"""Families whose model the library has a plan for to share it: LLaMA and Mistral."""


def plan_fault(spec: RunSpec) -> str | None:
    """Why the library cannot share a spec's model over its GPUs; None when it can."""
    shape = shape_of(spec)
    if spec.gpus == 1 or shape.family in WITH_PLAN:
        return None
    return (
        f"`gpus` must be 1 with engine {spec.engine} for {spec.model}, as the library has no plan "
        f"to share family {shape.family}, but is {spec.gpus} instead"
    )


def static_positions(spec: RunSpec) -> int:
    """Positions of all rows that caches of fixed size have: of a batch, and of a last smaller one.

    Each size of batch keeps a cache of its own, as what was compiled stands on its address. A
    window bounds a row's.
    """
    longest = spec.max_prompt_len + spec.max_gen_len
    row = min(longest, shape_of(spec).window or longest)
    batch = min(spec.batch_size, spec.prompts)
    return (batch + spec.prompts % batch) * row


def static_fault(spec: RunSpec) -> str | None:
    """Why there is no cache of fixed size for a spec; None when there is one."""
    shape = shape_of(spec)
    if shape.family in NO_STATIC:
        return (
            f"`engine` must be transformers for {spec.model}, as the library has no static cache "
            f"for family {shape.family}, but is {spec.engine} instead"
        )
    if shape.family in _ENCODING:
        return (
            f"`engine` must be transformers for {spec.model}, which has an encoder, "
            f"but is {spec.engine} instead"
        )
    if spec.gpus != 1:
        return f"`gpus` must be 1 with engine {spec.engine}, but is {spec.gpus} instead"
    return None


def compiled_fault(spec: RunSpec) -> str | None:
    """Why the library's decoding step cannot be compiled for a spec; None when it can."""
    if fault := static_fault(spec):
        return fault
    window, longest = shape_of(spec).window, spec.max_prompt_len + spec.max_gen_len
    if window is not None and longest > window:
        # Full, the library's cache rolls by other code, which would be compiled when first met.
        return (
            f"`max_prompt_len` + `max_gen_len` must be at most the window of {window} positions of "
            f"{spec.model} with engine {spec.engine}, whose step would be compiled again where it "
            f"is left, but is {spec.max_prompt_len} + {spec.max_gen_len} = {longest} instead"
        )
    return None

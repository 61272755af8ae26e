"""Engine facts: what a login node must know of an engine, without torch; one row an engine.

An engine is added by its row here, or by a package of its own whose entry point in the group
`joulegrid.engines` is such a row: it is then planned, run, recorded and shown like the others.
"""

import functools
import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from telemetry.command import lacks
from telemetry.nearest import one_of
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from workers.models.library.counted import COUNTED
from workers.models.llama.shape import LlamaShape
from workers.planning.families import FAMILIES, LIBRARY_FAMILIES
from workers.planning.library_ways import (
    compiled_fault,
    plan_fault,
    static_fault,
    static_positions,
)
from workers.planning.own_configs import shape_of
from workers.planning.weight_formats import QUANTIZATIONS
from workers.planning.workspace import RankWork, one_cublas_workspace
from workers.planning.workspace_fast import (
    fast_bytes,
    fast_cublas_workspaces,
    fast_loading_bytes,
)
from workers.planning.workspace_reference import reference_bytes
from workers.planning.workspace_transformers import static_bytes, transformers_bytes
from workers.planning.workspace_vllm import vllm_bytes

ENTRY_POINTS: Final = "joulegrid.engines"
"""Entry-point group under which other packages offer engines."""
DEFAULT_ENGINE: Final = "reference"
"""What `conf/config.yaml` takes; tables of it alone need no word of the engine."""

_TAKEN: Final = frozenset({*FAMILIES, COUNTED.name})


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """What is planned by, before an engine is there."""

    name: str
    """What `RunSpec.engine` and the key `engine` hold."""
    opens: str
    """`module:function` that makes it of a `workers.engines.base.context.EngineContext`; imported
    on compute nodes alone."""
    quantizations: tuple[str, ...]
    """Of `QUANTIZATIONS` those that it takes, in their order."""
    decodes_to_full_length: bool
    """True when every answer costs `max_gen_len` tokens, whatever is cut after."""
    reads_prompts_whole: bool
    """True when the first pass reads every prompt to its end, not as far as the shortest goes."""
    whole_embedding: bool
    """True when every rank holds the whole embedding, not its columns of it."""
    folds_norms: bool
    """True when all norms but the last are multiplied into the matrices behind them."""
    gives_logits: bool
    """True when it tells the logits of its weights, so that they can be held against fp32's."""
    workspace: Callable[[RankWork], int]
    """Bytes on one GPU beside weights and cache at the fullest moment."""
    encodes: bool = False
    """True when it takes models of an encoder and a decoder, whose two stacks it tells apart."""
    families: tuple[str, ...] | None = None
    """The families of models that it takes; None when it takes all that have layers of ours."""
    cublas_workspaces: Callable[[RankWork], int] = one_cublas_workspace
    """How many of its workspaces cuBLAS keeps on a GPU."""
    loading: Callable[[RankWork, int], int] | None = None
    """The most bytes held while it loads, of a layer's bytes; None when that is never the most."""
    grows: bool = False
    """True when its cache grows with what a batch holds, not made for the lengths asked for."""
    cached: Callable[[RunSpec], int] | None = None
    """Positions of all rows that the cache keeps; None: a whole batch's at its longest."""
    needs: str | None = None
    """The package that compute nodes need beside `work`'s, and our extra that brings it; None when
    there is none. Who plans does not need it."""
    compiles: bool = False
    """True when its steps are compiled: nodes need a C++ compiler, and runs a warm-up."""
    limits: Callable[[RunSpec], str | None] | None = None
    """Any other reason why it cannot do what a spec asks for; None when there is none."""
    takes_whole_weights: bool = False
    """True when every rank is handed parameters whole, and the engine itself takes its part."""
    kv_dtypes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Formats that it keeps keys and values in beside that of the run, by `RunSpec.dtype`."""
    serves: bool = False
    """True when it takes prompts one by one as they come (`RunSpec.arrivals_per_s`)."""

    def __post_init__(self) -> None:
        module, _, function = self.opens.partition(":")
        if not module or not function.isidentifier():
            raise ValueError(f"`opens` must be module:function, but is {self.opens!r} instead")
        if strangers := [name for name in self.quantizations if name not in QUANTIZATIONS]:
            raise ValueError(
                f"`quantizations` must be of {', '.join(QUANTIZATIONS)}, "
                f"but have {strangers[0]!r} instead"
            )
        if strangers := [name for name in self.families or () if name not in _TAKEN]:
            raise ValueError(
                f"`families` must be of {', '.join(FAMILIES)}, but have {strangers[0]!r} instead"
            )

    def fault(self, spec: RunSpec, launch: LaunchConfig | None = None) -> str | None:
        """Why it cannot do what a spec asks for, and so launched, if that is given; None: it can.

        Raises:
            ValueError: there is no such model.
        """
        shape = shape_of(spec)
        if shape.encodes and not self.encodes:
            able = [name for name, one in ENGINE_FACTS.items() if one.encodes]
            return (
                f"`engine` must be {' or '.join(able)} for {spec.model}, an encoder-decoder, "
                f"but is {self.name} instead"
            )
        taken = self.families or [name for name, one in FAMILIES.items() if one.model is not None]
        if shape.family not in taken:
            return (
                f"`model` must be of family {', '.join(taken)} with engine {self.name}, "
                f"but {spec.model} is of {shape.family} instead"
            )
        longest = spec.max_prompt_len + spec.max_gen_len
        if shape.positions is not None and longest > shape.positions:
            return (
                f"`max_prompt_len` + `max_gen_len` must be at most the {shape.positions} positions "
                f"of {spec.model}, but is {spec.max_prompt_len} + {spec.max_gen_len} = {longest} "
                "instead"
            )
        if spec.quantization not in self.quantizations:
            known = ", ".join(self.quantizations)
            as_they_are = ", which takes weights as they are" if known == "none" else ""
            return (
                f"`quantization` must be {known} with engine {self.name}{as_they_are}, "
                f"but is {spec.quantization} instead"
            )
        if spec.kv_dtype is not None and spec.kv_dtype not in self.kv_dtypes.get(spec.dtype, ()):
            known = ", ".join((spec.dtype, *self.kv_dtypes.get(spec.dtype, ())))
            return (
                f"`kv_dtype` must be {known} with engine {self.name} in {spec.dtype}, "
                f"but is {spec.kv_dtype} instead"
            )
        if spec.arrivals_per_s is not None and not self.serves:
            return (
                f"`arrivals_per_s` must be null with engine {self.name}, which answers batches, "
                f"but is {spec.arrivals_per_s:g} instead"
            )
        if self.compiles and launch is not None and launch.warmup_batches == 0:
            return (
                f"`warmup_batches` must be at least 1 with engine {self.name}, which would compile "
                "its steps in the measured window, but is 0 instead"
            )
        return None if self.limits is None else self.limits(spec)

    def lacking(self) -> str | None:
        """What a node where it is to work lacks, and what brings it; None when nothing is."""
        if self.needs is not None and importlib.util.find_spec(self.needs) is None:
            return f"engine {self.name}: {lacks(self.needs, self.needs)}"
        # What torch's own compiler starts where nothing else is said.
        compiler = os.environ.get("CXX", "g++")
        if self.compiles and shutil.which(compiler) is None:
            return (
                f"engine {self.name}: a C++ compiler must be there to compile its steps, but there "
                f"is no {compiler}; install g++, or name one by CXX"
            )
        return None


ENGINE_FACTS: Final = {
    facts.name: facts
    for facts in (
        # The loop of the public LLaMA v1 code: eager, full-length decode, full-sort top-p.
        EngineFacts(
            name="reference",
            opens="workers.engines.reference.engine:open_reference",
            quantizations=("none",),
            decodes_to_full_length=True,
            reads_prompts_whole=False,
            whole_embedding=False,
            folds_norms=False,
            gives_logits=True,
            workspace=reference_bytes,
        ),
        # Close to the memory's bound: fused weights, a static cache, decoding steps replayed as
        # CUDA graphs, ragged prompts in one pass, sampling without a sort.
        EngineFacts(
            name="fast",
            opens="workers.engines.fast.engine:open_fast",
            quantizations=QUANTIZATIONS,
            # Each holds every number of those: what is widened is what was kept.
            kv_dtypes={"fp32": ("fp16", "bf16", "fp8"), "fp16": ("fp8",), "bf16": ("fp8",)},
            decodes_to_full_length=False,
            reads_prompts_whole=True,
            whole_embedding=True,
            folds_norms=True,
            gives_logits=True,
            workspace=fast_bytes,
            families=(LlamaShape.family,),
            cublas_workspaces=fast_cublas_workspaces,
            loading=fast_loading_bytes,
        ),
        # The library's own layers with its growing cache, eager, as studies of it measure.
        EngineFacts(
            name="transformers",
            opens="workers.engines.transformers.engine:open_transformers",
            quantizations=("none",),
            decodes_to_full_length=False,
            reads_prompts_whole=True,
            whole_embedding=False,
            folds_norms=False,
            gives_logits=True,
            workspace=transformers_bytes,
            encodes=True,
            families=(LlamaShape.family, *LIBRARY_FAMILIES, COUNTED.name),
            grows=True,
            limits=plan_fault,
            needs="transformers",
        ),
        # The same layers with the library's cache of its full size from the start, eager.
        EngineFacts(
            name="transformers-static",
            opens="workers.engines.transformers.static:open_static",
            quantizations=("none",),
            decodes_to_full_length=False,
            reads_prompts_whole=True,
            whole_embedding=True,
            folds_norms=False,
            gives_logits=True,
            workspace=static_bytes,
            families=(LlamaShape.family, *LIBRARY_FAMILIES),
            cached=static_positions,
            limits=static_fault,
            needs="transformers",
        ),
        # And its decoding step by torch.compile, which a GPU replays as a CUDA graph.
        EngineFacts(
            name="transformers-compiled",
            opens="workers.engines.transformers.static:open_compiled",
            quantizations=("none",),
            decodes_to_full_length=False,
            reads_prompts_whole=True,
            whole_embedding=True,
            folds_norms=False,
            gives_logits=True,
            workspace=static_bytes,
            families=(LlamaShape.family, *LIBRARY_FAMILIES),
            cached=static_positions,
            compiles=True,
            limits=compiled_fault,
            needs="transformers",
        ),
        # The library that centers serve with: requests come and go, the cache is paged.
        EngineFacts(
            name="vllm",
            opens="workers.engines.vllm.engine:open_vllm",
            quantizations=("none",),
            decodes_to_full_length=False,
            reads_prompts_whole=True,
            whole_embedding=False,
            folds_norms=False,
            gives_logits=False,
            workspace=vllm_bytes,
            families=(LlamaShape.family,),
            needs="vllm",
            takes_whole_weights=True,
            serves=True,
        ),
    )
}
"""This project's engines by name."""


def engine_names() -> list[str]:
    """The names of all engines: this project's and those of installed packages, sorted."""
    return sorted({**ENGINE_FACTS, **_installed()})


def engine_facts(name: str) -> EngineFacts:
    """The facts of an engine.

    Raises:
        ValueError: there is no such engine.
    """
    # Who runs one of ours need not look through what is installed.
    facts = ENGINE_FACTS.get(name) or _installed().get(name)
    if facts is None:
        raise ValueError(one_of("engine", engine_names(), name, things="engines"))
    return facts


@functools.cache
def _installed() -> dict[str, EngineFacts]:
    """Engines of other packages by name.

    Raises:
        ValueError: one has a name that is taken, is no row of facts, or cannot be imported.
    """
    found: dict[str, EngineFacts] = {}
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            facts = point.load()
        except (ImportError, AttributeError) as error:
            raise ValueError(
                f"`{point.value}` of {ENTRY_POINTS} must be there to import, but: {error}"
            ) from error
        if not isinstance(facts, EngineFacts):
            raise ValueError(
                f"`{point.value}` of {ENTRY_POINTS} must be EngineFacts, but is {facts!r} instead"
            )
        if facts.name in ENGINE_FACTS or facts.name in found:
            raise ValueError(
                f"`{point.value}` of {ENTRY_POINTS} must have a name of its own, "
                f"but is {facts.name!r} instead"
            )
        found[facts.name] = facts
    return found

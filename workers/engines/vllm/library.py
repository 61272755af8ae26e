"""Library: vLLM as this project sets it up and asks it; the one module that names its classes.

Every rank runs a whole engine of it in its own process, over the process group that is open
already (`external_launcher`): one node or several, started by whoever starts our ranks. Weights are
this project's own, handed over by the names of the hub, so that its work is that of the others.
"""

import functools
import importlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from telemetry.record.spec import ITEM_BYTES
from workers.engines.base.context import EngineContext
from workers.engines.base.node_address import node_address
from workers.engines.base.sampling import Decoding
from workers.engines.vllm.weights import FORMAT, WeightsHanded, hand_over
from workers.models.llama.shape import LlamaShape
from workers.planning.families import find_shape
from workers.planning.workspace_vllm import BLOCK, STEP_TOKENS, paged_bytes, planned_pages

LIBRARY: Final = "vllm"
"""The package."""
ADDRESS: Final = "VLLM_HOST_IP"
"""Where it reads its node's address from (`vllm.utils.network_utils.get_ip`)."""
STOPPED: Final = "stop"
"""Its word for a request that ended by an id that ends one (`vllm.v1.engine`)."""
FULL: Final = "length"
"""Its word for one that has as many tokens as it may have."""
_DTYPES: Final = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
# It seeds NumPy's generator too, which takes no more.
_SEEDS: Final = 1 << 32
# In this process, as a step is one call then, and ranks take the same; no word to anybody outside.
_ENVIRONMENT: Final = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}


@dataclass(frozen=True, kw_only=True)
class StepOutput:
    """What one step did for one request."""

    name: str
    """The request's, as it was added."""
    ids: list[int]
    """Tokens chosen in this step."""
    finished: bool
    """Whether the library is done with it."""
    reason: str | None
    """Why it is done, in the library's word; None while it is not."""


@dataclass(frozen=True, kw_only=True)
class PagedCache:
    """What the library says of its cache once it stands, beside what was planned."""

    pages: int
    """Pages that it allocated on each rank (`CacheConfig.num_gpu_blocks`)."""
    page_positions: int
    """Positions of a page."""
    planned_pages: int
    """Pages that every request of a batch at its longest needs, and the spare."""
    gpu_memory_utilization: float
    """Share of the GPU that must be free when it begins; what it allocates follows the pages."""

    @classmethod
    def of(cls, engine: Any, *, rows: int, max_len: int) -> "PagedCache":
        """That of a running engine.

        Raises:
            RuntimeError: it has fewer positions than planned, so that requests would be put off.
        """
        told = engine.vllm_config.cache_config
        found = cls(
            pages=int(told.num_gpu_blocks),
            page_positions=int(told.block_size),
            planned_pages=planned_pages(rows, max_len),
            gpu_memory_utilization=float(told.gpu_memory_utilization),
        )
        if found.page_positions != BLOCK or found.pages < found.planned_pages:
            raise RuntimeError(
                f"the cache of {LIBRARY} must have {found.planned_pages} pages of {BLOCK} "
                f"positions, but has {found.pages} of {found.page_positions} instead"
            )
        return found

    def describe(self) -> dict[str, Any]:
        """For the record."""
        return {**asdict(self), "more_than_planned": self.pages / self.planned_pages - 1.0}


@dataclass(frozen=True, kw_only=True)
class Library:
    """A running engine of the library."""

    engine: Any
    """Its `LLMEngine`."""
    sampling: Any
    """Its `SamplingParams`, the same of every request."""
    version: str
    """As the package tells it."""
    settings: dict[str, Any]
    """What it was asked for, for the record."""
    cache: PagedCache
    """Where it keeps keys and values."""
    weight_bytes: int | None
    """Bytes of this rank's weights that a step reads."""
    end: Callable[[], None]
    """Lets go of its groups of ranks."""

    def add(self, name: str, prompt: Sequence[int]) -> None:
        """Hand over a request."""
        self.engine.add_request(name, {"prompt_token_ids": list(prompt)}, self.sampling)

    def step(self) -> list[StepOutput]:
        """One forward pass and what came of it."""
        return [
            StepOutput(
                name=output.request_id,
                ids=list(output.outputs[0].token_ids),
                finished=bool(output.finished),
                reason=output.outputs[0].finish_reason,
            )
            for output in self.engine.step()
        ]

    def close(self) -> None:
        """Let go of the model and the groups."""
        self.engine.engine_core.shutdown()
        self.end()


def open_library(context: EngineContext) -> Library:
    """Its engine with the model of a spec, filled; every rank must call.

    Raises:
        RuntimeError: a parameter of the library's model was not filled.
    """
    os.environ |= _ENVIRONMENT
    # Where torchrun puts them, the library looks.
    os.environ |= {"RANK": str(context.rank.rank), "LOCAL_RANK": str(context.rank.local_rank)}
    if context.device.type == "cuda":
        os.environ["LOCAL_RANK"] = str(context.device.index or 0)
    # By itself it binds a socket to the address of the way to the internet, and to 0.0.0.0 where a
    # compute node has none. Whoever set it knows the nodes' networks.
    if not os.environ.get(ADDRESS):
        os.environ[ADDRESS] = node_address(context.rank, ADDRESS)
    state: Any = importlib.import_module(f"{LIBRARY}.distributed.parallel_state")
    # When its engine goes, by a call or as garbage, it ends torch's default group, which is ours:
    # ranks meet by it once more at the end.
    state.destroy_distributed_environment = functools.partial(_leave_ours, state)
    library = importlib.import_module(LIBRARY)
    shape = find_shape(context.spec.model)
    assert isinstance(shape, LlamaShape)
    handed = WeightsHanded(
        shape=shape,
        source=context.weights,
        dtype=context.spec.dtype,
        device=context.device,
        max_len=context.max_len,
    )
    settings = _settings(context)
    with tempfile.TemporaryDirectory(prefix="joulegrid-") as folder:
        handed.write_config(folder)
        with hand_over(handed):
            engine = library.LLMEngine.from_engine_args(
                library.EngineArgs(model=folder, load_format=FORMAT, **settings)
            )
    return Library(
        engine=engine,
        sampling=_sampling(library, context.decoding),
        version=str(library.__version__),
        settings={**settings, "kernels": LIBRARY, "graph": not settings["enforce_eager"]},
        cache=PagedCache.of(engine, rows=context.spec.batch_size, max_len=context.max_len),
        weight_bytes=handed.weight_bytes,
        end=state.destroy_model_parallel,
    )


def _leave_ours(state: Any) -> None:
    """End the library's group of all ranks, and not torch's own."""
    if state._WORLD is not None:
        state._WORLD.destroy()
    state._WORLD = None
    state._NODE_COUNT = None


def _settings(context: EngineContext) -> dict[str, Any]:
    """What the library is asked for, beside the model's folder."""
    spec = context.spec
    return {
        "dtype": _DTYPES[spec.dtype],
        "seed": spec.seed % _SEEDS,
        "skip_tokenizer_init": True,
        "max_model_len": context.max_len,
        "max_num_seqs": spec.batch_size,
        "tensor_parallel_size": spec.gpus,
        "distributed_executor_backend": "external_launcher",
        # Each pass asks the same prompts again: their keys and values would be there already.
        "enable_prefix_caching": False,
        "kv_cache_memory_bytes": paged_bytes(
            find_shape(spec.model),
            rows=spec.batch_size,
            max_len=context.max_len,
            degree=spec.gpus,
            item_bytes=ITEM_BYTES[spec.dtype],
        ),
        "block_size": BLOCK,
        "max_num_batched_tokens": max(STEP_TOKENS, context.max_len, spec.batch_size),
        # On a CPU it would compile C++ first, for minutes.
        "enforce_eager": context.device.type == "cpu",
        "disable_log_stats": True,
    }


def _sampling(library: Any, decoding: Decoding) -> Any:
    kinds = importlib.import_module(f"{LIBRARY}.sampling_params").RequestOutputKind
    return library.SamplingParams(
        temperature=decoding.temperature,
        top_p=decoding.top_p,
        max_tokens=decoding.max_gen_len,
        ignore_eos=decoding.ignore_eos,
        stop_token_ids=None if decoding.ignore_eos else [decoding.eos_id],
        detokenize=False,
        output_kind=kinds.DELTA,
    )

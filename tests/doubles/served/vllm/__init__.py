"""vLLM's engine as engine `vllm` asks it: one step a call, requests that come and go.

It computes with the hub's own layers, each request anew at every step, and so answers as the
library does; it schedules as the library does by default: first come first served, running
requests before waiting ones, prompts cut to the tokens of a step. `signatures.json` beside the
tests has what the real classes take; a test holds these to it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers

from .distributed import parallel_state
from .model_executor.model_loader import loaders
from .outputs import CompletionOutput, RequestOutput
from .sampling_params import RequestOutputKind, SamplingParams

__version__ = "0.33.0+double"


@dataclass(kw_only=True)
class EngineArgs:
    """What is asked for; those of the library's that are given here."""

    model: str
    load_format: str = "auto"
    dtype: str = "auto"
    seed: int = 0
    skip_tokenizer_init: bool = False
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    tensor_parallel_size: int = 1
    distributed_executor_backend: str | None = None
    enable_prefix_caching: bool | None = None
    kv_cache_memory_bytes: int | None = None
    block_size: int | None = None
    enforce_eager: bool = False
    disable_log_stats: bool = False


@dataclass(kw_only=True)
class CacheConfig:
    """What became of the cache; the library counts pages by what it was given for them."""

    block_size: int
    gpu_memory_utilization: float
    kv_cache_memory_bytes: int
    num_gpu_blocks: int


@dataclass(kw_only=True)
class VllmConfig:
    """Of the library's, the part that is read."""

    cache_config: CacheConfig


@dataclass(kw_only=True)
class _Request:
    name: str
    ids: list[int]
    params: SamplingParams
    prompt: int
    read: int = 0

    @property
    def made(self) -> int:
        return len(self.ids) - self.prompt


@dataclass(kw_only=True)
class _Core:
    """What runs the model; the library's own stands in another process or in this one."""

    shutdowns: int = 0

    def shutdown(self) -> None:
        self.shutdowns += 1
        parallel_state.destroy_distributed_environment()


class _Model:
    """The hub's layers, filled by their names as the library's are."""

    def __init__(self, folder: str, dtype: torch.dtype, degree: int) -> None:
        self.degree = degree
        config = transformers.AutoConfig.from_pretrained(folder)
        make = getattr(transformers, config.architectures[0])
        self.layers: Any = make(config).to(dtype).eval()

    def named_parameters(self) -> Any:
        # It computes alone, and tells of its matrices the part that a rank of the library has.
        for name, weight in self.layers.named_parameters():
            whole = weight.dim() == 1
            yield name, weight if whole else weight[: len(weight) // self.degree]

    def load_weights(self, weights: Any) -> set[str]:
        own = dict(self.layers.named_parameters())
        names = set()
        for name, weight in weights:
            own[name].copy_(weight)
            names.add(name)
        return names


def _cache(args: EngineArgs, model: _Model) -> CacheConfig:
    """As many whole pages as the bytes that were given hold."""
    config = model.layers.config
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    heads = config.num_key_value_heads // model.degree
    block, given = args.block_size or 16, args.kv_cache_memory_bytes or 0
    item = next(model.layers.parameters()).element_size()
    page_bytes = 2 * config.num_hidden_layers * heads * dim * item * block
    return CacheConfig(
        block_size=block,
        gpu_memory_utilization=0.92,
        kv_cache_memory_bytes=given,
        num_gpu_blocks=given // page_bytes,
    )


@dataclass(kw_only=True)
class LLMEngine:
    """Requests in flight and those that wait."""

    args: EngineArgs
    model: _Model
    vllm_config: VllmConfig
    engine_core: _Core = field(default_factory=_Core)
    running: list[_Request] = field(default_factory=list)
    waiting: list[_Request] = field(default_factory=list)

    @classmethod
    def from_engine_args(
        cls,
        engine_args: EngineArgs,
        usage_context: Any = None,
        stat_loggers: Any = None,
        enable_multiprocessing: bool = False,
    ) -> "LLMEngine":
        del usage_context, stat_loggers, enable_multiprocessing
        torch.manual_seed(engine_args.seed)
        assert Path(engine_args.model, "config.json").is_file()
        model = _Model(
            engine_args.model, getattr(torch, engine_args.dtype), engine_args.tensor_parallel_size
        )
        loaders[engine_args.load_format](None).load_weights(model, None)
        cache = _cache(engine_args, model)
        return cls(args=engine_args, model=model, vllm_config=VllmConfig(cache_config=cache))

    def add_request(
        self,
        request_id: str,
        prompt: dict[str, Any],
        params: SamplingParams,
        arrival_time: float | None = None,
    ) -> str:
        del arrival_time
        if not isinstance(request_id, str):
            raise TypeError(f"request_id must be a string, got {type(request_id)}")
        ids = list(prompt["prompt_token_ids"])
        if len(ids) + 1 > (self.args.max_model_len or 0):
            raise ValueError(f"the prompt has {len(ids)} tokens of {self.args.max_model_len}")
        self.waiting.append(_Request(name=request_id, ids=ids, params=params, prompt=len(ids)))
        return f"{request_id}-{len(self.waiting):08x}"

    def has_unfinished_requests(self) -> bool:
        return bool(self.running or self.waiting)

    def step(self) -> list[RequestOutput]:
        left = self.args.max_num_batched_tokens or 0
        while self.waiting and len(self.running) < (self.args.max_num_seqs or 0):
            self.running.append(self.waiting.pop(0))
        outputs = []
        for request in list(self.running):
            taken = min(left, len(request.ids) - request.read)
            left -= taken
            request.read += taken
            # A prompt that is not read to its end chooses nothing in this step.
            if taken and request.read == len(request.ids):
                outputs.append(self._choose(request))
        return outputs

    def _choose(self, request: _Request) -> RequestOutput:
        with torch.inference_mode():
            logits = self.model.layers(torch.tensor([request.ids])).logits[0, -1].float()
        params = request.params
        if params.temperature == 0.0:
            chosen = int(logits.argmax())
        else:
            chosen = int(torch.multinomial((logits / params.temperature).softmax(-1), 1))
        request.ids.append(chosen)
        stopped = chosen in (params.stop_token_ids or ())
        full = request.made >= (params.max_tokens or 0)
        if stopped or full:
            self.running.remove(request)
        assert params.output_kind is RequestOutputKind.DELTA
        made = CompletionOutput(
            index=0,
            text="",
            token_ids=[chosen],
            finish_reason="stop" if stopped else "length" if full else None,
        )
        return RequestOutput(request_id=request.name, outputs=[made], finished=stopped or full)

"""Engine `fast`: the same FairScale-sharded weights, close to what memory allows.

All prompts are read in one pass, whatever their lengths, and all rows choose their first token
there. From then on a step is one replay of a captured CUDA graph: a kernel a matrix
(`workers.engines.fast.fused_decoder`), sampling without a sort, no word to the host. A row that
ended stays where it is; the batch ends once all have, looked up some steps late so that the GPU
never waits for the host.
"""

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor

from workers.engines.base.context import EngineContext
from workers.engines.base.engine import Model
from workers.engines.base.generation import Generation
from workers.engines.base.sampling import Decoding
from workers.engines.base.step_clock import StepClock
from workers.engines.fast.cached_numbers import KINDS
from workers.engines.fast.decode_steps import Steps, make_steps
from workers.engines.fast.fused_weights import Fuser, take_fused
from workers.engines.fast.model import FastModel
from workers.models.llama.model import Llama
from workers.models.loading import load_model
from workers.planning.own_configs import shape_of
from workers.planning.weight_formats import FP8, WEIGHT_ONLY

# Steps that are queued ahead of the look whether any row still goes on: at 0.5 ms a step, the
# quickest there is, 4 ms of a host's delay. All ranks look at the same step's count, so all stop
# alike.
_LATE_STEPS: Final = 8
# Where no row ends early, the look is for logits that are no numbers alone: seldom, as each costs
# the stream a copy and an event, some 3 us.
_SELDOM_STEPS: Final = 16
_NAMES: Final = {kind: name for name, kind in KINDS.items()}
# PTX ISA, mma: operands of e4m3 need a target of sm_89 or later.
_FP8_CAPABILITY: Final = (8, 9)


class FastEngine:
    """Answers one batch at a time: `prefill`, then `decode`."""

    def __init__(self, fast: FastModel, decoding: Decoding, *, nodes: int) -> None:
        self.clock = StepClock(fast.device)
        self.weight_bytes: int | None = fast.weights.step_bytes
        self._fast, self._decoding, self._nodes = fast, decoding, nodes
        self._steps: dict[int, Steps] = {}
        self._now: Steps | None = None

    @property
    def model(self) -> Model:
        """Logits of its own weights, by the kernels that answer."""
        return self._logits

    def prefill(self, prompts: Sequence[Sequence[int]], seed: int) -> None:
        """Read all prompts to their ends and choose one token after each.

        Raises:
            ValueError: there is no prompt, an empty one, or one that leaves no room to answer.
        """
        self._check(prompts)
        self.clock.start()
        steps = self._steps_of(len(prompts))
        steps.begin([len(prompt) for prompt in prompts], seed)
        steps.choose(self._fast.gather(self._fast.prefill(prompts)))
        self._now = steps
        self.clock.mark()

    def decode(self) -> Generation:
        """Go on until every row has ended or has `max_gen_len` tokens; the answers.

        Raises:
            RuntimeError: there was no `prefill`.
            NonFiniteLogitsError: the model's logits are no numbers.
        """
        steps = self._now
        if steps is None:
            raise RuntimeError("`prefill` must come before `decode`, but did not")
        self._now = None
        every = _SELDOM_STEPS if self._decoding.ignore_eos else 1
        steps.note_alive(0)
        taken = 1
        while taken < self._decoding.max_gen_len:
            late = taken - _LATE_STEPS
            if late >= 0 and late % every == 0 and not steps.was_alive(late):
                break
            steps.step()
            self.clock.mark()
            if taken % every == 0:
                steps.note_alive(taken)
            taken += 1
        step_us = self.clock.read_us()
        ids, ended = steps.answers(taken)
        return Generation(ids=ids, ended=ended, first_steps=[0] * len(ids), step_us=step_us)

    def describe(self) -> dict[str, Any]:
        """How it works, for the record."""
        fast = self._fast
        return {
            "name": "fast",
            "kernels": "triton" if fast.by_kernels else "torch",
            "prefill": "one pass, prompts packed",
            "fp8": fast.fp8,
            "cache": "[rows, heads of keys, positions, head_dim]",
            "kv_dtype": _NAMES[fast.kept_as],
            "sampling": "rejection, no sort",
            "stops_early": not self._decoding.ignore_eos,
            "finite_logits": "every step",
            "by_rows": {str(rows): steps.describe() for rows, steps in self._steps.items()},
        }

    def close(self) -> None:
        """Let go of all captured steps before ranks part: NCCL waits for graphs that call it."""
        self._now = None
        self._steps.clear()

    def _logits(self, ids: Tensor, start: int) -> Tensor:
        """Logits after the last of `ids` [rows, tokens] that start at a position, fp32, whole.

        Of several tokens at once `start` must be 0, as in a batch; one goes through the decoder.
        """
        rows, tokens = ids.shape
        if start and tokens > 1:
            raise ValueError(
                f"`start` must be 0 for {tokens} tokens at once, but is {start} instead"
            )
        # Before prefill: capturing a step writes to the caches.
        steps = self._steps_of(rows)
        if start == 0:
            sliced = self._fast.prefill(ids.tolist())
        else:
            sliced = steps.logits_at(ids[:, 0].contiguous(), start)
        return self._fast.gather(sliced).transpose(0, 1).reshape(rows, -1).clone()

    def _steps_of(self, rows: int) -> Steps:
        if rows not in self._steps:
            self._steps[rows] = make_steps(self._fast, self._decoding, rows, nodes=self._nodes)
        return self._steps[rows]

    def _check(self, prompts: Sequence[Sequence[int]]) -> None:
        lens = [len(prompt) for prompt in prompts]
        room = self._fast.max_len - self._decoding.max_gen_len
        if not lens or len(lens) > self._fast.max_batch or min(lens) < 1 or max(lens) > room:
            raise ValueError(
                f"`prompts` must be 1 to {self._fast.max_batch}, each of 1 to {room} tokens, "
                f"but have {lens} instead"
            )


def open_fast(context: EngineContext) -> FastEngine:
    """The engine with a LLaMA, whose parts are fused while it loads."""
    spec = context.spec
    if spec.quantization == FP8:
        _need_fp8_units(context.device, spec.dtype)
    shape = shape_of(spec)
    model = load_model(
        shape,
        context.weights,
        dtype=spec.dtype,
        device=context.device,
        # Keys and values lie in the engine's own caches.
        max_batch=0,
        max_len=context.max_len,
        prepare=Fuser(spec.quantization, tied=shape.tied),
    )
    # Its facts refuse every other family.
    assert isinstance(model, Llama)
    fast = FastModel(
        model.shape,
        take_fused(model),
        model.turns,
        max_batch=spec.batch_size,
        max_len=context.max_len,
        kept_as=KINDS[spec.cached_dtype],
    )
    return FastEngine(fast, context.decoding, nodes=spec.nodes)


def _need_fp8_units(device: torch.device, dtype: str) -> None:
    """The plan asks the board's row; a board without one is asked here.

    Raises:
        ValueError: it is a GPU that has no units for e4m3, or may not use them.
    """
    if device.type != "cuda":
        return
    if dtype == "fp32":
        raise ValueError(
            f"`dtype` must be fp16 or bf16 with quantization {FP8} on a GPU, but is {dtype} instead"
        )
    able = torch.cuda.get_device_capability(device)
    if able < _FP8_CAPABILITY:
        needed, has = (".".join(map(str, one)) for one in (_FP8_CAPABILITY, able))
        raise ValueError(
            f"`quantization` must be {', '.join(WEIGHT_ONLY)} on a GPU of compute capability "
            f"{has}, which has no units for fp8 (from {needed} on), but is {FP8} instead"
        )

"""Logit error: how far the logits that a run computes are from those of its weights in fp32.

The same weights are read once more in fp32, one layer at a time through the same layers,
before the run's own model is made: the truth costs no memory beside it, and LOAD is charged for
the time. The probe is one text. The truth reads it in one pass; the run's model prefills its first
quarter and decodes the rest token by token, in as many equal rows as a batch has, so that the
kernels compared are those that answer. fp32 means IEEE single precision, never TF32.
"""

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from workers.models.base.model import DecoderModel
from workers.models.base.room import make_room
from workers.models.base.shape import ModelShape
from workers.models.random_weights import WeightSource
from workers.models.skeleton import skeleton
from workers.planning.families import family_of
from workers.planning.own_configs import shape_of

# 48 decoded positions x 32,000 logits: the rms of a run's error then varies by a few percent from
# text to text, and the slowest engine decodes them in about a second at 7B.
PROBE_TOKENS: Final = 64
# The share of the probe that is prefilled: 16 of 64 tokens.
_PREFILL_SHARE: Final = 4
# fp64 copies of some 16 MB each: a small error is a difference of nearly equal numbers.
_ROWS_AT_ONCE: Final = 64
_PARTS: Final = ("odd", "max_abs", "error", "truth", "same", "kl")


@dataclass(frozen=True, kw_only=True, eq=False)
class LogitProbe:
    """A text and its fp32 logits, for one comparison with a run's model."""

    ids: Tensor
    """int64 [tokens]; empty when nothing is to be compared."""
    rows: int
    """Rows that read the text side by side: the run's batch size."""
    truth: Tensor
    """fp32 [positions, vocab]: the logits after the prefilled tokens, then after each further."""
    reason: str | None
    """Why nothing is compared; None when it is."""
    seconds: float = 0.0
    """What the truth took of LOAD."""

    def compare(self, model: Callable[[Tensor, int], Tensor]) -> dict[str, Any]:
        """The error of `model`'s logits, as it stands in the record; every rank must call.

        `model` takes ids [rows, tokens] and the position of the first, and returns the logits after
        the last, fp32 [rows, vocab]. Errors are over all rows, positions and the vocabulary:
        `max_abs` and `rms` in logits, `relative_rms` of the truth's rms, `argmax_agreement` the
        share of positions whose likeliest token is the same, `kl_nats` the mean divergence
        (Kullback-Leibler, of the run from the truth) of the next token's distribution at
        temperature 1. All are null with the reason where logits are not finite. `seconds` is what
        truth and comparison took of LOAD on this rank.
        """
        if self.reason is not None:
            return no_logit_error(self.reason)
        started_s = time.monotonic()
        tokens = len(self.ids)
        sums = _Sums()
        with torch.inference_mode():
            texts = self.ids.expand(self.rows, tokens)
            at = _prefilled(tokens)
            sums.add(model(texts[:, :at], 0), self.truth[0])
            for position, truth in enumerate(self.truth[1:], start=at):
                sums.add(model(texts[:, position : position + 1], position), truth)
            # Reading the sums waits for the device.
            error = sums.record()
        seconds = round(self.seconds + time.monotonic() - started_s, 3)
        if isinstance(error, str):
            return _null(error, tokens=tokens, seconds=seconds)
        told = {"reference": "fp32", "probe_tokens": tokens, **error}
        return {**told, "seconds": seconds, "reason": None}


def take_probe(
    spec: RunSpec,
    launch: LaunchConfig,
    *,
    source: WeightSource,
    prompts: Sequence[Sequence[int]],
    device: torch.device,
) -> LogitProbe:
    """The first tokens of a run's prompts with their logits in fp32; every rank must call.

    Called before the run's model is made, it needs one layer of memory in fp32 and leaves none.

    Raises:
        ValueError: the weights do not fit the model.
        RuntimeError: the weights cannot be read.
    """
    if reason := _unwanted(spec, launch):
        return LogitProbe(ids=torch.empty(0), rows=1, truth=torch.empty(0), reason=reason)
    started_s = time.monotonic()
    most = min(PROBE_TOKENS, spec.max_prompt_len + spec.max_gen_len)
    text = list(itertools.islice(itertools.chain.from_iterable(prompts), most))
    ids = torch.tensor(text, dtype=torch.int64, device=device)
    truth = fp32_logits(shape_of(spec), source, ids, _prefilled(len(ids)), device)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return LogitProbe(
        ids=ids,
        rows=spec.batch_size,
        truth=truth,
        reason=None,
        seconds=time.monotonic() - started_s,
    )


def fp32_logits(
    shape: ModelShape, source: WeightSource, ids: Tensor, first: int, device: torch.device
) -> Tensor:
    """Logits of a text after `first` of its tokens, after one more and so on, fp32.

    `ids` is int64 [tokens]; the result [tokens + 1 - first, vocab] is equal on all ranks.

    Raises:
        ValueError: the weights do not fit the model.
        RuntimeError: the weights cannot be read.
    """
    model = skeleton(shape, "fp32")
    with torch.inference_mode(), _single_precision():
        model.allocate(1, len(ids), device)
        logits = model.read(ids, first, lambda name: _filled(model, name, source, device))
    if device.type == "cuda":
        # Room kept for fp32 layers would be counted as the run's own.
        torch.cuda.empty_cache()
    return logits


def no_logit_error(reason: str) -> dict[str, Any]:
    """What stands in the record of a run whose logits are not compared."""
    return _null(reason, tokens=None, seconds=None)


def _unwanted(spec: RunSpec, launch: LaunchConfig) -> str | None:
    """Why the error is not measured; None when it is."""
    if launch.logit_error is False:
        return "the order was not to measure it"
    whole = (spec.dtype, spec.cached_dtype, spec.quantization) == ("fp32", "fp32", "none")
    if launch.logit_error is None and whole:
        return "the run computes in fp32 itself"
    shape = shape_of(spec)
    if family_of(shape).model is None:
        return f"family {shape.family} has no layers of ours to compute it in fp32 with"
    return None


def _prefilled(tokens: int) -> int:
    return max(1, tokens // _PREFILL_SHARE)


@contextlib.contextmanager
def _filled(
    model: DecoderModel, name: str, source: WeightSource, device: torch.device
) -> Iterator[nn.Module]:
    """A module of the model with its weights, for as long as it is used."""
    module = make_room(model.get_submodule(name), device)
    for parameter, weight in module.named_parameters(prefix=name):
        source.fill(parameter, weight)
    try:
        yield module
    finally:
        make_room(module, "meta")


@contextlib.contextmanager
def _single_precision() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


class _Sums:
    """Adds up errors position by position, on the device, so that a batch's logits fit."""

    def __init__(self) -> None:
        self._count = 0
        self._rows = 0
        self._positions = 0
        self._parts: dict[str, list[Tensor]] = {name: [] for name in _PARTS}

    def add(self, logits: Tensor, truth: Tensor) -> None:
        """Count one position's logits [rows, vocab] against the truth [vocab]."""
        self._rows, vocab = logits.shape
        self._count += self._rows * vocab
        self._positions += 1
        wide = truth.double()
        likely = wide.softmax(-1)
        for first in range(0, self._rows, _ROWS_AT_ONCE):
            some = logits[first : first + _ROWS_AT_ONCE]
            error = some.double() - wide
            # KL(p || q) = log E[exp(e)] - E[e] over p, with e = log q - log p up to a constant.
            most = error.amax(-1, keepdim=True)
            spread = (likely * (error - most).exp()).sum(-1).log()
            for name, value in (
                ("odd", (~torch.isfinite(some)).sum()),
                ("max_abs", error.abs().amax()),
                ("error", error.square().sum()),
                ("truth", len(some) * wide.square().sum()),
                ("same", (some.argmax(-1) == truth.argmax(-1)).sum()),
                ("kl", (spread + most.squeeze(-1) - error @ likely).sum()),
            ):
                self._parts[name].append(value)

    def record(self) -> dict[str, Any] | str:
        """The errors, or why there are none."""
        parts = {name: torch.stack(values) for name, values in self._parts.items()}
        if odd := int(parts["odd"].sum()):
            return f"{odd} of {self._count} logits of the run's model are inf or nan"
        total = {name: float(values.sum()) for name, values in parts.items()}
        answers = self._rows * self._positions
        return {
            "positions": self._positions,
            "rows": self._rows,
            "max_abs": float(parts["max_abs"].amax()),
            "rms": math.sqrt(total["error"] / self._count),
            "relative_rms": math.sqrt(total["error"] / total["truth"]),
            "argmax_agreement": total["same"] / answers,
            "kl_nats": total["kl"] / answers,
        }


def _null(reason: str, *, tokens: int | None, seconds: float | None) -> dict[str, Any]:
    names = ("positions", "rows", "max_abs", "rms", "relative_rms", "argmax_agreement", "kl_nats")
    return {
        "reference": "fp32",
        "probe_tokens": tokens,
        **dict.fromkeys(names),
        "seconds": seconds,
        "reason": reason,
    }

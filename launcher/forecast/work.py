"""Work: what a batch of a point moves and computes, in seconds at its GPUs' peaks."""

import functools
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from analysis.performance.roofline import PhaseWork, RowWork
from launcher.forecast.constants import (
    CPU_BYTES_PER_S,
    CPU_CORE_FLOP_PER_S,
    OTHER_PROMPT_SHARE,
    PER_WATT_BYTES_PER_S,
    PER_WATT_FLOP_PER_S,
    PROMPT_TOKENS,
    UNKNOWN_LIMIT_W,
)
from telemetry.boards.table import BOARDS
from telemetry.record.spec import ITEM_BYTES, RunSpec
from workers.planning.arithmetic import arithmetic_of
from workers.planning.engine_facts import engine_facts
from workers.planning.own_configs import shape_of
from workers.prompts.synthetic import SYNTHETIC

# Each half of a layer ends in a sum over all ranks.
_SUMS_A_LAYER: Final = 2
# So many rows stand for a batch of any size: what is summed over them is linear in their lengths
# but for attention's small part.
_STANDING: Final = 5
# What of a phase's work is a sum over rows.
_BY_ROW: Final = (
    *("tokens", "met", "touched", "logits", "encoded", "encoded_met", "crossed", "crossed_met"),
)


@dataclass(frozen=True, kw_only=True)
class Host:
    """What stands in for a GPU's peaks where the ranks compute on CPU."""

    core_flop_per_s: float = CPU_CORE_FLOP_PER_S
    """One core's arithmetic at its best."""
    cores: int | None = None
    """Cores that all ranks share; None where nobody can ask: each has its own then."""
    threads: int | None = 1
    """Threads of each rank; None: the ranks share all cores."""
    bytes_per_s: float = CPU_BYTES_PER_S
    """Of the memory that they share."""

    def flop_per_s(self, ranks: int) -> float:
        """Arithmetic of so many ranks together."""
        wanted = ranks * (self.threads or self.cores or 1)
        return self.core_flop_per_s * min(wanted, self.cores or wanted)


@dataclass(frozen=True, kw_only=True)
class BatchWork:
    """One batch of a point: how often what is done, and the least seconds that it takes."""

    steps: float
    """Decoding steps of a batch, those included that read the rest of longer prompts."""
    prefill_flop_s: float
    """Arithmetic of prefill at the peak of all GPUs."""
    weights_s: float
    """One reading of all weights, as they lie, at the peak bandwidth of all GPUs."""
    whole_weights_s: float
    """The same had they not been quantized."""
    step_s: float
    """One decoding step by the roofline: moving or computing, whichever is longer."""
    sums_bytes: float
    """Bytes that each rank hands to the others in prefill; 0 for one rank."""
    layers: int
    """Layers of the model: an eager engine starts the same operators for each."""
    joined: bool
    """True where ranks meet in each layer."""

    @property
    def least_s(self) -> float:
        """The batch by the roofline."""
        return max(self.prefill_flop_s, self.weights_s) + self.steps * self.step_s


@functools.cache
def peaks(gpu: str, gpus: int, dtype: str, host: Host) -> tuple[float, float]:
    """Bytes and operations a second of all a point's GPUs, or of the cores that stand in.

    A board without peaks on file is taken for one with the ordinary share of each by its limit.
    """
    board = BOARDS.get(gpu)
    if board is None:
        return host.bytes_per_s, host.flop_per_s(gpus)
    limit_w = board.power_limit_w or UNKNOWN_LIMIT_W
    found = board.forms[0].peaks
    if found is None:
        return gpus * limit_w * PER_WATT_BYTES_PER_S, gpus * limit_w * PER_WATT_FLOP_PER_S
    stated = found.stated_flop_per_s
    flop_per_s = stated.get(dtype) or stated.get("fp32") or limit_w * PER_WATT_FLOP_PER_S
    return gpus * found.stated_bytes_per_s, gpus * flop_per_s


def expected_rows(spec: RunSpec, rows: int) -> RowWork:
    """Rows that stand for those of a batch before anybody reads the prompts; equally many each.

    Prompts of people are as long as those of the bundled samples, evenly between the shortest and
    the longest of a batch; answers go on to the end.
    """
    low, high = _prompt_span(spec.dataset, spec.max_prompt_len, rows)
    # The shortest and the longest decide the steps; those between, the mean.
    standing = 1 if low == high else min(rows, _STANDING)
    prompt = np.maximum(1, np.rint(np.linspace(low, high, standing)).astype(np.int64))
    reads_whole = engine_facts(spec.engine).reads_prompts_whole
    shape = shape_of(spec)
    return RowWork(
        prompt=prompt,
        generated=np.full_like(prompt, spec.max_gen_len),
        ended=np.zeros_like(prompt),
        first_step=np.zeros_like(prompt) if reads_whole else prompt - prompt[0],
        window=shape.window,
        windowed=shape.windowed_layers / shape.layers,
        encoded=shape.encodes,
    )


def _prompt_span(dataset: str, most: int, rows: int) -> tuple[float, float]:
    if dataset == SYNTHETIC:
        return float(most), float(most)
    corpus = dataset.partition("-")[0].removesuffix("_seed")
    if corpus not in PROMPT_TOKENS:
        return most * OTHER_PROMPT_SHARE, most * OTHER_PROMPT_SHARE
    low, middle, high = PROMPT_TOKENS[corpus]
    # One row is as long as the middle one; the more rows, the nearer their ends to the sample's.
    reach = 1.0 - 1.0 / rows
    return min(most, middle - (middle - low) * reach), min(most, middle + (high - middle) * reach)


def batch_work(
    spec: RunSpec, prefill: PhaseWork, decode: PhaseWork, *, batches: int, host: Host
) -> BatchWork:
    """The mean batch of `batches` whose phases had that much to do."""
    arithmetic = arithmetic_of(spec)
    weights_bytes = arithmetic.weight_bytes_per_step
    if weights_bytes is None:
        weights_bytes = arithmetic.parameters * ITEM_BYTES[spec.dtype]
    kv_bytes = arithmetic.kv_bytes_per_position
    bytes_per_s, flop_per_s = peaks(spec.gpu, spec.gpus, spec.product_format, host)
    steps = decode.steps / batches
    step_s = 0.0
    if decode.steps:
        moved_s = decode.bytes(weights_bytes, kv_bytes, arithmetic.encoder) / bytes_per_s
        step_s = max(moved_s, decode.flops(arithmetic) / flop_per_s) / decode.steps
    shape = shape_of(spec)
    item = ITEM_BYTES[spec.dtype]
    sums = prefill.tokens / batches * shape.dim * shape.layers * _SUMS_A_LAYER * item
    return BatchWork(
        steps=steps,
        prefill_flop_s=prefill.flops(arithmetic) / batches / flop_per_s,
        weights_s=weights_bytes / bytes_per_s,
        whole_weights_s=shape.params * item / bytes_per_s,
        step_s=step_s or weights_bytes / bytes_per_s,
        sums_bytes=sums if spec.gpus > 1 else 0.0,
        layers=shape.layers,
        joined=spec.gpus > 1,
    )


def expected_work(spec: RunSpec, rows: int, host: Host) -> BatchWork:
    """A batch of so many rows as it is expected."""
    standing = expected_rows(spec, rows)
    times = rows / len(standing.prompt)
    read = PhaseWork.encode(standing).plus(PhaseWork.prefill(standing))
    prefill, decode = (
        replace(
            phase,
            **{name: round(getattr(phase, name) * times) for name in _BY_ROW},
        )
        for phase in (read, PhaseWork.decode(standing))
    )
    return batch_work(spec, prefill, decode, batches=1, host=host)

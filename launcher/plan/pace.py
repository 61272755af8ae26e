"""Pace: about how long a batch takes, where the plan may choose how much work there is.

It serves to choose an amount of work that ends in minutes, and is no forecast: too long by half is
as good here.
"""

from typing import Final

from launcher.plan.cluster import Cluster
from telemetry.boards.table import BOARDS
from telemetry.record.spec import RunSpec
from workers.planning.engine_facts import engine_facts
from workers.planning.memory import estimate, flops
from workers.planning.own_configs import shape_of

# Engine `reference` starts 54 operators a layer, one by one: 26 ms a step of 32 layers at 7B on an
# H200 (docs/results.md), whose host is faster than most.
_HOST_S_PER_LAYER: Final = 1e-3
# Engine `fast` reads weights at 0.6 to 0.9 of a board's bandwidth (docs/performance.md); a board
# that nobody tried may do worse.
_BANDWIDTH_SHARE: Final = 0.5
# The L4's, the least of any board in the table: of one that is in none nobody knows.
_UNKNOWN_BYTES_PER_S: Final = 300e9
# Questions of GSM8K and instructions of Alpaca have some 60 tokens in the middle.
_PROMPT_LEN: Final = 64


def gpu_batch_s(spec: RunSpec) -> float:
    """About how long a GPU takes to answer one batch.

    Raises:
        ValueError: the model, the engine or the quantization is unknown.
    """
    shape, facts = shape_of(spec), engine_facts(spec.engine)
    board = BOARDS.get(spec.gpu_kind)
    rates = [
        form.peaks.stated_bytes_per_s
        for form in (board.forms if board else ())
        if form.peaks is not None
    ]
    bytes_per_s = min(rates, default=_UNKNOWN_BYTES_PER_S) * _BANDWIDTH_SHARE
    step_s = estimate(spec).weights_bytes / bytes_per_s
    steps = spec.max_gen_len
    if not facts.reads_prompts_whole:
        # What the shortest prompt lacks of the longest is read a token a step.
        steps += spec.max_prompt_len // 2
        step_s = max(step_s, _HOST_S_PER_LAYER * shape.layers)
    return step_s * steps


def least_cpu_s(spec: RunSpec, cluster: Cluster, warmup_batches: int) -> float:
    """The least time in which the ranks' cores answer all prompts, warm-up with them.

    0 where nobody knows how fast a core is.

    Raises:
        ValueError: the model or the engine is unknown.
    """
    if cluster.core_gflops is None:
        return 0.0
    once = flops(spec, min(spec.max_prompt_len, _PROMPT_LEN))
    again = warmup_batches * min(spec.batch_size, spec.prompts) / spec.prompts
    cores = cluster.cores if cluster.threads is None else cluster.threads * spec.gpus
    return once * (1 + again) / (cluster.core_gflops * 1e9 * min(cores, cluster.cores))

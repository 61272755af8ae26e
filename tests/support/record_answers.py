"""What a built run was asked and answered, when, and with what: responses, steps, model.json."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from telemetry.clock import US_PER_S
from telemetry.record.schema import RESPONSES
from telemetry.record.spec import RunSpec
from workers.planning.arithmetic import arithmetic_of
from workers.planning.families import find_shape

Spans = Sequence[tuple[str, float, float, int | None]]
"""(phase, start, end, batch) in seconds since `T0_US`."""

T0_US = 1_760_000_000_000_000
PROMPT_TOKENS = 5
# Responses as they were before steps were recorded.
BEFORE_STEPS = pa.schema(
    [
        column
        for column in RESPONSES
        if column.name
        not in (
            *("first_token_us", "last_token_us", "ended", "references", "wrong_references"),
            *("arrived_us", "sent_us", "finished_us"),
        )
    ]
)


# What the two engines say of themselves.
_ENGINES: dict[str, dict[str, Any]] = {
    "reference": {
        "kernels": "eager",
        "graph": False,
        "sampling": "full sort",
        "finite_logits": "every step",
    },
    "fast": {
        "kernels": "triton",
        "prefill": "one pass",
        "sampling": "rejection, no sort",
        "finite_logits": "every step",
    },
}


def us(seconds: float) -> int:
    return round(seconds * US_PER_S)


def batches_of(spec: RunSpec) -> int:
    """Batches of one pass over the prompts."""
    return -(-spec.prompts // spec.batch_prompts)


def step_times_us(spec: RunSpec, spans: Spans, batch: int) -> list[int]:
    """Step 0 at the end of the batch's prefill, the others evenly up to the end of its decode."""
    ends_us = {phase: T0_US + us(end_s) for phase, _, end_s, number in spans if number == batch}
    first_us, last_us = ends_us["prefill"], ends_us["decode"]
    later = spec.max_gen_len - 1
    return [
        first_us + round((last_us - first_us) * step / max(1, later)) for step in range(later + 1)
    ]


def steps_of(spec: RunSpec, spans: Spans, passes: int) -> list[dict[str, Any]]:
    """Every row keeps a token of every step."""
    batches = batches_of(spec)
    return [
        {
            "batch": batch,
            "step": step,
            "t_us": t_us,
            "rows": min(spec.batch_prompts, spec.prompts - batch % batches * spec.batch_prompts),
        }
        for batch in range(passes * batches)
        for step, t_us in enumerate(step_times_us(spec, spans, batch))
    ]


def responses_of(spec: RunSpec, spans: Spans, passes: int, words: str) -> list[dict[str, Any]]:
    """Every prompt answered in full length, once a pass."""
    rows = []
    for number in range(passes):
        for index in range(spec.prompts):
            batch = number * batches_of(spec) + index // spec.batch_prompts
            times_us = step_times_us(spec, spans, batch)
            rows.append(
                {
                    "batch": batch,
                    "row": index % spec.batch_prompts,
                    "prompt": index,
                    "prompt_tokens": PROMPT_TOKENS,
                    "generated_tokens": spec.max_gen_len,
                    "words": len(words.split()),
                    # No two answers are the same, as none is that was drawn.
                    "generated_ids": [
                        3 + (number * spec.prompts + index) * spec.max_gen_len + token
                        for token in range(spec.max_gen_len)
                    ],
                    "text": words,
                    "first_token_us": times_us[0],
                    "last_token_us": times_us[-1],
                    "ended": False,
                    "references": None,
                    "wrong_references": None,
                    "arrived_us": None,
                    "sent_us": None,
                    "finished_us": None,
                }
            )
    return rows


def model_record(
    spec: RunSpec, passes: int, seconds: float, decode_s: float = 1.5
) -> dict[str, Any]:
    """What rank 0 says it worked with, of a run that did all it should."""
    # As fast as the same batch is measured, from its first step to its last.
    rate = min(spec.batch_prompts, spec.prompts) * max(1, spec.max_gen_len - 1) / decode_s
    shape = find_shape(spec.model)
    item = {"fp32": 4, "fp16": 2, "bf16": 2}[spec.dtype]
    read = shape.params - shape.vocab * shape.dim + (spec.gpus - 1) * shape.norm_params
    arithmetic: dict[str, Any] = {
        "family": "llama",
        "parameters": shape.params,
        "flop_per_token": 2 * shape.layers * shape.layer_matrix_params,
        "flop_per_token_and_position": 4 * shape.dim * shape.layers,
        "flop_per_logit_row": 2 * shape.vocab * shape.dim,
        "weight_bytes_per_step": read * item if spec.quantization == "none" else None,
        "kv_bytes_per_position": 2 * shape.layers * shape.dim * item,
    }
    if shape.family != "llama":
        arithmetic = dataclasses.asdict(arithmetic_of(spec))
        read = arithmetic["weight_bytes_per_step"] // item
    return {
        "weights": {"kind": "random"},
        "dtype": spec.dtype,
        "quantization": spec.quantization,
        "engine": {"name": spec.engine, **_ENGINES.get(spec.engine, {})},
        "shape": {
            "name": shape.name,
            "dim": shape.dim,
            "layers": shape.layers,
            "heads": shape.heads,
            "ffn": shape.ffn,
            "vocab": shape.vocab,
            "params": shape.params,
            "weight_bytes_per_step": read * item,
            "kv_bytes_per_position": arithmetic["kv_bytes_per_position"],
        },
        "arithmetic": arithmetic,
        "logit_error": None,
        "memory": {
            "estimated": {
                "weights_bytes": 800_000_000,
                "kv_cache_bytes": 100_000_000,
                "workspace_bytes": 100_000_000,
                "context_bytes": 500_000_000,
                "total_bytes": 1_500_000_000,
            },
            "allocated_bytes": 900_000_000,
            "peak_allocated_bytes": 1_020_000_000,
            "reserved_bytes": 1_100_000_000,
            "device_used_bytes": 1_600_000_000,
            "reason": None,
        },
        "warmup": {
            "batches": 3,
            "rates_tokens_per_s": [rate, 1.01 * rate, 1.005 * rate],
            "spread": 0.02,
            "window": 3,
            "steady": True,
            "reason": None,
        },
        "window": {
            "min_window_s": 0.0,
            "passes": passes,
            "batches": passes * batches_of(spec),
            "seconds": seconds,
        },
    }

"""Columns of the tables of speed and of the conditions that runs had."""

from typing import Final

from analysis.tables.column import RUN_ID, SIMULATED, Column, count, number, share, text

_MEASURED: Final = "the same against the peaks measured on such a board"


def _quantiles(stem: str, label: str, meaning: str, shown: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(
        number(
            f"{stem}_{name}_s",
            f"{label} {name}",
            "s",
            f"{word} of {meaning}",
            shown=name in shown,
            reason="latency_reason",
        )
        for name, word in (("p50", "Median"), ("p95", "95 % point"), ("p99", "99 % point"))
    )


def _utilizations(phase: str) -> tuple[Column, ...]:
    return tuple(
        share(
            f"{phase}_{what}_utilization{ending}",
            f"{phase} {label}{mark}",
            f"{meaning} of {phase.upper()} over its time and the GPUs' {peak}, {against}.",
            shown=phase == ("prefill" if what == "flop" else "decode"),
            shown_with=f"{phase}_{what}_utilization{ending}",
            reason="performance_reason",
        )
        for what, label, meaning, peak in (
            ("flop", "FLOP use", "Operations that the model needs", "peak of the run's numbers"),
            ("bandwidth", "memory use", "Bytes that the model needs", "peak bandwidth"),
        )
        for ending, mark, against in (
            ("", "", "as their datasheet states it"),
            ("_measured", " (measured)", _MEASURED),
        )
    )


def _bounds(stem: str, label: str, rate: str, meaning: str) -> tuple[Column, ...]:
    columns: list[Column] = []
    for ending, mark, against in (
        ("", "", "by the stated peaks"),
        (
            "_measured",
            " (measured)",
            f"{_MEASURED}, operations as stated where nobody measured them",
        ),
    ):
        columns += [
            number(
                f"{stem}{ending}_tokens_per_s",
                f"{label}{mark}",
                "1/s",
                f"{meaning}; {against}.",
                shown=not ending,
                shown_with=f"{stem}{ending}_tokens_per_s",
                reason="performance_reason",
            ),
            share(
                f"{stem}_share{ending}",
                f"of {label}{mark}",
                f"{rate} / {stem}{ending}_tokens_per_s.",
                shown_with=f"{stem}_share{ending}",
                reason="performance_reason",
            ),
        ]
    return tuple(columns)


PERFORMANCE: Final = (
    RUN_ID,
    text("engine", "engine", "How tokens are generated."),
    text("dtype", "numbers", "Format of weights and activations."),
    text("quantization", "quantized", "Weight-only quantization of the layers' matrices."),
    SIMULATED,
    number(
        "first_token_mean_s",
        "first token",
        "s",
        "Time to first token: from the begin of a request's batch to its first token, mean over "
        "all requests that kept one. No queue stands before a batch.",
        reason="latency_reason",
    ),
    *_quantiles("first_token", "first token", "the time to first token over requests.", ("p95",)),
    *_quantiles(
        "inter_token",
        "next token",
        "the time between two tokens of one request: intervals between steps, each weighted by the "
        "rows that waited for both of its tokens; the one after prefill's token is the first.",
        ("p50", "p95", "p99"),
    ),
    number(
        "prefill_tokens_per_s",
        "prefill tokens/s",
        "1/s",
        "Tokens of prompts that PREFILL read over the time in it: under engine `reference` no more "
        "than each batch's shortest prompt has.",
        reason="latency_reason",
    ),
    number(
        "decode_tokens_per_s",
        "decode tokens/s",
        "1/s",
        "Tokens chosen in DECODE over the time in it; as in the table of runs.",
    ),
    *_utilizations("prefill"),
    *_utilizations("decode"),
    *_bounds(
        "bound",
        "bound",
        "tokens_per_s",
        "Roofline: generated tokens over the least time in which the same answers could be had, "
        "prefill and decode, batch by batch the longer of moving the bytes and of doing the "
        "operations (docs/performance.md)",
    ),
    *_bounds(
        "decode_bound",
        "decode bound",
        "decode_tokens_per_s",
        "Roofline of DECODE alone: tokens after each answer's first over the least time of its "
        "steps",
    ),
    number(
        "weight_bytes_per_step",
        "weights read",
        "B",
        "Weights that a step reads, over all ranks: layers, norms and output head as they lie in "
        "memory, as the run counted them.",
        shown=False,
    ),
    number(
        "kv_bytes_per_position",
        "cache read",
        "B",
        "Keys and values of one position of one row, over all ranks.",
        shown=False,
    ),
    number("peak_bytes_per_s", "bandwidth", "B/s", "Stated bandwidth of all GPUs.", shown=False),
    number(
        "peak_flop_per_s",
        "operations",
        "1/s",
        "Stated dense operations a second of all GPUs, in the run's numbers.",
        shown=False,
    ),
    number(
        "peak_bytes_measured_per_s",
        "bandwidth, measured",
        "B/s",
        "Measured bandwidth of all GPUs; empty where nobody measured it.",
        shown=False,
    ),
    number(
        "peak_flop_measured_per_s",
        "operations, measured",
        "1/s",
        "Measured dense operations a second of all GPUs; empty where nobody measured them.",
        shown=False,
    ),
    text("peak_source", "peaks from", "Where the peaks come from.", shown=False),
    text("latency_reason", "latency: why not", "Why times to tokens are missing.", shown=False),
    text("performance_reason", "bound: why not", "Why uses and bounds are missing.", shown=False),
)
"""One row a sealed run: how fast, and how near to what its GPUs allow."""

CONDITIONS: Final = (
    RUN_ID,
    SIMULATED,
    count("warmup_batches", "warm-up batches", "Batches answered and thrown away before."),
    text("warmup", "warm-up", "`steady`, `not steady`, or empty: not recorded or not asked for."),
    count("passes", "passes", "How often the whole prompt set was answered."),
    number("duration_s", "window", "s", "The measured window."),
    number(
        "min_window_s",
        "at least",
        "s",
        "The prompt set is answered again until so much time was measured.",
        reason="conditions_reason",
    ),
    number(
        "temperature_start_c",
        "GPUs from",
        "degC",
        "Temperature at the window's start: mean over working GPUs.",
        shown_with="temperature_start_c",
    ),
    number(
        "temperature_end_c",
        "GPUs to",
        "degC",
        "The same at its end.",
        shown_with="temperature_end_c",
    ),
    number(
        "sm_clock_mean_mhz",
        "clock",
        "MHz",
        "Clock of the multiprocessors: mean over window and working GPUs.",
        shown_with="sm_clock_mean_mhz",
    ),
    share(
        "held_share",
        "clock held",
        "Share of readings at which something held a clock down: the most of all working GPUs.",
        shown_with="sm_clock_mean_mhz",
    ),
    number(
        "memory_estimated_bytes",
        "memory, planned",
        "B",
        "What torch was to allocate on a GPU at most, by the plan's estimate: its total without "
        "the context.",
        reason="memory_reason",
    ),
    number(
        "memory_allocated_bytes",
        "memory, taken",
        "B",
        "What torch had allocated on a GPU at most: the most of all ranks.",
        reason="memory_reason",
    ),
    share(
        "memory_allocated_over_estimated",
        "taken vs planned",
        "memory_allocated_bytes / memory_estimated_bytes - 1.",
        reason="memory_reason",
    ),
    number(
        "memory_device_bytes",
        "memory, GPU",
        "B",
        "What the whole GPU had in use, context and all: the most of all ranks.",
        shown=False,
        reason="memory_reason",
    ),
    text("conditions_reason", "why not", "Why the window's rule is missing.", shown=False),
    text("memory_reason", "memory: why not", "Why memory is missing.", shown=False),
)
"""One row a sealed run: what it was measured under."""

"""Group columns: grid points, the paper's numbers, and what does not count."""

from typing import Final

from analysis.tables.column import RUN_ID, SIMULATED, Column, count, number, text
from analysis.tables.columns import POINT, RUNS
from analysis.tables.performance_columns import PERFORMANCE

GROUP_METRICS: Final = (
    "energy_per_token_j",
    "charged_energy_per_token_j",
    "net_energy_per_token_j",
    "energy_per_response_j",
    "energy_j",
    "power_w",
    "duration_s",
    "tokens_per_s",
    "decode_tokens_per_s",
    "prefill_tokens_per_s",
    "first_token_mean_s",
    "first_token_p50_s",
    "first_token_p95_s",
    "first_token_p99_s",
    "inter_token_p50_s",
    "inter_token_p95_s",
    "inter_token_p99_s",
    "prefill_flop_utilization",
    "prefill_bandwidth_utilization",
    "decode_flop_utilization",
    "decode_bandwidth_utilization",
    "decode_bandwidth_utilization_measured",
    "bound_share",
    "bound_share_measured",
    "decode_bound_share",
    "decode_bound_share_measured",
    "words_per_s",
    "responses_per_s",
    "gpu_utilization",
)
_BY_NAME: Final = {column.name: column for column in (*RUNS, *PERFORMANCE)}
# What the page's first table leaves to the others: the files have all.
_LEFT_OUT: Final = frozenset(
    GROUP_METRICS[
        GROUP_METRICS.index("prefill_tokens_per_s") : GROUP_METRICS.index("gpu_utilization")
    ]
)


def _interval_columns(name: str) -> tuple[Column, ...]:
    base = _BY_NAME[name]
    headline = name == GROUP_METRICS[0]
    mean = Column(
        name=f"{name}_mean",
        label=base.label,
        unit=base.unit,
        meaning=f"Mean of {name} over the repeats.",
        type=base.type,
        shown=name not in _LEFT_OUT,
        shown_with=base.shown_with,
        plus_minus=f"{name}_sensor" if headline else None,
    )
    low, high = (
        number(
            f"{name}_{end}",
            f"{base.label} {word}",
            base.unit,
            f"{side} end of {name}'s 95 % interval: Student's t over the repeats, widened in "
            "quadrature by the sensors' part where the column has one.",
            # The page shows the interval of the headline alone, where there are repeats.
            shown=headline,
            shown_with=f"{name}_low",
        )
        for end, side, word in (("low", "Lower", "from"), ("high", "Upper", "to"))
    )
    return mean, low, high


GROUPS: Final = (
    *POINT,
    SIMULATED,
    count("n", "repeats", "Sealed runs that differ in nothing but `repeat`."),
    count(
        "idle_gpus",
        "idle GPUs",
        "GPUs that the jobs held and no rank worked on: the most of all repeats.",
        shown_with="idle_gpus",
    ),
    *(column for name in GROUP_METRICS for column in _interval_columns(name)),
    number(
        "energy_per_token_j_sensor",
        "±",
        "J",
        "Expanded uncertainty (k = 2) of energy_per_token_j_mean by the sensors' timing alone: "
        "root sum of squares of the repeats' over n. It says nothing of how repeats scatter.",
        shown=False,
    ),
    number(
        "energy_per_token_j_gain",
        "± gain",
        "J",
        "What the boards' own errors of gain may come to in energy_per_token_j_mean: "
        "energy_gain_uncertainty_j / generated_tokens, the most of the repeats, as repeating does "
        "not lessen it.",
        shown_with="energy_per_token_j_gain",
    ),
    text("interval_reason", "no interval", "Why there is no interval."),
    text("runs", "runs", "The runs in this row.", shown=False),
)
"""One row a grid point, over its repeats."""

NOT_COUNTED: Final = (
    RUN_ID,
    count("attempt", "attempt", "The attempt's number; empty: the run as a whole."),
    text("state", "state", "How far it came."),
    text("reason", "why", "Why it is no part of any result."),
)
"""One row an attempt that was not sealed, or a run that could not be read."""

COMPARISON: Final = (
    text("source", "in the paper", "Where the paper gives the number."),
    text("metric", "quantity", "Which column of the results."),
    number("paper_value", "paper", "", "The paper's number, in the quantity's unit."),
    number("our_value", "ours", "", "Mean over our repeats; over all cells the paper averages."),
    number("ratio", "ours / paper", "1", "our_value / paper_value."),
    text("model", "model", "Name of the model's shape."),
    text("dataset", "dataset", "Where the prompts come from."),
    text("gpu", "GPU", "Kind of GPU."),
    count("gpus", "GPUs", "GPUs used."),
    count("batch_size", "batch", "Prompts answered together."),
    text("max_gen_len", "max tokens", "Tokens generated for each prompt at most."),
    text("reason", "remarks", "Why there is no ratio, or in which conditions ours differ."),
)
"""One row a number of the paper that a run of ours has the conditions of."""

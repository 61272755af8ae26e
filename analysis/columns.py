"""Columns: what every number of the tables means, in one place.

The CSV files, the report's tables and their legends are made from these definitions.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    """Header of the CSV and Parquet files; ends in the unit where there is one."""
    label: str
    """Header of the report's table."""
    unit: str
    """SI unit; empty for text, `1` for counts and ratios."""
    meaning: str
    """Definition with its formula."""
    type: str = "number"
    """`number`, `count`, `share`, `text` or `flag`."""
    shown: bool = True
    """False keeps it out of the page: it stands in the files alone."""


def _text(name: str, label: str, meaning: str, *, shown: bool = True) -> Column:
    return Column(name=name, label=label, unit="", meaning=meaning, type="text", shown=shown)


def _count(name: str, label: str, meaning: str, *, shown: bool = True) -> Column:
    return Column(name=name, label=label, unit="1", meaning=meaning, type="count", shown=shown)


def _number(name: str, label: str, unit: str, meaning: str, *, shown: bool = True) -> Column:
    return Column(name=name, label=label, unit=unit, meaning=meaning, shown=shown)


def _share(name: str, label: str, meaning: str) -> Column:
    return Column(name=name, label=label, unit="1", meaning=meaning, type="share")


_RUN_ID: Final = _text("run_id", "run", "Slug and digest of the run's spec.")
_SIMULATED: Final = Column(
    name="simulated",
    label="simulated",
    unit="",
    meaning="True when the GPU is a stated power model driven by work on CPU: no measurement.",
    type="flag",
)
_REASON: Final = _text("reason", "why not", "Why a number of this row is missing.")

POINT: Final = (
    _text("model", "model", "Name of the model's shape."),
    _text("dataset", "dataset", "Where the prompts come from."),
    _text("gpu", "GPU", "Kind of GPU asked for."),
    _count("gpus", "GPUs", "Model-parallel ranks, one GPU each."),
    _count("nodes", "nodes", "Nodes the ranks are spread over."),
    _count("batch_size", "batch", "Prompts answered together."),
    _count("max_gen_len", "max tokens", "Tokens generated for each prompt at most."),
    _number("power_cap_w", "cap", "W", "Power limit asked for each GPU; empty: the GPU's own."),
)
"""What tells points of a grid apart at a glance."""

RUNS: Final = (
    _RUN_ID,
    *POINT,
    _count("repeat", "repeat", "Which repetition of the same work, from 0."),
    _SIMULATED,
    _number(
        "duration_s",
        "time",
        "s",
        "The window: from the first prefill's start to the last decode's end over all ranks; one "
        "pass through all prompts, without loading and warm-up.",
    ),
    _text(
        "energy_method",
        "energy from",
        "`counter`: difference of the GPUs' energy counters at the window's edges, taken when "
        "every GPU has one; else the integral (trapezoid) of the named power reading.",
    ),
    _number(
        "energy_j",
        "energy",
        "J",
        "Gross energy of all GPUs of all nodes in the window.",
    ),
    _number("power_w", "power", "W", "energy_j / duration_s: the paper's energy per second."),
    _number(
        "energy_per_token_j", "J / token", "J", "energy_j / generated_tokens: per decoded token."
    ),
    _number("energy_per_response_j", "J / response", "J", "energy_j / responses."),
    _number("tokens_per_s", "tokens/s", "1/s", "generated_tokens / duration_s."),
    _number("words_per_s", "words/s", "1/s", "words / duration_s."),
    _number("responses_per_s", "responses/s", "1/s", "responses / duration_s."),
    _count("responses", "responses", "Prompts answered in the window."),
    _count("generated_tokens", "tokens", "Ids sampled and kept, over all responses."),
    _count("words", "words", "Generated text split on white space, over all responses."),
    _count("prompt_tokens", "prompt tokens", "Tokens of all prompts, after cutting."),
    _number("prefill_s", "prefill", "s", "Time in PREFILL: sum over batches, mean over ranks."),
    _number("decode_s", "decode", "s", "Time in DECODE: sum over batches, mean over ranks."),
    _number(
        "decode_tokens_per_s",
        "decode tokens/s",
        "1/s",
        "(generated_tokens - responses) / decode_s: each response's first token comes of prefill.",
    ),
    _number(
        "prefill_energy_j",
        "prefill energy",
        "J",
        "Gross energy of all GPUs in PREFILL; empty when most of it lies in spans shorter than 2 "
        "sensor periods.",
    ),
    _number(
        "decode_energy_j",
        "decode energy",
        "J",
        "Gross energy of all GPUs in DECODE; empty when most of it lies in spans shorter than 2 "
        "sensor periods.",
    ),
    _number(
        "idle_power_w",
        "idle power",
        "W",
        "Power of all GPUs in the second half of the run's own IDLE phase.",
    ),
    _number("net_energy_j", "net energy", "J", "energy_j - idle_power_w x duration_s."),
    _number("net_energy_per_token_j", "net J / token", "J", "net_energy_j / generated_tokens."),
    _number(
        "counter_energy_j", "counter", "J", "Energy in the window by the counters.", shown=False
    ),
    _number(
        "integral_energy_j",
        "integral",
        "J",
        "Energy in the window by the integral of power.",
        shown=False,
    ),
    _share(
        "integral_over_counter",
        "integral vs counter",
        "integral_energy_j / counter_energy_j - 1: two readings of one thing that should agree.",
    ),
    _number(
        "zone_energy_j",
        "host energy",
        "J",
        "Energy of the hosts' processors and their memory in the window (Linux powercap); not part "
        "of energy_j.",
    ),
    _share(
        "coverage_worst",
        "coverage",
        "Readings that came over readings expected in the window: the worst of all GPUs' power and "
        "energy fields.",
    ),
    _number(
        "largest_gap_s",
        "largest gap",
        "s",
        "Longest time without a GPU power or energy reading.",
        shown=False,
    ),
    _share(
        "gpu_utilization", "GPU busy", "Share of the window in which a kernel ran: mean over GPUs."
    ),
    _count("attempt", "attempt", "Number of the sealed attempt.", shown=False),
    _text("energy_reason", "energy: why not", "Why energy_j is missing.", shown=False),
    _text("phase_reason", "phases: why not", "Why a phase's energy is missing.", shown=False),
    _text("net_reason", "net: why not", "Why net_energy_j is missing.", shown=False),
    _text("gap_reason", "gap: why not", "Why integral_over_counter is missing.", shown=False),
    _text("zone_reason", "host: why not", "Why zone_energy_j is missing.", shown=False),
)
"""One row a sealed run."""

GROUP_METRICS: Final = (
    "energy_per_token_j",
    "energy_per_response_j",
    "energy_j",
    "power_w",
    "duration_s",
    "tokens_per_s",
    "words_per_s",
    "responses_per_s",
    "gpu_utilization",
)
_BY_NAME: Final = {column.name: column for column in RUNS}


def _interval_columns(name: str) -> tuple[Column, Column, Column]:
    base = _BY_NAME[name]
    mean = Column(
        name=f"{name}_mean",
        label=base.label,
        unit=base.unit,
        meaning=f"Mean of {name} over the repeats.",
    )
    low, high = (
        _number(
            f"{name}_{end}",
            f"{base.label} {word}",
            base.unit,
            f"{side} end of {name}'s 95 % t interval.",
            # The page shows the interval of the headline alone; the files have all.
            shown=name == GROUP_METRICS[0],
        )
        for end, side, word in (("low", "Lower", "from"), ("high", "Upper", "to"))
    )
    return mean, low, high


GROUPS: Final = (
    *POINT,
    _SIMULATED,
    _count("n", "repeats", "Sealed runs that differ in nothing but `repeat`."),
    *(column for name in GROUP_METRICS for column in _interval_columns(name)),
    _text("interval_reason", "interval: why not", "Why there is no interval."),
    _text("runs", "runs", "The runs in this row.", shown=False),
)
"""One row a grid point, over its repeats."""

PHASES: Final = (
    _RUN_ID,
    _count("rank", "rank", "Model-parallel rank."),
    _text("host", "host", "Node the rank ran on."),
    _text("gpu_uuid", "GPU", "The rank's GPU."),
    _text(
        "phase",
        "phase",
        "What the rank was doing; `too short` pools the phases that are not attributable, so that "
        "a rank's numbers sum to its total.",
    ),
    _SIMULATED,
    _count("spans", "spans", "How often it did so."),
    _number("seconds", "time", "s", "Sum of the spans."),
    _number("energy_j", "energy", "J", "Gross energy of the rank's GPU in those spans."),
    _number("power_w", "power", "W", "energy_j / seconds."),
    _number("net_energy_j", "net energy", "J", "energy_j - the GPU's idle power x seconds."),
    _REASON,
)
"""One row a rank and phase, over the rank's whole life."""

NOT_COUNTED: Final = (
    _RUN_ID,
    _count("attempt", "attempt", "The attempt's number; empty: the run as a whole."),
    _text("state", "state", "How far it came."),
    _text("reason", "why", "Why it is no part of any result."),
)
"""One row an attempt that was not sealed, or a run that could not be read."""

COMPARISON: Final = (
    _text("source", "in the paper", "Where the paper gives the number."),
    _text("metric", "quantity", "Which column of the results."),
    _number("paper_value", "paper", "", "The paper's number, in the quantity's unit."),
    _number("our_value", "ours", "", "Mean over our repeats; over all cells the paper averages."),
    _number("ratio", "ours / paper", "1", "our_value / paper_value."),
    _text("model", "model", "Name of the model's shape."),
    _text("dataset", "dataset", "Where the prompts come from."),
    _text("gpu", "GPU", "Kind of GPU."),
    _count("gpus", "GPUs", "GPUs used."),
    _count("batch_size", "batch", "Prompts answered together."),
    _text("max_gen_len", "max tokens", "Tokens generated for each prompt at most."),
    _text("reason", "remarks", "Why there is no ratio, or in which conditions ours differ."),
)
"""One row a number of the paper that a run of ours has the conditions of."""

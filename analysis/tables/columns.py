"""Columns of the table of runs, and what tells points of a grid apart.

The CSV files, the report's tables and their legends are made from such definitions; other tables'
stand in `analysis.tables.group_columns`, `analysis.tables.performance_columns` and
`analysis.tables.gpu_columns`.
"""

from dataclasses import replace
from typing import Final

from analysis.tables.column import RUN_ID, SIMULATED, count, number, share, text, width

POINT: Final = (
    text("model", "model", "Name of the model's shape."),
    text("dataset", "dataset", "Where the prompts come from."),
    text("gpu", "GPU", "Kind of GPU asked for."),
    text("engine", "engine", "How tokens are generated."),
    text("dtype", "numbers", "Format of weights and activations."),
    text("quantization", "quantized", "Weight-only quantization of the layers' matrices."),
    count("gpus", "GPUs", "Model-parallel ranks, one GPU each."),
    count("nodes", "nodes", "Nodes the ranks are spread over."),
    count("batch_size", "batch", "Prompts answered together."),
    count("max_gen_len", "max tokens", "Tokens generated for each prompt at most."),
    number(
        "power_cap_w",
        "cap",
        "W",
        "Power limit asked for each GPU; empty: the GPU's own.",
        shown_with="power_cap_w",
    ),
)
"""What tells points of a grid apart at a glance."""

# What a run's name says already takes no column of the page.
_UNNAMED: Final = ("model", "engine", "dtype", "quantization", "gpus", "power_cap_w")

RUNS: Final = (
    RUN_ID,
    *(replace(column, shown=column.name in _UNNAMED) for column in POINT),
    count("repeat", "repeat", "Which repetition of the same work, from 0."),
    SIMULATED,
    number(
        "duration_s",
        "time",
        "s",
        "The window: from the first prefill's start to the last decode's end over all ranks; one "
        "pass through all prompts, without loading and warm-up.",
    ),
    text(
        "energy_method",
        "energy from",
        "`witness`: difference of the GPUs' energy counters as their ranks read them at the very "
        "edges of the window, taken when every rank did; else `counter`: the same of the counters "
        "as the watchers polled them, interpolated; else the integral (trapezoid) of the named "
        "power reading: the driver's buffer, else instantaneous, else average power. A method "
        "whose readings are further apart than half the window stands back.",
    ),
    number(
        "energy_j",
        "energy",
        "J",
        "Gross energy of all GPUs that a rank worked on, of all nodes, in the window.",
        plus_minus="energy_uncertainty_j",
        reason="energy_reason",
    ),
    width(
        "energy_j",
        "Expanded uncertainty of energy_j (k = 2, about 95 %): when the sensor's value changed, at "
        "the window's edges and between readings; without the boards' own gain, see "
        "energy_gain_uncertainty_j.",
    ),
    number(
        "energy_gain_uncertainty_j",
        "± gain",
        "J",
        "What the boards' errors of gain may come to: 5 % of each board's energy (arXiv "
        "2312.02741), boards independent. The same in all phases and repeats of one board, so it "
        "is in no ± and no interval; 0 for a simulated board.",
        shown_with="energy_gain_uncertainty_j",
    ),
    number("power_w", "power", "W", "energy_j / duration_s: the paper's energy per second."),
    number(
        "energy_per_token_j",
        "J / token",
        "J",
        "energy_j / generated_tokens: per decoded token.",
        plus_minus="energy_per_token_uncertainty_j",
        reason="energy_reason",
    ),
    width("energy_per_token_j"),
    number("energy_per_response_j", "J / response", "J", "energy_j / responses.", shown=False),
    count(
        "idle_gpus",
        "idle GPUs",
        "GPUs that the job held and no rank worked on.",
        shown_with="idle_gpus",
    ),
    number(
        "idle_gpus_energy_j",
        "idle GPUs' energy",
        "J",
        "Energy of those GPUs in the window, by their counters, else by the integral of their "
        "power.",
        shown_with="idle_gpus",
        reason="idle_gpus_reason",
    ),
    number(
        "charged_energy_j",
        "charged",
        "J",
        "energy_j + idle_gpus_energy_j: what the allocation took.",
        shown_with="idle_gpus",
        plus_minus="charged_energy_uncertainty_j",
        reason="idle_gpus_reason",
    ),
    width("charged_energy_j"),
    number(
        "charged_energy_per_token_j",
        "charged J / token",
        "J",
        "charged_energy_j / generated_tokens.",
        shown_with="idle_gpus",
        reason="idle_gpus_reason",
    ),
    number("tokens_per_s", "tokens/s", "1/s", "generated_tokens / duration_s."),
    number("words_per_s", "words/s", "1/s", "words / duration_s.", shown=False),
    number("responses_per_s", "responses/s", "1/s", "responses / duration_s.", shown=False),
    count("responses", "responses", "Prompts answered in the window.", shown=False),
    count("generated_tokens", "tokens", "Ids sampled and kept, over all responses."),
    count(
        "words", "words", "Generated text split on white space, over all responses.", shown=False
    ),
    count("prompt_tokens", "prompt tokens", "Tokens of all prompts, after cutting.", shown=False),
    number(
        "prefill_s",
        "prefill",
        "s",
        "Time in PREFILL: sum over batches, mean over ranks.",
        shown=False,
    ),
    number(
        "decode_s", "decode", "s", "Time in DECODE: sum over batches, mean over ranks.", shown=False
    ),
    number(
        "decode_tokens_per_s",
        "decode tokens/s",
        "1/s",
        "Tokens chosen in DECODE over decode_s: by the steps' record, which leaves out those of "
        "prefill's step; in a record without steps all but the first of each response. Engine "
        "`reference` reads what is longer than a batch's shortest prompt in DECODE, at its cost.",
    ),
    text(
        "phase_energy_method",
        "phases from",
        "The method that tells the shortest times apart on every GPU over every rank's life; of "
        "equally fine ones the first of witness, counter, integral; one with a gap in its "
        "readings stands back. Phases sum to the total of this method.",
        shown=False,
    ),
    number(
        "prefill_energy_j",
        "prefill energy",
        "J",
        "Gross energy of all GPUs in PREFILL; not attributable when most of it lies in spans "
        "shorter than 2 sensor periods.",
        plus_minus="prefill_energy_uncertainty_j",
        reason="prefill_reason",
    ),
    width("prefill_energy_j"),
    number(
        "decode_energy_j",
        "decode energy",
        "J",
        "Gross energy of all GPUs in DECODE; not attributable when most of it lies in spans "
        "shorter than 2 sensor periods.",
        plus_minus="decode_energy_uncertainty_j",
        reason="decode_reason",
    ),
    width("decode_energy_j"),
    number(
        "idle_power_w",
        "idle power",
        "W",
        "Power of all working GPUs in the settled part of the run's own IDLE phase: its second "
        "half less two periods of the sensor.",
        plus_minus="idle_power_uncertainty_w",
        reason="net_reason",
    ),
    width("idle_power_w"),
    number(
        "net_energy_j",
        "net energy",
        "J",
        "energy_j - idle_power_w x duration_s.",
        plus_minus="net_energy_uncertainty_j",
        reason="net_reason",
    ),
    width("net_energy_j"),
    number("net_energy_per_token_j", "net J / token", "J", "net_energy_j / generated_tokens."),
    number(
        "counter_energy_j",
        "counter",
        "J",
        "Energy in the window by the counters as the watchers polled them.",
        shown=False,
    ),
    number(
        "integral_energy_j",
        "integral",
        "J",
        "Energy in the window by the integral of power.",
        shown=False,
    ),
    share(
        "integral_over_counter",
        "integral vs counter",
        "integral_energy_j over the counters' energy, less 1: of each GPU's counter as its rank "
        "read it, else as it was polled; two readings of one thing that should agree.",
        plus_minus="integral_over_counter_uncertainty",
        reason="gap_reason",
    ),
    share(
        "integral_over_counter_uncertainty",
        "±",
        "Expanded uncertainty of integral_over_counter (k = 2) by the timing of both.",
        shown=False,
    ),
    number(
        "witness_energy_j",
        "witness",
        "J",
        "Energy in the window by the counters as the ranks read them.",
        shown=False,
    ),
    share(
        "witness_over_counter",
        "witness vs counter",
        "witness_energy_j / counter_energy_j - 1: the rank's readings against the watcher's.",
        shown_with="witness_energy_j",
        reason="witness_reason",
    ),
    number(
        "zone_energy_j",
        "host energy",
        "J",
        "Energy of the hosts' processors and their memory in the window (Linux powercap); not part "
        "of energy_j.",
        reason="zone_reason",
        shown_with="zone_energy_j",
    ),
    number(
        "node_energy_j",
        "nodes' energy",
        "J",
        "Energy of all nodes, GPUs and all, in the window: trapezoid under the power that their "
        "service processors tell (IPMI DCMI); slow and coarse, to hold energy_j against.",
        shown_with="node_energy_j",
        reason="node_reason",
    ),
    share(
        "coverage_worst",
        "coverage",
        "Readings that came over readings expected in the window: the worst of all GPUs' power and "
        "energy fields.",
    ),
    number(
        "largest_gap_s",
        "largest gap",
        "s",
        "Longest time without a GPU power or energy reading.",
        shown=False,
    ),
    share(
        "gpu_utilization", "GPU busy", "Share of the window in which a kernel ran: mean over GPUs."
    ),
    count("attempt", "attempt", "Number of the sealed attempt.", shown=False),
    text("energy_reason", "energy: why not", "Why energy_j is missing.", shown=False),
    text("prefill_reason", "prefill: why not", "Why prefill_energy_j is missing.", shown=False),
    text("decode_reason", "decode: why not", "Why decode_energy_j is missing.", shown=False),
    text("idle_gpus_reason", "charged: why not", "Why charged_energy_j is missing.", shown=False),
    text("net_reason", "net: why not", "Why net_energy_j is missing.", shown=False),
    text("gap_reason", "gap: why not", "Why integral_over_counter is missing.", shown=False),
    text("witness_reason", "witness: why not", "Why witness_energy_j is missing.", shown=False),
    text("node_reason", "nodes: why not", "Why node_energy_j is missing.", shown=False),
    text("zone_reason", "host: why not", "Why zone_energy_j is missing.", shown=False),
)
"""One row a sealed run."""

"""GPU columns: phases, energies and sensors."""

from typing import Final

from analysis.tables.column import REASON, RUN_ID, SIMULATED, count, number, share, text, width

PHASES: Final = (
    RUN_ID,
    count("rank", "rank", "Model-parallel rank; empty for a GPU that no rank worked on."),
    text("host", "host", "Node the rank ran on."),
    text("gpu_uuid", "GPU", "The rank's GPU."),
    text(
        "phase",
        "phase",
        "What the rank was doing; `too short` pools the phases that are not attributable, so that "
        "a rank's numbers sum to its total; `allocated, no rank` is a GPU that was left idle.",
    ),
    SIMULATED,
    count("spans", "spans", "How often it did so."),
    number("seconds", "time", "s", "Sum of the spans."),
    number(
        "energy_j",
        "energy",
        "J",
        "Gross energy of the rank's GPU in those spans; not attributable when most of it lies in "
        "spans shorter than 2 sensor periods.",
        plus_minus="energy_uncertainty_j",
        reason="reason",
    ),
    width("energy_j"),
    number("power_w", "power", "W", "energy_j / seconds."),
    number(
        "net_energy_j",
        "net energy",
        "J",
        "energy_j - the GPU's idle power x seconds.",
        plus_minus="net_energy_uncertainty_j",
    ),
    width("net_energy_j"),
    text(
        "energy_method",
        "energy from",
        "How the phases' energy was had: phase_energy_method of runs.",
    ),
    REASON,
)
"""One row a rank and phase over the rank's whole life, and one a GPU that was left idle."""

GPUS: Final = (
    RUN_ID,
    text("host", "host", "Node of the GPU."),
    text("gpu_uuid", "GPU", "UUID of the GPU."),
    text("product", "product", "Its name as the source has it."),
    count("rank", "rank", "The rank that worked on it; empty: none, it was allocated and idle."),
    SIMULATED,
    number(
        "energy_j",
        "energy",
        "J",
        "What is charged for it in the window: by the run's method; of an idle GPU by its counter, "
        "else by the integral of its power.",
        plus_minus="energy_uncertainty_j",
        reason="reason",
    ),
    width("energy_j"),
    number(
        "counter_energy_j",
        "counter",
        "J",
        "Difference of its energy counter, as the watcher read it, between the window's edges.",
        plus_minus="counter_energy_uncertainty_j",
        reason="counter_reason",
    ),
    width("counter_energy_j"),
    number(
        "integral_energy_j",
        "integral",
        "J",
        "Trapezoid under its power over the window; each reading stands for the middle of the time "
        "it averages over.",
        plus_minus="integral_energy_uncertainty_j",
        reason="integral_reason",
    ),
    width("integral_energy_j"),
    text("integral_field", "integral of", "The power reading that was integrated."),
    number(
        "witness_energy_j",
        "witness",
        "J",
        "Difference of its counter as its rank read it at the edges of its spans.",
        plus_minus="witness_energy_uncertainty_j",
        reason="witness_reason",
        shown_with="witness_energy_j",
    ),
    width("witness_energy_j"),
    share(
        "integral_over_counter",
        "integral vs counter",
        "integral_energy_j over witness_energy_j, else over counter_energy_j, less 1.",
    ),
    share("witness_over_counter", "witness vs counter", "witness_energy_j / counter_energy_j - 1."),
    number(
        "idle_power_w",
        "idle power",
        "W",
        "Mean power in the settled part of the IDLE phase.",
        plus_minus="idle_power_uncertainty_w",
    ),
    width("idle_power_w"),
    number(
        "temperature_start_c",
        "from",
        "degC",
        "Temperature of its die at the window's start: the nearest reading, no further away than "
        "two of its periods.",
        shown_with="temperature_start_c",
        reason="state_reason",
    ),
    number(
        "temperature_end_c",
        "to",
        "degC",
        "The same at the window's end.",
        shown_with="temperature_end_c",
        reason="state_reason",
    ),
    number(
        "sm_clock_start_mhz",
        "clock from",
        "MHz",
        "Clock of its multiprocessors at the window's start.",
        shown=False,
        reason="state_reason",
    ),
    number(
        "sm_clock_end_mhz",
        "clock to",
        "MHz",
        "The same at the window's end.",
        shown=False,
        reason="state_reason",
    ),
    number(
        "sm_clock_mean_mhz",
        "clock",
        "MHz",
        "Mean over the window's readings.",
        shown_with="sm_clock_mean_mhz",
        reason="state_reason",
    ),
    share(
        "held_share",
        "clock held",
        "Share of the window's readings at which a power cap, heat, a power brake or another GPU "
        "held the clock down.",
        shown_with="sm_clock_mean_mhz",
        reason="state_reason",
    ),
    text("held_by", "held by", "What did, with its share; empty: nothing."),
    REASON,
    text("state_reason", "state: why not", "Why a temperature or clock is missing.", shown=False),
    text("counter_reason", "counter: why not", "Why counter_energy_j is missing.", shown=False),
    text("integral_reason", "integral: why not", "Why integral_energy_j is missing.", shown=False),
    text("witness_reason", "witness: why not", "Why witness_energy_j is missing.", shown=False),
)
"""One row a GPU that a run was given, at work or idle."""

SENSORS: Final = (
    text("product", "product", "Name of the GPU as the source has it."),
    text("driver", "driver", "Driver version; empty: not on record."),
    text("architecture", "architecture", "Line of the table of sensors; `unknown`: in none."),
    SIMULATED,
    text("field", "reading", "Which reading."),
    count("gpus", "GPUs", "GPUs of one run that behave so: the most of all runs."),
    number("tabulated_period_s", "period, table", "s", "Time between two new values by the table."),
    number(
        "measured_period_s",
        "period, measured",
        "s",
        "The same as the source measured it on these boards when it started; it stands before the "
        "table's, a shorter one as far as the record shows readings that often.",
        shown_with="measured_period_s",
    ),
    number("sampling_s", "sampled every", "s", "Time between two readings in the record."),
    number("window_s", "averages over", "s", "Time that one value is the mean of, by the table."),
    number(
        "resolution_s",
        "resolution",
        "s",
        "The longest of period, sampling and averaging: spans shorter than two of it are not "
        "attributable.",
    ),
    text("source", "source", "Where the table's figures come from."),
    text("runs", "runs", "The runs with such GPUs.", shown=False),
)
"""One row a kind of GPU, driver and reading."""

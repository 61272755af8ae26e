"""Constants: what is taken for granted where no sealed run of this board tells better.

Each is a median with its spread as the standard deviation of its logarithm: 0.1 is about 10 %, 0.7
a factor of two. `recorded` is the 21 sealed runs of tests/recorded: H200, driver 580.159, torch
2.11, LLaMA 7B, 13B and 65B on 1, 2 and 4 GPUs, in fp16, int8 and int4. They are of one board and
two hosts. `six hosts` is these and 17 sealed runs of four more, two with H200s, one with four of
them, one with an H100 (tests/launcher/forecast/other_hosts.json has what they took): virtual
machines of one kind, whose processors differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What is believed of one positive number before any run of the board is read."""

    median: float
    """As likely too high as too low."""
    spread: float
    """Standard deviation of its logarithm."""

    def __post_init__(self) -> None:
        for name in ("median", "spread"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"`{name}` must be above 0, but is {getattr(self, name)!r} instead"
                )


Priors = Mapping[str, Prior]
"""The numbers of one formula by name."""

# One core with AVX2 and FMA at 3 GHz: 16 lanes, 2 operations, half of it; conf/cluster/local.yaml
# has the same where it is not said.
CPU_CORE_FLOP_PER_S: Final = 50e9
# Two channels of DDR4, half of 40 GB/s; a server has more, a busy laptop less.
CPU_BYTES_PER_S: Final = 20e9
# Over the rows of telemetry/boards with peaks, from the L4 to the B200: 2.2 to 8 GB/s and 0.37 to
# 2.2 Tflop/s in fp16 a watt of the limit.
PER_WATT_BYTES_PER_S: Final = 4e9
PER_WATT_FLOP_PER_S: Final = 0.7e12
# Between a desktop's and a datacenter's; counts for boards whose driver tells no limit alone.
UNKNOWN_LIMIT_W: Final = 300.0
# Shortest, middle and longest of the bundled samples' 64 prompts each (1st, 50th and 99th per
# cent), by the bundled tokenizer.
PROMPT_TOKENS: Final[Mapping[str, tuple[float, float, float]]] = {
    "gsm8k": (25.0, 50.0, 109.0),
    "alpaca": (14.0, 25.0, 113.0),
}
# Nothing is known of a file's prompts but the most that is kept of each.
OTHER_PROMPT_SHARE: Final = 0.5
# recorded: 4.5 to 5.0 ms between a batch's end and the next one's begin.
BETWEEN_BATCHES_S: Final = 0.005
# recorded: STARTUP and SHUTDOWN, which the watcher sees, of all that is neither resting, loading,
# warming up nor measured: 0.52 to 0.62.
WATCHED_START_SHARE: Final = 0.57
# model.json's rule: three rates must agree before a warm-up ends early (workers.session.warmup).
AGREEING_BATCHES: Final = 3
# A checkpoint's answers end before their longest; the batch goes on to its last. Between a third
# and all of the steps, the middle of it; random weights almost never choose the end.
ENDING_SHARE: Final = Prior(median=0.8, spread=0.25)

FAST: Final = "fast"
REFERENCE: Final = "reference"
ON_CPU: Final = "cpu"
"""Stands for any engine where the ranks compute on CPU."""
OTHER: Final = "other"
"""Stands for an engine of another package."""

# six hosts, 38 runs: not steady after three batches in none of 24 runs of `fast` and in 8 of 13 of
# `reference`; the three of those that had time and leave for more took all they were let.
MORE_WARMUP_CHANCE: Final[Mapping[str, float]] = {
    FAST: 0.05,
    REFERENCE: 0.6,
    OTHER: 0.2,
    ON_CPU: 0.1,
}
"""By engine class: that after three batches of warm-up, or after any more, one more follows."""
# six hosts: 9 of the 21 runs of `fast` that were the first of such work on their host compiled
# kernels: all 8 on the four new hosts, and on the two recorded ones the first of one, which had run
# others before. By hosts it is 5 of 6.
COLD_KERNELS_CHANCE: Final = 0.45
# As if so many runs of a host had said it: two that say otherwise outweigh it.
COLD_KERNELS_WORTH: Final = 1.0
# six hosts: none of 3 runs of `fast` that came after the same work on their host.
COLD_KERNELS_AGAIN_CHANCE: Final = 0.05
# six hosts: 8 runs loaded for 11.4 to 19.3 s, like ones with warm kernels for 4.4 to 5.9.
COLD_KERNELS_S: Final = Prior(median=10.0, spread=0.45)

# Nobody recorded a run of several nodes. The two sums of a layer of 65B at batch 64 are 1 MB each:
# 0.2 ms at InfiniBand's 20 GB/s, 1.4 at the 3 of 25 Gb/s Ethernet (the V100 nodes of arXiv
# 2310.03003); a prefill's the same GB/s.
_NODE_US: Final = Prior(median=300.0, spread=1.2)
_NODE_MS_PER_GB: Final = Prior(median=150.0, spread=0.9)

STEP: Final[Mapping[str, Priors]] = {
    # recorded: 1.28 to 1.30 times the roofline on one GPU; 33 to 43 us a layer where ranks meet.
    FAST: {
        "bound": Prior(median=1.3, spread=0.15),
        "layer_us": Prior(median=10.0, spread=0.7),
        "join_us": Prior(median=37.0, spread=0.4),
        "node_us": _NODE_US,
        "int8": Prior(median=1.5, spread=0.25),
        # Nobody recorded fp8: int8's bytes without their widening, and a kernel more a product.
        "fp8": Prior(median=1.2, spread=0.4),
        "int4": Prior(median=2.2, spread=0.25),
    },
    # six hosts, 14 runs: 0.8 to 2.0 ms a layer of operators that the host starts (0.81 recorded,
    # 1.0 to 2.0 on others, on one of them 1.0 and 2.0); 4.5 to 5.3 times the roofline where the GPU
    # is the slower one (fp32 copies, whole caches in each step).
    REFERENCE: {
        "bound": Prior(median=5.0, spread=0.3),
        "layer_us": Prior(median=1050.0, spread=0.3),
        "join_us": Prior(median=37.0, spread=0.5),
        "node_us": _NODE_US,
        "int8": Prior(median=1.0, spread=0.1),
        "fp8": Prior(median=1.0, spread=0.1),
        "int4": Prior(median=1.0, spread=0.1),
    },
    # Between the two, and wider than both.
    OTHER: {
        "bound": Prior(median=2.0, spread=0.6),
        "layer_us": Prior(median=100.0, spread=1.2),
        "join_us": Prior(median=37.0, spread=0.6),
        "node_us": _NODE_US,
        "int8": Prior(median=1.5, spread=0.4),
        "fp8": Prior(median=1.2, spread=0.5),
        "int4": Prior(median=2.0, spread=0.4),
    },
    # make demo on two busy cores: 6 ms a layer, 3 to 4 more where ranks meet. Cores differ by tens,
    # and so does what else they do.
    ON_CPU: {
        "bound": Prior(median=2.0, spread=0.8),
        "layer_us": Prior(median=4000.0, spread=1.0),
        "join_us": Prior(median=2000.0, spread=1.0),
        "node_us": _NODE_US,
        "int8": Prior(median=1.5, spread=0.5),
        "fp8": Prior(median=1.5, spread=0.5),
        "int4": Prior(median=2.0, spread=0.5),
    },
}
"""Of a decoding step: times the roofline, and microseconds a layer."""

PREFILL: Final[Mapping[str, Priors]] = {
    # recorded: 1.6 to 1.65 times the arithmetic on one GPU; 5 to 6.5 ms a GB summed over ranks.
    FAST: {
        "bound": Prior(median=1.6, spread=0.15),
        "layer_us": Prior(median=80.0, spread=0.6),
        "sums_ms_per_gb": Prior(median=5.5, spread=0.5),
        "node_ms_per_gb": _NODE_MS_PER_GB,
        "int8": Prior(median=15.0, spread=0.3),
        # Nobody recorded fp8, which unpacks nothing on a GPU and rounds each product's inputs.
        "fp8": Prior(median=3.0, spread=0.8),
        "int4": Prior(median=22.0, spread=0.3),
    },
    # recorded: 2.2 to 2.4.
    REFERENCE: {
        "bound": Prior(median=2.3, spread=0.2),
        "layer_us": Prior(median=600.0, spread=0.6),
        "sums_ms_per_gb": Prior(median=5.5, spread=0.5),
        "node_ms_per_gb": _NODE_MS_PER_GB,
        "int8": Prior(median=15.0, spread=0.3),
        "fp8": Prior(median=3.0, spread=0.8),
        "int4": Prior(median=22.0, spread=0.3),
    },
    OTHER: {
        "bound": Prior(median=2.0, spread=0.5),
        "layer_us": Prior(median=200.0, spread=1.0),
        "sums_ms_per_gb": Prior(median=5.5, spread=0.7),
        "node_ms_per_gb": _NODE_MS_PER_GB,
        "int8": Prior(median=15.0, spread=0.5),
        "fp8": Prior(median=3.0, spread=1.0),
        "int4": Prior(median=22.0, spread=0.5),
    },
    ON_CPU: {
        "bound": Prior(median=1.5, spread=0.8),
        "layer_us": Prior(median=4000.0, spread=1.0),
        "sums_ms_per_gb": Prior(median=300.0, spread=1.0),
        "node_ms_per_gb": _NODE_MS_PER_GB,
        "int8": Prior(median=15.0, spread=0.6),
        "fp8": Prior(median=15.0, spread=0.6),
        "int4": Prior(median=22.0, spread=0.6),
    },
}
"""Of a prefill: times the roofline, and unpacking quantized weights in readings of all of them."""

WARMUP: Final[Mapping[str, Priors]] = {
    # recorded, beyond three batches: 2 to 6 s of compiling where nothing compiled before, nothing
    # where the logits were looked at first, which compiles too.
    FAST: {
        "first_s": Prior(median=2.5, spread=0.5),
        "after_logits_s": Prior(median=0.1, spread=0.7),
    },
    # six hosts: 0.1 to 0.7 s where nothing looked at logits; where something did, next to nothing
    # in 4 of 6 runs and 3 to 4 s in two, whose batches of warm-up were slower than the measured.
    REFERENCE: {
        "first_s": Prior(median=0.3, spread=0.5),
        "after_logits_s": Prior(median=0.2, spread=1.0),
    },
    OTHER: {
        "first_s": Prior(median=2.0, spread=1.0),
        "after_logits_s": Prior(median=0.5, spread=1.0),
    },
    ON_CPU: {
        "first_s": Prior(median=0.2, spread=0.8),
        "after_logits_s": Prior(median=0.1, spread=0.8),
    },
}
"""Of the warm-up beyond its batches."""

START: Final[Mapping[str, Priors]] = {
    # six hosts, 38 runs: on one GPU 5.2 to 6.5 s on the two recorded, 7.8 to 10.1 on four others;
    # recorded on four GPUs 8.0 to 8.6.
    OTHER: {
        "alone_s": Prior(median=6.7, spread=0.2),
        "rank_s": Prior(median=0.75, spread=0.5),
    },
    # make demo on two cores: 2.1 to 4.2 s, three times that beside other work.
    ON_CPU: {
        "alone_s": Prior(median=2.5, spread=0.7),
        "rank_s": Prior(median=0.5, spread=0.8),
    },
}
"""Of all that is neither resting, loading, warming up nor measured."""

LOAD: Final[Mapping[str, Priors]] = {
    # six hosts, 38 runs: recorded 1.4 to 2.2 s, and where logits were looked at 3.8 to 5.9, in int4
    # 7.2 to 9.9; on four others 4.4 to 5.9 with warm kernels, and of `reference` 6.3 to 8.5 for 7B,
    # 7.4 for 13B and 9.7 for 65B. A checkpoint comes at 0.4 GB/s of a busy disk to 3 of a page
    # cache (tests/benchmarks/NOTES.md).
    OTHER: {
        "alone_s": Prior(median=1.8, spread=0.3),
        "logits_s": Prior(median=3.8, spread=0.3),
        "logits_s_per_gp": Prior(median=0.05, spread=0.6),
        "int4": Prior(median=1.8, spread=0.3),
        "draw_s_per_gp": Prior(median=0.02, spread=0.5),
        "read_s_per_gb": Prior(median=0.8, spread=0.8),
    },
    ON_CPU: {
        "alone_s": Prior(median=0.5, spread=0.6),
        "logits_s": Prior(median=0.05, spread=1.0),
        "logits_s_per_gp": Prior(median=5.0, spread=1.0),
        "int4": Prior(median=2.0, spread=0.5),
        "draw_s_per_gp": Prior(median=8.0, spread=0.8),
        "read_s_per_gb": Prior(median=1.0, spread=0.8),
    },
}
"""Of loading: seconds, and seconds a thousand million parameters or a GB of a rank."""

WATTS: Final[Mapping[str, Priors]] = {
    # recorded: board power over its limit, by how near the window's batches are to the roofline:
    # rest + (limit - rest) (1 - exp(-rise x nearness)).
    FAST: {
        "rise": Prior(median=4.0, spread=0.3),
        "rest": Prior(median=0.17, spread=0.25),
        "full": Prior(median=1.0, spread=0.06),
    },
    REFERENCE: {
        "rise": Prior(median=7.7, spread=0.3),
        "rest": Prior(median=0.17, spread=0.25),
        "full": Prior(median=1.0, spread=0.06),
    },
    OTHER: {
        "rise": Prior(median=5.0, spread=0.6),
        "rest": Prior(median=0.17, spread=0.3),
        "full": Prior(median=1.0, spread=0.1),
    },
    # The model of simulated boards follows the rank's share of its cores, not the roofline: 0.98
    # of the limit alone, 0.8 where ranks wait for one another (make demo).
    ON_CPU: {
        "rise": Prior(median=1.0, spread=0.01),
        "rest": Prior(median=0.17, spread=0.3),
        "full": Prior(median=0.9, spread=0.15),
    },
}
"""Of a GPU's mean power in the window, as shares of its limit."""

REST: Final[Mapping[str, Priors]] = {
    # six hosts, 38 runs: 106 to 177 W of 700: 84 before CUDA starts, 117 to 121 at rest, 123 to 188
    # loading.
    OTHER: {"share": Prior(median=0.18, spread=0.2)},
    # Loading is work on CPU for the simulation.
    ON_CPU: {"share": Prior(median=0.3, spread=0.4)},
}
"""Of a GPU's mean power from startup to the warm-up and in shutdown, as shares of its limit."""

"""Blackwell: rows of the B200 and the RTX 5090.

'Read off' is `nvidia-smi` of a real board, with the driver that answered; what driver 570 answered
is printed in github.com/thamada/gls. Idle power is one reading of an idle board without a context,
and serves the simulation alone.

A datasheet or whitepaper is cited as others copied its table out.
"""

from typing import Final

from telemetry.boards.board import MIB, Board, Form
from telemetry.boards.peaks import datasheet_peaks

B200: Final = Board(
    name="b200",
    product="B200 180 GB",
    architecture="Blackwell",
    # CUDA C programming guide, compute capabilities.
    compute_capability="10.0",
    forms=(
        Form(
            driver_names=("NVIDIA B200",),
            # NVIDIA Blackwell datasheet, one GPU of an HGX B200: 4500, 9000 and 9000 with sparsity,
            # of which half is dense (copied at zdszero.github.io). NVIDIA's page of the HGX calls
            # the figures with sparsity dense.
            peaks=datasheet_peaks(
                gigabytes_per_s=7700,
                teraflop_per_s={"fp16": 2250, "bf16": 2250, "fp8": 4500, "fp32": 75},
                int8_teraop_per_s=4500,
                source="NVIDIA Blackwell datasheet, HGX B200, without sparsity",
            ),
        ),
    ),
    # Read off a B200: 183359 MiB, 136 W idle, 1000 W.
    memory_bytes=183_359 * MIB,
    idle_w=136.0,
    power_limit_w=1000.0,
    # None: no reading and no datasheet was found that has it.
    min_power_limit_w=None,
    # NVIDIA Blackwell datasheet: configurable up to 1000 W.
    max_power_limit_w=1000.0,
    # Read off a B200 (driver 595); 3996 MHz twice a clock over 7680 bits are the 7.7 TB/s stated.
    max_sm_clock_mhz=1965,
    max_memory_clock_mhz=3996,
    # None: arXiv 2312.02741 ends with Hopper, and no later work has an external meter on one.
    sensor=None,
)

RTX_5090: Final = Board(
    name="rtx5090",
    product="GeForce RTX 5090 32 GB",
    architecture="Blackwell",
    # CUDA C programming guide, compute capabilities.
    compute_capability="12.0",
    forms=(
        Form(
            driver_names=("NVIDIA GeForce RTX 5090",),
            # NVIDIA RTX Blackwell whitepaper, table 3, sums in fp32, as torch asks for them
            # (src/utilities/sol.cpp of github.com/IST-DASLab/llmq); with sparsity twice as much.
            peaks=datasheet_peaks(
                gigabytes_per_s=1792,
                teraflop_per_s={"fp16": 209.5, "bf16": 209.5, "fp8": 419, "fp32": 104.8},
                int8_teraop_per_s=838,
                source="NVIDIA RTX Blackwell whitepaper, sums in fp32, without sparsity",
            ),
        ),
    ),
    # Read off an RTX 5090 (driver 570): 32607 MiB, 24 W idle, 400 to 575 W, 3090 and 14001 MHz;
    # makers of cards set limits and clocks of their own, of which 600 W was seen.
    memory_bytes=32_607 * MIB,
    idle_w=24.0,
    power_limit_w=575.0,
    min_power_limit_w=400.0,
    max_power_limit_w=600.0,
    max_sm_clock_mhz=3090,
    max_memory_clock_mhz=14_001,
    # None: arXiv 2312.02741 ends with Ada, and no later work has an external meter on one.
    sensor=None,
)

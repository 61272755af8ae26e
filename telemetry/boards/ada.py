"""Ada: rows of the L4, L40S, RTX 4090 and RTX 6000 Ada.

'Read off' is `nvidia-smi -q` of a real board, with the driver that answered; most answers of
drivers 550 to 570 are printed in github.com/thamada/gls. Idle power is one reading of an idle
board without a context, and serves the simulation alone.

A datasheet or whitepaper is cited as others copied its table out; 'in sol.cpp' is
src/utilities/sol.cpp of github.com/IST-DASLab/llmq.
"""

from typing import Final

from telemetry.boards.board import MIB, Board, Form
from telemetry.boards.peaks import datasheet_peaks
from telemetry.boards.sensor_timing import ADA

L4: Final = Board(
    name="l4",
    product="L4 24 GB",
    architecture="Ada",
    # CUDA C programming guide, compute capabilities.
    compute_capability="8.9",
    forms=(
        Form(
            driver_names=("NVIDIA L4",),
            # NVIDIA L4 datasheet: 242, 485 and 485 with sparsity, of which half is dense: 121
            # and 242 in sol.cpp.
            peaks=datasheet_peaks(
                gigabytes_per_s=300,
                teraflop_per_s={"fp16": 121, "bf16": 121, "fp8": 242.5, "fp32": 30.3},
                int8_teraop_per_s=242.5,
                source="NVIDIA L4 datasheet, without sparsity",
            ),
        ),
    ),
    # Read off an L4 (driver 550), ECC on: 23034 MiB, 16 W idle, 40 to 72 W, 2040 and 6251 MHz.
    memory_bytes=23_034 * MIB,
    idle_w=16.0,
    power_limit_w=72.0,
    min_power_limit_w=40.0,
    max_power_limit_w=72.0,
    max_sm_clock_mhz=2040,
    max_memory_clock_mhz=6251,
    sensor=ADA,
)

L40S: Final = Board(
    name="l40s",
    product="L40S 48 GB",
    architecture="Ada",
    # CUDA C programming guide, compute capabilities.
    compute_capability="8.9",
    forms=(
        Form(
            driver_names=("NVIDIA L40S",),
            # NVIDIA L40S datasheet: 362.05, 733 and 733, beside 733, 1466 and 1466 with sparsity;
            # in sol.cpp.
            peaks=datasheet_peaks(
                gigabytes_per_s=864,
                teraflop_per_s={"fp16": 362.05, "bf16": 362.05, "fp8": 733, "fp32": 91.6},
                int8_teraop_per_s=733,
                source="NVIDIA L40S datasheet, without sparsity",
            ),
        ),
    ),
    # Read off an L40S (driver 550), ECC on: 46068 MiB, 33 W idle, 100 to 350 W, 2520 and 9001 MHz.
    memory_bytes=46_068 * MIB,
    idle_w=33.0,
    power_limit_w=350.0,
    min_power_limit_w=100.0,
    max_power_limit_w=350.0,
    max_sm_clock_mhz=2520,
    max_memory_clock_mhz=9001,
    sensor=ADA,
)

RTX_4090: Final = Board(
    name="rtx4090",
    product="GeForce RTX 4090 24 GB",
    architecture="Ada",
    # CUDA C programming guide, compute capabilities.
    compute_capability="8.9",
    forms=(
        Form(
            driver_names=("NVIDIA GeForce RTX 4090",),
            # NVIDIA Ada GPU architecture whitepaper 2.1, appendix A, sums in fp32, as torch asks
            # for them (in fp16: twice as much); in sol.cpp.
            peaks=datasheet_peaks(
                gigabytes_per_s=1008,
                teraflop_per_s={"fp16": 165.2, "bf16": 165.2, "fp8": 330.3, "fp32": 82.6},
                int8_teraop_per_s=660.6,
                source="NVIDIA Ada whitepaper, sums in fp32, without sparsity",
            ),
        ),
    ),
    # Read off an RTX 4090 (driver 550): 24564 MiB, 20 W idle, 150 to 450 W, 3105 and 10501 MHz;
    # makers of cards set limits and clocks of their own.
    memory_bytes=24_564 * MIB,
    idle_w=20.0,
    power_limit_w=450.0,
    min_power_limit_w=150.0,
    max_power_limit_w=450.0,
    max_sm_clock_mhz=3105,
    max_memory_clock_mhz=10_501,
    sensor=ADA,
)

RTX_6000_ADA: Final = Board(
    name="rtx6000-ada",
    product="RTX 6000 Ada 48 GB",
    architecture="Ada",
    # CUDA C programming guide, compute capabilities.
    compute_capability="8.9",
    forms=(
        Form(
            driver_names=("NVIDIA RTX 6000 Ada Generation",),
            # NVIDIA Ada professional GPU architecture whitepaper 1.1, page 28, sums in fp32; in
            # sol.cpp. The datasheet's 1457 are fp8 with sparsity.
            peaks=datasheet_peaks(
                gigabytes_per_s=960,
                teraflop_per_s={"fp16": 364.2, "bf16": 364.2, "fp8": 728.5, "fp32": 91.1},
                int8_teraop_per_s=728.5,
                source="NVIDIA Ada professional whitepaper, without sparsity",
            ),
        ),
    ),
    # Read off an RTX 6000 Ada (driver 550), ECC off: 49140 MiB (on: 46068), 24 W idle, 100 to
    # 300 W, 3105 and 10001 MHz.
    memory_bytes=49_140 * MIB,
    idle_w=24.0,
    power_limit_w=300.0,
    min_power_limit_w=100.0,
    max_power_limit_w=300.0,
    max_sm_clock_mhz=3105,
    max_memory_clock_mhz=10_001,
    sensor=ADA,
)

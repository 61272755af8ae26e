"""Hopper: rows of the H100, GH200 and H200.

'Read off' is `nvidia-smi -q` of a real board, with the driver that answered; most answers of
drivers 550 to 570 are printed in github.com/thamada/gls. Idle power is one reading of an idle
board or an assumption, and serves the simulation alone.

A datasheet or product brief is cited as others copied its table out; 'in sol.cpp' is
src/utilities/sol.cpp of github.com/IST-DASLab/llmq.
"""

from typing import Final

from telemetry.boards.board import MIB, Board, Form
from telemetry.boards.peaks import datasheet_peaks
from telemetry.boards.sensor_timing import GRACE_HOPPER, HOPPER_GH100, Timing

_H100: Final = "NVIDIA H100 datasheet, without sparsity"

H100_SXM: Final = Board(
    name="h100",
    product="H100 SXM 80 GB",
    architecture="Hopper",
    # CUDA C programming guide, compute capabilities.
    compute_capability="9.0",
    forms=(
        Form(
            driver_names=("NVIDIA H100 80GB HBM3",),
            # NVIDIA H100 datasheet: 1979, 3958 and 3958 with sparsity, of which half is dense; its
            # whitepaper has 989.4 and 1978.9 (in sol.cpp).
            peaks=datasheet_peaks(
                gigabytes_per_s=3350,
                teraflop_per_s={"fp16": 989, "bf16": 989, "fp8": 1979, "fp32": 67},
                int8_teraop_per_s=1979,
                source=_H100,
            ),
        ),
    ),
    # Read off an H100 80GB HBM3 (drivers 550, 565): 81559 MiB, 72 W idle, 200 to 700 W, 1980 and
    # 2619 MHz.
    memory_bytes=81_559 * MIB,
    idle_w=72.0,
    power_limit_w=700.0,
    min_power_limit_w=200.0,
    max_power_limit_w=700.0,
    max_sm_clock_mhz=1980,
    max_memory_clock_mhz=2619,
    sensor=HOPPER_GH100,
)

H100_PCIE: Final = Board(
    name="h100-pcie",
    product="H100 PCIe 80 GB",
    architecture="Hopper",
    # CUDA C programming guide, compute capabilities.
    compute_capability="9.0",
    forms=(
        Form(
            driver_names=("NVIDIA H100 PCIe",),
            # NVIDIA H100 datasheet: 1513, 3026 and 3026 with sparsity; dense in the whitepaper,
            # table 3 (in sol.cpp), whose 2039 GB/s were not final: the product brief has 2000.
            peaks=datasheet_peaks(
                gigabytes_per_s=2000,
                teraflop_per_s={"fp16": 756, "bf16": 756, "fp8": 1513, "fp32": 51},
                int8_teraop_per_s=1513,
                source=_H100,
            ),
        ),
    ),
    # Read off an H100 PCIe: 81559 MiB, 46 W idle, 350 W.
    memory_bytes=81_559 * MIB,
    idle_w=46.0,
    power_limit_w=350.0,
    # None: the product brief names 200 W for the cable that allows 310 W alone, and no reading was
    # found.
    min_power_limit_w=None,
    # NVIDIA H100 PCIe product brief PB-11133-001_v02, pages 3 and 4: 350 W at most, boost clock,
    # and the memory's.
    max_power_limit_w=350.0,
    max_sm_clock_mhz=1755,
    max_memory_clock_mhz=1593,
    sensor=HOPPER_GH100,
)

H100_NVL: Final = Board(
    name="h100-nvl",
    product="H100 NVL 94 GB",
    architecture="Hopper",
    # CUDA C programming guide, compute capabilities.
    compute_capability="9.0",
    forms=(
        Form(
            driver_names=("NVIDIA H100 NVL",),
            # NVIDIA H100 datasheet: 1671, 3341 and 3341 with sparsity, of which half is dense.
            peaks=datasheet_peaks(
                gigabytes_per_s=3900,
                teraflop_per_s={"fp16": 835.5, "bf16": 835.5, "fp8": 1670.5, "fp32": 60},
                int8_teraop_per_s=1670.5,
                source=_H100,
            ),
        ),
    ),
    # Read off an H100 NVL (driver 550): 95830 MiB, 62 W idle, 200 to 400 W, 1785 and 2619 MHz.
    memory_bytes=95_830 * MIB,
    idle_w=62.0,
    # Read off five H100 NVL; the one above was set to 310 W by its maker.
    power_limit_w=400.0,
    min_power_limit_w=200.0,
    max_power_limit_w=400.0,
    max_sm_clock_mhz=1785,
    max_memory_clock_mhz=2619,
    sensor=HOPPER_GH100,
)

GH200: Final = Board(
    name="gh200",
    product="GH200 96 GB",
    architecture="Hopper",
    # CUDA C programming guide, compute capabilities.
    compute_capability="9.0",
    forms=(
        Form(
            # 480 and 120 GB are the processor's memory.
            driver_names=("NVIDIA GH200 480GB", "NVIDIA GH200 120GB"),
            # NVIDIA GH200 datasheet, 96 GB of HBM3, which prints both, without sparsity
            # (pipeline/pipeline/sources/gh200_specs.md of
            # github.com/atineoSE/coding-model-seeks-gpu).
            peaks=datasheet_peaks(
                gigabytes_per_s=4000,
                teraflop_per_s={"fp16": 990, "bf16": 990, "fp8": 1979, "fp32": 67},
                int8_teraop_per_s=1979,
                source="NVIDIA GH200 datasheet, without sparsity",
            ),
        ),
    ),
    # Read off a GH200 480GB (driver 550): 97871 MiB, 88 W idle, 100 to 900 W, 1980 and 2619 MHz;
    # the whole module's limit of 1000 W is another, and machines set the GPU's to 680 or 700 W.
    memory_bytes=97_871 * MIB,
    idle_w=88.0,
    power_limit_w=900.0,
    min_power_limit_w=100.0,
    max_power_limit_w=900.0,
    max_sm_clock_mhz=1980,
    max_memory_clock_mhz=2619,
    sensor=GRACE_HOPPER,
)

H200: Final = Board(
    name="h200",
    product="H200 141 GB",
    architecture="Hopper",
    # Read off an H200 (driver 580).
    compute_capability="9.0",
    forms=(
        Form(
            driver_names=("NVIDIA H200",),
            # NVIDIA H200 datasheet, without sparsity. One H200, driver 580, torch: a copy of
            # gigabytes within the card, read and written bytes counted; a square bf16 product of
            # thousands.
            peaks=datasheet_peaks(
                gigabytes_per_s=4800,
                teraflop_per_s={"fp16": 989, "bf16": 989, "fp8": 1979, "fp32": 67},
                int8_teraop_per_s=1979,
                source="NVIDIA H200 datasheet, without sparsity",
                measured_gigabytes_per_s=4270,
                measured_teraflop_per_s={"bf16": 788},
                measured_source="one H200: a large copy, a large bf16 matrix product",
            ),
        ),
    ),
    # Read off an H200 (driver 580): 143771 MiB; limits 200 to 700 W; clocks up to 1980 MHz, its
    # memory's up to 3201 MHz.
    memory_bytes=143_771 * MIB,
    # Assumption of the simulation.
    idle_w=75.0,
    power_limit_w=700.0,
    min_power_limit_w=200.0,
    max_power_limit_w=700.0,
    max_sm_clock_mhz=1980,
    max_memory_clock_mhz=3201,
    # Read off an H200 (driver 580): the instantaneous reading changes every 100 ms; its window is
    # that of GH100 in arXiv 2312.02741.
    sensor=HOPPER_GH100,
    # Read off an H200 (driver 580): 119 samples 20.0 ms apart, 111 of 118 neighbours differ.
    sample_timing=Timing.of_ms(20, 20),
    # The same in sixteen runs on H200 (driver 580.159, torch 2.11, NCCL 2.28; `model.json` in
    # tests/recorded).
    context_bytes=1_310_000_000,
    nccl_bytes=810_000_000,
)

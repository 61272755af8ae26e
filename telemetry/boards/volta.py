"""Volta: rows of the V100.

'Read off' is `nvidia-smi -q` of a real board, with the driver that answered; what driver 550
answered is printed in github.com/thamada/gls. Idle power is one reading of an idle board or an
assumption, and serves the simulation alone.
"""

from typing import Final

from telemetry.boards.board import GIB, Board, Form
from telemetry.boards.peaks import datasheet_peaks
from telemetry.boards.sensor_timing import VOLTA

_SOURCE: Final = "NVIDIA V100 datasheet"
# NVIDIA V100 datasheet; Volta's tensor cores know no bf16, no fp8 and no int8.
_PCIE: Final = datasheet_peaks(
    gigabytes_per_s=900, teraflop_per_s={"fp16": 112, "fp32": 14}, source=_SOURCE
)
_SXM2: Final = datasheet_peaks(
    gigabytes_per_s=900, teraflop_per_s={"fp16": 125, "fp32": 15.7}, source=_SOURCE
)
_V100S: Final = datasheet_peaks(
    gigabytes_per_s=1134, teraflop_per_s={"fp16": 130, "fp32": 16.4}, source=_SOURCE
)

V100_32GB: Final = Board(
    name="v100",
    product="Tesla V100 32 GB",
    architecture="Volta",
    # CUDA C programming guide, compute capabilities.
    compute_capability="7.0",
    forms=(
        Form(driver_names=("Tesla V100-PCIE-32GB",), peaks=_PCIE),
        Form(driver_names=("Tesla V100S-PCIE-32GB",), peaks=_V100S),
        Form(driver_names=("Tesla V100-SXM2-32GB",), peaks=_SXM2),
        # The DGX-2's module: its datasheet states the whole machine alone.
        Form(driver_names=("Tesla V100-SXM3-32GB",), peaks=None),
    ),
    # Read off a V100-SXM3-32GB: 32768 MiB; drivers before 510 leave out what they reserve.
    memory_bytes=32 * GIB,
    # Assumption of the simulation.
    idle_w=38.0,
    # arXiv 2310.03003, table I: 250 W, the PCIe card's.
    power_limit_w=250.0,
    # Read off a V100-PCIE-32GB.
    min_power_limit_w=100.0,
    # Read off a V100-SXM3-32GB; SXM2 300 W, PCIe 250 W (NVIDIA V100 datasheet).
    max_power_limit_w=350.0,
    # NVIDIA V100 datasheet, PCIe card: boost clock; SXM2 1530 MHz.
    max_sm_clock_mhz=1380,
    # Read off a V100-PCIE-32GB.
    max_memory_clock_mhz=877,
    sensor=VOLTA,
)

V100_16GB: Final = Board(
    name="v100-16gb",
    product="Tesla V100 16 GB",
    architecture="Volta",
    # CUDA C programming guide, compute capabilities.
    compute_capability="7.0",
    forms=(
        Form(driver_names=("Tesla V100-SXM2-16GB",), peaks=_SXM2),
        Form(driver_names=("Tesla V100-PCIE-16GB",), peaks=_PCIE),
    ),
    # Read off a V100-SXM2-16GB (driver 550): 16384 MiB, 45 W idle, 300 W, 1530 and 877 MHz.
    memory_bytes=16 * GIB,
    idle_w=45.0,
    power_limit_w=300.0,
    # Read off a V100-PCIE-32GB, the same card but for its memory; SXM2 150 W (driver 550).
    min_power_limit_w=100.0,
    max_power_limit_w=300.0,
    max_sm_clock_mhz=1530,
    max_memory_clock_mhz=877,
    sensor=VOLTA,
)

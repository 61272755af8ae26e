"""Ampere: rows of the A100, A30, A40 and A10.

'Read off' is `nvidia-smi -q` of a real board, with the driver that answered; most answers of
drivers 550 to 570 are printed in github.com/thamada/gls. Idle power is one reading of an idle
board without a context, and serves the simulation alone.

A datasheet is cited as others copied its table out: of the A10 and the A30 in
_posts/2023-10-25-gpu-data-sheets.md of github.com/ArthurChiao/arthurchiao.github.io.
"""

from typing import Final

from telemetry.boards.board import GIB, MIB, Board, Form
from telemetry.boards.peaks import Peaks, datasheet_peaks
from telemetry.boards.sensor_timing import AMPERE, AMPERE_GA100


def _a100(gigabytes_per_s: float) -> Peaks:
    """All A100 compute alike and differ in their memory; Ampere knows no fp8."""
    return datasheet_peaks(
        gigabytes_per_s=gigabytes_per_s,
        teraflop_per_s={"fp16": 312, "bf16": 312, "fp32": 19.5},
        int8_teraop_per_s=624,
        source="NVIDIA A100 datasheet",
    )


A100_80GB: Final = Board(
    name="a100",
    product="A100 80 GB",
    architecture="Ampere",
    # CUDA C programming guide, compute capabilities.
    compute_capability="8.0",
    forms=(
        # NVIDIA A100 datasheet.
        Form(
            driver_names=("A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB"),
            peaks=_a100(2039),
        ),
        Form(
            driver_names=("A100-PCIE-80GB", "NVIDIA A100-PCIE-80GB", "NVIDIA A100 80GB PCIe"),
            peaks=_a100(1935),
        ),
    ),
    # Read off an A100-SXM4-80GB (driver 555): 81920 MiB.
    memory_bytes=80 * GIB,
    # About 50 W idle (github.com/NVIDIA/dcgm-exporter 464).
    idle_w=50.0,
    # arXiv 2310.03003, table I: 300 W, the PCIe card's.
    power_limit_w=300.0,
    # Assumption of the simulation, for the PCIe card; SXM4 takes 100 W (read off, driver 555).
    min_power_limit_w=150.0,
    # Read off an A100-SXM4-80GB (driver 555); most SXM4 take 400 W (NVIDIA A100 datasheet).
    max_power_limit_w=500.0,
    # NVIDIA A100 datasheet: boost clock.
    max_sm_clock_mhz=1410,
    # Read off an A100-SXM4-80GB (driver 555); PCIe 1512 MHz.
    max_memory_clock_mhz=1593,
    sensor=AMPERE_GA100,
)

A100_40GB: Final = Board(
    name="a100-40gb",
    product="A100 40 GB",
    architecture="Ampere",
    # CUDA C programming guide, compute capabilities.
    compute_capability="8.0",
    forms=(
        # NVIDIA A100 datasheet, both forms.
        Form(
            driver_names=("A100-SXM4-40GB", "NVIDIA A100-SXM4-40GB"),
            peaks=_a100(1555),
        ),
        Form(
            driver_names=("A100-PCIE-40GB", "NVIDIA A100-PCIE-40GB"),
            peaks=_a100(1555),
        ),
    ),
    # Read off A100-SXM4-40GB (driver 535): 40960 MiB, 46 and 52 W idle, 100 to 400 W, 1410 and
    # 1215 MHz, which twice a clock over 5120 bits are the 1555 GB/s stated; PCIe 250 W (NVIDIA A100
    # datasheet).
    memory_bytes=40 * GIB,
    idle_w=46.0,
    power_limit_w=400.0,
    min_power_limit_w=100.0,
    max_power_limit_w=400.0,
    max_sm_clock_mhz=1410,
    max_memory_clock_mhz=1215,
    sensor=AMPERE_GA100,
)

A30: Final = Board(
    name="a30",
    product="A30 24 GB",
    architecture="Ampere",
    # CUDA C programming guide, compute capabilities.
    compute_capability="8.0",
    forms=(
        Form(
            driver_names=("A30", "NVIDIA A30"),
            # NVIDIA A30 datasheet: 165 and 330 without sparsity.
            peaks=datasheet_peaks(
                gigabytes_per_s=933,
                teraflop_per_s={"fp16": 165, "bf16": 165, "fp32": 10.3},
                int8_teraop_per_s=330,
                source="NVIDIA A30 datasheet, without sparsity",
            ),
        ),
    ),
    # Read off an A30 (driver 570): 24576 MiB, 165 W, memory at 1215 MHz; 37 W idle, split by MIG.
    memory_bytes=24_576 * MIB,
    idle_w=37.0,
    power_limit_w=165.0,
    # Read off an A30 (driver 610): 100 to 165 W.
    min_power_limit_w=100.0,
    max_power_limit_w=165.0,
    # cudaGetDeviceProperties of an A30 (results_kvcache/window-4096.md of
    # github.com/JakeFlasher/benchmark_flash_attention).
    max_sm_clock_mhz=1440,
    max_memory_clock_mhz=1215,
    sensor=AMPERE_GA100,
)

A40: Final = Board(
    name="a40",
    product="A40 48 GB",
    architecture="Ampere",
    # CUDA C programming guide, compute capabilities.
    compute_capability="8.6",
    forms=(
        Form(
            driver_names=("A40", "NVIDIA A40"),
            # NVIDIA A40 datasheet: 149.7 and 299.3, beside 299.4 and 598.6 with sparsity.
            peaks=datasheet_peaks(
                gigabytes_per_s=696,
                teraflop_per_s={"fp16": 149.7, "bf16": 149.7, "fp32": 37.4},
                int8_teraop_per_s=299.3,
                source="NVIDIA A40 datasheet, without sparsity",
            ),
        ),
    ),
    # Read off an A40 (driver 550), ECC on: 46068 MiB, 24 W idle, 100 to 300 W, 1740 and 7251 MHz.
    memory_bytes=46_068 * MIB,
    idle_w=24.0,
    power_limit_w=300.0,
    min_power_limit_w=100.0,
    max_power_limit_w=300.0,
    max_sm_clock_mhz=1740,
    max_memory_clock_mhz=7251,
    sensor=AMPERE,
)

A10: Final = Board(
    name="a10",
    product="A10 24 GB",
    architecture="Ampere",
    # CUDA C programming guide, compute capabilities.
    compute_capability="8.6",
    forms=(
        Form(
            driver_names=("A10", "NVIDIA A10"),
            # NVIDIA A10 datasheet: 125 (with sparsity 250) and 250; also in
            # github.com/astroC86/gpu-datasheet.
            peaks=datasheet_peaks(
                gigabytes_per_s=600,
                teraflop_per_s={"fp16": 125, "bf16": 125, "fp32": 31.2},
                int8_teraop_per_s=250,
                source="NVIDIA A10 datasheet, without sparsity",
            ),
        ),
    ),
    # Read off an A10 (driver 550), ECC on: 23028 MiB, 16 W idle, 100 to 150 W, 1695 and 6251 MHz.
    memory_bytes=23_028 * MIB,
    idle_w=16.0,
    power_limit_w=150.0,
    min_power_limit_w=100.0,
    max_power_limit_w=150.0,
    max_sm_clock_mhz=1695,
    max_memory_clock_mhz=6251,
    sensor=AMPERE,
)

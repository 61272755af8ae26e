"""Kinds: memory, limits and how their power sensor behaves."""

from dataclasses import dataclass
from typing import Final

_GIB: Final = 1 << 30
_MIB: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class GpuKind:
    """One kind of GPU."""

    name: str
    """Short name used in specs."""
    product: str
    """Name and memory of the board, for people."""
    driver_names: tuple[str, ...]
    """What nvmlDeviceGetName calls boards of this kind, old drivers and new."""
    memory_bytes: int
    """Memory the driver reports as total."""
    idle_w: float
    """Board power with a context and nothing to do; used by simulation alone."""
    power_limit_w: float
    """Default power limit of the board."""
    min_power_limit_w: float
    """Lowest power limit the board takes."""
    max_sm_clock_mhz: int
    """Highest clock of the SMs; they run at it in simulation unless locked lower."""
    sensor_period_ms: int
    """Time between two updates of the power sensor."""
    sensor_window_ms: int
    """Time that one instantaneous power reading averages over."""


_ALL: Final = (
    GpuKind(
        name="v100",
        product="Tesla V100 32 GB",
        driver_names=(
            "Tesla V100-PCIE-32GB",
            "Tesla V100S-PCIE-32GB",
            "Tesla V100-SXM2-32GB",
            "Tesla V100-SXM3-32GB",
        ),
        memory_bytes=32 * _GIB,
        # arXiv 2310.03003, table I: 250 W; idle and least limit are assumptions of the simulation.
        idle_w=38.0,
        power_limit_w=250.0,
        min_power_limit_w=100.0,
        # NVIDIA V100 datasheet, PCIe board: boost clock.
        max_sm_clock_mhz=1380,
        # arXiv 2312.02741, Volta: 20 ms, 10 ms.
        sensor_period_ms=20,
        sensor_window_ms=10,
    ),
    GpuKind(
        name="a100",
        product="A100 80 GB",
        driver_names=(
            "A100-SXM4-80GB",
            "NVIDIA A100-SXM4-80GB",
            "A100-PCIE-80GB",
            "NVIDIA A100-PCIE-80GB",
            "NVIDIA A100 80GB PCIe",
        ),
        memory_bytes=80 * _GIB,
        # arXiv 2310.03003, table I: 300 W; idle about 50 W (github.com/NVIDIA/dcgm-exporter 464).
        idle_w=50.0,
        power_limit_w=300.0,
        min_power_limit_w=150.0,
        # NVIDIA A100 datasheet: boost clock.
        max_sm_clock_mhz=1410,
        # arXiv 2312.02741, GA100: 100 ms, 25 ms.
        sensor_period_ms=100,
        sensor_window_ms=25,
    ),
    GpuKind(
        name="h200",
        product="H200 141 GB",
        driver_names=("NVIDIA H200",),
        # Read off an H200: 143771 MiB; limits 200 to 700 W; clocks up to 1980 MHz.
        memory_bytes=143_771 * _MIB,
        # Assumption of the simulation.
        idle_w=75.0,
        power_limit_w=700.0,
        min_power_limit_w=200.0,
        max_sm_clock_mhz=1980,
        # Read off an H200: the instantaneous reading changes every 100 ms; window of GH100 in
        # arXiv 2312.02741: 25 ms.
        sensor_period_ms=100,
        sensor_window_ms=25,
    ),
)

GPU_KINDS: Final = {kind.name: kind for kind in _ALL}
"""All kinds by name."""


def kind_of(driver_name: str) -> GpuKind | None:
    """The kind of the board that its driver calls `driver_name`; None when it is none of them."""
    return next((kind for kind in _ALL if driver_name in kind.driver_names), None)

"""Boards without a row: only how their power sensor behaves was looked up."""

from typing import Final

from telemetry.boards.sensor_timing import (
    ADA,
    AMPERE,
    AMPERE_GA100,
    GRACE_HOPPER,
    HOPPER_GH100,
    PASCAL,
    TURING,
    VOLTA,
    SensorTiming,
)

# Names as nvmlDeviceGetName gives them, without the NVIDIA that newer drivers put before them.
_PRODUCTS: Final[tuple[tuple[SensorTiming, tuple[str, ...]], ...]] = (
    (
        PASCAL,
        ("Tesla P100-PCIE-12GB", "Tesla P100-PCIE-16GB", "Tesla P100-SXM2-16GB", "Tesla P40"),
    ),
    (VOLTA, ("TITAN V",)),
    (TURING, ("Tesla T4", "TITAN RTX", "Quadro RTX 6000", "Quadro RTX 8000")),
    (AMPERE_GA100, ("A100-SXM-64GB", "A800-SXM4-80GB", "A800 80GB PCIe")),
    (
        AMPERE,
        (
            *("A2", "A10G", "A16", "RTX A4000", "RTX A5000", "RTX A6000"),
            *("GeForce RTX 3080", "GeForce RTX 3090", "GeForce RTX 3090 Ti"),
        ),
    ),
    (ADA, ("L40", "RTX 4000 Ada Generation", "GeForce RTX 4080")),
    (HOPPER_GH100, ("H100 SXM5 80GB", "H800", "H20", "H200 NVL")),
    (GRACE_HOPPER, ("GH200 144G HBM3e",)),
)
SENSORS_ONLY: Final = {product: timing for timing, products in _PRODUCTS for product in products}
"""By name without prefix; no board of `telemetry.boards.table` is among them."""

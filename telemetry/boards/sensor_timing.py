"""Sensor timing: how often a board's power readings change, and what they average over.

Measured by Z. Yang, K. Adamek and W. Armour (arXiv 2312.02741; data: Overall_Results.xlsx of
github.com/JimZeyuYang/GPU_Power_Benchmark) against external meters; what that work does not have
is marked with where it comes from. A board is found by the exact name that its driver gives it. A
board that is not in the table is taken to behave as the slowest of those that are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_US_PER_MS: Final = 1_000
_YANG: Final = "arXiv 2312.02741"
# Driver prefixes and the word that marks a modelled board: neither is part of a board's behaviour.
_PREFIXES: Final = ("SIMULATED ", "NVIDIA ")

POWER_SAMPLE: Final = "power_sample_w"
"""The driver's own buffer of power samples."""
POWER_INSTANT: Final = "power_instant_w"
POWER_AVERAGE: Final = "power_average_w"
POWER_FIELDS: Final = (POWER_SAMPLE, POWER_INSTANT, POWER_AVERAGE)
"""Readings of a board's power, the finest in time first."""
COUNTER: Final = "energy_j"
"""The board's own running total."""

# The first driver branch whose average is the one-second one again on Ampere and Ada; branch 530
# alone gave 100 ms (arXiv 2312.02741).
_SHORT_AVERAGE_BRANCH: Final = 530
# NVIDIA's drivers bring the counter up to date about every 100 ms (nvrm_registry.h of
# github.com/NVIDIA/open-gpu-kernel-modules); 100 ms was read off an H200 too.
_COUNTER_UPDATE_MS: Final = 100
# Proportional error of a board's power in steady state, different for each board of one product
# (arXiv 2312.02741).
GAIN_SHARE: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How one reading behaves in time."""

    update_us: int
    """Time between two new values."""
    window_us: int
    """Time before its stamp that one value is the mean of; 0 for a running total."""

    @property
    def resolution_us(self) -> int:
        """The shortest time that two neighbouring values tell apart."""
        return max(self.update_us, self.window_us)


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """How the readings of one architecture behave."""

    architecture: str
    """Line of the table, such as `Hopper GH100`; `unknown` for a board in none."""
    source: str
    """Where the figures come from; for an unknown board the rule that stands in."""
    timings: Mapping[str, Timing]
    """By field: every field of `POWER_FIELDS`, and the counter."""
    gain_share: float = GAIN_SHARE
    """How far a board's power may be off in proportion, as a share."""
    known: bool = True
    """False: no board of that name was measured, and a rule stands in."""


def sensor_of(gpu: Mapping[str, Any]) -> Sensor:
    """How the power readings of a GPU behave; `gpu` is an entry of a host's inventory.

    Its `name` decides, and its `driver` where the meaning of a reading depends on that. A simulated
    GPU's sensor is the model of its `kind`, without an error of gain.
    """
    name = str(gpu.get("name") or "")
    architecture = _KINDS.get(str(gpu.get("kind"))) if gpu.get("simulated") else None
    architecture = architecture or _ARCHITECTURE_OF.get(_bare(name))
    if architecture is None:
        return _unknown(name)
    timings = dict(_TIMINGS[architecture])
    branch = str(gpu.get("driver") or "").partition(".")[0]
    if architecture in _SHORT_AVERAGE and branch == str(_SHORT_AVERAGE_BRANCH):
        timings[POWER_AVERAGE] = timings[POWER_INSTANT]
    if gpu.get("simulated"):
        # The model's counter is brought up to date with its power.
        timings[COUNTER] = Timing(update_us=timings[POWER_INSTANT].update_us, window_us=0)
    elif _bare(name) in _BUFFER_50_HZ:
        timings[POWER_SAMPLE] = _BUFFER
    return Sensor(
        architecture=architecture,
        source="the simulation's own constants" if gpu.get("simulated") else _SOURCES[architecture],
        timings=timings,
        gain_share=0.0 if gpu.get("simulated") else GAIN_SHARE,
    )


def _bare(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _timing(update_ms: int, window_ms: int) -> Timing:
    return Timing(update_us=update_ms * _US_PER_MS, window_us=window_ms * _US_PER_MS)


def _timings(instant: Timing, average: Timing) -> Mapping[str, Timing]:
    """A table's line; where nobody measured the driver's buffer it is as slow as the instant."""
    return {
        POWER_SAMPLE: instant,
        POWER_INSTANT: instant,
        POWER_AVERAGE: average,
        COUNTER: _timing(_COUNTER_UPDATE_MS, 0),
    }


# Update period and averaging window of the instantaneous and of the average reading, in that
# order. Boards that have no average of their own give the instantaneous value under its name.
_TIMINGS: Final = {
    "Pascal": _timings(_timing(20, 10), _timing(20, 10)),
    "Volta": _timings(_timing(20, 10), _timing(20, 10)),
    "Turing": _timings(_timing(100, 100), _timing(100, 100)),
    "Ampere GA100": _timings(_timing(100, 25), _timing(100, 25)),
    "Ampere": _timings(_timing(100, 100), _timing(100, 1000)),
    "Ada": _timings(_timing(100, 100), _timing(100, 1000)),
    "Hopper GH100": _timings(_timing(100, 25), _timing(100, 1000)),
    # GH200's instantaneous reading covers 20 of 100 ms and mixes the board's processor in.
    "Grace Hopper": _timings(_timing(100, 20), _timing(100, 1000)),
}
_SOURCES: Final = {
    **dict.fromkeys(_TIMINGS, _YANG),
    "Grace Hopper": f"{_YANG}; readings are the whole module's",
}
_SHORT_AVERAGE: Final = ("Ampere", "Ada")
# Read off an H200 (driver 580): 119 samples 20.0 ms apart, 111 of 118 neighbours differ.
_BUFFER: Final = _timing(20, 20)
_BUFFER_50_HZ: Final = ("H200",)
# Kinds of `telemetry.boards.kinds` that a simulated GPU may be of.
_KINDS: Final = {"v100": "Volta", "a100": "Ampere GA100", "h200": "Hopper GH100"}

# Names as nvmlDeviceGetName gives them, without the NVIDIA that newer drivers put before them.
_PRODUCTS: Final = {
    "Pascal": ("Tesla P100-PCIE-12GB", "Tesla P100-PCIE-16GB", "Tesla P100-SXM2-16GB", "Tesla P40"),
    "Volta": (
        *("Tesla V100-PCIE-16GB", "Tesla V100-PCIE-32GB", "Tesla V100S-PCIE-32GB"),
        *("Tesla V100-SXM2-16GB", "Tesla V100-SXM2-32GB", "Tesla V100-SXM3-32GB", "TITAN V"),
    ),
    "Turing": ("Tesla T4", "TITAN RTX", "Quadro RTX 6000", "Quadro RTX 8000"),
    "Ampere GA100": (
        *("A100-PCIE-40GB", "A100-PCIE-80GB", "A100 80GB PCIe", "A100-SXM4-40GB"),
        *("A100-SXM4-80GB", "A100-SXM-64GB", "A800-SXM4-80GB", "A800 80GB PCIe", "A30"),
    ),
    "Ampere": (
        *("A2", "A10", "A10G", "A16", "A40", "RTX A4000", "RTX A5000", "RTX A6000"),
        *("GeForce RTX 3080", "GeForce RTX 3090", "GeForce RTX 3090 Ti"),
    ),
    "Ada": (
        *("L4", "L40", "L40S", "RTX 4000 Ada Generation", "RTX 6000 Ada Generation"),
        *("GeForce RTX 4080", "GeForce RTX 4090"),
    ),
    "Hopper GH100": (
        *("H100 80GB HBM3", "H100 PCIe", "H100 NVL", "H100 SXM5 80GB", "H800", "H20"),
        *("H200", "H200 NVL"),
    ),
    "Grace Hopper": ("GH200 120GB", "GH200 480GB", "GH200 144G HBM3e"),
}
_ARCHITECTURE_OF: Final = {
    product: architecture for architecture, products in _PRODUCTS.items() for product in products
}


def _unknown(name: str) -> Sensor:
    slowest = {
        field: Timing(
            update_us=max(timings[field].update_us for timings in _TIMINGS.values()),
            window_us=max(timings[field].window_us for timings in _TIMINGS.values()),
        )
        for field in (*POWER_FIELDS, COUNTER)
    }
    return Sensor(
        architecture="unknown",
        source=f"{name or 'a board without a name'} is in no table: taken as slow as the slowest",
        timings=slowest,
        known=False,
    )

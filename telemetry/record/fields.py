"""Fields: one row each, with unit and meaning.

Bind by id, name by our own column: NVIDIA renames fields between DCGM releases (155 is
DCGM_FI_DEV_POWER_USAGE up to 4.5 and DCGM_FI_DEV_BOARD_POWER_WATTS from 4.6 on), ids stay.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """How a reading behaves between two samples."""

    GAUGE = "gauge"
    """A level: holds until the next sample."""
    COUNTER = "counter"
    """A running total: only differences mean something."""


class Subject(StrEnum):
    """What a reading is about."""

    GPU = "gpu"
    HOST = "host"
    PROCESS = "process"
    ZONE = "zone"
    """A part of the host with a sensor of its own: a CPU package, its memory, a power rail."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One kind of reading."""

    name: str
    """Value of the samples table's `field` column; ends in its unit."""
    subject: Subject
    """What it is a reading of."""
    kind: Kind
    """Whether it is a level or a running total."""
    unit: str
    """SI unit, `1` for a ratio; MHz for clocks as the whole field writes them."""
    meaning: str
    """Definition of the value, in one sentence."""
    dcgm_id: int | None = None
    """Source: dcgm_fields.h of github.com/NVIDIA/DCGM; None when DCGM has no such field."""
    nvml: str | None = None
    """NVML call or field value that reads the same."""
    dcgm_factor: float = 1.0
    """Multiplies DCGM's value into `unit`; DCGM gives mJ, MiB and percent."""
    dcgm_since: str | None = None
    """First release tag that has the id; `2.1.4` is the oldest looked at."""
    least: float | None = None
    """A smaller value is a fault of the sensor and not a reading; None sets no bound."""
    most: float | None = None
    """A larger value likewise; a board's own limits stand in `telemetry.boards.reading_limits`."""

    def __post_init__(self) -> None:
        bounds = (self.least, self.most)
        known = [bound for bound in bounds if bound is not None]
        if known != sorted(known) or not all(map(math.isfinite, known)):
            raise ValueError(
                f"`least` and `most` must be finite and not fall, but are {self.least!r} and "
                f"{self.most!r} instead"
            )


# A share is at most 1, rounding aside; DCGM has given 808334905 % (github.com/NVIDIA/
# dcgm-exporter/issues/418).
_SHARE: Final = (0.0, 1.01)
# The regulators and the memory of a board that answers draw something: laptops' boards at rest, the
# thriftiest, tell of 1 W, and nvidia-smi rounds. Boards of 2026 take 1,400 W at most (NVIDIA
# GB300), and twice that for a moment.
_BOARD_W: Final = (0.5, 3_000.0)
# Since a driver was loaded: 3 kW for ten years. A counter of 64 bits in mJ could show 1.8e16 J.
_TOTAL_J: Final = (0.0, 1e12)
# A temperature of 0 degrees is what boards without the sensor give; they cut out below 150.
_HOT_C: Final = (1.0, 150.0)
# What runs has a clock. Memory of RTX 5090 goes to 14001 MHz, multiprocessors to 3 GHz.
_SM_MHZ: Final = (1.0, 5_000.0)
_MEMORY_MHZ: Final = (1.0, 20_000.0)
# 2^43 is thirty times the memory of a GB300; 2^52 is what x86-64 can address.
_BOARD_BYTES: Final = (0.0, float(1 << 43))
_HOST_BYTES: Final = (1.0, float(1 << 52))
# PCIe 7 has 242 GB/s each way over 16 lanes, NVLink 6 has 1.8 TB/s.
_PCIE_BYTES_PER_S: Final = (0.0, 1e12)
_NVLINK_BYTES_PER_S: Final = (0.0, 1e13)
# NVML's mask has nine bits (nvml.h, nvmlClocksEventReason*); all 32 set is no answer.
_REASON_BITS: Final = (0.0, float(1 << 31))
# XID numbers have three digits (NVIDIA XID Errors, r580).
_XID: Final = (0.0, 65_535.0)
# A process may run more threads than it was told to: at most all CPUs that Linux can have
# (CONFIG_NR_CPUS of x86-64).
_CPUS: Final = (0.0, 8_192.0)
# A rail may carry nothing; a node of 16 boards takes 20 kW, and one that tells this is powered.
_RAIL_W: Final = (0.0, 20_000.0)
_NODE_W: Final = (1.0, 100_000.0)
# DCGM gives energy in mJ, utilization in percent and memory in MiB.
_MILLI: Final = 1e-3
_PERCENT: Final = 0.01
_MIB: Final = float(1 << 20)


def _gpu(
    name: str,
    unit: str,
    meaning: str,
    *,
    dcgm: tuple[int, str] | None = None,
    nvml: str | None = None,
    factor: float = 1.0,
    total: bool = False,
    within: tuple[float, float],
) -> Field:
    """A reading of a GPU; `dcgm` is its id and the first release that has it.

    `within` are the least and the most that it can be.
    """
    dcgm_id, dcgm_since = dcgm or (None, None)
    return Field(
        name=name,
        subject=Subject.GPU,
        kind=Kind.COUNTER if total else Kind.GAUGE,
        unit=unit,
        meaning=meaning,
        dcgm_id=dcgm_id,
        nvml=nvml,
        dcgm_factor=factor,
        dcgm_since=dcgm_since,
        least=within[0],
        most=within[1],
    )


def _node(
    subject: Subject,
    name: str,
    unit: str,
    meaning: str,
    *,
    total: bool = False,
    within: tuple[float, float],
) -> Field:
    """A reading of a node, a rank or a part of the node; `within` as of a GPU."""
    return Field(
        name=name,
        subject=subject,
        kind=Kind.COUNTER if total else Kind.GAUGE,
        unit=unit,
        meaning=meaning,
        least=within[0],
        most=within[1],
    )


# A row is a field, and its place the order in which fields are written.
# fmt: off
_ALL: Final = (
    # What the board draws, does and holds.
    _gpu("power_instant_w", "W", "Board power over the sensor's own short window.",
         dcgm=(157, "3.2.5"), nvml="NVML_FI_DEV_POWER_INSTANT", within=_BOARD_W),
    _gpu("power_average_w", "W",
         "Board power averaged over one second on Ampere (but GA100) and newer.",
         dcgm=(155, "2.1.4"), nvml="NVML_FI_DEV_POWER_AVERAGE", within=_BOARD_W),
    _gpu("energy_j", "J", "Board energy since the driver was loaded, Volta and newer.",
         dcgm=(156, "2.1.4"), nvml="nvmlDeviceGetTotalEnergyConsumption",
         factor=_MILLI, total=True, within=_TOTAL_J),
    _gpu("gpu_utilization", "1",
         "Share of time in which a kernel ran: how long, not how much of the GPU.",
         dcgm=(203, "2.1.4"), nvml="nvmlDeviceGetUtilizationRates.gpu",
         factor=_PERCENT, within=_SHARE),
    _gpu("gpu_memory_used_bytes", "B", "Memory taken on the GPU.",
         dcgm=(252, "2.1.4"), nvml="nvmlDeviceGetMemoryInfo_v2.used", factor=_MIB,
         within=_BOARD_BYTES),
    _gpu("sm_clock_mhz", "MHz", "Clock of the streaming multiprocessors.",
         dcgm=(100, "2.1.4"), nvml="nvmlDeviceGetClockInfo.sm", within=_SM_MHZ),
    _gpu("power_limit_w", "W", "Power limit in force.",
         dcgm=(164, "2.1.4"), nvml="nvmlDeviceGetEnforcedPowerLimit", within=_BOARD_W),
    _gpu("power_sample_w", "W",
         "Board power from the driver's own buffer, about 50 samples a second.",
         nvml="nvmlDeviceGetSamples(NVML_TOTAL_POWER_SAMPLES)", within=_BOARD_W),
    _gpu("memory_copy_utilization", "1", "Share of time in which GPU memory was read or written.",
         dcgm=(204, "2.1.4"), nvml="nvmlDeviceGetUtilizationRates.memory",
         factor=_PERCENT, within=_SHARE),
    _gpu("memory_clock_mhz", "MHz", "Clock of the GPU's memory.",
         dcgm=(101, "2.1.4"), nvml="nvmlDeviceGetClockInfo.mem", within=_MEMORY_MHZ),
    _gpu("gpu_temperature_c", "degC", "Temperature of the GPU's die.",
         dcgm=(150, "2.1.4"), nvml="nvmlDeviceGetTemperature.gpu", within=_HOT_C),
    _gpu("memory_temperature_c", "degC", "Temperature of the GPU's memory.",
         dcgm=(140, "2.1.4"), nvml="NVML_FI_DEV_MEMORY_TEMP", within=_HOT_C),
    _gpu("power_limit_requested_w", "W", "Power limit that was asked of the board.",
         dcgm=(160, "2.1.4"), nvml="nvmlDeviceGetPowerManagementLimit", within=_BOARD_W),
    _gpu("throttle_reasons", "1",
         "What holds the clocks down, in bits: 1 idle, 2 set, 4 power cap, 8 hardware.",
         dcgm=(112, "2.1.4"), nvml="nvmlDeviceGetCurrentClocksEventReasons", within=_REASON_BITS),
    _gpu("xid", "1", "Latest XID error of the driver; 0 while none was seen.",
         dcgm=(230, "2.1.4"), nvml="nvmlEventTypeXidCriticalError", within=_XID),
    # What profiling counts: means since the last look.
    _gpu("graphics_active", "1",
         "Share of time in which the graphics or compute engine was active.",
         dcgm=(1001, "2.1.4"), nvml="NVML_GPM_METRIC_GRAPHICS_UTIL", within=_SHARE),
    _gpu("sm_active", "1", "Share of time with a warp on a multiprocessor, over all of them.",
         dcgm=(1002, "2.1.4"), nvml="NVML_GPM_METRIC_SM_UTIL", within=_SHARE),
    _gpu("sm_occupancy", "1", "Resident warps over the most that the multiprocessors can hold.",
         dcgm=(1003, "2.1.4"), nvml="NVML_GPM_METRIC_SM_OCCUPANCY", within=_SHARE),
    _gpu("tensor_active", "1", "Share of time in which a tensor core was active.",
         dcgm=(1004, "2.1.4"), nvml="NVML_GPM_METRIC_ANY_TENSOR_UTIL", within=_SHARE),
    _gpu("dram_active", "1", "Share of time in which GPU memory moved data.",
         dcgm=(1005, "2.1.4"), nvml="NVML_GPM_METRIC_DRAM_BW_UTIL", within=_SHARE),
    _gpu("pcie_tx_bytes_per_s", "B/s", "PCIe traffic from the GPU.",
         dcgm=(1009, "2.1.4"), nvml="NVML_GPM_METRIC_PCIE_TX_PER_SEC", within=_PCIE_BYTES_PER_S),
    _gpu("pcie_rx_bytes_per_s", "B/s", "PCIe traffic to the GPU.",
         dcgm=(1010, "2.1.4"), nvml="NVML_GPM_METRIC_PCIE_RX_PER_SEC", within=_PCIE_BYTES_PER_S),
    _gpu("nvlink_tx_bytes_per_s", "B/s", "NVLink traffic from the GPU over all links.",
         dcgm=(1011, "2.1.4"), nvml="NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC",
         within=_NVLINK_BYTES_PER_S),
    _gpu("nvlink_rx_bytes_per_s", "B/s", "NVLink traffic to the GPU over all links.",
         dcgm=(1012, "2.1.4"), nvml="NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC",
         within=_NVLINK_BYTES_PER_S),
    # The node, its ranks and its own meters.
    _node(Subject.HOST, "cpu_utilization", "1",
          "Busy share of all logical CPUs since the previous sample.", within=_SHARE),
    _node(Subject.HOST, "memory_used_bytes", "B", "Host memory in use: total less available.",
          within=_HOST_BYTES),
    _node(Subject.PROCESS, "process_cpu_utilization", "1",
          "A rank's CPU time since the previous sample over time and its threads.", within=_CPUS),
    _node(Subject.PROCESS, "process_memory_bytes", "B", "A rank's resident memory.",
          within=_HOST_BYTES),
    _node(Subject.ZONE, "zone_energy_j", "J",
          "Energy of a CPU package or its memory by Linux powercap (RAPL), wraps undone.",
          total=True, within=_TOTAL_J),
    _node(Subject.ZONE, "zone_power_w", "W",
          "Power of a rail by Linux hwmon, such as Grace's module; over its own interval.",
          within=_RAIL_W),
    _node(Subject.HOST, "node_power_w", "W",
          "Power of the whole node as its service processor tells it (IPMI DCMI).", within=_NODE_W),
)
# fmt: on

FIELDS: Final = {field.name: field for field in _ALL}
"""All fields by name."""


def add_field(field: Field) -> None:
    """Take in a field that a sensor source of somebody else's reads.

    Raises:
        ValueError: another field has its name or its id of DCGM's.
    """
    for other in FIELDS.values():
        if other == field:
            return
        if other.name == field.name or (
            field.dcgm_id is not None and other.dcgm_id == field.dcgm_id
        ):
            raise ValueError(
                f"`field` must have a name and an id of its own, but {field.name!r} "
                f"has those of {other.name!r}"
            )
    FIELDS[field.name] = field

"""Fields: one row each, with unit and meaning.

Bind by id, name by our own column: NVIDIA renames fields between DCGM releases (155 is
DCGM_FI_DEV_POWER_USAGE up to 4.5 and DCGM_FI_DEV_BOARD_POWER_WATTS from 4.6 on), ids stay.
"""

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
    most: float | None = None
    """A larger value is a fault of the sensor and not a reading; None sets no bound."""


# A share is at most 1, rounding aside; DCGM has given 808334905 % (github.com/NVIDIA/
# dcgm-exporter/issues/418).
_MOST_SHARE: Final = 1.01
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
    share: bool = False,
) -> Field:
    """A reading of a GPU; `dcgm` is its id and the first release that has it."""
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
        most=_MOST_SHARE if share else None,
    )


def _node(subject: Subject, name: str, unit: str, meaning: str, *, total: bool = False) -> Field:
    """A reading of a node, a rank or a part of the node."""
    kind = Kind.COUNTER if total else Kind.GAUGE
    return Field(name=name, subject=subject, kind=kind, unit=unit, meaning=meaning)


# A row is a field, and its place the order in which fields are written.
# fmt: off
_ALL: Final = (
    # What the board draws, does and holds.
    _gpu("power_instant_w", "W", "Board power over the sensor's own short window.",
         dcgm=(157, "3.2.5"), nvml="NVML_FI_DEV_POWER_INSTANT"),
    _gpu("power_average_w", "W",
         "Board power averaged over one second on Ampere (but GA100) and newer.",
         dcgm=(155, "2.1.4"), nvml="NVML_FI_DEV_POWER_AVERAGE"),
    _gpu("energy_j", "J", "Board energy since the driver was loaded, Volta and newer.",
         dcgm=(156, "2.1.4"), nvml="nvmlDeviceGetTotalEnergyConsumption",
         factor=_MILLI, total=True),
    _gpu("gpu_utilization", "1",
         "Share of time in which a kernel ran: how long, not how much of the GPU.",
         dcgm=(203, "2.1.4"), nvml="nvmlDeviceGetUtilizationRates.gpu",
         factor=_PERCENT, share=True),
    _gpu("gpu_memory_used_bytes", "B", "Memory taken on the GPU.",
         dcgm=(252, "2.1.4"), nvml="nvmlDeviceGetMemoryInfo_v2.used", factor=_MIB),
    _gpu("sm_clock_mhz", "MHz", "Clock of the streaming multiprocessors.",
         dcgm=(100, "2.1.4"), nvml="nvmlDeviceGetClockInfo.sm"),
    _gpu("power_limit_w", "W", "Power limit in force.",
         dcgm=(164, "2.1.4"), nvml="nvmlDeviceGetEnforcedPowerLimit"),
    _gpu("power_sample_w", "W",
         "Board power from the driver's own buffer, about 50 samples a second.",
         nvml="nvmlDeviceGetSamples(NVML_TOTAL_POWER_SAMPLES)"),
    _gpu("memory_copy_utilization", "1", "Share of time in which GPU memory was read or written.",
         dcgm=(204, "2.1.4"), nvml="nvmlDeviceGetUtilizationRates.memory",
         factor=_PERCENT, share=True),
    _gpu("memory_clock_mhz", "MHz", "Clock of the GPU's memory.",
         dcgm=(101, "2.1.4"), nvml="nvmlDeviceGetClockInfo.mem"),
    _gpu("gpu_temperature_c", "degC", "Temperature of the GPU's die.",
         dcgm=(150, "2.1.4"), nvml="nvmlDeviceGetTemperature.gpu"),
    _gpu("memory_temperature_c", "degC", "Temperature of the GPU's memory.",
         dcgm=(140, "2.1.4"), nvml="NVML_FI_DEV_MEMORY_TEMP"),
    _gpu("power_limit_requested_w", "W", "Power limit that was asked of the board.",
         dcgm=(160, "2.1.4"), nvml="nvmlDeviceGetPowerManagementLimit"),
    _gpu("throttle_reasons", "1",
         "What holds the clocks down, in bits: 1 idle, 2 set, 4 power cap, 8 hardware.",
         dcgm=(112, "2.1.4"), nvml="nvmlDeviceGetCurrentClocksEventReasons"),
    _gpu("xid", "1", "Latest XID error of the driver; 0 while none was seen.",
         dcgm=(230, "2.1.4"), nvml="nvmlEventTypeXidCriticalError"),
    # What profiling counts: means since the last look.
    _gpu("graphics_active", "1",
         "Share of time in which the graphics or compute engine was active.",
         dcgm=(1001, "2.1.4"), nvml="NVML_GPM_METRIC_GRAPHICS_UTIL", share=True),
    _gpu("sm_active", "1", "Share of time with a warp on a multiprocessor, over all of them.",
         dcgm=(1002, "2.1.4"), nvml="NVML_GPM_METRIC_SM_UTIL", share=True),
    _gpu("sm_occupancy", "1", "Resident warps over the most that the multiprocessors can hold.",
         dcgm=(1003, "2.1.4"), nvml="NVML_GPM_METRIC_SM_OCCUPANCY", share=True),
    _gpu("tensor_active", "1", "Share of time in which a tensor core was active.",
         dcgm=(1004, "2.1.4"), nvml="NVML_GPM_METRIC_ANY_TENSOR_UTIL", share=True),
    _gpu("dram_active", "1", "Share of time in which GPU memory moved data.",
         dcgm=(1005, "2.1.4"), nvml="NVML_GPM_METRIC_DRAM_BW_UTIL", share=True),
    _gpu("pcie_tx_bytes_per_s", "B/s", "PCIe traffic from the GPU.",
         dcgm=(1009, "2.1.4"), nvml="NVML_GPM_METRIC_PCIE_TX_PER_SEC"),
    _gpu("pcie_rx_bytes_per_s", "B/s", "PCIe traffic to the GPU.",
         dcgm=(1010, "2.1.4"), nvml="NVML_GPM_METRIC_PCIE_RX_PER_SEC"),
    _gpu("nvlink_tx_bytes_per_s", "B/s", "NVLink traffic from the GPU over all links.",
         dcgm=(1011, "2.1.4"), nvml="NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC"),
    _gpu("nvlink_rx_bytes_per_s", "B/s", "NVLink traffic to the GPU over all links.",
         dcgm=(1012, "2.1.4"), nvml="NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC"),
    # The node, its ranks and its own meters.
    _node(Subject.HOST, "cpu_utilization", "1",
          "Busy share of all logical CPUs since the previous sample."),
    _node(Subject.HOST, "memory_used_bytes", "B", "Host memory in use: total less available."),
    _node(Subject.PROCESS, "process_cpu_utilization", "1",
          "A rank's CPU time since the previous sample over time and its threads."),
    _node(Subject.PROCESS, "process_memory_bytes", "B", "A rank's resident memory."),
    _node(Subject.ZONE, "zone_energy_j", "J",
          "Energy of a CPU package or its memory by Linux powercap (RAPL), wraps undone.",
          total=True),
    _node(Subject.ZONE, "zone_power_w", "W",
          "Power of a rail by Linux hwmon, such as Grace's module; over its own interval."),
    _node(Subject.HOST, "node_power_w", "W",
          "Power of the whole node as its service processor tells it (IPMI DCMI)."),
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

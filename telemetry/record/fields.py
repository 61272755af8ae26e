"""Fields: one line each, with unit and meaning.

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

_ALL: Final = (
    Field(
        name="power_instant_w",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="W",
        meaning="Board power over the sensor's own short window.",
        dcgm_id=157,
        dcgm_since="3.2.5",
        nvml="NVML_FI_DEV_POWER_INSTANT",
    ),
    Field(
        name="power_average_w",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="W",
        meaning="Board power averaged over one second on Ampere (but GA100) and newer.",
        dcgm_id=155,
        dcgm_since="2.1.4",
        nvml="NVML_FI_DEV_POWER_AVERAGE",
    ),
    Field(
        name="energy_j",
        subject=Subject.GPU,
        kind=Kind.COUNTER,
        unit="J",
        meaning="Board energy since the driver was loaded, Volta and newer.",
        dcgm_id=156,
        dcgm_factor=1e-3,
        dcgm_since="2.1.4",
        nvml="nvmlDeviceGetTotalEnergyConsumption",
    ),
    Field(
        name="gpu_utilization",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="1",
        meaning="Share of time in which a kernel ran: how long, not how much of the GPU.",
        dcgm_id=203,
        dcgm_factor=0.01,
        dcgm_since="2.1.4",
        most=_MOST_SHARE,
        nvml="nvmlDeviceGetUtilizationRates.gpu",
    ),
    Field(
        name="gpu_memory_used_bytes",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="B",
        meaning="Memory taken on the GPU.",
        dcgm_id=252,
        dcgm_factor=float(1 << 20),
        dcgm_since="2.1.4",
        nvml="nvmlDeviceGetMemoryInfo_v2.used",
    ),
    Field(
        name="sm_clock_mhz",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="MHz",
        meaning="Clock of the streaming multiprocessors.",
        dcgm_id=100,
        dcgm_since="2.1.4",
        nvml="nvmlDeviceGetClockInfo.sm",
    ),
    Field(
        name="power_limit_w",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="W",
        meaning="Power limit in force.",
        dcgm_id=164,
        dcgm_since="2.1.4",
        nvml="nvmlDeviceGetEnforcedPowerLimit",
    ),
    Field(
        name="power_sample_w",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="W",
        meaning="Board power from the driver's own buffer, about 50 samples a second.",
        nvml="nvmlDeviceGetSamples(NVML_TOTAL_POWER_SAMPLES)",
    ),
    Field(
        name="memory_copy_utilization",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="1",
        meaning="Share of time in which GPU memory was read or written.",
        dcgm_id=204,
        dcgm_factor=0.01,
        dcgm_since="2.1.4",
        most=_MOST_SHARE,
        nvml="nvmlDeviceGetUtilizationRates.memory",
    ),
    Field(
        name="memory_clock_mhz",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="MHz",
        meaning="Clock of the GPU's memory.",
        dcgm_id=101,
        dcgm_since="2.1.4",
        nvml="nvmlDeviceGetClockInfo.mem",
    ),
    Field(
        name="gpu_temperature_c",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="degC",
        meaning="Temperature of the GPU's die.",
        dcgm_id=150,
        dcgm_since="2.1.4",
        nvml="nvmlDeviceGetTemperature.gpu",
    ),
    Field(
        name="memory_temperature_c",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="degC",
        meaning="Temperature of the GPU's memory.",
        dcgm_id=140,
        dcgm_since="2.1.4",
        nvml="NVML_FI_DEV_MEMORY_TEMP",
    ),
    Field(
        name="power_limit_requested_w",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="W",
        meaning="Power limit that was asked of the board.",
        dcgm_id=160,
        dcgm_since="2.1.4",
        nvml="nvmlDeviceGetPowerManagementLimit",
    ),
    Field(
        name="throttle_reasons",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="1",
        meaning="What holds the clocks down, in bits: 1 idle, 2 set, 4 power cap, 8 hardware.",
        dcgm_id=112,
        dcgm_since="2.1.4",
        nvml="nvmlDeviceGetCurrentClocksEventReasons",
    ),
    Field(
        name="xid",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="1",
        meaning="Latest XID error of the driver; 0 while none was seen.",
        dcgm_id=230,
        dcgm_since="2.1.4",
        nvml="nvmlEventTypeXidCriticalError",
    ),
    Field(
        name="graphics_active",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="1",
        meaning="Share of time in which the graphics or compute engine was active.",
        dcgm_id=1001,
        dcgm_since="2.1.4",
        most=_MOST_SHARE,
        nvml="NVML_GPM_METRIC_GRAPHICS_UTIL",
    ),
    Field(
        name="sm_active",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="1",
        meaning="Share of time with a warp on a multiprocessor, over all of them.",
        dcgm_id=1002,
        dcgm_since="2.1.4",
        most=_MOST_SHARE,
        nvml="NVML_GPM_METRIC_SM_UTIL",
    ),
    Field(
        name="sm_occupancy",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="1",
        meaning="Resident warps over the most that the multiprocessors can hold.",
        dcgm_id=1003,
        dcgm_since="2.1.4",
        most=_MOST_SHARE,
        nvml="NVML_GPM_METRIC_SM_OCCUPANCY",
    ),
    Field(
        name="tensor_active",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="1",
        meaning="Share of time in which a tensor core was active.",
        dcgm_id=1004,
        dcgm_since="2.1.4",
        most=_MOST_SHARE,
        nvml="NVML_GPM_METRIC_ANY_TENSOR_UTIL",
    ),
    Field(
        name="dram_active",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="1",
        meaning="Share of time in which GPU memory moved data.",
        dcgm_id=1005,
        dcgm_since="2.1.4",
        most=_MOST_SHARE,
        nvml="NVML_GPM_METRIC_DRAM_BW_UTIL",
    ),
    Field(
        name="pcie_tx_bytes_per_s",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="B/s",
        meaning="PCIe traffic from the GPU.",
        dcgm_id=1009,
        dcgm_since="2.1.4",
        nvml="NVML_GPM_METRIC_PCIE_TX_PER_SEC",
    ),
    Field(
        name="pcie_rx_bytes_per_s",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="B/s",
        meaning="PCIe traffic to the GPU.",
        dcgm_id=1010,
        dcgm_since="2.1.4",
        nvml="NVML_GPM_METRIC_PCIE_RX_PER_SEC",
    ),
    Field(
        name="nvlink_tx_bytes_per_s",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="B/s",
        meaning="NVLink traffic from the GPU over all links.",
        dcgm_id=1011,
        dcgm_since="2.1.4",
        nvml="NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC",
    ),
    Field(
        name="nvlink_rx_bytes_per_s",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="B/s",
        meaning="NVLink traffic to the GPU over all links.",
        dcgm_id=1012,
        dcgm_since="2.1.4",
        nvml="NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC",
    ),
    Field(
        name="cpu_utilization",
        subject=Subject.HOST,
        kind=Kind.GAUGE,
        unit="1",
        meaning="Busy share of all logical CPUs since the previous sample.",
    ),
    Field(
        name="memory_used_bytes",
        subject=Subject.HOST,
        kind=Kind.GAUGE,
        unit="B",
        meaning="Host memory in use: total less available.",
    ),
    Field(
        name="process_cpu_utilization",
        subject=Subject.PROCESS,
        kind=Kind.GAUGE,
        unit="1",
        meaning="A rank's CPU time since the previous sample over time and its threads.",
    ),
    Field(
        name="process_memory_bytes",
        subject=Subject.PROCESS,
        kind=Kind.GAUGE,
        unit="B",
        meaning="A rank's resident memory.",
    ),
    Field(
        name="zone_energy_j",
        subject=Subject.ZONE,
        kind=Kind.COUNTER,
        unit="J",
        meaning="Energy of a CPU package or its memory by Linux powercap (RAPL), wraps undone.",
    ),
    Field(
        name="zone_power_w",
        subject=Subject.ZONE,
        kind=Kind.GAUGE,
        unit="W",
        meaning="Power of a rail by Linux hwmon, such as Grace's module; over its own interval.",
    ),
    Field(
        name="node_power_w",
        subject=Subject.HOST,
        kind=Kind.GAUGE,
        unit="W",
        meaning="Power of the whole node as its service processor tells it (IPMI DCMI).",
    ),
)

FIELDS: Final = {field.name: field for field in _ALL}
"""All fields by name."""

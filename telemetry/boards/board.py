"""Board: one kind of GPU board: memory, limits, clocks, peaks and how its power sensor behaves.

A board that no row of `telemetry.boards.table` knows is made of what its driver tells.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from telemetry.boards.peaks import Peaks
from telemetry.boards.sensor_timing import (
    POWER_INSTANT,
    SensorTiming,
    Timing,
    read_update_us,
    stand_in,
)
from telemetry.clock import US_PER_MS

GIB: Final = 1 << 30
MIB: Final = 1 << 20
# Newer drivers put it before a product's name: no part of what the board is.
_PREFIX: Final = "NVIDIA "
# What a spec may hold (`RunSpec.gpu`), without room for the mark of simulation.
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,49}")
_CAPABILITY: Final = re.compile(r"[0-9]+\.[0-9]+")
# The short name of a board that its driver names begins so, and that of no row does: NVIDIA H100 is
# a board of 64 GB, row h100 one of 80.
UNLISTED: Final = "nvidia-"

# Used of a GPU but not reserved by torch: the CUDA context with its kernels, and NCCL's buffers
# once there are peers. Assumptions that stand in for boards on which nobody read them.
ASSUMED_CONTEXT_BYTES: Final = 600_000_000
ASSUMED_NCCL_BYTES: Final = 900_000_000
# What cuBLAS asks torch's allocator for: 32 MiB on Hopper and Blackwell, 8.125 MiB on older boards
# (torch/aten/src/ATen/cuda/CublasHandlePool.cpp); a board that is not known is taken for a new one.
CUBLAS_WORKSPACE_BYTES: Final = 32 << 20
_OLDER_CUBLAS_WORKSPACE_BYTES: Final = 8_519_680
_HOPPER_MAJOR: Final = 9
# PTX ISA, mma: operands of e4m3 need a target of sm_89 or later, Ada's.
_FP8_CAPABILITY: Final = (8, 9)


def bare_name(driver_name: str) -> str:
    """A product's name as old drivers and new ones have it in common."""
    return driver_name.removeprefix(_PREFIX)


def unlisted_name(driver_name: str) -> str:
    """The short name of a board that is in no row, made of what its driver calls it."""
    slug = re.sub(r"[^a-z0-9.]+", "-", bare_name(driver_name).lower()).strip("-.")
    return f"{UNLISTED}{slug}"[:50].rstrip("-.")


@dataclass(frozen=True, kw_only=True)
class Form:
    """One build of a board, a card or a module, with what it does not share with the others."""

    driver_names: tuple[str, ...]
    """What nvmlDeviceGetName calls it, old drivers and new."""
    peaks: Peaks | None
    """None when nobody stated them for this build."""

    def __post_init__(self) -> None:
        if not self.driver_names or not all(self.driver_names):
            raise ValueError(f"`driver_names` must be names, but are {self.driver_names!r} instead")


@dataclass(frozen=True, kw_only=True)
class Board:
    """One kind of GPU board; a number that is None nobody published, or the driver did not tell."""

    name: str
    """Short name used in specs, which run ids hash."""
    product: str
    """Name for people."""
    architecture: str
    """NVIDIA's name of the generation; `unknown` for a board that its driver names."""
    compute_capability: str | None
    """As the driver tells it, such as `9.0`."""
    forms: tuple[Form, ...]
    """Its builds: cards and modules of one row share all else."""
    memory_bytes: int
    """Memory the driver reports as total."""
    power_limit_w: float | None
    """Default power limit of the board."""
    min_power_limit_w: float | None
    """Lowest power limit the board takes."""
    max_power_limit_w: float | None
    """Highest power limit that any of its forms takes."""
    max_sm_clock_mhz: int | None
    """Highest clock of its multiprocessors."""
    max_memory_clock_mhz: int | None
    """Highest clock of its memory."""
    sensor: SensorTiming | None
    """How its power readings behave; None when nobody measured that against a meter."""
    sample_timing: Timing | None = None
    """Of the driver's own buffer of samples; None: nobody measured it, as slow as the instant."""
    sensor_update_us: Mapping[str, int] = field(default_factory=dict)
    """Update periods measured on the spot, by field; they count where `sensor` is None."""
    idle_w: float | None = None
    """Board power with nothing to do; used by simulation alone."""
    context_bytes: int = ASSUMED_CONTEXT_BYTES
    """Memory that a CUDA context takes with its kernels."""
    nccl_bytes: int = ASSUMED_NCCL_BYTES
    """Memory that NCCL takes once there are peers."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "`name` must be at most 50 lower-case letters, digits and . _ -, "
                f"but is {self.name!r} instead"
            )
        if self.compute_capability is not None and not _CAPABILITY.fullmatch(
            self.compute_capability
        ):
            raise ValueError(
                "`compute_capability` must be two numbers and a point, "
                f"but is {self.compute_capability!r} instead"
            )
        if not self.forms:
            raise ValueError("`forms` must be at least one, but are none")
        numbers = {
            "memory_bytes": self.memory_bytes,
            "power_limit_w": self.power_limit_w,
            "min_power_limit_w": self.min_power_limit_w,
            "max_power_limit_w": self.max_power_limit_w,
            "max_sm_clock_mhz": self.max_sm_clock_mhz,
            "max_memory_clock_mhz": self.max_memory_clock_mhz,
            "idle_w": self.idle_w,
            "context_bytes": self.context_bytes,
            "nccl_bytes": self.nccl_bytes,
        }
        for name, value in numbers.items():
            if value is not None and not value > 0:
                raise ValueError(f"`{name}` must be above 0, but is {value!r} instead")

    @classmethod
    def from_driver(
        cls,
        driver_name: str,
        *,
        memory_bytes: int,
        compute_capability: str | None = None,
        power_limit_w: float | None = None,
        min_power_limit_w: float | None = None,
        max_power_limit_w: float | None = None,
        max_sm_clock_mhz: int | None = None,
        max_memory_clock_mhz: int | None = None,
        sensor: SensorTiming | None = None,
        sensor_update_us: Mapping[str, int] | None = None,
    ) -> Self:
        """A board that is in no row, as its driver tells of it; None or 0 is what it does not tell.

        `power_limit_w` is the default limit. `sensor_update_us` are update periods by field as they
        were measured on the board; without them and without `sensor` it is taken to be as slow as
        the slowest known.
        """
        return cls(
            name=unlisted_name(driver_name),
            product=driver_name,
            architecture="unknown",
            compute_capability=compute_capability,
            forms=(Form(driver_names=(driver_name,), peaks=None),),
            memory_bytes=memory_bytes,
            power_limit_w=power_limit_w or None,
            min_power_limit_w=min_power_limit_w or None,
            max_power_limit_w=max_power_limit_w or None,
            max_sm_clock_mhz=max_sm_clock_mhz or None,
            max_memory_clock_mhz=max_memory_clock_mhz or None,
            sensor=sensor,
            sensor_update_us=read_update_us(sensor_update_us),
        )

    @property
    def driver_names(self) -> tuple[str, ...]:
        """What nvmlDeviceGetName calls boards of this row, whatever their form."""
        return tuple(name for form in self.forms for name in form.driver_names)

    def form_of(self, driver_name: str) -> Form | None:
        """The form that a driver calls so; None when it is none of this board's."""
        wanted = bare_name(driver_name)
        return next(
            (form for form in self.forms if wanted in map(bare_name, form.driver_names)), None
        )

    def timings(self, driver: str | None = None) -> dict[str, Timing]:
        """How its readings behave by field, under a driver of that version."""
        if self.sensor is None:
            return stand_in(self.sensor_update_us)
        return self.sensor.timings(driver, self.sample_timing)

    @property
    def sensor_period_ms(self) -> int:
        """Time between two updates of the power sensor."""
        return self.timings()[POWER_INSTANT].update_us // US_PER_MS

    @property
    def sensor_window_ms(self) -> int:
        """Time that one instantaneous power reading averages over."""
        return self.timings()[POWER_INSTANT].window_us // US_PER_MS

    @property
    def has_fp8_units(self) -> bool | None:
        """Whether its matrix units take e4m3; None where its compute capability is not known."""
        if self.compute_capability is None:
            return None
        major, _, minor = self.compute_capability.partition(".")
        return (int(major), int(minor)) >= _FP8_CAPABILITY

    @property
    def cublas_workspace_bytes(self) -> int:
        """What torch reserves for cuBLAS, by compute capability as torch itself decides it."""
        if self.compute_capability is None:
            return CUBLAS_WORKSPACE_BYTES
        older = int(self.compute_capability.partition(".")[0]) < _HOPPER_MAJOR
        return _OLDER_CUBLAS_WORKSPACE_BYTES if older else CUBLAS_WORKSPACE_BYTES

"""The simulated NVML library: built with gcc, steered by a file, loaded as if the driver's."""

import ctypes
import os
import struct
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from telemetry.clock import US_PER_S, HostClock

_SOURCE = Path(__file__).with_name("fake_nvml.c")
SONAME = "libnvidia-ml.so.1"
# More than any name of a call in `fake_nvml.c`.
_NAME_BYTES = 64


def build(folder: Path, world: Path | None = None) -> Path:
    """The library, compiled into `folder` under the driver's own name.

    With `world` it shows those boards to processes that no environment reaches.
    """
    target = folder / SONAME
    command = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    command += [f"-Wl,-soname,{SONAME}", "-o", str(target), str(_SOURCE)]
    if world is not None:
        command.append(f'-DFAKE_NVML_WORLD="{world}"')
    subprocess.run(command, check=True)
    return target


class Calls:
    """How often this process has asked the simulated library for something, over all boards."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._library.fake_count.restype = ctypes.c_long

    def forget(self) -> None:
        """Count from now on."""
        self._library.fake_forget()

    def counts(self) -> dict[str, int]:
        """How often each call was made, by its name in `fake_nvml.c`."""
        found: dict[str, int] = {}
        name = ctypes.create_string_buffer(_NAME_BYTES)
        while (count := self._library.fake_count(len(found), name, _NAME_BYTES)) >= 0:
            found[name.value.decode()] = int(count)
        return found


def load(library: Path) -> Calls:
    """Make this process take `library` for the driver's: the loader looks at the name alone.

    So the first one stays, and another copy would count calls that nobody makes.
    """
    return Calls(loaded(library))


def loaded(library: Path) -> ctypes.CDLL:
    """The copy that this process has taken for the driver's: `library` where none was yet."""
    if not _LOADED:
        _LOADED.append(ctypes.CDLL(str(library)))
    return _LOADED[0]


_LOADED: list[ctypes.CDLL] = []


def uuid_of(index: int) -> str:
    """The UUID of a simulated board."""
    return f"GPU-{0xA0000000 + index:08x}-fa4e-4000-8000-{index:012x}"


# `Gpu` of `fake_nvml.c`, as gcc lays it out on machines of 64 bits.
_GPU = struct.Struct("@i4xddddqdqi4xddd")
_LIMIT_AT = 8
_APPLICATION_AT = _GPU.size - 16


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a shared board is set to."""

    limit_w: float
    """Power limit."""
    sm_mhz: float
    """The highest clock that the SMs may have."""
    memory_mhz: float
    """The memory's clock."""
    application_sm_mhz: float
    """The SM clock of applications."""


class SharedBoards:
    """The boards of a world with `shared`, as they stand, whoever set them and lives no more."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def settings(self, index: int) -> Settings:
        """What a board is set to; some process must have used it."""
        told = _GPU.unpack_from(self.path.read_bytes(), index * _GPU.size)
        return Settings(
            limit_w=told[1], sm_mhz=told[3], memory_mhz=told[9], application_sm_mhz=told[10]
        )

    def set_limit(self, index: int, limit_w: float) -> None:
        """Set a board's limit as an administrator would, past everybody."""
        with self.path.open("r+b") as file:
            file.seek(index * _GPU.size + _LIMIT_AT)
            file.write(struct.pack("@d", limit_w))

    def set_application(self, index: int, sm_mhz: float) -> None:
        """Set a board's SM clock of applications as an administrator would."""
        with self.path.open("r+b") as file:
            file.seek(index * _GPU.size + _APPLICATION_AT)
            file.write(struct.pack("@d", sm_mhz))


class World:
    """The simulated boards; every change takes effect within 10 ms.

    They draw a square wave: `busy_w` + 10 W x index for a share `duty` of each `cycle_ms`, else
    `idle_w`. The counters stood at 0 at `t0_us` of the wall clock.
    """

    def __init__(self, path: Path, **settings: Any) -> None:
        self.path = path
        self._settings: dict[str, Any] = {
            "gpus": 1,
            "idle_w": 100.0,
            "busy_w": 500.0,
            "duty": 0.5,
            "cycle_ms": 1000,
            "t0_us": (time.time_ns() // 10**9 - 100) * 10**6,
            # Less than the real call takes, so that tests on two busy cores poll in time.
            "energy_call_us": 300,
        }
        self._fails: list[str] = []
        self._wilds: list[str] = []
        self.set(**settings)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to see these boards."""
        return {"FAKE_NVML": str(self.path)}

    def set(self, **settings: Any) -> Self:
        """Change some settings; the others stay."""
        self._settings |= settings
        return self._write()

    def fail(self, call: str, code: int) -> Self:
        """Let a call fail, on one board when `call` begins with its number and a dot."""
        self._fails.append(f"{call} {code}")
        return self._write()

    def wild(self, call: str, value: float) -> Self:
        """Let a call succeed and answer `value`, in NVML's own unit, as `fake_nvml.c` names it."""
        self._wilds.append(f"{call} {value!r}")
        return self._write()

    def heal(self) -> Self:
        """Let no call fail or be wild any more."""
        self._fails.clear()
        self._wilds.clear()
        return self._write()

    @property
    def begun_us(self) -> int:
        """When the counters stood at 0, on the wall clock."""
        return int(self._settings["t0_us"])

    def energy_j(self, from_us: int, to_us: int, index: int = 0) -> float:
        """What a board draws between two times of the wall clock."""
        idle_w = self._settings["idle_w"]
        more_w = self._settings["busy_w"] + 10 * index - idle_w
        busy_us = self._busy_us(to_us) - self._busy_us(from_us)
        return float(idle_w * (to_us - from_us) + more_w * busy_us) / US_PER_S

    def power_w(self, t_us: int, index: int = 0) -> float:
        """What a board draws at a time of the wall clock."""
        cycle_us = self._settings["cycle_ms"] * 1000
        busy = (t_us - self._settings["t0_us"]) % cycle_us < self._settings["duty"] * cycle_us
        return float(self._settings["busy_w"]) + 10 * index if busy else self._settings["idle_w"]

    def _busy_us(self, t_us: int) -> float:
        cycle_us = int(self._settings["cycle_ms"]) * 1000
        waves, phase_us = divmod(t_us - int(self._settings["t0_us"]), cycle_us)
        busy_us = float(self._settings["duty"]) * cycle_us
        return waves * busy_us + min(phase_us, busy_us)

    def _write(self) -> Self:
        lines = [f"{key} {value}" for key, value in self._settings.items()]
        lines += [f"fail {fail}" for fail in self._fails]
        lines += [f"wild {wild}" for wild in self._wilds]
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text("\n".join(lines) + "\n")
        temporary.replace(self.path)
        # The library looks at the file's time: two changes within one tick would look like one.
        os.utime(self.path, ns=(time.time_ns(), time.time_ns()))
        return self


def wall_us(clock: HostClock, t_us: int) -> int:
    """A time of the host's clock on the wall clock."""
    return t_us + clock.step_us()

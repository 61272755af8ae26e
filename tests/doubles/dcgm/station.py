"""A DCGM engine for tests: the double, told what to do, or a real one that somebody runs."""

import importlib
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from telemetry.clock import HostClock
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from telemetry.sources.base import Assignment, Reading, Remark
from telemetry.sources.dcgm.source import DcgmReadings
from telemetry.sources.previous_watcher import PreviousWatcher
from tests.support.watched_attempts import LAUNCH, make_attempt

DOUBLE: Final = Path(__file__).parent / "bindings"
_MODULES: Final = ("pydcgm", "dcgm_agent", "dcgm_structs", "dcgm_fields", "double_engine")


class DoubleEngine:
    """The double behind a real Unix socket, which a client must be able to reach first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "engine.json"
        self._state: dict[str, Any] = {}
        self.address = str(folder / "engine.sock")
        self.set()

    def set(self, **state: Any) -> None:
        """Tell the engine what to do from now on."""
        self._state |= state
        # A reader must find the old file or the new one.
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._state))
        fresh.replace(self._path)

    @property
    def state_path(self) -> str:
        """What the double's DCGM_DOUBLE_STATE must be."""
        return str(self._path)

    @property
    def engine(self) -> Any:
        """The engine itself, in the process that loaded the bindings."""
        return sys.modules["double_engine"].ENGINE

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Somebody listens at the address."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.bind(self.address)
            server.listen(100)
            yield


def forget_bindings() -> None:
    """Let the next test load bindings afresh."""
    for name in _MODULES:
        sys.modules.pop(name, None)
    sys.path[:] = [path for path in sys.path if path != str(DOUBLE)]
    importlib.invalidate_caches()


class Watched:
    """DCGM readings of an engine, gathered as the watcher would."""

    def __init__(
        self,
        folder: Path,
        spec: RunSpec,
        *,
        bindings: str = str(DOUBLE),
        address: str | None,
        uuids: Sequence[str] | None = None,
        before: PreviousWatcher | None = None,
        **launch: Any,
    ) -> None:
        _, attempt = make_attempt(folder)
        self.assignment = Assignment(
            attempt=attempt,
            spec=spec,
            launch=LaunchConfig(
                **{
                    **LAUNCH,
                    "telemetry": "dcgm",
                    "period_ms": 100,
                    "dcgm_bindings": bindings,
                    "dcgm_address": address,
                    **launch,
                }
            ),
            host="n1",
            clock=HostClock.set_now(),
            before=before,
        )
        self.readings: list[Reading] = []
        self.remarks: list[Remark] = []
        self.source = DcgmReadings(self.assignment, uuids)

    def look(self, seconds: float) -> None:
        """Read as the watcher does, for that long."""
        self.until(lambda: False, seconds)

    def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Read until `done`, at most that long; whether it is."""
        end = time.monotonic() + seconds
        while not done():
            self.readings += self.source.read()
            self.remarks += self.assignment.remarks.take()
            if time.monotonic() > end:
                return done()
            time.sleep(0.05)
        return True

    def end(self) -> None:
        """The last readings, and everything let go of."""
        self.readings += self.source.finish()
        self.source.close()
        self.remarks += self.assignment.remarks.take()

    def of(self, field: str, device: str | None = None) -> list[Reading]:
        """The readings of a field, by time."""
        found = [
            reading
            for reading in self.readings
            if reading.field == field and device in (None, reading.device)
        ]
        return sorted(found, key=lambda reading: reading.t_us)

    def values(self, field: str, device: str | None = None) -> list[float]:
        """Its values, by time."""
        return [reading.value for reading in self.of(field, device) if reading.value is not None]

    def said(self, what: str) -> list[Remark]:
        """The remarks of that word."""
        return [remark for remark in self.remarks if remark.what == what]


@contextmanager
def watched(folder: Path, spec: RunSpec, **how: Any) -> Iterator[Watched]:
    """A watched engine that is let go of on leaving."""
    one = Watched(folder, spec, **how)
    try:
        yield one
    finally:
        one.source.close()


def real_engine(config: pytest.Config) -> tuple[str, str | None]:
    """Bindings and address of the real engine that the command line names."""
    bindings = config.getoption("--dcgm-bindings")
    if bindings is None:
        pytest.fail("a real engine needs --dcgm-bindings=DIR; --dcgm-address=HOST:PORT may follow")
    return str(bindings), config.getoption("--dcgm-address")

"""A DCGM engine in closed form: what it samples is a function of time, so nothing runs beside.

It misbehaves as the real one is known to (github.com/NVIDIA/DCGM, 4.4.2): values appear in its
cache later than their stamp, a placeholder stands for "nothing new", absences are sentinels with
status 0, one unsupported id fails its field group, names of field groups are global, a restarted
engine has forgotten everything, a hung one answers nothing.

What it is to do stands in the JSON file that DCGM_DOUBLE_STATE names, read again at every call.
"""

import ctypes
import json
import math
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import dcgm_structs  # type: ignore[import-not-found]

INT64_BLANK: Final = 0x7FFFFFFFFFFFFFF0
INT32_BLANK: Final = 0x7FFFFFF0
FP64_BLANK: Final = 140_737_488_355_328.0
# The counter's zero: any time before the tests.
_BASE_US: Final = 1_700_000_000_000_000
_PROFILING: Final = range(1001, 1076)

DEFAULTS: Final[dict[str, Any]] = {
    "gpus": [
        {"uuid": "GPU-aaaa", "name": "NVIDIA H200", "pci_bus_id": "00:1B", "mig": False},
        {"uuid": "GPU-bbbb", "name": "NVIDIA H200", "pci_bus_id": "00:0A", "mig": False},
    ],
    "epoch": 0,
    "down": False,
    "hang": False,
    "library": True,
    "unknown_ids": [],
    "unsupported_profiling": [],
    "blank": {},
    "odd": {},
    "clashes": 0,
    "late_ms": {},
    "quiet_from_us": None,
    "reset_at_us": None,
    "xid_at_us": None,
    "others_since_us": None,
    # Whether it runs as root, what its driver refuses by field with which status, and the file of
    # boards (tests/doubles/nvml) that it sets.
    "root": True,
    "refuses": {},
    "boards": None,
}
# Constant readings: type and value in DCGM's units.
_LEVELS: Final = {
    155: ("d", 200.0),
    203: ("i", 50),
    204: ("i", 25),
    252: ("i", 1000),
    100: ("i", 1400),
    101: ("i", 2600),
    150: ("i", 55),
    140: ("i", 60),
    160: ("d", 650.0),
    164: ("d", 600.0),
    112: ("i", 4),
    1001: ("d", 0.9),
    1002: ("d", 0.8),
    1003: ("d", 0.5),
    1004: ("d", 0.25),
    1005: ("d", 0.4),
    1009: ("i", 1_000_000_000),
    1010: ("i", 2_000_000_000),
    1011: ("i", 3_000_000_000),
    1012: ("i", 4_000_000_000),
}
Value = tuple[int, str, int, int, float]
"""Field id, type, status, wall time in us, value."""


def power_w(t_us: int) -> float:
    """The simulated board: 200 W and a swing of 100 W each second."""
    return 200.0 + 100.0 * math.sin(2 * math.pi * (t_us - _BASE_US) / 1e6)


def energy_mj(t_us: int) -> int:
    """The exact integral of `power_w`."""
    t_s = (t_us - _BASE_US) / 1e6
    return int(1e3 * (200.0 * t_s + 100.0 / (2 * math.pi) * (1 - math.cos(2 * math.pi * t_s))))


@dataclass(kw_only=True)
class _Made:
    """Something that a client made: a group, a field group, or a watch of both."""

    handle: int
    name: str = ""
    gpus: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    period_us: int = 0
    keep_us: int = 0
    from_us: int = 0


class Engine:
    """The engine and its clients' connections."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.statuses: dict[int, list[dict[str, int]]] = {}
        self.targets: dict[int, dict[str, int]] = {}
        self._number = 0
        self._epoch = 0
        self._clashes = 0
        self._handles: dict[int, tuple[int, int]] = {}
        self._made: dict[int, _Made] = {}
        self._watches: dict[tuple[int, int], _Made] = {}

    @property
    def state(self) -> dict[str, Any]:
        path = os.environ.get("DCGM_DOUBLE_STATE")
        return {**DEFAULTS, **(json.loads(Path(path).read_text()) if path else {})}

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def leftovers(self) -> int:
        """How much clients left in the engine."""
        return len(self._made) + len(self._watches) + len(self._handles)

    def load_library(self) -> None:
        if not self.state["library"]:
            raise dcgm_structs.DCGMError(dcgm_structs.DCGM_ST_LIBRARY_NOT_FOUND)

    def connect(self, address: str | None) -> ctypes.c_void_p:
        state = self.state
        if state["down"]:
            raise dcgm_structs.DCGMError(dcgm_structs.DCGM_ST_CONNECTION_NOT_VALID)
        self._restart_if_told(state)
        self._number += 1
        self._handles[self._number] = (state["epoch"], threading.get_ident())
        self.calls.append("embed" if address is None else "connect")
        return ctypes.c_void_p(self._number)

    def disconnect(self, handle: ctypes.c_void_p) -> None:
        number = self._key(handle)
        self._handles.pop(number, None)
        self._made = {key: one for key, one in self._made.items() if one.handle != number}
        self._watches = {key: one for key, one in self._watches.items() if one.handle != number}
        self.calls.append("disconnect")

    def check(self, handle: ctypes.c_void_p, what: str) -> dict[str, Any]:
        """Answer a call, or hang, or tell that this engine is not that of the handle."""
        while self.state["hang"]:
            time.sleep(0.02)
        state = self.state
        self._restart_if_told(state)
        epoch, thread = self._handles.get(self._key(handle), (-1, 0))
        if state["down"] or epoch != state["epoch"]:
            raise dcgm_structs.DCGMError(dcgm_structs.DCGM_ST_CONNECTION_NOT_VALID)
        assert thread == threading.get_ident(), "a handle belongs to one thread"
        self.calls.append(what)
        return state

    def gpus(self, handle: ctypes.c_void_p) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.check(handle, "gpus")["gpus"]
        return found

    def make_group(self, handle: ctypes.c_void_p, name: str) -> ctypes.c_void_p:
        self.check(handle, "make group")
        return self._add(_Made(handle=self._key(handle), name=name))

    def add_gpu(self, handle: ctypes.c_void_p, group: ctypes.c_void_p, gpu: int) -> None:
        self.check(handle, "add gpu")
        members = self._made[self._key(group)].gpus
        if gpu in members:
            raise dcgm_structs.DCGMError(dcgm_structs.DCGM_ST_BADPARAM)
        members.append(gpu)

    def make_field_group(
        self, handle: ctypes.c_void_p, ids: Sequence[int], name: str
    ) -> ctypes.c_void_p:
        state = self.check(handle, "make field group")
        if self._clashes < state["clashes"]:
            self._clashes += 1
            raise dcgm_structs.DCGMError(dcgm_structs.DCGM_ST_DUPLICATE_KEY)
        if any(made.ids and made.name == name for made in self._made.values()):
            raise dcgm_structs.DCGMError(dcgm_structs.DCGM_ST_DUPLICATE_KEY)
        if len(ids) > 128 or set(ids) & set(state["unknown_ids"]):
            raise dcgm_structs.DCGMError(dcgm_structs.DCGM_ST_BADPARAM)
        return self._add(_Made(handle=self._key(handle), name=name, ids=list(ids)))

    def field_group_names(self, handle: ctypes.c_void_p) -> list[str]:
        self.check(handle, "list field groups")
        return [made.name for made in self._made.values() if made.ids]

    def destroy(self, handle: ctypes.c_void_p, made: ctypes.c_void_p) -> None:
        one = self._made[self._key(made)]
        self.check(handle, "destroy field group" if one.ids else "destroy group")
        del self._made[self._key(made)]

    def watch(
        self,
        handle: ctypes.c_void_p,
        group: ctypes.c_void_p,
        field_group: ctypes.c_void_p,
        period_us: int,
        keep_s: float,
    ) -> None:
        state = self.check(handle, "watch")
        ids = self._made[self._key(field_group)].ids
        assert len({field_id in _PROFILING for field_id in ids}) == 1, "one group, two kinds"
        if set(ids) & set(state["unsupported_profiling"]):
            raise dcgm_structs.DCGMError(dcgm_structs.DCGM_ST_MODULE_NOT_LOADED)
        assert ids[0] not in _PROFILING or period_us >= 100_000, "invalid on Hopper"
        self._watches[self._key(group), self._key(field_group)] = _Made(
            handle=self._key(handle),
            gpus=list(self._made[self._key(group)].gpus),
            ids=list(ids),
            period_us=period_us,
            keep_us=int(max(math.floor(keep_s), 1) * 1e6),
            from_us=self.now_us(),
        )

    def unwatch(
        self, handle: ctypes.c_void_p, group: ctypes.c_void_p, field_group: ctypes.c_void_p
    ) -> None:
        self.check(handle, "unwatch")
        del self._watches[self._key(group), self._key(field_group)]

    def values(
        self,
        handle: ctypes.c_void_p,
        group: ctypes.c_void_p,
        field_group: ctypes.c_void_p,
        since_us: int,
    ) -> Iterator[tuple[int, list[Value]]]:
        """What lies in the cache since then, one call-back for each GPU and field."""
        state = self.check(handle, "drain")
        watch = self._watches.get((self._key(group), self._key(field_group)))
        if watch is None:
            raise dcgm_structs.DCGMError(dcgm_structs.DCGM_ST_NOT_WATCHED)
        for gpu in watch.gpus:
            for field_id in watch.ids:
                values = self._cached(state, watch, field_id, since_us)
                yield gpu, values or [(field_id, "i", dcgm_structs.DCGM_ST_NO_DATA, 0, INT64_BLANK)]

    def make_status(self) -> ctypes.c_void_p:
        self._number += 1
        self.statuses[self._number] = []
        return ctypes.c_void_p(self._number)

    def configure(
        self, handle: ctypes.c_void_p, group: ctypes.c_void_p, config: Any, status: Any
    ) -> None:
        """Set what is not blank on each GPU of a group, and keep it as its target.

        What the driver refuses is kept as a target all the same, unless it is no value at all.
        """
        state = self.check(handle, "configure")
        told = self.statuses[self._key(status)]
        if not state["root"]:
            told.append({"gpuId": INT32_BLANK, "fieldId": 0, "status": -29})
            raise dcgm_structs.DCGMError(dcgm_structs.DCGM_ST_REQUIRES_ROOT)
        assert config.mEccMode == config.mComputeMode == INT32_BLANK, "a zero is a setting"
        assert set(config.mWorkloadPowerProfiles) == {INT32_BLANK}, "a zero clears the profiles"
        asked = {
            160: config.mPowerLimit.val,
            110: config.mPerfState.targetClocks.smClock,
            111: config.mPerfState.targetClocks.memClock,
        }
        for gpu in self._made[self._key(group)].gpus:
            for field_id, value in asked.items():
                if value == INT32_BLANK:
                    continue
                code = state["refuses"].get(str(field_id), 0)
                if field_id == 160 and not 200 <= value <= 700:
                    code = dcgm_structs.DCGM_ST_BADPARAM
                if code:
                    told.append({"gpuId": gpu, "fieldId": field_id, "status": code})
                if code not in {dcgm_structs.DCGM_ST_BADPARAM, dcgm_structs.DCGM_ST_NOT_SUPPORTED}:
                    self.targets.setdefault(gpu, {})[str(field_id)] = value
                if not code:
                    self._set_board(state, gpu, field_id, value)
        if told:
            raise dcgm_structs.DCGMError(told[0]["status"])

    def enforce(self, handle: ctypes.c_void_p, group: ctypes.c_void_p, status: Any) -> None:
        """Set each GPU's target anew, as the engine does of itself after a reset."""
        state = self.check(handle, "enforce")
        assert self.statuses[self._key(status)] == []
        for gpu in self._made[self._key(group)].gpus:
            for field_id, value in self.targets.get(gpu, {}).items():
                self._set_board(state, gpu, int(field_id), value)

    def targets_of(self, handle: ctypes.c_void_p, group: ctypes.c_void_p) -> list[dict[str, int]]:
        self.check(handle, "get configuration")
        return [self.targets.get(gpu, {}) for gpu in self._made[self._key(group)].gpus]

    def _set_board(self, state: dict[str, Any], gpu: int, field_id: int, value: int) -> None:
        if state["boards"] is None:
            return
        from tests.doubles.nvml.library import SharedBoards  # noqa: PLC0415

        boards = SharedBoards(Path(state["boards"]))
        if field_id == 160:
            boards.set_limit(gpu, float(value))
        if field_id == 110:
            boards.set_application(gpu, float(value))

    def _cached(
        self, state: dict[str, Any], watch: _Made, field_id: int, since_us: int
    ) -> list[Value]:
        now_us = self.now_us()
        late_us = int(state["late_ms"].get(str(field_id), 0) * 1e3)
        if field_id == 230:
            t_us = state["xid_at_us"]
            seen = t_us is not None and max(since_us, watch.from_us) <= t_us <= now_us
            return [(230, "i", 0, t_us, 79)] if seen else []
        until_us = min(now_us - late_us, state["quiet_from_us"] or now_us)
        # Another client's watch of the same field left its values in the same cache.
        start_us = watch.from_us
        if state["others_since_us"] is not None:
            before = (watch.from_us - state["others_since_us"]) // watch.period_us
            start_us -= max(before, 0) * watch.period_us
        first = max(0, -(-(max(since_us, now_us - watch.keep_us) - start_us) // watch.period_us))
        values = []
        t_us = start_us + first * watch.period_us
        while t_us <= until_us:
            values.append(self._value(state, watch, field_id, t_us))
            t_us += watch.period_us
        return values

    def _value(self, state: dict[str, Any], watch: _Made, field_id: int, t_us: int) -> Value:
        kind, value = _LEVELS.get(field_id, ("d", power_w(t_us)))
        if field_id == 156:
            reset_us = state["reset_at_us"]
            kind, value = "i", energy_mj(t_us)
            if reset_us is not None and t_us >= reset_us:
                value -= energy_mj(reset_us)
        value = state["odd"].get(str(field_id), value)
        # The first value of a profiling watch has no interval to be the mean of.
        first = field_id in _PROFILING and t_us == watch.from_us
        offset = state["blank"].get(str(field_id), 0 if first else None)
        if offset is not None:
            value = FP64_BLANK + offset if kind == "d" else INT64_BLANK + offset
        return field_id, kind, 0, t_us, value

    def _add(self, made: _Made) -> ctypes.c_void_p:
        self._number += 1
        self._made[self._number] = made
        return ctypes.c_void_p(self._number)

    def _restart_if_told(self, state: dict[str, Any]) -> None:
        if state["epoch"] != self._epoch:
            self._epoch = state["epoch"]
            self._made.clear()
            self._watches.clear()

    def _key(self, number: ctypes.c_void_p) -> int:
        assert number.value is not None
        return number.value


ENGINE = Engine()

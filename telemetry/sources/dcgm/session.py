"""Session: one connection to an engine: a group of GPUs, its field groups and its watches."""

import contextlib
import uuid as unique
from collections.abc import Mapping, Sequence
from typing import Any, Final

from telemetry.boards.table import board_of
from telemetry.clock import HostClock
from telemetry.record.fields import Field
from telemetry.record.reading_bounds import impossible_setting
from telemetry.sources.dcgm.bindings import DcgmBindings, error_code
from telemetry.sources.dcgm.connection import connect
from telemetry.sources.dcgm.fields import by_watch
from telemetry.sources.dcgm.values import Collector, Raw
from telemetry.sources.dcgm.wall_window import WallWindow

KEEP_S: Final = 60.0
"""How long the engine keeps values: for a drain that was held up, or a watcher started anew."""

# dcgm_structs.py, DCGM_ST_*: the connection is gone, or the engine did not answer in its time.
_LOST: Final = (-11, -21)
_DUPLICATE_KEY: Final = -26
# Names hold 128 random bits: a second clash is no accident.
_NAME_TRIES: Final = 3
# dcgmvalue.py: DCGM_INT32_BLANK, the first of sixteen.
_INT32_BLANK: Final = 0x7FFFFFF0
# dcgm_structs.py: 0 sets no bound beside the age.
_KEEP_SAMPLES: Final = 0


class DcgmSession:
    """Everything that was created in an engine, deleted in reverse order by `close`.

    All calls come from one thread.

    Raises:
        RuntimeError: nothing listens there, or the engine does not know one of the GPUs.
        bindings.error: a call failed.
    """

    def __init__(
        self,
        bindings: DcgmBindings,
        *,
        address: str | None,
        uuids: Sequence[str] | None,
        fields: Sequence[Field],
        period_us: int,
        clock: HostClock,
        since_us: int,
        sampled: bool = False,
        embed: bool = True,
        incomplete: bool = False,
    ) -> None:
        """Watch `fields` of the GPUs `uuids`; None: of all that the engine supports.

        Values from `since_us` on are taken, if the engine has them. `embed` allows an engine in
        this process where no other is found; `incomplete` puts up with GPUs that are not there;
        `sampled` says that the driver's own power samples are taken as well.
        """
        self._bindings = bindings
        watches = by_watch(fields, period_us, sampled=sampled)
        self.slowest_period_us = max(asked_us for asked_us, _ in watches)
        """Longest time until a value that is due now is in the engine's cache."""
        self._window = WallWindow(clock, since_us=since_us)
        self._collector = Collector(bindings.structs)
        # ctypes keeps no reference of its own to what C calls back.
        self._callback = bindings.agent.dcgmFieldValueEntityEnumeration_f(self._collector.take)
        self._field_groups: list[Any] = []
        self._seen: dict[tuple[int, int], set[int]] = {}
        self.refused: dict[str, str] = {}
        """Fields that the engine does not watch, with its reason."""
        with contextlib.ExitStack() as stack:
            owner, self.engine = connect(bindings, address, embed=embed)
            self._disconnect = owner.Shutdown
            stack.callback(owner.Shutdown)
            self._handle = owner.handle
            self.gpus = self._find_gpus(uuids, incomplete=incomplete)
            # A board's sensors do not tell its MIG instances apart.
            whole = [gpu for gpu in self.gpus if not gpu["mig"]]
            self.uuid_of = {gpu["dcgm_id"]: str(gpu["uuid"]) for gpu in whole}
            if whole:
                self._group = self._make_group(stack)
                for asked_us, together in watches:
                    self._watch(stack, together, asked_us)
                bindings.agent.dcgmUpdateAllFields(self._handle, 1)
            self._stack = stack.pop_all()

    def drain(self) -> list[tuple[int, str, Raw]]:
        """Every value that was not handed out yet: time on the host's clock, GPU, value.

        Raises:
            bindings.error: the engine is gone or does not answer.
        """
        since_wall_us = self._window.open()
        for field_group in self._field_groups:
            self._bindings.agent.dcgmGetValuesSince_v2(
                self._handle, self._group, field_group, since_wall_us, self._callback, None
            )
        values = []
        seen: dict[tuple[int, int], set[int]] = {}
        for gpu, raws in self._collector.taken():
            for raw in raws:
                t_wall_us = raw[3]
                # A placeholder: nothing new of this field.
                if t_wall_us == 0:
                    continue
                key = (gpu, raw[0])
                times = seen.setdefault(key, set())
                known = t_wall_us in times or t_wall_us in self._seen.get(key, ())
                times.add(t_wall_us)
                if known:
                    continue
                t_us = self._window.steady_us(t_wall_us)
                if t_us is not None:
                    values.append((t_us, self.uuid_of[gpu], raw))
        # The next drain asks for what this one gave and no more.
        self._seen |= seen
        return values

    def close(self) -> None:
        """Delete watches, field groups, group and connection, in this order."""
        with contextlib.suppress(self._bindings.error):
            self._stack.close()

    def abandon(self) -> None:
        """Let go of the connection alone: with it the engine deletes the rest, if it lives.

        Each call to an engine that hangs would take its full timeout of a minute.
        """
        self._stack.pop_all()
        with contextlib.suppress(self._bindings.error):
            self._disconnect()

    def _find_gpus(
        self, uuids: Sequence[str] | None, *, incomplete: bool
    ) -> list[Mapping[str, Any]]:
        """The inventory of the GPUs to watch, in the order asked, else by PCI address."""
        agent = self._bindings.agent
        known = {}
        for gpu in agent.dcgmGetAllSupportedDevices(self._handle):
            attributes = agent.dcgmGetDeviceAttributes(self._handle, gpu)
            known[str(attributes.identifiers.uuid)] = _inventory(gpu, attributes)
        if uuids is None:
            uuids = sorted(known, key=lambda uuid: str(known[uuid]["pci_bus_id"]))
        if not uuids and not incomplete:
            raise RuntimeError(
                f"the engine at {self.engine['engine']} must have a GPU, but has none"
            )
        for uuid in uuids:
            if uuid not in known and not incomplete:
                raise RuntimeError(
                    f"the engine at {self.engine['engine']} must know GPU {uuid}, "
                    f"but knows {', '.join(sorted(known)) or 'none'} instead"
                )
        return [
            {**known[uuid], "index": index} for index, uuid in enumerate(uuids) if uuid in known
        ]

    def _make_group(self, stack: contextlib.ExitStack) -> Any:
        agent, structs = self._bindings.agent, self._bindings.structs
        group = agent.dcgmGroupCreate(self._handle, structs.DCGM_GROUP_EMPTY, _name())
        stack.callback(agent.dcgmGroupDestroy, self._handle, group)
        for gpu in self.uuid_of:
            agent.dcgmGroupAddDevice(self._handle, group, gpu)
        return group

    def _watch(self, stack: contextlib.ExitStack, fields: Sequence[Field], period_us: int) -> None:
        """Watch `fields` in one field group; where that fails each in its own.

        One id that an engine or a GPU does not support fails its whole field group.
        """
        try:
            self._watch_together(stack, fields, period_us)
        except self._bindings.error as error:
            if error_code(error) in _LOST:
                raise
            if len(fields) == 1:
                self.refused[fields[0].name] = f"DCGM does not watch it: {error}"
                return
            for field in fields:
                self._watch(stack, [field], period_us)

    def _watch_together(
        self, stack: contextlib.ExitStack, fields: Sequence[Field], period_us: int
    ) -> None:
        agent = self._bindings.agent
        ids = [field.dcgm_id for field in fields]
        with contextlib.ExitStack() as inner:
            field_group = self._make_field_group(ids)
            inner.callback(agent.dcgmFieldGroupDestroy, self._handle, field_group)
            agent.dcgmWatchFields(
                self._handle,
                self._group,
                field_group,
                period_us,
                KEEP_S,
                _KEEP_SAMPLES,
            )
            inner.callback(agent.dcgmUnwatchFields, self._handle, self._group, field_group)
            stack.push(inner.pop_all())
        self._field_groups.append(field_group)

    def _make_field_group(self, ids: Sequence[int | None]) -> Any:
        for _ in range(_NAME_TRIES - 1):
            try:
                return self._bindings.agent.dcgmFieldGroupCreate(self._handle, ids, _name())
            except self._bindings.error as error:
                if error_code(error) != _DUPLICATE_KEY:
                    raise
        return self._bindings.agent.dcgmFieldGroupCreate(self._handle, ids, _name())


def _name() -> str:
    # Names of field groups are one namespace for all users of an engine, containers included.
    return f"joulegrid-{unique.uuid4().hex}"


def _inventory(gpu: int, attributes: Any) -> Mapping[str, Any]:
    identifiers, limits = attributes.identifiers, attributes.powerLimits
    name = str(identifiers.deviceName)
    board = board_of(name)
    told = {
        "memory_bytes": _number("memory_bytes", attributes.memoryUsage.fbTotal, 1 << 20),
        "power_limit_w": _number("power_limit_w", limits.enforcedPowerLimit),
        "power_limit_requested_w": _number("power_limit_requested_w", limits.curPowerLimit),
        "power_limit_default_w": _number("power_limit_default_w", limits.defaultPowerLimit),
        "power_limit_min_w": _number("power_limit_min_w", limits.minPowerLimit),
        "power_limit_max_w": _number("power_limit_max_w", limits.maxPowerLimit),
    }
    return {
        "dcgm_id": gpu,
        "uuid": str(identifiers.uuid),
        "name": name,
        "kind": None if board is None else board.name,
        "pci_bus_id": str(identifiers.pciBusId),
        "serial": str(identifiers.serial),
        "vbios": str(identifiers.vbios),
        "driver": str(identifiers.driverVersion),
        "simulated": False,
        "mig": bool(attributes.settings.migModeEnabled == 1),
        "persistence": bool(attributes.settings.persistenceModeEnabled == 1),
        **{key: number for key, (number, _) in told.items()},
        "unavailable": {key: why for key, (_, why) in told.items() if why is not None},
    }


def _number(key: str, value: int, factor: int = 1) -> tuple[float | int | None, str | None]:
    """A number of the inventory in our unit, or why there is none; watts are real numbers."""
    if value >= _INT32_BLANK:
        return None, "DCGM has no value"
    number: float | int = value * factor if factor > 1 else float(value)
    reason = impossible_setting(key, number)
    return (number, None) if reason is None else (None, reason)

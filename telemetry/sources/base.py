"""Base: where readings come from; every sensor stands behind this one Protocol."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from telemetry.clock import HostClock
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from telemetry.sources.previous_watcher import PreviousWatcher


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One value of one field of one device; a row of the samples table but for the host."""

    t_us: int
    """The sensor's own time on the host's steady clock."""
    device: str
    """GPU UUID, `host`, `rank-00003`, `package-0` or `dram-0`."""
    field: str
    """Name in `telemetry.record.fields.FIELDS`."""
    value: float | None
    """In the field's unit; None when it could not be had."""
    reason: str | None = None
    """Why `value` is None; None when there is one."""


@dataclass(frozen=True, kw_only=True)
class Remark:
    """Something that happened to a source and that whoever reads the samples must know."""

    t_us: int
    """When it was noticed, on the host's steady clock."""
    what: str
    """A word such as `counter_reset`."""
    details: Mapping[str, Any]
    """What belongs to it, in JSON, such as `device` and `reason`."""


class Remarks:
    """What a source has to say about its sensors; any thread may note, one takes."""

    def __init__(self) -> None:
        # Appending to and popping from a deque is atomic.
        self._waiting: deque[Remark] = deque()

    def note(self, t_us: int, what: str, **details: Any) -> None:
        """Leave a remark for the watcher's log."""
        self._waiting.append(Remark(t_us=t_us, what=what, details=details))

    def take(self) -> list[Remark]:
        """All remarks since the last call."""
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What one watcher is to watch, and the clock it stamps with."""

    attempt: AttemptPaths
    """Where the ranks of the attempt register."""
    spec: RunSpec
    """The work that is watched."""
    launch: LaunchConfig
    """Which source is asked, how often and for what."""
    host: str
    """Name under which this node stands in the record."""
    clock: HostClock
    """The steady clock that all readings of the host are stamped with."""
    remarks: Remarks = field(default_factory=Remarks)
    """What the source tells the watcher's log."""
    before: PreviousWatcher | None = None
    """What a watcher that died left for this one; None for a node's first watcher."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a source reads and how; it stands in the metadata of every shard."""

    name: str
    """One of `telemetry.record.source_registry.source_names()`."""
    simulated: bool
    """True when any value comes from a model and not from a sensor."""
    gpus: Sequence[Mapping[str, Any]] = ()
    """Inventory by local index: uuid, name, index, kind, simulated, power_limit_w, and more."""
    periods_us: Mapping[str, int] = field(default_factory=dict)
    """Time between two new values of each field; coverage counts against it."""
    identity: Mapping[str, Any] = field(default_factory=dict)
    """Constants, versions and fallbacks that decide what the values mean."""

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form that stands under `source`; GPUs and periods have their own keys."""
        return {"name": self.name, "simulated": self.simulated, **self.identity}


class Source(Protocol):
    """One way to read a node's sensors; open at construction, used by one thread."""

    def describe(self) -> Description:
        """What is read; the same at every call."""

    def read(self) -> Sequence[Reading]:
        """All readings since the last call, by time; a sensor may yield several, or none."""

    def finish(self) -> Sequence[Reading]:
        """The last readings, called once before `close`; may wait a period for late ones."""

    def close(self) -> None:
        """Let go of the sensors; no call follows."""


class Absences:
    """Which readings cannot be had, so that each absence is written once.

    A null row is written when a reading is first missed and again when the reason changes. It
    stands until the next value of the same device and field: coverage counts one null as one
    absence, however long it lasts.
    """

    def __init__(self) -> None:
        self._reasons: dict[tuple[str, str], str] = {}

    def note(self, t_us: int, device: str, name: str, reason: str) -> list[Reading]:
        """The null row to write for this missed reading: one, or none when it is known."""
        if self._reasons.get((device, name)) == reason:
            return []
        self._reasons[device, name] = reason
        return [Reading(t_us=t_us, device=device, field=name, value=None, reason=reason)]

    def end(self, device: str, name: str) -> None:
        """A value was read: the next miss is a new absence."""
        self._reasons.pop((device, name), None)

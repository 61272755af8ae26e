"""Node: all of a node: the host's own readings and its GPUs' by one or more sensors."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from telemetry.sources.base import Description, Reading
from telemetry.sources.host.source import HostSource


class GpuReadings(Protocol):
    """GPU readings alone, behind one interface."""

    def describe(self) -> Description:
        """What is read of which GPUs; the same at every call."""

    def read(self) -> Sequence[Reading]:
        """All readings since the last call, by time."""

    def finish(self) -> Sequence[Reading]:
        """The last readings, called once before `close`; may wait a period for late ones."""

    def close(self) -> None:
        """Let go of the sensors; no call follows."""


class NodeSource:
    """The host's readings and those of `parts`, each of which has fields of its own.

    The inventory is the first part's, with what only the others tell.
    """

    def __init__(
        self,
        name: str,
        host: HostSource,
        parts: Sequence[GpuReadings],
        choice: Mapping[str, Any] | None = None,
    ) -> None:
        """`choice` says why these parts were taken, for the record; None where somebody asked."""
        self._host = host
        self._parts = tuple(parts)
        host_part = host.describe()
        described = [part.describe() for part in self._parts]
        periods_us = dict(host_part.periods_us)
        for one in described:
            periods_us |= one.periods_us
        self._description = Description(
            name=name,
            simulated=any(one.simulated for one in described),
            gpus=_join([one.gpus for one in described]),
            periods_us=periods_us,
            identity={
                **(dict(choice) if choice else {}),
                **{one.name: dict(one.identity) for one in described},
                "host_readings": host_part.to_mapping(),
            },
        )

    def describe(self) -> Description:
        """All parts in one: GPUs by local index, periods by field, identities by part."""
        return self._description

    def read(self) -> Sequence[Reading]:
        """The host's readings of now, and the GPUs' since the last call, by time."""
        readings = list(self._host.read())
        for part in self._parts:
            readings += part.read()
        readings.sort(key=lambda reading: reading.t_us)
        return readings

    def finish(self) -> Sequence[Reading]:
        """The last readings of all parts."""
        readings = list(self._host.finish())
        for part in self._parts:
            readings += part.finish()
        readings.sort(key=lambda reading: reading.t_us)
        return readings

    def close(self) -> None:
        """Let go of all sensors."""
        for part in reversed(self._parts):
            part.close()
        self._host.close()


def _join(inventories: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """One entry for each GPU, in the order of the first inventory that has it."""
    joined: dict[str, dict[str, Any]] = {}
    for inventory in inventories:
        for gpu in inventory:
            known = joined.setdefault(str(gpu["uuid"]), {})
            for key, value in gpu.items():
                if known.get(key) is None:
                    known[key] = value
    return list(joined.values())

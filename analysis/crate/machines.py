"""Machines: the hosts of an attempt and the GPUs that they gave it, as their watchers saw them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from analysis.crate.entities import Entities, Entity
from analysis.crate.identifiers import local_id
from analysis.runs.unreadable import UNREADABLE
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths

# What identifies a board and its state; a crate says of each that is missing that it is.
_ASKED: Final = ("vbios", "driver")
# They have properties of their own.
_NAMED: Final = frozenset({"name", "uuid", "serial", "unavailable"})
_UNITS: Final = {"_w": "W", "_mhz": "MHz", "_bytes": "B", "_ms": "ms"}


def host_records(attempt: AttemptPaths) -> Iterator[Mapping[str, Any]]:
    """What each watcher of an attempt saw when it was ready, by host; damaged ones are left out."""
    for path in sorted(attempt.hosts.glob("*.json")):
        try:
            yield read_json(path)
        except UNREADABLE:
            continue


def hosts_of(entities: Entities, attempt: AttemptPaths) -> list[Entity]:
    """An entity for each host of an attempt, with those of its GPUs."""
    return [_host(entities, record) for record in host_records(attempt)]


def gpu_of(entities: Entities, gpu: Mapping[str, Any]) -> Entity:
    """The entity of one GPU, as a watcher's record has it."""
    unavailable = gpu.get("unavailable")
    reasons = unavailable if isinstance(unavailable, Mapping) else {}
    identifier = local_id("gpu", gpu)
    told = {name: value for name, value in sorted(gpu.items()) if name not in _NAMED}
    for name in _ASKED:
        told.setdefault(name, None)
    simulated = gpu.get("simulated") is True
    return entities.add(
        identifier,
        "IndividualProduct",
        name=gpu.get("name") or "GPU",
        identifier=gpu.get("uuid"),
        serialNumber=gpu.get("serial"),
        description="SIMULATED: a stated power model in place of a GPU." if simulated else None,
        additionalProperty=[
            entities.value(
                name,
                value,
                of=identifier,
                unit=_unit(name),
                reason=_text(reasons.get(name)),
                propertyID=name,
            )
            for name, value in told.items()
        ],
    )


def _host(entities: Entities, record: Mapping[str, Any]) -> Entity:
    given = record.get("gpus")
    gpus = [gpu for gpu in given if isinstance(gpu, Mapping)] if isinstance(given, list) else []
    platform = record.get("platform")
    facts = dict(platform) if isinstance(platform, Mapping) else {}
    name = record.get("host")
    identifier = local_id("host", {"name": name, "facts": facts, "gpus": gpus})
    return entities.add(
        identifier,
        ["Place", "IndividualProduct"],
        name=name or "a host",
        description="A compute node with the GPUs that the job was given.",
        isRelatedTo=[gpu_of(entities, gpu) for gpu in gpus],
        additionalProperty=[
            entities.value(fact, value, of=identifier, unit=_unit(fact), propertyID=fact)
            for fact, value in sorted(facts.items())
        ],
    )


def _unit(name: str) -> str:
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")


def _text(value: object) -> str | None:
    return None if value is None else str(value)

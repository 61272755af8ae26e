"""Accounting: by what a center joins an attempt with its own books, and what the job's shell had.

A job's number is given out again by Slurm: cluster, number and time of submission together are
unique.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from analysis.crate.entities import Entities, Entity
from analysis.crate.identifiers import local_id
from analysis.runs.unreadable import UNREADABLE
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths

_SLURM: Final = "slurm"
_NO_SLURM: Final = "not a job of Slurm's: executor {executor}"
# Set by Slurm for a job that was given --container: the bundle that it ran in.
_CONTAINER: Final = "SLURM_CONTAINER"
_JOINS: Final = {
    "Slurm cluster": "slurm_cluster",
    "Slurm job id": "job_id",
    "Slurm submit time": "submit_time",
}


def joins_of(entities: Entities, attempt: AttemptPaths) -> list[Entity]:
    """Cluster, job and time of submission, each with its value or why it has none."""
    submitted = read_optional(attempt.submitted)
    executor = submitted.get("executor")
    of_slurm = executor == _SLURM
    reason = "submitted.json does not hold it"
    if not of_slurm:
        reason = _NO_SLURM.format(executor=executor or "not recorded")
    return [
        entities.value(
            name,
            submitted.get(key) if of_slurm else None,
            of=_own(attempt),
            reason=reason,
            propertyID=key,
        )
        for name, key in _JOINS.items()
    ]


def environment_of(entities: Entities, attempt: AttemptPaths) -> list[Entity]:
    """The variables of a job's shell that Slurm set, as slurm.json keeps them."""
    return [
        entities.value(name, str(value), of=_own(attempt), propertyID=name)
        for name, value in sorted(_environment(attempt).items())
    ]


def container_of(entities: Entities, attempt: AttemptPaths) -> Entity | None:
    """The container that a job ran in, by Slurm's word; None where the record names none."""
    bundle = _environment(attempt).get(_CONTAINER)
    if not bundle:
        return None
    return entities.add(
        local_id("container", {"bundle": bundle}), "ContainerImage", name=str(bundle)
    )


def read_optional(path: Path) -> Mapping[str, Any]:
    """A JSON object of the record; empty where it is missing or damaged."""
    try:
        return read_json(path)
    except UNREADABLE:
        return {}


def _environment(attempt: AttemptPaths) -> Mapping[str, Any]:
    environment = read_optional(attempt.folder / "slurm.json").get("environment")
    return environment if isinstance(environment, Mapping) else {}


def _own(attempt: AttemptPaths) -> str:
    """What tells an attempt from others, wherever the results folder lies."""
    return f"{attempt.folder.parent.name}/{attempt.folder.name}"

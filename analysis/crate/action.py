"""Action: one attempt as a CreateAction: what was run, by whom, when, where, from and into what."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from analysis.crate.accounting import container_of, environment_of, joins_of, read_optional
from analysis.crate.entities import Entities, Entity
from analysis.crate.identifiers import action_id, local_id, reference_of
from analysis.crate.machines import gpu_of, host_records, hosts_of
from analysis.crate.quantities import of_gpus, of_run
from analysis.crate.software import agent_of, program_of
from analysis.runs.labels import RunLabels
from analysis.runs.sealed_runs import Run, attempt_progress
from analysis.tables.table import Tables
from telemetry.clock import US_PER_S
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.schema import TABLES

_COMPLETED: Final = "http://schema.org/CompletedActionStatus"
_FAILED: Final = "http://schema.org/FailedActionStatus"
SIMULATED: Final = "SIMULATED: no measurement of a GPU. "
"""What stands before everything that tells of a simulated run."""
_LABELS: Final = {
    "simulated": "GPUs are a stated power model driven by work on CPU: no measurement",
    "random_weights": "nobody trained the weights: the answers are noise",
    "changed_code": "the code had changes that no commit holds",
    "partial_record": "parts of the record are damaged or missing",
}


@dataclass(frozen=True, kw_only=True)
class Attempted:
    """An attempt that has ended."""

    paths: RunPaths
    """Its run."""
    attempt: AttemptPaths
    """Where its record lies."""
    run: Run | None
    """The run as analysis reads it, where this is its sealed attempt; None of one that failed."""


def action_of(entities: Entities, one: Attempted, tables: Tables) -> Entity:
    """The action of an attempt; the files that it names are in the graph already."""
    attempt = one.attempt
    provenance = read_optional(attempt.provenance)
    simulated = _is_simulated(one)
    state, reason = attempt_progress(attempt)
    run_id = one.paths.run_id
    of = f"{run_id}/{attempt.folder.name}"
    command = provenance.get("command")
    typed = shlex.join(map(str, command)) if isinstance(command, list) else None
    error = None if one.run else f"{state}: {reason}" if reason else state
    return entities.add(
        action_id({"attempt": of, "seal": _seal(one)}),
        "CreateAction",
        name=f"{SIMULATED if simulated else ''}{run_id}, attempt {attempt.number}",
        description=(SIMULATED if simulated else "")
        + (typed or "The command line is not on record."),
        instrument=program_of(entities, provenance),
        agent=agent_of(entities, provenance),
        startTime=_time(read_optional(attempt.started)),
        endTime=_time(read_optional(attempt.ended)),
        actionStatus=_COMPLETED if one.run else _FAILED,
        error=error,
        object=[*_inputs(entities, one), *_weights(entities, attempt)],
        result=[*_outputs(entities, one), *of_run(entities, tables, run_id)]
        if one.run
        else _outputs(entities, one),
        location=hosts_of(entities, attempt),
        identifier=joins_of(entities, attempt),
        environment=environment_of(entities, attempt),
        containerImage=container_of(entities, attempt),
        resourceUsage=list(of_gpus(entities, tables, run_id, _gpus(entities, attempt)))
        if one.run
        else None,
        additionalProperty=_labels(entities, one, of, simulated=simulated),
    )


def _files(entities: Entities, run: RunPaths, paths: Sequence[Path]) -> list[Entity]:
    """Those of some files that the crate holds."""
    names = [reference_of(path.relative_to(run.results).as_posix()) for path in paths]
    return [entity for entity in map(entities.get, names) if entity is not None]


def _inputs(entities: Entities, one: Attempted) -> list[Entity]:
    attempt = one.attempt
    sha256 = read_optional(attempt.launch).get("prompts_sha256")
    is_digest = isinstance(sha256, str) and sha256.isalnum()
    prompts = [one.paths.prompts(str(sha256))] if is_digest else []
    return _files(
        entities, one.paths, [one.paths.spec, attempt.launch, attempt.provenance, *prompts]
    )


def _outputs(entities: Entities, one: Attempted) -> list[Entity]:
    attempt = one.attempt
    merged = [attempt.table(kind) for kind in TABLES]
    told = [attempt.model, attempt.manifest, attempt.ended]
    # Beside it whatever vouches for it: signatures, time stamps.
    seal = sorted(attempt.folder.glob(f"{attempt.seal.name}*"))
    return _files(entities, one.paths, [*merged, *told, *seal])


def _weights(entities: Entities, attempt: AttemptPaths) -> list[Entity]:
    """The weights that it read or made, which no crate holds: by their digest, or their seed."""
    weights = read_optional(attempt.model).get("weights")
    if not isinstance(weights, Mapping):
        return []
    kind = weights.get("kind")
    return [
        entities.add(
            local_id("weights", weights),
            "CreativeWork",
            name=f"weights: {kind}",
            description="Nobody trained them: drawn by the seed." if kind == "random" else None,
            additionalProperty=[
                entities.value(name, value, of=str(sorted(weights.items())), propertyID=name)
                for name, value in sorted(weights.items())
                if name != "kind"
            ],
        )
    ]


def _labels(entities: Entities, one: Attempted, of: str, *, simulated: bool) -> list[Entity]:
    if one.run is None:
        return [
            entities.value("simulated", simulated, of=of, description=_LABELS["simulated"]),
        ]
    labels = RunLabels.of(one.run)
    return [
        entities.value(
            name,
            getattr(labels, name),
            of=of,
            reason="no commit is on record",
            propertyID=name,
            description=meaning,
        )
        for name, meaning in _LABELS.items()
    ]


def _is_simulated(one: Attempted) -> bool:
    if one.run is not None:
        return one.run.simulated
    spec = read_optional(one.paths.spec)
    watched = any(record.get("simulated") is True for record in host_records(one.attempt))
    return watched or str(spec.get("gpu", "")).startswith("simulated")


def _gpus(entities: Entities, attempt: AttemptPaths) -> dict[str, Entity]:
    return {
        str(gpu.get("uuid")): gpu_of(entities, gpu)
        for record in host_records(attempt)
        for gpu in record.get("gpus") or ()
        if isinstance(gpu, Mapping)
    }


def _seal(one: Attempted) -> str | None:
    return None if one.run is None else RunLabels.of(one.run).seal_sha256


def _time(content: Mapping[str, Any]) -> str | None:
    """ISO 8601 to the millisecond, of a file's `t_us`; None where it has none."""
    return iso_time(content.get("t_us"))


def iso_time(t_us: object) -> str | None:
    """A stamp of the record as ISO 8601 in UTC; None of what is none."""
    if isinstance(t_us, bool) or not isinstance(t_us, int):
        return None
    try:
        return datetime.fromtimestamp(t_us / US_PER_S, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return None

"""Manifest: what a merge found, with no time of the merge in it: merging twice says the same."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from telemetry.merge.alignment import Clocks
from telemetry.merge.part_index import Survey
from telemetry.record.attempt_state import AttemptState
from telemetry.record.files import read_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.schema import SCHEMA_VERSION
from telemetry.record.spec import RunSpec

# The exit record's file is the watcher's own record's with this before `.json`.
_EXIT: Final = ".exit"


def build_manifest(
    *,
    run: RunPaths,
    attempt: AttemptPaths,
    state: AttemptState,
    clocks: Clocks,
    surveys: Mapping[str, Sequence[Survey]],
    tables: Mapping[str, Mapping[str, Any]],
    coverage: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The manifest of an attempt whose tables are written.

    Raises:
        ValueError: the spec, the order or a registration is not what it must be.
    """
    spec = RunSpec.read(run.spec)
    launch = LaunchConfig.read(attempt.launch)
    hosts = {path.stem: read_json(path) for path in _json_files(attempt.hosts)}
    ranks = [read_json(path) for path in _json_files(attempt.ranks)]
    answers = _responses_metadata(surveys["responses"])
    parts = [
        {
            "path": survey.part.path.relative_to(attempt.folder).as_posix(),
            "rows": survey.rows,
            "damage": survey.damage,
        }
        for kind in sorted(surveys)
        for survey in surveys[kind]
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run.run_id,
        "attempt": attempt.number,
        "simulated": is_simulated(spec, surveys),
        "device": launch.device,
        "state": state.state,
        "state_reason": state.reason,
        "hosts": hosts,
        "ranks": ranks,
        "clocks": clocks.to_mapping(),
        "tables": dict(tables),
        "parts": parts,
        "coverage": list(coverage),
        "prompts": {
            "sha256": launch.prompts_sha256,
            "count": spec.prompts,
            "cut": answers.get("prompts", {}).get("cut"),
        },
        "tokenizer": answers.get("tokenizer"),
        "notes": [
            *_notes(
                spec=spec, attempt=attempt, hosts=hosts, ranks=ranks, tables=tables, parts=parts
            ),
            *clocks.notes({*hosts, *(rank["host"] for rank in ranks), *_watched(surveys)}),
        ],
    }


def is_simulated(spec: RunSpec, surveys: Mapping[str, Sequence[Survey]]) -> bool:
    """True when the spec or any shard says that values come from a model."""
    return spec.simulated or any(
        bool(survey.metadata and survey.metadata.get("simulated"))
        for found in surveys.values()
        for survey in found
    )


def _notes(
    *,
    spec: RunSpec,
    attempt: AttemptPaths,
    hosts: Mapping[str, Any],
    ranks: Sequence[Mapping[str, Any]],
    tables: Mapping[str, Mapping[str, Any]],
    parts: Sequence[Mapping[str, Any]],
) -> list[str]:
    """What a reader of the numbers has to know, one sentence each."""
    notes = [f"{part['path']}: {part['damage']}" for part in parts if part["damage"]]
    if len(ranks) != spec.gpus:
        notes.append(f"{len(ranks)} of {spec.gpus} ranks registered")
    if silent := sorted({rank["host"] for rank in ranks} - set(hosts)):
        notes.append(f"not watched: {', '.join(silent)}")
    if attempt.model.is_file():
        warmup = read_json(attempt.model).get("warmup", {})
        if warmup.get("steady") is False:
            notes.append(f"the warm-up ended before the run was steady: {warmup.get('reason')}")
    if conflicts := tables["samples"].get("conflicts"):
        notes.append(f"{conflicts} dropped duplicates said something else than the sample kept")
    for path in _json_files(attempt.watchers):
        record = read_json(path)
        host = record["host"]
        if path.stem.endswith(_EXIT):
            if record["early"] or record["exit_code"] != 0:
                when = "before" if record["early"] else "at"
                notes.append(
                    f"{host}: the watcher ended with {record['exit_code']} {when} the ranks' end"
                )
            continue
        if record["end_reason"] is None:
            notes.append(f"{host}: the watcher ended without a word")
        if record["ticks_missed"]:
            notes.append(f"{host}: {record['ticks_missed']} polls were left out, being late")
        for event in record["events"]:
            details = ", ".join(
                f"{key} {value}" for key, value in event.items() if key not in ("t_us", "what")
            )
            notes.append(f"{host}: {event['what']} at t_us {event['t_us']}: {details or '-'}")
    return notes


def _watched(surveys: Mapping[str, Sequence[Survey]]) -> set[str]:
    """The hosts whose samples there are, by their writers' word."""
    return {survey.metadata["host"] for survey in surveys["samples"] if survey.metadata is not None}


def _responses_metadata(surveys: Sequence[Survey]) -> dict[str, Any]:
    """What the first rank that answered says about prompts and tokenizer; empty for none."""
    for survey in surveys:
        if survey.metadata is not None:
            return survey.metadata
    return {}


def _json_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))

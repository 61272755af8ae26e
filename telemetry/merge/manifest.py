"""Manifest: what a merge found, with no time of the merge in it: merging twice says the same."""

from collections.abc import Mapping, Sequence, Set
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

from telemetry.merge.alignment import Clocks
from telemetry.merge.part_index import Survey
from telemetry.record.attempt_state import AttemptState
from telemetry.record.files import read_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.plain_file import list_folder
from telemetry.record.schema import SCHEMA_VERSION, EndState
from telemetry.record.spec import RunSpec

# The exit record's file is the watcher's own record's with this before `.json`.
_EXIT: Final = ".exit"
# A part whose number somebody made up would leave a million gaps before it.
_MOST_TOLD: Final = 20


def build_manifest(
    *,
    run: RunPaths,
    attempt: AttemptPaths,
    state: AttemptState,
    clocks: Clocks,
    surveys: Mapping[str, Sequence[Survey]],
    tables: Mapping[str, Mapping[str, Any]],
    coverage: Sequence[Mapping[str, Any]],
    impossible: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The manifest of an attempt whose tables are written.

    `timed` of the responses' table is True where they tell of steps, and does not stand in it.
    `impossible` and `missing` stand in it only where there is something to tell: the manifest of a
    record without a fault says the same whichever release merges it.

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
    missing = [*_missing(attempt, state, {*hosts}, ranks, surveys)]
    if tables["responses"]["timed"] and "steps" not in surveys:
        missing.append("all parts of steps")
    faults = {"impossible": list(impossible), "missing": missing}
    return {
        **{key: told for key, told in faults.items() if told},
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
        "tables": {
            kind: {key: told for key, told in facts.items() if key != "timed"}
            for kind, facts in tables.items()
        },
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
            *(f"missing: {what}" for what in missing),
            *(
                f"{one['host']}: {one['readings']} readings of {one['field']} of {one['device']} "
                f"cannot be and are null, the first {one['first_value']} at t_us "
                f"{one['first_us']}: {one['reason']}"
                for one in impossible
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


def _missing(
    attempt: AttemptPaths,
    state: AttemptState,
    hosts: Set[str],
    ranks: Sequence[Mapping[str, Any]],
    surveys: Mapping[str, Sequence[Survey]],
) -> list[str]:
    """What a completed attempt should have written and of which no part is there."""
    missing = []
    if state.state == EndState.COMPLETED:
        missing = [f"all parts of {kind}" for kind in sorted(surveys) if not surveys[kind]]
        writers = {"samples": hosts, "spans": {f"rank-{rank['rank']:05d}" for rank in ranks}}
        for kind, named in writers.items():
            there = {survey.part.path.parent.name for survey in surveys[kind]}
            if there:
                missing += [f"all parts of {kind} of {name}" for name in sorted(named - there)]
    for kind in sorted(surveys):
        numbers: dict[Path, set[int]] = {}
        for survey in surveys[kind]:
            numbers.setdefault(survey.part.path.parent, set()).add(survey.part.number)
        for folder, found in sorted(numbers.items()):
            # A writer counts its parts from 0 without a gap.
            lost = max(found) + 1 - len(found)
            place = folder.relative_to(attempt.folder).as_posix()
            told = islice((number for number in count() if number not in found), lost)
            missing += [f"part {number} of {place}" for number in islice(told, _MOST_TOLD)]
            if lost > _MOST_TOLD:
                missing.append(f"{lost - _MOST_TOLD} more parts of {place}")
    return missing


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
    found = list_folder(folder) if folder.is_dir() else []
    return [path for path in found if path.suffix == ".json" and not path.name.startswith(".")]

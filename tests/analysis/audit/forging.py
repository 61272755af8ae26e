"""Forging: a record edited as its folder's owner can, then merged and sealed with our own code."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.audit.campaign import Campaign, RunFacts
from analysis.audit.check import Case, Finding
from analysis.audit.registry import CHECKS, FOLDER_CHECKS
from analysis.audit.trust import Trust
from telemetry.merge.attempt import merge_attempt
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths, find_runs
from telemetry.record.schema import METADATA_KEY
from telemetry.record.seal import seal_attempt
from telemetry.record.spec import RunSpec

Columns = dict[str, list[Any]]
Json = dict[str, Any]

BASE = "7b-fixed-synthetic-h200-g4-b64-l128-r0-8bd64a63"
"""The recorded run that is forged: LLaMA 7B on four H200."""
Forge = Callable[[RunPaths], RunPaths]


def close(run: RunPaths) -> RunPaths:
    """Merge and seal what lies there now."""
    attempt = run.attempt(1)
    attempt.seal.unlink(missing_ok=True)
    merge_attempt(run, attempt)
    seal_attempt(run, attempt)
    return run


def edit(path: Path, change: Callable[[Json], object]) -> None:
    """Change a JSON file in place."""
    content = read_json(path)
    change(content)
    write_json(path, content)


def respec(run: RunPaths, **changes: Any) -> RunPaths:
    """The same record under another spec, and so under another name; not closed yet."""
    spec = RunSpec.from_mapping({**read_json(run.spec), **changes})
    moved = RunPaths(results=run.results, run_id=spec.run_id)
    run.folder.rename(moved.folder)
    write_json(moved.spec, spec.to_mapping())
    edit_shards(moved, "*", metadata=lambda said: said.update(run_id=spec.run_id))
    return moved


def recompose(run: RunPaths, **changes: Any) -> None:
    """Let the launcher have composed something else, and forget what was typed."""

    def change(provenance: Json) -> None:
        provenance["config"].update(changes)
        provenance["overrides"], provenance["command"] = [], []

    edit(run.attempt(1).provenance, change)


def edit_shards(
    run: RunPaths,
    kind: str,
    columns: Callable[[Columns], object] = len,
    metadata: Callable[[Json], object] = len,
) -> None:
    """Change every closed part of a table, or of all for `*`."""
    for path in sorted(run.attempt(1).folder.glob(f"shards/{kind}/*/*.parquet")):
        table = pq.read_table(path, partitioning=None)
        content = table.to_pydict()
        columns(content)
        said = json.loads(table.schema.metadata[METADATA_KEY])
        metadata(said)
        schema = table.schema.with_metadata({METADATA_KEY: json.dumps(said, sort_keys=True)})
        pq.write_table(pa.Table.from_pydict(content, schema=schema), path)


def edit_inventory(run: RunPaths, change: Callable[[Json], object]) -> None:
    """Change every GPU's entry, in the hosts' records and in what every shard says of them."""

    def each(content: Json) -> None:
        for gpu in content.get("gpus") or []:
            change(gpu)

    for path in run.attempt(1).hosts.glob("*.json"):
        edit(path, each)
    edit_shards(run, "*", metadata=each)


def copy(run: RunPaths, results: Path) -> RunPaths:
    """The run with its prompts in another results folder."""
    results.mkdir(parents=True, exist_ok=True)
    shutil.copytree(run.folder, results / run.run_id)
    shutil.copytree(run.results / "prompts", results / "prompts", dirs_exist_ok=True)
    return RunPaths(results=results, run_id=run.run_id)


def look(run: RunPaths, name: str) -> Finding:
    """What one check finds in a run, alone."""
    for check in CHECKS:
        if check.name == name:
            return check.look(Case(run))
    (folder_check,) = [check for check in FOLDER_CHECKS if check.name == name]
    facts = RunFacts.of(Case(run))
    found = folder_check.look(Campaign(results=run.results, trust=Trust(), runs=(facts,)))
    return found if isinstance(found, Finding) else found[run.run_id]


def look_at_all(results: Path, name: str) -> dict[str, Finding]:
    """What a check of all runs together finds in a folder, by run id; its own under ''."""
    (check,) = [check for check in FOLDER_CHECKS if check.name == name]
    runs = [run for run in find_runs(results) if run.sealed_attempts()]
    facts = tuple(RunFacts.of(Case(run)) for run in runs)
    found = check.look(Campaign(results=results, trust=Trust(), runs=facts))
    return {"": found} if isinstance(found, Finding) else found


def under(**spec: Any) -> Forge:
    """Under another spec, the launcher's own words as they were."""
    return lambda run: close(respec(run, **spec))


def under_all(**spec: Any) -> Forge:
    """Under another spec, and the launcher's words in step with it."""

    def forge(run: RunPaths) -> RunPaths:
        config = {
            name: {"name": value} if name in ("model", "engine", "dataset") else value
            for name, value in spec.items()
        }
        moved = respec(run, **spec)
        recompose(moved, **config)
        return close(moved)

    return forge


def saying(name: str, change: Callable[[Json], object]) -> Forge:
    """With another JSON file of the attempt."""

    def forge(run: RunPaths) -> RunPaths:
        for path in sorted(run.attempt(1).folder.glob(name)):
            edit(path, change)
        return close(run)

    return forge


def with_columns(kind: str, change: Callable[[Columns], object]) -> Forge:
    def forge(run: RunPaths) -> RunPaths:
        edit_shards(run, kind, change)
        return close(run)

    return forge


def with_gpus(change: Callable[[Json], object]) -> Forge:
    def forge(run: RunPaths) -> RunPaths:
        edit_inventory(run, change)
        return close(run)

    return forge


def without(name: str) -> Forge:
    def forge(run: RunPaths) -> RunPaths:
        for path in sorted(run.attempt(1).folder.glob(name)):
            path.unlink()
        return close(run)

    return forge


def drop(*names: str) -> Callable[[Json], object]:
    def change(content: Json) -> None:
        for name in names:
            content.pop(name, None)

    return change


def set_all(column: str, value: Any) -> Callable[[Columns], object]:
    def change(columns: Columns) -> None:
        columns[column] = [value] * len(columns[column])

    return change

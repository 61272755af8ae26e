"""Description: the metadata file of a crate, made from its payload; equal records, equal bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from analysis.crate.action import SIMULATED, Attempted, action_of, iso_time
from analysis.crate.entities import Entities, Entity
from analysis.crate.identifiers import reference_of
from analysis.crate.payload import Payload, PayloadFile, has_ended
from analysis.crate.profile import Profile
from analysis.runs.sealed_runs import Loaded
from analysis.tables.table import Tables
from telemetry.command import own_version
from telemetry.record.files import file_sha256, read_json
from telemetry.record.roots import Root

NO_LICENCE: Final = "Not stated: whoever made this crate named no licence; ask its holder."
"""Stands where a licence must, and nobody named one."""
_NO_DATE: Final = "1970-01-01"
_TYPES: Final = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
    ".log": "text/plain",
    ".err": "text/plain",
    ".out": "text/plain",
}
_MEANINGS: Final = {
    "spec.json": "What was run; the run's name is its hash.",
    "launch.json": "How the job was to be carried out, beside its spec.",
    "provenance.json": "Who started it from where with which code and packages.",
    "submitted.json": "The job's ids.",
    "started.json": "Host, process and time of the first rank.",
    "ended.json": "How the attempt ended, and why.",
    "model.json": "Weights, engine, arithmetic, memory and warm-up.",
    "manifest.json": "What the merge found: counts, coverage, devices, damage.",
    "slurm.json": "The job as Slurm told it from within.",
    "slurm_accounting.json": "What Slurm's accounting says of the job after its end.",
    "seal.json": "SHA-256 of every file of the run, written last and never edited.",
    "seal.json.sig": "Signature of the seal by an SSH key, in OpenSSH's form.",
    "samples.parquet": "Every reading of every sensor, with its time.",
    "spans.parquet": "What every rank was doing, and when.",
    "responses.parquet": "What was generated: every prompt's answer and its tokens.",
    "steps.parquet": "When tokens were chosen.",
}
_BESIDE_SEAL: Final = "seal.json."
_FOLDERS: Final = {
    "shards": "What one writer wrote, before the merge.",
    "hosts": "What a node's watcher saw when it was ready: sensors, boards, paces.",
    "watchers": "How a node's watching went and ended.",
    "ranks": "Which process and GPU a rank is.",
    "clocks": "A node's clock against that of the first rank's host.",
    "prompts": "Prompts of runs, by content.",
    "checkpoints": "SHA-256 of a checkpoint's files.",
    "campaigns": "A call of the launcher: its grid, plan, order and job logs.",
    "roots": "A hash of all seals at a time, to be lodged where nobody can edit it.",
    "accounting": "What a center's accounting said of the jobs, as it said it.",
    "meters": "Logs of outside meters, with what their users state of them.",
    "report": "Tables that analysis makes of the runs; columns.csv says what each column means.",
}


@dataclass(frozen=True, kw_only=True)
class CrateStatement:
    """What whoever makes a crate says of it, which no record holds."""

    profile: Profile
    """What it conforms to."""
    name: str | None = None
    """Its name; None makes one of what was run."""
    licence: str | None = None
    """Under which it may be used, words or a URL; None: nobody said."""
    published: str | None = None
    """ISO date of publication; None takes the day of the last seal."""


def describe(
    payload: Payload,
    loaded: Loaded,
    tables: Tables,
    made: Sequence[PayloadFile],
    statement: CrateStatement,
) -> bytes:
    """The metadata file.

    Args:
        payload: the record's files.
        loaded: the same as analysis reads it.
        tables: made of it.
        made: files of tables that the crate holds beside the record; none of one in place.
        statement: what whoever makes it says.

    Raises:
        OSError: a seal cannot be read.
        ValueError: a name is no UTF-8.
    """
    entities = Entities(statement.profile)
    _add_files(entities, [*payload.files, *made])
    runs = {run.run_id: run for run in loaded.runs}
    actions = []
    for paths in payload.runs:
        for attempt in paths.attempts():
            if not has_ended(attempt):
                continue
            run = runs.get(paths.run_id)
            own = run if run is not None and run.attempt.folder == attempt.folder else None
            one = Attempted(paths=paths, attempt=attempt, run=own)
            actions.append(action_of(entities, one, tables))
    _describe_root(entities, loaded, actions, statement)
    # Another version may compute a number otherwise: who compares has to know.
    entities.set(entities.descriptor, version=own_version())
    return entities.to_bytes()


def _add_files(entities: Entities, files: Sequence[PayloadFile]) -> None:
    """Every file, in the folder that holds it, and every folder, up to the root."""
    parts: dict[str, list[Entity]] = {}
    for file in files:
        path = PurePosixPath(file.name)
        parent = f"{path.parts[0]}/" if len(path.parts) > 1 else ""
        parts.setdefault(parent, []).append(
            entities.add(
                reference_of(file.name),
                "File",
                name=file.name,
                description=_meaning(path),
                contentSize=str(file.size_bytes),
                encodingFormat=_TYPES.get(path.suffix),
                sha256=file.sha256,
            )
        )
    top = list(parts.pop("", []))
    for folder, held in sorted(parts.items()):
        top.append(
            entities.add(
                reference_of(folder),
                "Dataset",
                name=folder.rstrip("/"),
                description=_FOLDERS.get(folder.rstrip("/"), "A run: its spec and its attempts."),
                hasPart=held,
            )
        )
    entities.set(entities.root, hasPart=top)


def _meaning(path: PurePosixPath) -> str:
    within = next((_FOLDERS[part] for part in path.parts[:-1] if part in _FOLDERS), None)
    if path.name.startswith(_BESIDE_SEAL) and path.name not in _MEANINGS:
        return "What vouches for the seal: who made it, or since when it was there."
    return _MEANINGS.get(path.name) or within or "A file of the run's record."


def _describe_root(
    entities: Entities,
    loaded: Loaded,
    actions: Sequence[Entity],
    statement: CrateStatement,
) -> None:
    profile = statement.profile
    simulated = sum(run.simulated for run in loaded.runs)
    all_of_them = bool(simulated) and simulated == len(loaded.runs)
    told = SIMULATED if all_of_them else "PARTLY SIMULATED. " if simulated else ""
    entities.set(
        entities.root,
        name=f"{told}{(statement.name or _name(loaded)).removeprefix(told)}",
        description=f"{told}{_summary(loaded, actions)}",
        datePublished=statement.published or _last_day(loaded),
        license=_licence(entities, statement.licence),
        conformsTo=entities.add(
            profile.uri, profile.types, name="Process Run Crate", version=profile.version
        ),
        mentions=list(actions),
        identifier=_root_hash(entities, loaded),
        additionalProperty=entities.value(
            "simulated runs", simulated, of="crate", propertyID="simulated"
        ),
    )


def _name(loaded: Loaded) -> str:
    models = sorted({run.spec.model for run in loaded.runs})
    boards = sorted({run.spec.gpu for run in loaded.runs})
    return f"Energy of inference: {', '.join(models)} on {', '.join(boards)}"


def _summary(loaded: Loaded, actions: Sequence[Entity]) -> str:
    sealed = len(loaded.runs)
    parts = [f"{sealed} sealed runs of joulegrid, {len(actions) - sealed} failed attempts"]
    random = sum(run.spec.weights == "random" for run in loaded.runs)
    if random:
        parts.append(f"{random} of the runs are of random weights")
    return f"{'; '.join(parts)}. `joulegrid audit` checks every claim of it from these files."


def _last_day(loaded: Loaded) -> str:
    stamps = [read_json(run.attempt.seal).get("sealed_us") for run in loaded.runs]
    told = [moment for stamp in stamps if (moment := iso_time(stamp)) is not None]
    return max(told)[:10] if told else _NO_DATE


def _licence(entities: Entities, licence: str | None) -> object:
    if licence is None:
        return NO_LICENCE
    if licence.startswith(("https://", "http://")):
        return entities.add(licence, "CreativeWork", name=licence, description="The licence.")
    return licence


def _root_hash(entities: Entities, loaded: Loaded) -> Entity:
    """One hash of the crate's seals: of a whole folder the one that `joulegrid sign` lodges."""
    seals = [run.attempt.seal for run in loaded.runs]
    root = Root(
        taken_us=0,
        seals={seal.relative_to(loaded.results).as_posix(): file_sha256(seal) for seal in seals},
    )
    return entities.value(
        "Merkle root of the seals",
        root.sha256,
        of="crate",
        propertyID="https://www.rfc-editor.org/rfc/rfc6962#section-2.1",
    )


def stated(root: Mapping[str, object], profile: Profile) -> CrateStatement:
    """What whoever made a crate said of it, read back from its root entity."""
    licence = root.get("license")
    if isinstance(licence, Mapping):
        licence = licence.get("@id")
    name, date = root.get("name"), root.get("datePublished")
    told = None if licence == NO_LICENCE else licence
    return CrateStatement(
        profile=profile,
        name=str(name) if name else None,
        licence=None if told is None else str(told),
        published=str(date) if date else None,
    )

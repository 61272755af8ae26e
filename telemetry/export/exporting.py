"""Exporting: a results folder without names, all of it or nothing."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from telemetry.accounting.answer import Answer, list_answers
from telemetry.export.identities import Identities
from telemetry.export.leaks import leaks_in
from telemetry.export.pseudonyms import NameKind, Pseudonyms
from telemetry.export.replacing import Replacing
from telemetry.export.sealed_copy import SealedCopy, copy_plain, json_files
from telemetry.record.exported import Exported
from telemetry.record.files import file_sha256, read_json, write_json
from telemetry.record.paths import campaigns_folder, closed_runs, find_runs
from telemetry.waiting import counted

# A host or a user that is spelt as a word of the record cannot be told from it.
_MUST_BE_APART: Final = frozenset({NameKind.HOST, NameKind.USER, NameKind.DOMAIN})
_METERS: Final = "meters"
_TITLES: Final = (
    "JobID",
    "JobIDRaw",
    "JobName",
    "Cluster",
    "User",
    "Account",
    "Partition",
    "NodeList",
)


@dataclass(kw_only=True)
class ExportTold:
    """What became of an export."""

    runs: int = 0
    """Sealed runs that are in it."""
    refused: dict[str, str] = field(default_factory=dict)
    """Why a sealed run is not, by run id."""
    names: dict[str, int] = field(default_factory=dict)
    """How many names of each kind were replaced."""
    left_out: list[str] = field(default_factory=list)
    """Files of sealed runs that are not in it, under their names there."""
    fields_only: list[str] = field(default_factory=list)
    """Kinds of names that are words of the record too, and replaced in their own fields alone."""
    in_answers: int = 0
    """Places in prompts and answers at which a name is spelt: they were left as they are."""


def export(results: Path, out: Path, pseudonyms: Pseudonyms) -> ExportTold:
    """Write the sealed runs of a results folder, without names, to a new folder.

    Raises:
        OSError: it cannot be written; `out` is then not there.
        ValueError: a name cannot be told from a word of the record, or still stood in the export.
    """
    told = ExportTold()
    copies = list(_copies(results, told))
    if not copies:
        return told
    names = Identities()
    for copy in counted(copies, "looking for names, run"):
        copy.look_at(names)
    for _, content in json_files(_campaign_files(results)):
        names.look_at(content)
    answers = [Answer.read(path) for path in list_answers(results)]
    for answer in answers:
        _look_at_answer(answer, names)
    for path in _meter_files(results):
        names.look_at(read_json(path))
    fields_only = _collisions(names, copies)
    told.fields_only = sorted({kind.value for kind in fields_only.values()})
    kept = frozenset(copy.run.run_id for copy in copies)
    replacing = Replacing(names, pseudonyms, kept, fields_only)
    for kind in names.kinds.values():
        told.names[kind.value] = told.names.get(kind.value, 0) + 1
    staging = out.with_name(f".{out.name}.new")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        # Runs name the plan that made them by its digest, and each plan those before it.
        _write_campaigns(results, staging, replacing)
        for copy in counted(copies, "writing run"):
            _write_run(copy, staging, replacing, pseudonyms, told)
        _write_beside(results, staging, replacing, answers)
        for leak in leaks_in(staging, replacing):
            if not leak.answer:
                raise ValueError(f"a name still stands in {leak.place}: nothing was exported")
            told.in_answers += 1
        staging.rename(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return told


def _copies(results: Path, told: ExportTold) -> Iterator[SealedCopy]:
    for closed in closed_runs(results):
        told.refused[closed.run_id] = f"its folder cannot be read: {closed.reason}"
    for run in find_runs(results):
        sealed = run.sealed_attempts()
        if not sealed:
            continue
        if len(sealed) > 1:
            told.refused[run.run_id] = "more than one attempt is sealed"
            continue
        copy = SealedCopy(run=run, attempt=sealed[0])
        try:
            refusal = copy.refusal()
        except (ValueError, KeyError, TypeError) as error:
            refusal = str(error)
        if refusal is None:
            yield copy
        else:
            told.refused[run.run_id] = refusal


def _write_run(
    copy: SealedCopy,
    staging: Path,
    replacing: Replacing,
    pseudonyms: Pseudonyms,
    told: ExportTold,
) -> None:
    try:
        told.left_out += copy.write(staging, replacing, pseudonyms.key_id)
        told.runs += 1
    except ValueError as error:
        # It is no sealed run then: what was begun of it is taken back.
        shutil.rmtree(staging / copy.run.run_id, ignore_errors=True)
        told.refused[copy.run.run_id] = str(error)


def _write_campaigns(results: Path, staging: Path, replacing: Replacing) -> None:
    """Plans and arrays of all campaigns, by name: by the time of their calls."""
    for path, content in json_files(_campaign_files(results)):
        target = staging / replacing.key(path.relative_to(results).as_posix())
        target.parent.mkdir(parents=True, exist_ok=True)
        write_json(target, replacing.json(content))
        replacing.digests[file_sha256(path)] = file_sha256(target)


def _write_beside(
    results: Path, staging: Path, replacing: Replacing, answers: Sequence[Answer]
) -> None:
    """The center's books and outside meters."""
    for answer in answers:
        text = _books_without_names(answer.text.decode(errors="replace"), replacing)
        Answer(
            text=text.encode(),
            source=replacing.text(answer.source),
            command=tuple(replacing.text(word) for word in answer.command),
            zone=answer.zone,
            asked_us=answer.asked_us,
        ).keep(staging)
    for path in _meter_files(results):
        target = staging / _METERS / path.name
        target.parent.mkdir(exist_ok=True)
        write_json(target, replacing.json(read_json(path)))
        copy_plain(path.with_suffix(".parquet"), target.with_suffix(".parquet"))


def _books_without_names(text: str, replacing: Replacing) -> str:
    """What sacct printed, cell by cell: an ordinary number is none of a job's."""
    first, *lines = text.split("\n")
    titles = [title.strip() for title in first.split("|")]
    told = [first]
    for line in lines:
        cells = line.split("|")
        # A row that has other cells than the header is no row; it is a text.
        told.append(
            "|".join(replacing.cell(title, cell) for title, cell in zip(titles, cells, strict=True))
            if len(cells) == len(titles)
            else replacing.text(line)
        )
    return "\n".join(told)


def _campaign_files(results: Path) -> list[Path]:
    return sorted(campaigns_folder(results).glob("*/*.json"))


def _meter_files(results: Path) -> list[Path]:
    return sorted((results / _METERS).glob("*.json"))


def _look_at_answer(answer: Answer, names: Identities) -> None:
    """Take in the names of a center's books, by the columns that they stand in."""
    lines = answer.text.decode(errors="replace").splitlines()
    header = [name.strip() for name in lines[0].split("|")] if lines else []
    for line in lines[1:]:
        for name, cell in zip(header, line.split("|"), strict=False):
            if name in _TITLES:
                names.look_at(cell.strip(), name)


def _collisions(names: Identities, copies: Sequence[SealedCopy]) -> dict[str, NameKind]:
    """Names that are words of the record, taken out of those that are looked for everywhere.

    Raises:
        ValueError: one is a host's or a user's.
    """
    words = {word.lower() for copy in copies for word in copy.words()}
    words |= {part for copy in copies for part in copy.run.run_id.lower().split("-")}
    found = {name: kind for name, kind in names.kinds.items() if name.lower() in words}
    for name, kind in found.items():
        if kind in _MUST_BE_APART:
            raise ValueError(
                f"a {kind.value} must not be called as a word of the record is, but one is "
                f"{name!r}: it cannot be told from that word"
            )
        del names.kinds[name]
    return found


def proof(results: Path, exported: Path) -> dict[str, bool]:
    """Which runs of an export are of seals that lie in a results folder, by run id."""
    found: dict[str, bool] = {}
    here = {run.run_id: run for run in find_runs(results)}
    for run in find_runs(exported):
        for attempt in run.sealed_attempts():
            told = Exported.of(attempt)
            original = here.get(run.run_id)
            seals = original.sealed_attempts() if original is not None else []
            found[run.run_id] = bool(
                told is not None
                and any(file_sha256(one.seal) == told.original_seal_sha256 for one in seals)
            )
    return found

"""Attempt: the shards of one attempt become its tables and manifest, and its seal if it completed.

Merging again says the same, to the byte; a sealed attempt is not touched.
"""

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from telemetry.merge.alignment import Clocks
from telemetry.merge.chunks import UNREADABLE, Chunk
from telemetry.merge.coverage import Coverage
from telemetry.merge.manifest import build_manifest, is_simulated
from telemetry.merge.merge_samples import Window, fit_in_memory
from telemetry.merge.merge_sorted import merge_ordered
from telemetry.merge.part_index import Survey, survey_part
from telemetry.merge.screen import Inventory, Refusals, SamplesScreen, inventory, screen_spans
from telemetry.merge.table_file import SamplesFile, TableFile
from telemetry.nearest import told_count
from telemetry.record.attempt_state import attempt_state, record_end
from telemetry.record.files import read_json, write_json
from telemetry.record.limits import require_rows
from telemetry.record.paths import AttemptPaths, RunPaths, closed_runs, list_runs
from telemetry.record.plain_file import list_folder
from telemetry.record.schema import LATER, METADATA_KEY, SCHEMA_VERSION, TABLES, EndState
from telemetry.record.seal import seal_attempt, verify_seal
from telemetry.record.signature import sign_as_launched
from telemetry.record.spec import RunSpec
from telemetry.shards.writer import list_parts

# A column of the responses; each value is the time of a step (`telemetry.record.schema`).
_TIMED_BY: Final = "first_token_us"
# What is raised where a JSON file of a record is not what its writer made it: a key is not there,
# a list stands for an object, or brackets go 100,000 deep.
_DAMAGED: Final = (KeyError, TypeError, AttributeError, RecursionError)

# What the system says of a file that is lost, or a folder or a circle of links in its place. Arrow
# says what it cannot parse without a number; any other number is the machine's.
_DAMAGE_NUMBERS: Final = frozenset({None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP})
# Of a list in one line for people.
_MOST_SAID: Final = 3

ReportRows = Callable[[int, int], None]
"""Told how many rows of how many are merged."""


def merge_attempt(
    run: RunPaths,
    attempt: AttemptPaths,
    progress: ReportRows | None = None,
    *,
    into: AttemptPaths | None = None,
) -> dict[str, Any]:
    """Write the tables and the manifest of an ended attempt; its manifest.

    Args:
        run: whose attempt it is.
        attempt: where its shards lie.
        progress: told of the rows.
        into: where the tables and the manifest go, whether it is sealed or not; None writes them
            beside the shards, and leaves what is sealed as it is.

    Raises:
        ValueError: the attempt has not ended, or a file of its record is not what it must be.
        OSError: the disk is full or gone; the attempt is then as it was or partly merged.
    """
    try:
        return _merge(run, attempt, progress, into)
    except _DAMAGED as error:
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"a file of {attempt.folder} is damaged: {what}") from error


def findings(manifest: Mapping[str, Any]) -> str:
    """What a merge found that whoever takes the run for whole must know, in words; empty if none.

    Damaged parts, what is missing, and readings that cannot be.
    """
    told = []
    if names := [part["path"] for part in manifest["parts"] if part["damage"] is not None]:
        more = "" if len(names) == 1 else f" and {len(names) - 1} more"
        told.append(
            f"{told_count(len(names), 'part')} damaged: {names[0]}{more} (see manifest.json)"
        )
    if missing := manifest.get("missing"):
        more = "" if len(missing) <= _MOST_SAID else f"; and {len(missing) - _MOST_SAID} more"
        told.append(f"MISSING: {'; '.join(missing[:_MOST_SAID])}{more}")
    if impossible := manifest.get("impossible"):
        readings = sum(one["readings"] for one in impossible)
        told.append(f"{readings} readings that cannot be are null (see manifest.json)")
    return ", ".join(told)


def _merge(
    run: RunPaths, attempt: AttemptPaths, progress: ReportRows | None, into: AttemptPaths | None
) -> dict[str, Any]:
    if into is None and os.path.lexists(attempt.seal):
        return read_json(attempt.manifest)
    state = attempt_state(attempt)
    if not state.ended:
        raise ValueError(f"{attempt.folder} must have ended to be merged, but is {state.state}")
    clocks = Clocks.read(attempt)
    surveys = {kind: _survey(attempt, kind, clocks) for kind in _tables(attempt)}
    told = [survey.metadata for survey in surveys["samples"] if survey.metadata is not None]
    merging = _Merging(
        run=run,
        attempt=attempt,
        into=into or attempt,
        clocks=clocks,
        surveys=surveys,
        simulated=is_simulated(RunSpec.read(run.spec), surveys),
        report=_Rows(surveys, progress),
        gpus=inventory(told),
        refusals=Refusals(),
    )
    samples, coverage = merging.write_samples()
    tables = {kind: merging.write(kind) for kind in surveys if kind != "samples"}
    manifest = build_manifest(
        run=run,
        attempt=attempt,
        state=state,
        clocks=clocks,
        surveys=surveys,
        tables={**tables, "samples": samples},
        coverage=coverage,
        impossible=merging.refusals.listed(),
    )
    write_json((into or attempt).manifest, manifest)
    return manifest


@dataclass(frozen=True, kw_only=True)
class MergeOutcome:
    """What became of one attempt."""

    run_id: str
    """The run's name in the results folder."""
    attempt: int | None
    """The attempt's number, counted from 1; None of a run that cannot be read."""
    text: str
    """One line for people."""
    failed: bool = False
    """True when it should have been merged and could not be."""
    unread: bool = False
    """True when that is as its record is damaged, and no fault of the machine."""
    closed: bool = False
    """True of a run whose folder cannot be read: what there is to merge in it, nobody knows."""


def merge_results(
    results: Path,
    progress: ReportRows | None = None,
    *,
    only_run: RunPaths | None = None,
    only_attempt: AttemptPaths | None = None,
) -> Iterator[MergeOutcome]:
    """Merge every ended attempt of a results folder and seal the completed ones, one by one.

    `only_run` and `only_attempt` are the ones to look at; None looks at all.
    """
    if only_run is None:
        for closed in closed_runs(results):
            told = f"not looked at: {closed.reason}"
            yield MergeOutcome(run_id=closed.run_id, attempt=None, text=told, closed=True)
    for run in list_runs(results) if only_run is None else [only_run]:
        for attempt in run.attempts() if only_attempt is None else [only_attempt]:
            failed = unread = False
            try:
                text = _merge_and_seal(run, attempt, progress)
            except UNREADABLE as error:
                text, failed = f"not merged: {error}", True
                unread = not isinstance(error, OSError) or error.errno in _DAMAGE_NUMBERS
            except _DAMAGED as error:
                what = f"a file of its record is damaged: {type(error).__name__}: {error}"
                text, failed = f"not merged: {what}", True
                unread = True
            yield MergeOutcome(
                run_id=run.run_id,
                attempt=attempt.number,
                text=text,
                failed=failed,
                unread=unread,
            )


@dataclass(frozen=True, kw_only=True)
class _Merging:
    """One attempt on its way from shards to tables."""

    run: RunPaths
    """Where the run's record lies."""
    attempt: AttemptPaths
    """Where its shards lie."""
    into: AttemptPaths
    """Where its tables go."""
    clocks: Clocks
    """How each host's times are told on the reference host's clock."""
    surveys: dict[str, list[Survey]]
    """What the parts of each table hold; damage that is found on the way is noted here."""
    simulated: bool
    """True when the spec or any shard says that values come from a model."""
    report: "_Rows"
    """Told of every row that is merged."""
    gpus: Inventory
    """What the watchers told of the GPUs, whose limits bound their readings."""
    refusals: Refusals
    """Told of every reading that cannot be and is made null."""

    def write_samples(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Write the samples in one pass; what the manifest says about them, and their coverage."""
        facts: dict[str, Any] = {"rows": 0, "duplicates": 0, "conflicts": 0}
        facts |= {"t_first_us": None, "t_last_us": None}
        window = Window(self.clocks, self._note_damage("samples"))
        coverage = Coverage()
        screen = SamplesScreen(self.gpus, window.remarks, self.refusals)
        with SamplesFile(self.into.table("samples"), self._schema("samples")) as table:
            for block in window.merge(fit_in_memory(self._chunks("samples"), self.clocks)):
                rows = screen.pass_on(block.rows, window.series_keys.keys())
                remarks = window.remarks.listed()
                self.report.add(len(rows) + block.dropped)
                table.write(rows, window.series_keys.alphabet(), remarks)
                coverage.add(rows, remarks)
                facts["rows"] += len(rows)
                facts["duplicates"] += block.dropped
                facts["conflicts"] += block.conflicts
                if facts["t_first_us"] is None:
                    facts["t_first_us"] = int(rows.t_us[0])
                facts["t_last_us"] = int(rows.t_us[-1])
        periods_us = _periods_us(self.surveys["samples"])
        return facts, coverage.rows(window.series_keys.keys(), periods_us)

    def write(self, kind: str) -> dict[str, Any]:
        """Write a table other than samples; what the manifest says about it, or is made from."""
        rows = 0
        timed = False
        with TableFile(self.into.table(kind), self._schema(kind)) as table:
            merged = merge_ordered(kind, self._chunks(kind), self.clocks, self._note_damage(kind))
            for block in merged:
                self.report.add(block.num_rows)
                rows += block.num_rows
                if kind == "responses" and _TIMED_BY in block.column_names:
                    timed |= block[_TIMED_BY].null_count < block.num_rows
                is_spans = kind == "spans"
                table.write(screen_spans(block, self.gpus, self.refusals) if is_spans else block)
        return {"rows": rows, "timed": timed}

    def _chunks(self, kind: str) -> list[Chunk]:
        return [chunk for survey in self.surveys[kind] for chunk in survey.chunks]

    def _note_damage(self, kind: str) -> Callable[[Chunk, str], None]:
        surveys = self.surveys[kind]
        places = {survey.part: place for place, survey in enumerate(surveys)}

        def note(chunk: Chunk, damage: str) -> None:
            place = places[chunk.part]
            surveys[place] = surveys[place].without(chunk, damage)

        return note

    def _schema(self, kind: str) -> pa.Schema:
        shards: dict[str, Any] = {}
        for survey in self.surveys[kind]:
            if survey.metadata is not None:
                shards.setdefault(survey.part.path.parent.name, survey.metadata)
        metadata = {
            "schema_version": SCHEMA_VERSION,
            "kind": kind,
            "run_id": self.run.run_id,
            "attempt": self.attempt.number,
            "simulated": self.simulated,
            "shards": shards,
        }
        # All of an attempt's parts were written by the same release.
        schema = next((chunk.schema for chunk in self._chunks(kind)), TABLES[kind])
        return schema.with_metadata({METADATA_KEY: json.dumps(metadata, sort_keys=True)})


class _Rows:
    """Rows merged so far, of all there are."""

    def __init__(self, surveys: dict[str, list[Survey]], progress: ReportRows | None) -> None:
        self._total = sum(survey.rows for found in surveys.values() for survey in found)
        self._done = 0
        self._progress = progress

    def add(self, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, self._total)


def _merge_and_seal(run: RunPaths, attempt: AttemptPaths, progress: ReportRows | None) -> str:
    if os.path.lexists(attempt.seal):
        # Nothing is merged of it; that it is well may be said of what was hashed alone.
        if differences := verify_seal(run, attempt):
            more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
            raise ValueError(f"sealed, but not as it was sealed: {differences[0]}{more}")
        return "sealed already, not touched"
    state = attempt_state(attempt)
    if not state.ended:
        return f"{state.state}, left alone" + (f": {state.reason}" if state.reason else "")
    if state.state == EndState.LOST:
        record_end(attempt, EndState.LOST, state.reason, "merge")
    manifest = merge_attempt(run, attempt, progress)
    rows = manifest["tables"]["samples"]["rows"]
    text = f"{state.state}, {rows} samples merged"
    if told := findings(manifest):
        text += f", {told}"
    if state.state == EndState.COMPLETED:
        if (sealed := run.sealed()) is not None:
            return f"{text}, not sealed: attempt {sealed.number} is"
        seal_attempt(run, attempt)
        text += ", sealed"
        if unsigned := sign_as_launched(attempt):
            text += f", {unsigned}"
    return text


def _tables(attempt: AttemptPaths) -> list[str]:
    """The tables that an attempt's shards make, by name."""
    return sorted(kind for kind in TABLES if kind not in LATER or attempt.shards(kind).is_dir())


def _survey(attempt: AttemptPaths, kind: str, clocks: Clocks) -> list[Survey]:
    folder = attempt.shards(kind)
    if not folder.is_dir():
        return []
    surveys: list[Survey] = []
    rows = size_bytes = 0
    for shard in (child for child in list_folder(folder) if child.is_dir()):
        for part in list_parts(shard):
            survey = survey_part(kind, part, clocks)
            rows += survey.rows
            size_bytes += part.path.lstat().st_size
            # Each file may be honest: a table of all of them has a limit too.
            require_rows(rows, size_bytes, f"the parts of {kind}")
            # A writer says the same in every part: kept once, days of parts stay small.
            if surveys and survey.metadata == surveys[-1].metadata:
                survey = replace(survey, metadata=surveys[-1].metadata)
            surveys.append(survey)
    return surveys


def _periods_us(surveys: Sequence[Survey]) -> dict[str, dict[str, int]]:
    """Periods by host and field as the watchers stated them."""
    return {
        survey.metadata["host"]: survey.metadata["periods_us"]
        for survey in surveys
        if survey.metadata is not None
    }

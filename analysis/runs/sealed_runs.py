"""Sealed runs: the sealed runs of a results folder, and by name everything that does not count.

A run counts while every file that its seal names lies there as it was sealed, and none beside
them. Tables are read when first asked for, and hashed again as they are: what is parsed are the
bytes that were hashed.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import field as field_of
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from analysis.runs.processes import cores
from analysis.runs.sealed_files import SealedFiles
from analysis.runs.sealed_table import SealedTable
from analysis.runs.series import Series
from analysis.runs.unreadable import UNREADABLE, require_shape, shortened
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, RunPaths, closed_runs, find_runs
from telemetry.record.schema import LATER, SCHEMA_VERSION, TABLES
from telemetry.record.seal import SEALED, verify_seal
from telemetry.record.spec import RunSpec
from telemetry.waiting import at

UNREADABLE_STATE: Final = "unreadable"
"""State of a run or an attempt of which a file cannot be read."""
NOT_AS_SEALED: Final = "not as sealed"
"""State of a run of which a file was changed, lost or added since its seal."""
DAMAGED: Final = (NOT_AS_SEALED, UNREADABLE_STATE)
"""States of what is sealed and in no number, as its files are not whole."""
# The others are counted: a run that was cut short differs in hundreds.
_NAMED_DIFFERENCES: Final = 5


@dataclass(frozen=True, kw_only=True)
class Run:
    """One sealed run; its tables are read when first asked for."""

    paths: RunPaths
    """Where the run's record lies."""
    attempt: AttemptPaths
    """The one attempt that is sealed."""
    spec: RunSpec
    """What was run."""
    manifest: dict[str, Any]
    """What the merge found: the sealed attempt's manifest.json."""
    files: SealedFiles = field_of(default_factory=SealedFiles)
    """Where its bytes come from: hashed against the seal, or, by default, as they lie there."""

    @property
    def run_id(self) -> str:
        """The run's name in its results folder."""
        return self.paths.run_id

    @property
    def simulated(self) -> bool:
        """True when any part of the record is simulated."""
        return self.spec.simulated or bool(self.manifest.get("simulated"))

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """The watchers' ready records by host."""
        return dict(self.manifest.get("hosts", {}))

    @cached_property
    def spans(self) -> pa.Table:
        """What every rank was doing, sorted by rank and time."""
        table = self.table("spans")
        return table.sort_by([("rank", "ascending"), ("t_start_us", "ascending")])

    @cached_property
    def responses(self) -> pa.Table:
        """What was generated."""
        return self.table("responses")

    @cached_property
    def steps(self) -> pa.Table | None:
        """When tokens were chosen, sorted by batch and step; None in a record from before."""
        if not self.attempt.table("steps").is_file():
            return None
        return self.table("steps").sort_by([("batch", "ascending"), ("step", "ascending")])

    @cached_property
    def model(self) -> dict[str, Any]:
        """What rank 0 worked with; empty in a record from before.

        Raises:
            ValueError, OSError: model.json cannot be read. The two below do alike.
        """
        return self._optional(self.attempt.model)

    @cached_property
    def launch(self) -> dict[str, Any]:
        """How the attempt was to be carried out; empty in a record without."""
        return self._optional(self.attempt.launch)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Who started the run with which code; empty in a record without."""
        return self._optional(self.attempt.provenance)

    @cached_property
    def foreseen(self) -> dict[str, Any]:
        """What the attempt was expected to take; empty in a record without."""
        return self._optional(self.attempt.foreseen)

    def _optional(self, path: Path) -> dict[str, Any]:
        """A file that a record may lack, but not hold broken."""
        return self.files.json(path) if path.exists() or path.is_symlink() else {}

    def let_go(self) -> None:
        """Give the tables' memory back; whoever asks for one again reads it again."""
        for name in ("spans", "responses", "steps"):
            self.__dict__.pop(name, None)

    def table(self, kind: str, columns: Sequence[str] | None = None) -> pa.Table:
        """One merged table, all rows; columns that an older record lacks are null throughout.

        `columns` are those that are wanted; None wants all.

        Raises:
            ValueError: its columns are not the schema's, or it is beyond a limit.
        """
        return self._sealed_table(kind).read(columns)

    def said(self, kind: str) -> dict[str, Any]:
        """What a merged table says of itself and its shards; empty where it says nothing.

        Raises:
            ValueError: it is no JSON object, or the table is none.
        """
        return self._sealed_table(kind).said()

    def sample_groups(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The samples, some columns, a stretch of rows at a time; words are codes.

        Raises:
            ValueError: the columns are not the schema's, or it is beyond a limit.
        """
        return self._sealed_table("samples").groups(columns)

    def _sealed_table(self, kind: str) -> SealedTable:
        return SealedTable(kind=kind, path=self.attempt.table(kind), files=self.files)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that the record has: one from before lacks those that came later."""
        return tuple(
            kind for kind in TABLES if kind not in LATER or self.attempt.table(kind).is_file()
        )

    def series(self, fields: Iterable[str]) -> dict[tuple[str, str, str], Series]:
        """The readings of `fields` by (host, device, field), by time, nulls counted apart."""
        return self._sealed_table("samples").series(fields)

    @cached_property
    def _periods_us(self) -> dict[tuple[str, str, str], int]:
        return {
            (str(entry["host"]), str(entry["device"]), str(entry["field"])): int(entry["period_us"])
            for entry in self.manifest.get("coverage", [])
            if entry["period_us"]
        }

    def period_us(self, host: str, device: str, field: str) -> int | None:
        """Time between two readings as the record states it; None when it does not."""
        return self._periods_us.get((host, device, field))

    def measured_period_us(self, host: str, field: str) -> int | None:
        """Update period of a reading as the host's source measured it; None when it did not.

        It stands under `paces` of the source, or of one of those that the source is made of.
        """
        source = self.hosts.get(host, {}).get("source")
        parts = [source, *(source.values() if isinstance(source, dict) else ())]
        for part in parts:
            paces = part.get("paces") if isinstance(part, dict) else None
            pace = paces.get(field) if isinstance(paces, dict) else None
            period_us = pace.get("update_us") if isinstance(pace, dict) else None
            if isinstance(period_us, int | float) and period_us > 0:
                return int(period_us)
        return None


@dataclass(frozen=True, kw_only=True)
class NotCounted:
    """A run or an attempt that is no part of any result."""

    run_id: str
    """The run's name in its results folder."""
    attempt: int | None
    """None when the run as a whole is meant."""
    state: str
    """Where the attempt stands, or `unreadable`, or `planned` for a run without one."""
    reason: str
    """Why it does not count, in one line; empty when nothing says."""

    @property
    def damaged(self) -> bool:
        """True of a run that is sealed, and of which a file is lost, changed or unreadable."""
        return self.state in DAMAGED


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A results folder as analysis sees it."""

    results: Path
    """The folder that was looked through."""
    runs: tuple[Run, ...]
    """Sealed and readable, by name."""
    not_counted: tuple[NotCounted, ...]
    """All else, by name and attempt."""


def load(results: Path, only: RunPaths | None = None) -> Loaded:
    """The sealed runs of `results`; what is not sealed or not readable is named, not mixed in.

    `only` is the one run to look at; None looks at all.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not results.is_dir():
        raise FileNotFoundError(f"`results` must be a folder, but {results} is none")
    runs: list[Run] = []
    others = [
        NotCounted(run_id=closed.run_id, attempt=None, state=UNREADABLE_STATE, reason=closed.reason)
        for closed in (closed_runs(results) if only is None else [])
    ]
    known = list(find_runs(results)) if only is None else [only]
    # To hash a file takes no turn of Python's: threads do it side by side.
    with ThreadPoolExecutor(max_workers=min(cores(), max(1, len(known)))) as pool:
        for number, (run, left_out) in enumerate(pool.map(_looked_at, known), 1):
            at(f"reading run {number} of {len(known)}")
            others += left_out
            runs += [] if run is None else [run]
    return Loaded(results=results, runs=tuple(runs), not_counted=tuple(others))


def _looked_at(paths: RunPaths) -> tuple[Run | None, list[NotCounted]]:
    """A run, if it counts, and what of it does not."""
    others = [
        NotCounted(run_id=paths.run_id, attempt=attempt.number, state=state, reason=reason or "")
        for attempt in paths.attempts()
        for state, reason in [attempt_progress(attempt)]
        if state != SEALED
    ]
    try:
        run = _open_intact(paths)
        if run is not None:
            # Read now, so that a broken one is told here and takes no number with it.
            _ = run.model, run.launch, run.provenance
    except _NotAsSealedError as error:
        state, reason = NOT_AS_SEALED, str(error)
        others.append(
            NotCounted(run_id=paths.run_id, attempt=error.attempt, state=state, reason=reason)
        )
        return None, others
    except UNREADABLE as error:
        state, reason = UNREADABLE_STATE, shortened(error)
        others.append(NotCounted(run_id=paths.run_id, attempt=None, state=state, reason=reason))
        return None, others
    if run is None and not paths.attempts():
        others.append(
            NotCounted(run_id=paths.run_id, attempt=None, state="planned", reason="no attempt yet")
        )
    return run, others


class _NotAsSealedError(Exception):
    """A sealed run's files are not those that were sealed."""

    def __init__(self, attempt: int, differences: Sequence[str]) -> None:
        more = len(differences) - _NAMED_DIFFERENCES
        named = [*differences[:_NAMED_DIFFERENCES], *([f"and {more} more"] if more > 0 else [])]
        super().__init__("; ".join(named))
        self.attempt = attempt


def _open_intact(paths: RunPaths) -> Run | None:
    """The same as `open_run`, once every file of the seal was found as it was sealed.

    Raises:
        _NotAsSealedError: one was not.
    """
    attempt = paths.sealed()
    if attempt is None:
        return None
    version, owner = _seal_says(attempt.seal)
    # What another release sealed is not changed: it is not read as this one's.
    if version is not None:
        _require_version("seal", version)
    if owner is not None and owner != paths.run_id:
        told = f"its seal is of {owner}: a run's folder keeps its name, and a copy counts once"
        raise _NotAsSealedError(attempt.number, [told])
    if differences := verify_seal(paths, attempt):
        own = [difference.removeprefix(f"{paths.run_id}/") for difference in differences]
        raise _NotAsSealedError(attempt.number, own)
    return open_run(paths, files=SealedFiles.of(paths, attempt))


def open_run(paths: RunPaths, files: SealedFiles | None = None) -> Run | None:
    """The run's sealed attempt, None when none is sealed; its files as they lie there by default.

    Raises:
        OSError: a file is missing.
        ValueError: several attempts are sealed, or the record is of another schema version.
    """
    attempt = paths.sealed()
    if attempt is None:
        return None
    files = files or SealedFiles()
    manifest = files.json(attempt.manifest)
    for name, content in (("manifest", manifest), ("seal", read_json(attempt.seal))):
        _require_version(name, content.get("schema_version"))
    require_shape(manifest)
    spec = RunSpec.from_mapping(files.json(paths.spec))
    if spec.run_id != paths.run_id:
        raise ValueError(
            f"`run_id` must be {spec.run_id} by the spec, but the folder is {paths.run_id} instead"
        )
    return Run(paths=paths, attempt=attempt, spec=spec, manifest=manifest, files=files)


def _seal_says(seal: Path) -> tuple[int | None, str | None]:
    """The schema and the run that a seal is of; None where it does not say: its own fault."""
    try:
        content = read_json(seal)
    except UNREADABLE:
        return None, None
    version, owner = content.get("schema_version"), content.get("run_id")
    known = isinstance(version, int) and not isinstance(version, bool)
    return version if known else None, owner if isinstance(owner, str) else None


def _require_version(name: str, version: object) -> None:
    """Refuse what another release wrote, and say of which side it is.

    Raises:
        ValueError: its schema is not this one's.
    """
    if version == SCHEMA_VERSION:
        return
    told = ""
    if isinstance(version, int) and not isinstance(version, bool):
        age = "a newer" if version > SCHEMA_VERSION else "an older"
        told = f": {age} joulegrid wrote it, and one of its age reads it"
    raise ValueError(
        f"`schema_version` of the {name} must be {SCHEMA_VERSION}, but is {version!r} instead{told}"
    )


def attempt_progress(attempt: AttemptPaths) -> tuple[str, str | None]:
    """How far an attempt came, and why it went no further."""
    if attempt.seal.is_file():
        return SEALED, None
    try:
        if attempt.ended.is_file():
            ended = read_json(attempt.ended)
            reason = ended.get("reason")
            if reason is None and ended["state"] == "completed":
                reason = "completed but not merged and sealed"
            return str(ended["state"]), None if reason is None else str(reason)
    except UNREADABLE as error:
        return UNREADABLE_STATE, shortened(error)
    for path, state, reason in (
        (attempt.started, "started", "no end is on record"),
        (attempt.submitted, "submitted", "no start is on record"),
    ):
        if path.is_file():
            return state, reason
    return "planned", "not submitted"

"""Where a run's record lies: every path of a results folder in one place."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telemetry.record.plain_file import list_folder
from telemetry.record.spec import _ATTEMPT

# As `RunSpec.run_id` ends: the repeat, and hex digits of a digest.
_RUN_NAME: Final = re.compile(r".+-r\d+-[0-9a-f]{8}")


@dataclass(frozen=True, kw_only=True)
class AttemptPaths:
    """Where one job's try at a run keeps its record."""

    folder: Path
    """The attempt's own folder, named attempt-NNN."""

    @property
    def number(self) -> int:
        """The attempt's number, counted from 1."""
        match = _ATTEMPT.fullmatch(self.folder.name)
        if match is None:
            raise ValueError(f"{self.folder} must be named attempt-NNN")
        return int(match[1])

    @property
    def launch(self) -> Path:
        """What the job is to do beside its spec, written before submission."""
        return self.folder / "launch.json"

    @property
    def provenance(self) -> Path:
        """Who started it from where, with which code, written before submission."""
        return self.folder / "provenance.json"

    @property
    def foreseen(self) -> Path:
        """What it was expected to take, written before submission; records of before lack it."""
        return self.folder / "foreseen.json"

    @property
    def submitted(self) -> Path:
        """The job's ids and log path, written by the launcher."""
        return self.folder / "submitted.json"

    @property
    def started(self) -> Path:
        """Host, process and time, written by rank 0."""
        return self.folder / "started.json"

    @property
    def ended(self) -> Path:
        """How the attempt ended and why; the first writer wins."""
        return self.folder / "ended.json"

    @property
    def progress(self) -> Path:
        """How far rank 0 is; advisory."""
        return self.folder / "progress.json"

    @property
    def model(self) -> Path:
        """What rank 0 worked with: weights, engine, memory, logit error, warm-up, window."""
        return self.folder / "model.json"

    @property
    def heads(self) -> Path:
        """Heads of the first node's chain, and where they were told while the run went on."""
        return self.folder / "heads.json"

    @property
    def rendezvous(self) -> Path:
        """Where rank 0 listens for the other ranks."""
        return self.folder / "rendezvous.json"

    @property
    def hosts(self) -> Path:
        """Folder of the watchers' ready records."""
        return self.folder / "hosts"

    def host(self, host: str) -> Path:
        """One watcher's ready record."""
        return self.hosts / f"{host}.json"

    @property
    def watchers(self) -> Path:
        """Folder of what the watchers and their owners say about the watching itself."""
        return self.folder / "watchers"

    @property
    def clocks(self) -> Path:
        """Folder of the hosts' clock offsets; missing in a run of one node."""
        return self.folder / "clocks"

    @property
    def power(self) -> Path:
        """Folder of how the hosts' GPUs were set; missing where nothing was asked."""
        return self.folder / "power"

    def host_power(self, host: str) -> Path:
        """How one host's GPUs were set, and put back: a `telemetry.power` record."""
        return self.power / f"{host}.json"

    @property
    def ranks(self) -> Path:
        """Folder of the ranks' registrations."""
        return self.folder / "ranks"

    def rank(self, rank: int) -> Path:
        """One rank's registration: process, host and GPU."""
        return self.ranks / f"rank-{rank:05d}.json"

    def shards(self, kind: str) -> Path:
        """Folder of all shards of a table, named in `telemetry.record.schema.TABLES`."""
        return self.folder / "shards" / kind

    def samples_shard(self, host: str) -> Path:
        """Folder of one watcher's parts."""
        return self.shards("samples") / host

    def rank_shard(self, kind: str, rank: int) -> Path:
        """Folder of one rank's parts of a table other than `samples`."""
        return self.shards(kind) / f"rank-{rank:05d}"

    def table(self, kind: str) -> Path:
        """A merged table, named in `telemetry.record.schema.TABLES`."""
        return self.folder / f"{kind}.parquet"

    @property
    def manifest(self) -> Path:
        """What the merge found: counts, coverage, devices, damage."""
        return self.folder / "manifest.json"

    @property
    def seal(self) -> Path:
        """SHA-256 of every file of the run: written last, never edited."""
        return self.folder / "seal.json"


@dataclass(frozen=True, kw_only=True)
class ClosedRun:
    """A run of which a folder cannot be read: another user's, or on a disk that is failing."""

    run_id: str
    """The run's name in the results folder."""
    reason: str
    """What the system says, and of which folder, in one line."""


@dataclass(frozen=True, kw_only=True)
class RunPaths:
    """Where one run's record lies in a results folder."""

    results: Path
    """Folder of all runs, with their prompts and campaigns."""
    run_id: str
    """`RunSpec.run_id`, which names the run's folder."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.results / self.run_id

    @property
    def spec(self) -> Path:
        """The run's spec."""
        return self.folder / "spec.json"

    @property
    def is_there(self) -> bool:
        """True where the folder is a run's or claims to be: it has a spec or an attempt.

        A spec that has become a folder or a link to nowhere is damage, and the run is one still.
        """
        return os.path.lexists(self.spec) or bool(self.attempts())

    def prompts(self, sha256: str) -> Path:
        """The prompts file with that content hash, shared by runs."""
        return prompts_folder(self.results) / f"{sha256}.jsonl"

    def attempt(self, number: int) -> AttemptPaths:
        """The attempt with that number, whether it exists or not."""
        return AttemptPaths(folder=self.folder / f"attempt-{number:03d}")

    def attempts(self) -> list[AttemptPaths]:
        """All attempts there are, by number."""
        if not self.folder.is_dir():
            return []
        found = [
            AttemptPaths(folder=child)
            for child in list_folder(self.folder)
            # A link is one that is refused when it is read, and hides from nobody.
            if _ATTEMPT.fullmatch(child.name) and (child.is_dir() or child.is_symlink())
        ]
        return sorted(found, key=lambda attempt: attempt.number)

    def sealed_attempts(self) -> list[AttemptPaths]:
        """All attempts that carry a seal, intact or not, by number; more than one is a fault."""
        return [attempt for attempt in self.attempts() if os.path.lexists(attempt.seal)]

    def sealed(self) -> AttemptPaths | None:
        """The sealed attempt, None when the run is not sealed.

        Raises:
            ValueError: more than one attempt is sealed.
        """
        sealed = self.sealed_attempts()
        if len(sealed) > 1:
            numbers = ", ".join(str(attempt.number) for attempt in sealed)
            raise ValueError(
                f"{self.folder} must hold at most one sealed attempt, but attempts {numbers} are"
            )
        return sealed[0] if sealed else None


def prompts_folder(results: Path) -> Path:
    """Where a results folder keeps the prompts of its runs, by content hash."""
    return results / "prompts"


def checkpoints_folder(results: Path) -> Path:
    """Where a results folder keeps the digests of the checkpoints that its runs name."""
    return results / "checkpoints"


def campaigns_folder(results: Path) -> Path:
    """Where a results folder keeps its launcher calls: grid, plan and job logs."""
    return results / "campaigns"


def report_folder(results: Path) -> Path:
    """Where analysis writes: tables, figures, the page and the audit; no part of the record."""
    return results / "report"


def holds_results(folder: Path) -> bool:
    """True where a folder has what the launcher writes: a run, or the calls that made runs.

    Raises:
        OSError: it cannot be read, or none of its runs can.
    """
    # Another tool may have a folder of that name: a call of the launcher's holds JSON.
    if (
        next(list_runs(folder), None) is not None
        or next(campaigns_folder(folder).glob("*/*.json"), None) is not None
    ):
        return True
    for run in _folders(folder):
        try:
            _is_run(run)
        except OSError:
            if _named_as_one(run):
                raise
    return False


def list_runs(results: Path) -> Iterator[RunPaths]:
    """Every run of a results folder, by name: each folder with a spec.json or an attempt.

    A folder whose name begins with a dot is one that the launcher is still making. One that cannot
    be read hides no other: `closed_runs` names it.
    """
    for run in _folders(results):
        try:
            found = _is_run(run)
        except OSError:
            continue
        if found:
            yield run


def closed_runs(results: Path) -> list[ClosedRun]:
    """Every run of a results folder that cannot be read, by name; what it holds nobody knows.

    A folder that is not named as a run is, such as a disk's lost+found, is none.
    """
    found = []
    for run in _folders(results):
        try:
            _is_run(run)
        except OSError as error:
            if _named_as_one(run):
                reason = f"{error.strerror or error}: {error.filename or run.folder}"
                found.append(ClosedRun(run_id=run.run_id, reason=reason))
    return found


def find_runs(results: Path) -> list[RunPaths]:
    """Every folder that is a run or claims to be: one with a spec, or with an attempt."""
    listed = {run.run_id for run in list_runs(results)}
    folders = [child for child in list_folder(results) if child.is_dir()]
    runs = [RunPaths(results=results, run_id=folder.name) for folder in folders]
    return [run for run in runs if run.run_id in listed or _has_attempts(run)]


def _folders(results: Path) -> Iterator[RunPaths]:
    """Whatever may be a run, by name."""
    if not results.is_dir():
        return
    for folder in list_folder(results):
        if not folder.name.startswith("."):
            yield RunPaths(results=results, run_id=folder.name)


def _is_run(run: RunPaths) -> bool:
    """Whether a folder is a run, all of whose folders of attempts can be entered.

    Raises:
        OSError: one cannot.
    """
    there, attempts = run.is_there, run.attempts()
    for attempt in attempts:
        # To list a folder and to enter it are two rights.
        os.scandir(attempt.folder).close()
        attempt.seal.is_file()
    return there or bool(attempts)


def _named_as_one(run: RunPaths) -> bool:
    return _RUN_NAME.fullmatch(run.run_id) is not None or os.path.lexists(run.spec)


def _has_attempts(run: RunPaths) -> bool:
    try:
        return _is_run(run) and bool(run.attempts())
    except OSError:
        return False

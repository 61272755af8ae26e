"""Check: what one check of the audit saw in one run, and the case it looked at."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from analysis.audit.trust import Trust
from analysis.energy.run_energy import RunEnergy
from analysis.runs.rank_spans import RankSpans
from analysis.runs.sealed_runs import Run, open_run
from telemetry.record.files import read_json, read_plain
from telemetry.record.limits import EVIDENCE_CHARS, TEXT_BYTES
from telemetry.record.paths import AttemptPaths, RunPaths, report_folder
from telemetry.terminal import printable

# Summing thousands of differences of doubles loses far less than this.
SUM_TOLERANCE: Final = 1e-6


class Outcome(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "not applicable"
    UNSEEN = "could not be looked at"

    @property
    def mark(self) -> str:
        """The check box of the audit's list."""
        return {
            Outcome.PASSED: "[x]",
            Outcome.FAILED: "[ ]",
            Outcome.SKIPPED: "[-]",
            Outcome.UNSEEN: "[?]",
        }[self]


class Severity(StrEnum):
    """What it means for the record's numbers that a check fails."""

    WRONG = "wrong"
    """A number, or what it is said to be of, is false."""
    WEAK = "weak"
    """Numbers may hold, but the evidence for them is thinner than it is said to be."""
    UNKNOWN = "unknown"
    """What the record alone cannot decide, such as whose it is, stays open."""

    @property
    def meaning(self) -> str:
        """What it says of a record, in one line."""
        return {
            Severity.WRONG: "a number, or what it is said to be of, is false",
            Severity.WEAK: "numbers may hold, but the evidence is thinner than it is said to be",
            Severity.UNKNOWN: "what the record alone cannot decide stays open",
        }[self]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of evidence."""

    outcome: Outcome
    """Whether the check holds, does not, says nothing about the run, or lacks what it needs."""
    evidence: str
    """What was seen, or why the check does not apply or could not look, in one line."""
    strain: float = 0.0
    """How near it came to failing, of findings of one outcome: the worst run's is shown."""

    def __post_init__(self) -> None:
        most = EVIDENCE_CHARS.most
        evidence = self.evidence if len(self.evidence) <= most else f"{self.evidence[:most]}…"
        object.__setattr__(self, "evidence", printable(evidence))


def passed(evidence: str, *, strain: float = 0.0) -> Finding:
    """The check holds; `strain` is 0 where nothing came near its limit, 1 at the limit."""
    return Finding(outcome=Outcome.PASSED, evidence=evidence, strain=strain)


def failed(evidence: str) -> Finding:
    """The check does not hold."""
    return Finding(outcome=Outcome.FAILED, evidence=evidence)


def skipped(reason: str) -> Finding:
    """The check says nothing about this run: there is nothing that it could hold against it."""
    return Finding(outcome=Outcome.SKIPPED, evidence=reason)


def unseen(reason: str) -> Finding:
    """The check applies, but the record lacks what it needs: nobody knows whether it holds."""
    return Finding(outcome=Outcome.UNSEEN, evidence=reason)


def judged(faults: Sequence[str], evidence: str, *, strain: float = 0.0) -> Finding:
    """Failed with the first fault and how many more there are, else passed with `evidence`.

    Of runs that failed the one with the most faults is the worst; of others that with the highest
    `strain`.
    """
    if not faults:
        return passed(evidence, strain=strain)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return Finding(outcome=Outcome.FAILED, evidence=faults[0] + more, strain=float(len(faults)))


@dataclass(frozen=True)
class Case:
    """One run under audit; what a check asks for is read then, and may raise."""

    paths: RunPaths
    """Where the run's record lies."""
    trust: Trust = field(default_factory=Trust)
    """What the auditor brought along."""

    @cached_property
    def attempt(self) -> AttemptPaths:
        """The sealed attempt.

        Raises:
            ValueError: not exactly one attempt is sealed.
        """
        attempt = self.paths.sealed()
        if attempt is None:
            raise ValueError(f"{self.paths.run_id} must be sealed, but is not")
        return attempt

    @cached_property
    def run(self) -> Run:
        """The run as analysis loads it."""
        run = open_run(self.paths)
        if run is None:
            raise ValueError(f"{self.paths.run_id} must be sealed, but is not")
        return run

    @cached_property
    def run_energy(self) -> RunEnergy:
        """Its energies."""
        return RunEnergy(self.run)

    @property
    def started(self) -> dict[str, Any]:
        """Who began the attempt and when; empty when it is not on record."""
        path = self.attempt.started
        return read_json(path) if path.is_file() else {}

    @property
    def rank_0(self) -> RankSpans:
        """The rank that answers and writes for all.

        Raises:
            ValueError: it left no span.
        """
        for rank in self.run_energy.ranks:
            if rank.rank == 0:
                return rank
        raise ValueError("spans.parquet must hold spans of rank 0, but holds none")

    def shard_metadata(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What the writer of every shard said of itself, by table and shard."""
        for kind in self.run.tables:
            content = self.run.said(kind)
            for shard, metadata in sorted(content.get("shards", {}).items()):
                yield f"{kind}/{shard}", metadata

    def written_rows(self, table: str) -> list[dict[str, str]]:
        """The run's rows of a table in the report as it stands; empty when none was written."""
        path = report_folder(self.paths.results) / "tables" / f"{table}.csv"
        if not path.is_file():
            return []
        text = read_plain(path, most_bytes=TEXT_BYTES.most).decode()
        rows = csv.DictReader(io.StringIO(text, newline=""))
        try:
            return [row for row in rows if row.get("run_id") == self.paths.run_id]
        except csv.Error as error:
            raise ValueError(f"{path.name} must be CSV, but is not: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the audit asks, and what its answer is worth: all of it but who looks."""

    name: str
    """Short name, stable: it stands in audit.json."""
    claim: str
    """What must hold, in one sentence."""
    severity: Severity
    """What it means that it does not hold."""
    rule: str
    """What is held against what, so that another could do it again."""
    tolerance: str
    """How far apart the two may be, with units; `none` where they must be the same."""
    reason: str
    """Why as far as that and no further, with its source."""
    rules_out: str
    """What can no longer have happened to the record once it holds."""

    def __post_init__(self) -> None:
        for name in ("name", "claim", "rule", "tolerance", "reason", "rules_out"):
            if not getattr(self, name).strip():
                raise ValueError(
                    f"`{name}` of check {self.name!r} must be said, but is {getattr(self, name)!r} "
                    "instead"
                )


@dataclass(frozen=True, kw_only=True)
class Check(Question):
    """One question that the audit asks of every sealed run."""

    look: Callable[[Case], Finding]
    """Looks at one run; what it raises on a damaged record counts as failed."""

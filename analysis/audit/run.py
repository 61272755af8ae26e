"""Run: every check over every sealed run, from files alone."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from analysis.audit.check import Case, Check, Finding, Outcome, failed, judged, skipped
from analysis.audit.registry import CHECKS
from analysis.runs.sealed_runs import find_runs, load
from analysis.runs.unreadable import UNREADABLE, shortened
from analysis.tables.build import build_tables
from analysis.tables.table import report_folder
from telemetry.record.files import file_sha256
from telemetry.record.paths import RunPaths
from telemetry.record.schema import SCHEMA_VERSION

# One run that failed or could not be looked at is not made good by others that passed.
_WORST_FIRST: Final = (Outcome.FAILED, Outcome.UNSEEN, Outcome.PASSED)
_TABLES_CHECK: Final = "report-tables"
_TABLES_CLAIM: Final = "the report's tables come out again"


@dataclass(frozen=True, kw_only=True)
class CheckLine:
    """What one check saw over all runs."""

    name: str
    """The check's short name, stable: it stands in audit.json."""
    claim: str
    """What the check says must hold, in one sentence."""
    findings: tuple[tuple[str, Finding], ...]
    """By run id; the results folder's own check has the empty one."""

    @property
    def outcome(self) -> Outcome:
        """The worst that came of any run; not applicable when it is so to all."""
        outcomes = {finding.outcome for _, finding in self.findings}
        return next((one for one in _WORST_FIRST if one in outcomes), Outcome.SKIPPED)

    @property
    def evidence(self) -> str:
        """One line: the first finding that decided the outcome, and how many decided so."""
        deciding = [finding for _, finding in self.findings if finding.outcome is self.outcome]
        if self.outcome is Outcome.PASSED and len(self.findings) > 1:
            rest = len(self.findings) - len(deciding)
            not_applicable = f", {Outcome.SKIPPED.value} to {rest}" if rest else ""
            return f"{len(deciding)} runs{not_applicable}; first: {deciding[0].evidence}"
        if len(deciding) > 1:
            return f"{len(deciding)} of {len(self.findings)} runs; first: {deciding[0].evidence}"
        return deciding[0].evidence


def audit_results(results: Path) -> list[CheckLine]:
    """Every check over every sealed run of a results folder; damaged input fails, never raises."""
    cases = [Case(run) for run in find_runs(results) if is_sealed(run)]
    lines = [
        CheckLine(
            name=check.name,
            claim=check.claim,
            findings=tuple((case.paths.run_id, _look(check, case)) for case in cases),
        )
        for check in CHECKS
        if cases
    ]
    if cases:
        finding = _report_tables(results)
        lines.append(CheckLine(name=_TABLES_CHECK, claim=_TABLES_CLAIM, findings=(("", finding),)))
    return lines


def is_sealed(run: RunPaths) -> bool:
    """True when any attempt of the run carries a seal, intact or not."""
    return any(attempt.seal.is_file() for attempt in run.attempts())


def seals_digest(results: Path) -> str:
    """One hash of all seals: tells whether an audit is of the runs that are there now."""
    digest = hashlib.sha256()
    for run in find_runs(results):
        for attempt in run.attempts():
            if attempt.seal.is_file():
                name = f"{run.run_id}/{attempt.number}/{file_sha256(attempt.seal)}\n"
                digest.update(name.encode())
    return digest.hexdigest()


def to_mapping(results: Path, lines: Sequence[CheckLine]) -> dict[str, Any]:
    """The audit's JSON form; the same record gives the same bytes."""
    return {
        "schema_version": SCHEMA_VERSION,
        "seals_sha256": seals_digest(results),
        "passed": all(line.outcome is not Outcome.FAILED for line in lines),
        "runs": len(lines[0].findings) if lines else 0,
        "checks": [
            {
                "name": line.name,
                "claim": line.claim,
                "outcome": line.outcome.value,
                "evidence": line.evidence,
                "findings": [
                    {
                        "run_id": run_id or None,
                        "outcome": finding.outcome.value,
                        "evidence": finding.evidence,
                    }
                    for run_id, finding in line.findings
                ],
            }
            for line in lines
        ],
    }


def _look(check: Check, case: Case) -> Finding:
    try:
        return check.look(case)
    except UNREADABLE as error:
        return failed(f"could not be checked: {shortened(error)}")


def _report_tables(results: Path) -> Finding:
    folder = report_folder(results) / "tables"
    if not folder.is_dir():
        return skipped("no report was written yet")
    try:
        tables = build_tables(load(results)).all()
        faults = [
            f"{table.name}.csv is not what the sealed runs give"
            for table in tables
            if not (folder / f"{table.name}.csv").is_file()
            or (folder / f"{table.name}.csv").read_bytes() != table.to_csv()
        ]
    except UNREADABLE as error:
        return failed(f"could not be checked: {shortened(error)}")
    rows = sum(len(table.rows) for table in tables)
    return judged(faults, f"{len(tables)} tables, {rows} rows")

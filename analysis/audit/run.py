"""Audit: every claim a sealed run makes, checked from its files again.

    python -m analysis.audit RESULTS

Prints one line a check with its evidence, writes report/audit.json, and exits with 1 when a check
fails and with 2 when there is nothing to audit.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from analysis.audit.check import Case, Check, Finding, Outcome, failed, judged, skipped
from analysis.audit.energy_checks import ENERGY_CHECKS
from analysis.audit.record_checks import RECORD_CHECKS
from analysis.audit.result_checks import RESULT_CHECKS
from analysis.audit.work_checks import WORK_CHECKS
from analysis.runs.sealed_runs import UNREADABLE, find_runs, load, shortened
from analysis.tables.table import build_tables, report_folder
from telemetry.record.files import file_sha256, write_json
from telemetry.record.schema import SCHEMA_VERSION
from telemetry.record.spec import RunPaths

EXIT_FAILED: Final = 1
"""A check failed."""
EXIT_NO_RESULTS: Final = 2
"""There is no such folder, or no sealed run in it."""

CHECKS: Final = (*RECORD_CHECKS, *ENERGY_CHECKS, *WORK_CHECKS, *RESULT_CHECKS)
"""All checks of a run, in order."""
_TABLES_CHECK: Final = "report-tables"
_TABLES_CLAIM: Final = "the report's tables come out again"


@dataclass(frozen=True, kw_only=True)
class Line:
    """What one check saw over all runs."""

    name: str
    claim: str
    findings: tuple[tuple[str, Finding], ...]
    """By run id; the results folder's own check has the empty one."""

    @property
    def outcome(self) -> Outcome:
        """Failed when any run failed, not applicable when it is so to all."""
        outcomes = {finding.outcome for _, finding in self.findings}
        if Outcome.FAILED in outcomes:
            return Outcome.FAILED
        return Outcome.PASSED if Outcome.PASSED in outcomes else Outcome.SKIPPED

    @property
    def evidence(self) -> str:
        """One line: the first finding that decided the outcome, and how many decided so."""
        deciding = [finding for _, finding in self.findings if finding.outcome is self.outcome]
        if self.outcome is Outcome.PASSED and len(self.findings) > 1:
            rest = len(self.findings) - len(deciding)
            not_applicable = f", not applicable to {rest}" if rest else ""
            return f"{len(deciding)} runs{not_applicable}; first: {deciding[0].evidence}"
        if len(deciding) > 1:
            return f"{len(deciding)} of {len(self.findings)} runs; first: {deciding[0].evidence}"
        return deciding[0].evidence


def audit_results(results: Path) -> list[Line]:
    """Every check over every sealed run of a results folder; damaged input fails, never raises."""
    cases = [Case(run) for run in find_runs(results) if is_sealed(run)]
    lines = [
        Line(
            name=check.name,
            claim=check.claim,
            findings=tuple((case.paths.run_id, _look(check, case)) for case in cases),
        )
        for check in CHECKS
        if cases
    ]
    if cases:
        finding = _report_tables(results)
        lines.append(Line(name=_TABLES_CHECK, claim=_TABLES_CLAIM, findings=(("", finding),)))
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


def to_mapping(results: Path, lines: Sequence[Line]) -> dict[str, Any]:
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


def main(argv: Sequence[str] | None = None) -> int:
    """Audit a results folder; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m analysis.audit", description=__doc__)
    parser.add_argument("results", type=Path, help="the results folder")
    results: Path = parser.parse_args(argv).results
    if not results.is_dir():
        sys.stderr.write(f"audit: `results` must be a folder, but {results} is not\n")
        return EXIT_NO_RESULTS
    lines = audit_results(results)
    if not lines:
        sys.stderr.write(f"audit: {results} holds no sealed run\n")
        return EXIT_NO_RESULTS
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        _print_line(console, line)
    folder = report_folder(results)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "audit.json", to_mapping(results, lines))
    except OSError as error:
        sys.stderr.write(f"audit: audit.json could not be written: {error}\n")
        return EXIT_NO_RESULTS
    bad = sum(line.outcome is Outcome.FAILED for line in lines)
    runs = len(lines[0].findings)
    verdict = f"{bad} of {len(lines)} checks failed" if bad else f"{len(lines)} checks, none failed"
    console.print(f"\n{verdict}, over {runs} sealed run{'s' if runs > 1 else ''}", markup=False)
    console.print(f"wrote {folder / 'audit.json'}", markup=False)
    console.print(f"next: python -m analysis {results}   (shows it in the report)", markup=False)
    return EXIT_FAILED if bad else 0


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


def _print_line(console: Console, line: Line) -> None:
    style = {
        Outcome.PASSED: "green",
        Outcome.FAILED: "bold red",
        Outcome.SKIPPED: "dim",
    }[line.outcome]
    mark = escape(line.outcome.mark)
    console.print(f"[{style}]{mark}[/] {line.claim}: {escape(line.evidence)}")
    if line.outcome is Outcome.FAILED and len(line.findings) > 1:
        for run_id, finding in line.findings:
            if finding.outcome is Outcome.FAILED:
                console.print(f"      {escape(run_id)}: {escape(finding.evidence)}")


if __name__ == "__main__":
    sys.exit(main())

"""Audit: every claim a sealed run makes, checked from its files again.

    python -m analysis.audit RESULTS

Prints one line a check with its evidence, writes report/audit.json, and exits with 1 when a check
fails and with 2 when there is nothing to audit.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from analysis.audit.check import Outcome
from analysis.audit.run import CheckLine, audit_results, to_mapping
from analysis.tables.table import report_folder
from telemetry.record.files import write_json

EXIT_FAILED: Final = 1
"""A check failed."""
EXIT_NO_RESULTS: Final = 2
"""There is no such folder, or no sealed run in it."""


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


def _print_line(console: Console, line: CheckLine) -> None:
    style = {
        Outcome.PASSED: "green",
        Outcome.FAILED: "bold red",
        Outcome.SKIPPED: "dim",
        Outcome.UNSEEN: "yellow",
    }[line.outcome]
    mark = escape(line.outcome.mark)
    console.print(f"[{style}]{mark}[/] {line.claim}: {escape(line.evidence)}")
    if line.outcome is Outcome.FAILED and len(line.findings) > 1:
        for run_id, finding in line.findings:
            if finding.outcome is Outcome.FAILED:
                console.print(f"      {escape(run_id)}: {escape(finding.evidence)}")


if __name__ == "__main__":
    sys.exit(main())

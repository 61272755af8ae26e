"""Audit: every claim a sealed run makes, checked from its files again.

    python -m analysis.audit RESULTS

Prints one line a check with its evidence, the worst run's, and writes report/audit.json. A run's
or an attempt's own folder is audited alone, and nothing is written.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from analysis.audit.check import Outcome
from analysis.audit.run import Audit, CheckLine, audit_folder, audit_run, to_mapping
from analysis.tables.table import report_folder
from telemetry.command import CommandParser, ExitCode, command, complain
from telemetry.named_paths import named_path
from telemetry.record.files import write_json
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.terminal import printable

_WHO: Final = "audit"
_EXITS: Final = """\
exit code: 0 when no check failed, also where some could not be looked at: the verdict counts
those, and --strict makes them 4; 1 when a check failed; 2 when there is nothing to audit."""
_STYLES: Final = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "bold red",
    Outcome.SKIPPED: "dim",
    Outcome.UNSEEN: "yellow",
}


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Audit a results folder or one run of it; the exit code."""
    parser = CommandParser(module="analysis.audit", description=__doc__, epilog=_EXITS)
    parser.add_argument(
        "results", help="the results folder, or the folder of one run or attempt in it"
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 4 when something could not be looked at"
    )
    given = parser.parse_args(arguments)
    try:
        results = named_path("results", given.results)
    except ValueError as error:
        return _refuse(str(error))
    if not results.is_dir():
        return _refuse(f"`results` must be a folder, but {results} is not")
    try:
        run = run_of(results)
    except ValueError as error:
        return _refuse(str(error))
    audit = audit_folder(results) if run is None else audit_run(run)
    if not audit.lines:
        return _refuse(f"{results} holds no sealed run")
    console = Console(highlight=False, soft_wrap=True)
    for line in audit.lines:
        _print_line(console, line)
    written = None
    if run is None:
        written = report_folder(results) / "audit.json"
        try:
            written.parent.mkdir(parents=True, exist_ok=True)
            write_json(written, to_mapping(audit))
        except OSError as error:
            return _refuse(f"audit.json could not be written: {error}")
    console.print(f"\n{audit.verdict}", markup=False)
    if written is None:
        folder = shlex.quote(str(audit.results))
        console.print(
            printable(f"next: python -m analysis.audit {folder}   (all its runs)"), markup=False
        )
    else:
        folder = shlex.quote(str(results))
        console.print(printable(f"wrote {written}"), markup=False)
        console.print(
            printable(f"next: python -m analysis {folder}   (shows it in the report)"), markup=False
        )
    return _exit_code(audit, strict=given.strict)


def run_of(folder: Path) -> RunPaths | None:
    """The run whose folder, or whose sealed attempt's folder, it is; None for a results folder.

    Raises:
        ValueError: it is an attempt's that is not sealed.
    """
    # Not resolved: the names of a run count as they are given, links and all.
    place = Path(os.path.abspath(folder))  # noqa: PTH100
    parent = RunPaths(results=place.parent.parent, run_id=place.parent.name)
    number = _attempt_number(place)
    if number is not None and (parent.spec.is_file() or parent.sealed() is not None):
        if not parent.attempt(number).seal.is_file():
            raise ValueError(f"`results` must be sealed, but attempt {number} in {folder} is not")
        return parent
    run = RunPaths(results=place.parent, run_id=place.name)
    return run if run.spec.is_file() or run.attempts() else None


def _attempt_number(folder: Path) -> int | None:
    try:
        return AttemptPaths(folder=folder).number
    except ValueError:
        return None


def _exit_code(audit: Audit, *, strict: bool) -> int:
    counts = audit.counts()
    if counts[Outcome.FAILED]:
        return ExitCode.FAILED
    return ExitCode.UNSEEN if strict and counts[Outcome.UNSEEN] else ExitCode.DONE


def _refuse(text: str) -> int:
    complain(_WHO, text)
    return ExitCode.BAD_INPUT


def _print_line(console: Console, line: CheckLine) -> None:
    style, mark = _STYLES[line.outcome], escape(line.outcome.mark)
    console.print(f"[{style}]{mark}[/] {line.claim}: {escape(line.evidence)}")
    # What every run lacks alike is said once.
    alike = len({finding for _, finding in line.findings}) == 1
    if line.outcome in (Outcome.FAILED, Outcome.UNSEEN) and len(line.findings) > 1 and not alike:
        for run_id, finding in line.findings:
            if finding.outcome is line.outcome:
                console.print(f"      {escape(printable(run_id))}: {escape(finding.evidence)}")


if __name__ == "__main__":
    sys.exit(main())

"""Audit: every claim a sealed run makes, checked from its files again.

    python -m analysis.audit RESULTS

Prints one line a check with its evidence, the worst run's, and writes report/audit.json. A run's
or an attempt's own folder is audited alone, and nothing is written.
"""

import shlex
import sys
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape

from analysis.audit.authorship_checks import Trust
from analysis.audit.check import Outcome
from analysis.audit.run import Audit, CheckLine, audit_folder, audit_run, to_mapping
from telemetry.command import CommandParser, ExitCode, command, complain
from telemetry.next_line import typed
from telemetry.record.files import write_json
from telemetry.record.paths import report_folder
from telemetry.record.place import RecordPlace, named_place, shown
from telemetry.terminal import printable

_WHO: Final = "audit"
_MODULE: Final = "analysis.audit"
_EXITS: Final = {
    ExitCode.DONE: "no check failed, though some may not have been looked at: the verdict counts",
    ExitCode.FAILED: "a check failed, or the machine did",
    ExitCode.BAD_INPUT: "the command or the folder will not do",
    ExitCode.NOTHING_DONE: "there is no sealed run to audit",
    ExitCode.UNSEEN: "--strict: no check failed, but some could not be looked at",
}
_STYLES: Final = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "bold red",
    Outcome.SKIPPED: "dim",
    Outcome.UNSEEN: "yellow",
}


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Audit a results folder or one run of it; the exit code."""
    parser = CommandParser(module=_MODULE, description=__doc__, exits=_EXITS)
    parser.add_argument(
        "results", help="the results folder, or the folder of one run or attempt in it"
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 4 when something could not be looked at"
    )
    parser.add_argument(
        "--allowed-signers", help="file of whose signatures count (man ssh-keygen, ALLOWED SIGNERS)"
    )
    parser.add_argument("--root", help="root that was lodged elsewhere: 64 hex digits")
    given = parser.parse_args(arguments)
    place = named_place(given.results, _MODULE)
    results, run = place.results, place.run
    if place.attempt is not None and not place.attempt.seal.is_file():
        return _nothing(f"{shown(place.folder)} is an attempt that is not sealed", place)
    try:
        trust = Trust.named(given.allowed_signers, given.root)
    except ValueError as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT
    audit = audit_folder(results, trust) if run is None else audit_run(run, trust)
    if not audit.lines:
        return _nothing(f"{shown(place.folder)} holds no sealed run", place)
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
            complain(_WHO, f"audit.json could not be written: {error}")
            return ExitCode.FAILED
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


def _exit_code(audit: Audit, *, strict: bool) -> int:
    counts = audit.counts()
    if counts[Outcome.FAILED]:
        return ExitCode.FAILED
    return ExitCode.UNSEEN if strict and counts[Outcome.UNSEEN] else ExitCode.DONE


def _nothing(text: str, place: RecordPlace) -> int:
    complain(_WHO, f"{text}; {typed('launcher.status', shown(place.results))} says why")
    return ExitCode.NOTHING_DONE


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

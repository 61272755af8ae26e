"""Audit: every claim a sealed run makes, checked from its files again.

    python -m analysis.audit RESULTS

Prints one line a check with its evidence, the worst run's, and writes report/audit.json. A run's
or an attempt's own folder is audited alone, and nothing is written.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analysis.audit.check import Outcome
from analysis.audit.run import Audit, CheckLine, audit_folder, audit_run, to_mapping
from analysis.audit.trust import Trust, add_trust
from telemetry.command import CommandParser, ExitCode, command, complain
from telemetry.document import due
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.files import write_json
from telemetry.record.paths import report_folder
from telemetry.record.place import RecordPlace, named_place, shown
from telemetry.record.way_on import AUDIT, WayOn
from telemetry.waiting import waiting

_WHO: Final = "audit"
_MODULE: Final = "analysis.audit"
# A line that begins with a mark is a check: what follows it stands under the claim.
_HANG: Final = 4
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
    add_trust(parser)
    parser.add_argument(
        "--jobs",
        type=int,
        help="processes that look at runs (default: a core each, as far as memory and runs go)",
    )
    parser.add_json("every check with its findings, as report/audit.json has them")
    given = parser.parse_args(arguments)
    if given.jobs is not None and given.jobs < 1:
        complain(_WHO, f"`--jobs` must be 1 or more, but is {given.jobs} instead")
        return ExitCode.BAD_INPUT
    place = named_place(given.results, _MODULE)
    results, run = place.results, place.run
    if place.attempt is not None and not place.attempt.seal.is_file():
        return _nothing(f"{shown(place.folder)} is an attempt that is not sealed", place)
    try:
        trust = Trust.named(given)
    except ValueError as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT
    with waiting("auditing"):
        audit = audit_folder(results, trust, given.jobs) if run is None else audit_run(run, trust)
    if not audit.lines:
        return _nothing(f"{shown(place.folder)} holds no sealed run", place)
    out = Output()
    out.say(audit.verdict)
    for line in audit.lines:
        _print_line(out, line)
    content = to_mapping(audit)
    if (document := due()) is not None:
        document.fill("audit", {"results": str(results), **content})
    if run is None:
        written = report_folder(results) / AUDIT
        try:
            written.parent.mkdir(parents=True, exist_ok=True)
            write_json(written, content)
        except OSError as error:
            complain(_WHO, f"{AUDIT} could not be written: {error}")
            return ExitCode.FAILED
        out.exact(f"wrote {written}")
    _way_on(out, results, whole=run is None)
    return _exit_code(audit, strict=given.strict)


def _way_on(out: Output, results: Path, *, whole: bool) -> None:
    """End with what comes next: all runs where it was one, the report, or what shows the audit."""
    way = WayOn.of(results)
    if not (whole or way.audited):
        out.next(typed(_MODULE, results))
        return
    out.next(way.next)
    if way.next is None:
        out.exact(f"report: {way.page}")
        if not way.shown:
            again = typed("analysis", results)
            out.say(f"the page was written before this audit; {again} writes it with it")


def _exit_code(audit: Audit, *, strict: bool) -> int:
    counts = audit.counts()
    if counts[Outcome.FAILED]:
        return ExitCode.FAILED
    return ExitCode.UNSEEN if strict and counts[Outcome.UNSEEN] else ExitCode.DONE


def _nothing(text: str, place: RecordPlace) -> int:
    complain(_WHO, f"{text}; {typed('launcher.status', shown(place.results))} says why")
    return ExitCode.NOTHING_DONE


def _print_line(out: Output, line: CheckLine) -> None:
    mark = line.outcome.mark
    text = f"{mark} {line.claim}: {line.evidence}"
    out.say(text, hang=_HANG, style=_STYLES[line.outcome], styled=len(mark))
    # What every run lacks alike is said once.
    alike = len({finding for _, finding in line.findings}) == 1
    if line.outcome in (Outcome.FAILED, Outcome.UNSEEN) and len(line.findings) > 1 and not alike:
        for run_id, finding in line.findings:
            if finding.outcome is line.outcome:
                out.say(f"{run_id}: {finding.evidence}", indent=_HANG + 2)


if __name__ == "__main__":
    sys.exit(main())

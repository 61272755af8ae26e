"""Audit: every claim a sealed run makes, checked from its files again.

    python -m analysis.audit RESULTS [--junit FILE] [--html FILE]
    python -m analysis.audit --explain CHECK

Prints one line a check with its evidence, the worst run's, and writes report/audit.json and the
verdict on one page, report/audit.html. A run's or an attempt's own folder is audited alone, and
nothing is written but what is asked for.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analysis.audit.check import Outcome
from analysis.audit.explained import explained, named_check
from analysis.audit.run import Audit, CheckLine, audit_folder, audit_run, to_mapping
from analysis.audit.trust import Trust, add_trust
from analysis.audit.written import PAGE, Asked, no_page, write_audit
from telemetry.command import CommandParser, ExitCode, command, complain
from telemetry.document import due
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.place import RecordPlace, named_place, shown
from telemetry.record.way_on import WayOn
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
# How each part of an explanation is headed, in its order.
_EXPLAINED: Final = {
    "severity": "severity",
    "means": "meaning",
    "asked_of": "asked of",
    "rule": "rule",
    "tolerance": "tolerance",
    "reason": "reason of the tolerance",
    "rules_out": "rules out",
    "about": "in other words",
    "code": "looked at in",
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
        "results",
        nargs="?",
        help="the results folder, or the folder of one run or attempt in it",
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
    parser.add_argument("--junit", metavar="FILE", help="write every finding as JUnit XML, too")
    parser.add_argument("--html", metavar="FILE", help="write the verdict on one page there, too")
    parser.add_argument(
        "--explain", metavar="CHECK", help="tell what a check holds against what, and audit nothing"
    )
    parser.add_json("every check with its findings, as report/audit.json has them")
    given = parser.parse_args(arguments)
    if given.explain is not None:
        return _explain(given.explain, given.results)
    if given.results is None:
        parser.error("the following arguments are required: results")
    if given.jobs is not None and given.jobs < 1:
        complain(_WHO, f"`--jobs` must be 1 or more, but is {given.jobs} instead")
        return ExitCode.BAD_INPUT
    place = named_place(given.results, _MODULE)
    if place.attempt is not None and not place.attempt.seal.is_file():
        return _nothing(f"{shown(place.folder)} is an attempt that is not sealed", place)
    try:
        trust = Trust.named(given)
        asked = Asked.named(given.junit, given.html)
    except ValueError as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT
    if place.run is not None and trust.of_folder is not None:
        line = typed(_MODULE, shown(place.results), trust.of_folder)
        complain(_WHO, f"`{trust.of_folder}` must be asked of a results folder, not a run: {line}")
        return ExitCode.BAD_INPUT
    return _audit(place, trust, asked, given.jobs, strict=given.strict)


def _audit(
    place: RecordPlace, trust: Trust, asked: Asked, jobs: int | None, *, strict: bool
) -> int:
    results, run = place.results, place.run
    with waiting("auditing"):
        audit = audit_folder(results, trust, jobs) if run is None else audit_run(run, trust)
    if not audit.lines:
        return _nothing(f"{shown(place.folder)} holds no sealed run", place)
    out = Output()
    out.say(audit.verdict)
    for severity, count in audit.severities(Outcome.FAILED).items():
        if count:
            out.say(f"{severity.value}: {severity.meaning}", indent=2)
    out.say(audit.standing.paragraph)
    for line in audit.lines:
        _print_line(out, line)
    if (document := due()) is not None:
        document.fill("audit", {"results": str(results), **to_mapping(audit)})
    written, refused = write_audit(audit, asked, whole=run is None, strict=strict)
    for path in written:
        out.exact(f"wrote {path}")
    if run is None and (lacking := no_page()):
        out.note(f"no {PAGE} was written: {lacking}")
    if refused:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        elsewhere = "" if asked.html else "; --html FILE writes the verdict elsewhere"
        complain(_WHO, f"the audit could not be written: {refused[0]}{more}{elsewhere}")
        return ExitCode.FAILED
    _way_on(out, results, whole=run is None)
    return _exit_code(audit, strict=strict)


def _explain(name: str, results: str | None) -> int:
    """Tell all that there is to say of one check."""
    try:
        told = explained(named_check(name))
    except ValueError as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT
    out = Output()
    out.say(f"{told['name']}: {told['claim']}")
    for key, words in _EXPLAINED.items():
        out.say(f"{words}: {told[key]}", indent=2)
    if (document := due()) is not None:
        document.fill("check", told)
    out.next(typed(_MODULE, results or "RESULTS"))
    return ExitCode.DONE


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
    if line.outcome is Outcome.FAILED:
        text += f" ({line.severity.value})"
    elif line.outcome is Outcome.UNSEEN:
        text += f" (where it fails: {line.severity.value})"
    out.say(text, hang=_HANG, style=_STYLES[line.outcome], styled=len(mark))
    # What every run lacks alike is said once.
    alike = len({finding for _, finding in line.findings}) == 1
    if line.outcome in (Outcome.FAILED, Outcome.UNSEEN) and len(line.findings) > 1 and not alike:
        for run_id, finding in line.findings:
            if finding.outcome is line.outcome:
                out.say(f"{run_id}: {finding.evidence}", indent=_HANG + 2)


if __name__ == "__main__":
    sys.exit(main())

"""Appendix: what a paper appends of its measurements, filled from the record alone.

    python -m analysis.appendix RESULTS [--out FOLDER]

SC's artifact description and evaluation, ACM's badges, a system description with MLPerf's fields,
and the measurement's boundary and level; each as Markdown and LaTeX. What the record does not hold
is "not recorded", with the reason.
"""

from collections.abc import Sequence
from typing import Final

from telemetry.command import CommandParser, ExitCode, command, needs_extra
from telemetry.document import due
from telemetry.nearest import told_count
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.paths import report_folder
from telemetry.record.place import named_out, named_place, shown
from telemetry.waiting import waiting

_WHO: Final = "appendix"
_MODULE: Final = "analysis.appendix"
_FOLDER: Final = "appendix"
_EXITS: Final = {
    ExitCode.DONE: "written",
    ExitCode.FAILED: "the machine refuses",
    ExitCode.NOTHING_DONE: "there is no sealed run",
}


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the appendices of a results folder, or of one run of it; the exit code."""
    parser = CommandParser(module=_MODULE, description=__doc__, exits=_EXITS)
    parser.add_argument(
        "results", help="the results folder, or the folder of one run or attempt in it"
    )
    parser.add_argument("--out", help="folder to write to, else RESULTS/report/appendix")
    parser.add_json("the files, what stands on top of each, badges, and the system description")
    given = parser.parse_args(arguments)
    place = named_place(given.results, _MODULE)
    out = named_out(given.out)
    # A bare installation lacks what it imports.
    with needs_extra(_WHO, "analysis"), waiting("loading what writes appendices"):
        from analysis.appendix.badges import judged, state_of  # noqa: PLC0415
        from analysis.appendix.making import gather, write  # noqa: PLC0415
        from analysis.appendix.system import to_mapping  # noqa: PLC0415
    with waiting("appendix"):
        facts = gather(place)
        if out is None:
            out = report_folder(place.results) / _FOLDER
            out = out if place.run is None else out / place.run.run_id
        written = write(facts, out)
    screen = Output()
    screen.say(f"{told_count(len(facts.runs), 'sealed run')}, {told_count(len(written), 'file')}")
    for warning in facts.warnings():
        screen.say(warning)
    for path in written:
        screen.exact(f"written: {shown(path)}")
    if (document := due()) is not None:
        document.fill(
            _WHO,
            {
                "files": [str(path) for path in written],
                "warnings": list(facts.warnings()),
                "badges": {name: state_of(each).value for name, each in judged(facts).items()},
                "system": to_mapping(facts),
            },
        )
    if not facts.verdict.of_these:
        screen.next(typed("analysis.audit", shown(place.results)))
    else:
        screen.next(typed("analysis.crate", shown(place.results)))
    return ExitCode.DONE


if __name__ == "__main__":
    raise SystemExit(main())

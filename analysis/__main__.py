"""Tables, figures and one page from the sealed runs of a results folder.

    python -m analysis RESULTS [--out DIR]

Of one run's or one attempt's folder it is that run alone, written to RESULTS/report/RUN_ID.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.command import CommandError, CommandParser, ExitCode, command, needs_extra
from telemetry.named_paths import named_path
from telemetry.record.place import named_place
from telemetry.waiting import waiting

_WHO: Final = "analysis"
_EXITS: Final = {
    ExitCode.DONE: "every sealed run is as it was sealed, and in the report",
    ExitCode.FAILED: "one is not, which the report names, or the machine refuses",
    ExitCode.BAD_INPUT: "the command or the folder will not do",
    ExitCode.NOTHING_DONE: "there is no sealed run, or none that is whole",
}


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report of a results folder, or of one run of it; the exit code."""
    parser = CommandParser(module="analysis", description=__doc__, exits=_EXITS)
    parser.add_argument(
        "results", help="the results folder, or the folder of one run or attempt in it"
    )
    parser.add_argument("--out", help="folder to write to, else RESULTS/report")
    parser.add_json("every table of the report, its columns with unit and meaning")
    given = parser.parse_args(arguments)
    place = named_place(given.results, _WHO)
    out = None if given.out is None else _out(given.out)
    # A bare installation lacks what it imports.
    with needs_extra(_WHO, "analysis"), waiting("loading what draws"):
        from analysis.report.printed import report  # noqa: PLC0415
    return report(place, out)


def _out(given: str) -> Path:
    try:
        return named_path("--out", given)
    except ValueError as error:
        raise CommandError(str(error)) from error


if __name__ == "__main__":
    raise SystemExit(main())

"""Tables, figures and one page from the sealed runs of a results folder.

    python -m analysis RESULTS [--out DIR] [--pdf]
    python -m analysis [RESULTS] figure 6 [--out DIR]

Of one run's or one attempt's folder it is that run alone, written to RESULTS/report/RUN_ID.
With `figure` and a number from 2 to 9, or `table` and one from 1 to 5 (or I to V), it is that
exhibit of arXiv 2310.03003 alone, the paper's numbers beside ours, written to RESULTS/report/paper;
without a folder it is of `results`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.command import CommandError, CommandParser, ExitCode, command, needs_extra
from telemetry.record.place import named_out, named_place
from telemetry.waiting import waiting

_WHO: Final = "analysis"
# What the paper numbers; the room that knows more is loaded once it is asked for.
_EXHIBITS: Final = ("figure", "table")
# Where the launcher writes without being told, conf/config.yaml.
_RESULTS: Final = "results"
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
        "results",
        nargs="+",
        help="the results folder, or the folder of one run or attempt in it; and `figure N` or "
        "`table N` for one exhibit of the paper",
    )
    parser.add_argument("--out", help="folder to write to, else RESULTS/report")
    parser.add_argument(
        "--pdf", action="store_true", help="draw every figure as PDF too, for one and two columns"
    )
    parser.add_json("every table of the report, its columns with unit and meaning")
    given = parser.parse_args(arguments)
    folder, exhibit = _asked(given.results)
    if exhibit:
        with needs_extra(_WHO, "analysis"), waiting("loading what draws"):
            from analysis.report.exhibited import named_exhibit, report_exhibit  # noqa: PLC0415
        one = named_exhibit(exhibit)
        place = named_place(folder, _WHO)
        return report_exhibit(place, one, named_out(given.out))
    place = named_place(folder, _WHO)
    out = named_out(given.out)
    # A bare installation lacks what it imports.
    with needs_extra(_WHO, "analysis"), waiting("loading what draws"):
        from analysis.report.printed import report  # noqa: PLC0415
    return report(place, out, pdfs=given.pdf)


def _asked(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The folder that is meant, and the words of the exhibit behind it; none for the report."""
    first, *rest = words
    if first.lower() in _EXHIBITS and (rest or not Path(first).exists()):
        return _RESULTS, words
    if rest and rest[0].lower() not in _EXHIBITS:
        told = " ".join(rest)
        raise CommandError(
            "`results` must be a folder, and behind it `figure` or `table` with a number if "
            f"anything, but behind it stands {told!r} instead"
        )
    return first, rest


if __name__ == "__main__":
    raise SystemExit(main())

"""Tables, figures and one page from the sealed runs of a results folder.

    python -m analysis RESULTS [--out DIR]

Of one run's or one attempt's folder it is that run alone, written to DIR.
"""

from collections.abc import Sequence
from typing import Final

from telemetry.command import CommandParser, ExitCode, command, complain, needs_extra
from telemetry.named_paths import named_path

_WHO: Final = "analysis"
_EXITS: Final = """exit code: 0 when every sealed run is as it was sealed and in the report;
1 when one is not, which the report names, or the machine refuses; 2 when there is nothing to report
or the command will not do."""


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report of a results folder, or of one run of it; the exit code."""
    parser = CommandParser(module="analysis", description=__doc__, epilog=_EXITS)
    parser.add_argument(
        "results", help="the results folder, or the folder of one run or attempt in it"
    )
    parser.add_argument("--out", help="folder to write to: RESULTS/report; one run needs it given")
    given = parser.parse_args(arguments)
    try:
        results = named_path("results", given.results)
        out = None if given.out is None else named_path("--out", given.out)
    except ValueError as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT
    # A bare installation lacks what it imports.
    with needs_extra(_WHO, "analysis"):
        from analysis.report.printed import report  # noqa: PLC0415
    return report(results, out)


if __name__ == "__main__":
    raise SystemExit(main())

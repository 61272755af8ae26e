"""Tables, figures and one page from the sealed runs of a results folder.

    python -m analysis RESULTS [--out DIR]

Of one run's or one attempt's folder it is that run alone, written to DIR.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.command import CommandParser, command, needs_extra

_WHO: Final = "analysis"
_EXITS: Final = """exit code: 0 when every sealed run is as it was sealed and in the report;
1 when one is not, which the report names, or the machine refuses; 2 when there is nothing to report
or the command will not do."""


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report of a results folder, or of one run of it; the exit code."""
    parser = CommandParser(module="analysis", description=__doc__, epilog=_EXITS)
    parser.add_argument(
        "results", type=Path, help="the results folder, or the folder of one run or attempt in it"
    )
    parser.add_argument(
        "--out", type=Path, help="folder to write to: RESULTS/report; one run needs it given"
    )
    given = parser.parse_args(arguments)
    # A bare installation lacks what it imports.
    with needs_extra(_WHO, "analysis"):
        from analysis.report.printed import report  # noqa: PLC0415
    return report(given.results, given.out)


if __name__ == "__main__":
    raise SystemExit(main())

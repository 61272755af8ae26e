"""Meter: an outside meter's log beside the runs, as a witness that no run can have written.

    python -m analysis.meter RESULTS LOG --time COLUMN --time-unit UNIT --power COLUMN
        --boundary gpu --covers HOST

LOG is the CSV of a PDU, a service processor or an analyser. What the log cannot say is stated here
and kept with it: units, zone, what flows through the meter, its calibration. The clocks are brought
together by the power that both saw, unless their offset is stated.
"""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.command import CommandError, CommandParser, ExitCode, command, needs_extra
from telemetry.named_paths import named_path
from telemetry.next_line import typed
from telemetry.record.place import named_place, shown
from telemetry.waiting import waiting

_WHO: Final = "meter"
_MODULE: Final = "analysis.meter"
_PER_CENT: Final = 100.0
# A day at 50 Hz.
_MOST_LOG_BYTES: Final = 512 << 20
_EXITS: Final = {
    ExitCode.DONE: "the log is kept, and what it says of each run told",
    ExitCode.FAILED: "the machine failed",
    ExitCode.BAD_INPUT: "the command, the folder or the log will not do; nothing was kept",
    ExitCode.NOTHING_DONE: "there is no sealed run that the log could be of",
}


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Keep a meter's log beside the runs and tell what it says of them; the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    given = _parser().parse_args(arguments)

    def line(folder: str) -> str:
        return typed(_MODULE, *(folder if word == given.results else word for word in words))

    place = named_place(given.results, _MODULE, line=line)
    if place.run is not None:
        raise CommandError(
            f"`results` must be a results folder, but {place.folder} is of one: "
            f"{line(shown(place.results))}"
        )
    # A bare installation lacks what it imports.
    with needs_extra(_WHO, "analysis"), waiting("loading what aligns"):
        from analysis.meter.imported import keep_log  # noqa: PLC0415
        from analysis.meter.statement import Statement  # noqa: PLC0415
    try:
        log = named_path("log", given.log, "a meter's log")
        if not log.is_file():
            raise ValueError(f"`log` must be a file, but {given.log} is not")
        statement = Statement.from_mapping(_stated(given, log))
        return keep_log(
            place.results,
            log,
            statement,
            most_bytes=_MOST_LOG_BYTES,
            separator=_character("separator", given.separator),
            decimal=_character("decimal", given.decimal),
            skip=given.skip,
        )
    except ValueError as error:
        raise CommandError(str(error)) from error


def _parser() -> CommandParser:
    parser = CommandParser(module=_MODULE, description=__doc__, exits=_EXITS)

    parser.add_argument("results", help="the results folder")
    parser.add_argument("log", help="the meter's log, CSV with a header")
    parser.add_argument("--name", help="what it is called beside the runs, else the log's own name")
    parser.add_argument("--time", required=True, metavar="COLUMN", help="column of the times")
    parser.add_argument(
        "--time-unit",
        required=True,
        choices=("s", "ms", "us", "ns", "iso"),
        help="since 1970 in UTC, or written as ISO 8601 has it",
    )
    parser.add_argument(
        "--zone", help="zone of written times that name none: UTC, +02:00, Europe/Berlin"
    )
    parser.add_argument(
        "--time-format", metavar="FORMAT", help="how times are written, as strptime has it"
    )
    parser.add_argument("--power", metavar="COLUMN", help="column of the power")
    parser.add_argument(
        "--power-unit", default="W", choices=("W", "kW", "mW"), help="W unless it is said"
    )
    parser.add_argument(
        "--power-mean",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="time before its stamp that each power is a mean of; 0: of the moment",
    )
    parser.add_argument("--energy", metavar="COLUMN", help="column of a running total of energy")
    parser.add_argument(
        "--energy-unit",
        default="J",
        choices=("J", "kJ", "mJ", "uJ", "Wh", "kWh"),
        help="J unless it is said",
    )
    parser.add_argument(
        "--boundary",
        required=True,
        choices=("gpu", "node", "rack", "share"),
        help="what flows through it: the covered GPUs alone, whole nodes, a rack, or more of "
        "which --share is theirs",
    )
    parser.add_argument(
        "--covers",
        required=True,
        action="append",
        metavar="HOST|UUID",
        help="a host, or a GPU by its UUID; once for each",
    )
    parser.add_argument(
        "--share", type=float, default=1.0, help="part of what flows that is the covered's"
    )
    parser.add_argument(
        "--gain", type=float, default=1.0, help="by calibration: true = gain x reading + offset"
    )
    parser.add_argument(
        "--offset", type=float, default=0.0, metavar="WATTS", help="by calibration, of power"
    )
    parser.add_argument(
        "--accuracy",
        type=float,
        metavar="PER_CENT",
        help="expanded uncertainty (k = 2) of a reading, by certificate or class",
    )
    parser.add_argument("--certificate", help="who calibrated it, when, under which number")
    parser.add_argument(
        "--clock-offset", type=float, metavar="SECONDS", help="how far its clock is ahead of ours"
    )
    parser.add_argument("--clock-uncertainty", type=float, metavar="SECONDS", help="of that, k = 2")
    parser.add_argument(
        "--most-offset",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how far apart the clocks may be where that is estimated",
    )
    parser.add_argument("--separator", default=",", help="between two cells; `tab` for a tabulator")
    parser.add_argument("--decimal", default=".", help="before a fraction")
    parser.add_argument(
        "--skip", type=int, default=0, metavar="LINES", help="lines before the header"
    )
    return parser


def _stated(given: Namespace, log: Path) -> dict[str, object]:
    accuracy = given.accuracy
    return {
        "name": given.name or log.stem,
        "boundary": given.boundary,
        "covers": list(dict.fromkeys(given.covers)),
        "time_column": given.time,
        "time_unit": given.time_unit,
        "zone": given.zone,
        "time_format": given.time_format,
        "power_column": given.power,
        "power_unit": given.power_unit,
        "power_mean_s": given.power_mean,
        "energy_column": given.energy,
        "energy_unit": given.energy_unit,
        "share": given.share,
        "gain": given.gain,
        "offset_w": given.offset,
        "accuracy_share": None if accuracy is None else accuracy / _PER_CENT,
        "certificate": given.certificate,
        "clock_offset_s": given.clock_offset,
        "clock_uncertainty_s": given.clock_uncertainty,
        "most_offset_s": given.most_offset,
    }


def _character(name: str, given: str) -> str:
    word = "\t" if given == "tab" else given
    if len(word) != 1:
        raise ValueError(f"`{name}` must be one character, but is {given!r} instead")
    return word


if __name__ == "__main__":
    sys.exit(main())

"""Compare: sealed runs of several folders, or of one, cell by cell, with a verdict each.

    python -m analysis.compare A B [C ...] [--by AXES] [--margin PERCENT]
    python -m analysis.compare A --by engine

Each other folder is held against the first. A cell is the same work on both sides: runs whose specs
are the same but for what differs on purpose, the board unless --by says otherwise.
"""

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.command import (
    CommandError,
    CommandParser,
    ExitCode,
    command,
    complain,
    needs_extra,
)
from telemetry.document import due
from telemetry.named_paths import named_path
from telemetry.next_line import typed
from telemetry.record.place import PlaceKind, place_of
from telemetry.terminal import printable
from telemetry.waiting import waiting

_WHO: Final = "compare"
_MODULE: Final = "analysis.compare"
_EXITS: Final = {
    ExitCode.DONE: "all was compared that could be",
    ExitCode.FAILED: "--require same is not shown of every point, or the machine failed",
    ExitCode.BAD_INPUT: "the command or a folder will not do",
    ExitCode.NOTHING_DONE: "no point has its counterpart",
}
# Two boards of one kind differ by a few per cent: arXiv 2312.02741 states 5 % for their sensors.
_MARGIN: Final = 5.0
_PERCENT: Final = 100.0


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and say what came of it; the exit code."""
    parser = CommandParser(module=_MODULE, description=__doc__, exits=_EXITS)
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="a results folder, a run, or a campaign's folder"
    )
    parser.add_argument(
        "--by",
        help="what differs on purpose, apart by commas: gpu (default), engine, power_cap_w, dtype, "
        "quantization, gpus, batch_size, sm_clock_mhz, campaign, or folder: nothing but the folder",
    )
    parser.add_argument(
        "--margin",
        default=str(_MARGIN),
        help=f"per cent by which sides that are the same may differ: {_MARGIN:g}",
    )
    parser.add_argument(
        "--require",
        choices=("same",),
        help="end with 1 unless sameness within the margin is shown in every cell",
    )
    parser.add_argument(
        "--simulated-too",
        action="store_true",
        help="hold simulated runs against measured ones, labelled",
    )
    parser.add_argument("--out", help="folder for CSV, Parquet, LaTeX, JSON and a figure")
    parser.add_json("sides, cells with every number and verdict, what is not compared")
    parser.add_argument("--all", action="store_true", help="print every cell")
    given = parser.parse_args(arguments)
    margin = _margin(given.margin)
    out = _out(given.out)
    # A bare installation lacks what it imports.
    with needs_extra(_WHO, "analysis"):
        from analysis.compare.axes import Axes  # noqa: PLC0415
        from analysis.compare.comparison import Comparison  # noqa: PLC0415
        from analysis.compare.printed import print_comparison  # noqa: PLC0415
        from analysis.compare.sides import open_sides  # noqa: PLC0415
        from analysis.compare.written import to_mapping, write  # noqa: PLC0415
    axes = Axes.read(given.by)
    with waiting("reading sealed runs", aside=False):
        sides = open_sides(given.paths, axes)
        comparison = Comparison.of(sides, axes, margin=margin, mixed=given.simulated_too)
    document = due()
    if document is None:
        print_comparison(comparison, every=given.all)
    else:
        document.fill("compare", to_mapping(comparison))
    if not comparison.cells:
        complain(_WHO, "no point of one side has its counterpart on the other")
        return ExitCode.NOTHING_DONE
    if out is not None:
        for path in write(comparison, out):
            sys.stdout.write(f"{printable(f'written: {path}')}\n")
    follows = _next(given.paths, given.by, out)
    if document is None:
        sys.stdout.write(f"{printable(f'next: {follows}')}\n")
    else:
        document.next = follows
    if given.require and not comparison.same:
        complain(_WHO, f"sameness within {given.margin} % is not shown of every point")
        return ExitCode.FAILED
    return ExitCode.DONE


def _margin(given: str) -> float:
    try:
        percent = float(given.removesuffix("%"))
    except ValueError:
        percent = math.nan
    if not 0 < percent <= _PERCENT:
        raise CommandError(f"`--margin` must be per cent, above 0 and up to 100, but is {given!r}")
    return percent / _PERCENT


def _out(given: str | None) -> Path | None:
    """The folder to write to: none in a run, where a file more would break its seal."""
    if given is None:
        return None
    try:
        out = named_path("--out", given)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if out.exists() and not out.is_dir():
        raise CommandError(f"`--out` must be a folder, but {out} is a file")
    real = Path(os.path.realpath(out))
    for folder in (real, *real.parents):
        if folder.is_dir() and place_of(folder).kind in (PlaceKind.RUN, PlaceKind.ATTEMPT):
            raise CommandError(f"`--out` must lie in no run's folder, but {out} does")
    return out


def _next(paths: Sequence[str], by: str | None, out: Path | None) -> str:
    """The files where there are none yet, else the audit of what was held against the base."""
    if out is None:
        more = ("--by", by) if by else ()
        return typed(_MODULE, *paths, *more, "--out", "compared")
    return typed("analysis.audit", paths[-1])


if __name__ == "__main__":
    raise SystemExit(main())

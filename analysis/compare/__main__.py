"""Compare: sealed runs of several folders, or of one, cell by cell, with a verdict each.

    python -m analysis.compare A B [C ...] [--by AXES] [--margin PERCENT]
    python -m analysis.compare A --by engine
    python -m analysis.compare ORIGINAL REPRODUCTION --key KEY [--out DIR]
    python -m analysis.compare --check DIR [A B] [--allowed-signers FILE]

Each other folder is held against the first. A cell is the same work on both sides: runs whose specs
are the same but for what differs on purpose, the board unless --by says otherwise. Of a campaign
that was made again --out and --key write the verdict, and --check looks whether one still holds.
"""

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

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
from telemetry.nearest import told_count
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.place import named_out, place_of, shown
from telemetry.record.signature import sign
from telemetry.record.signer import SigningError
from telemetry.record.ssh_signature import require_allowed
from telemetry.waiting import waiting

if TYPE_CHECKING:
    from analysis.compare.comparison import Comparison

_WHO: Final = "compare"
_MODULE: Final = "analysis.compare"
_EXITS: Final = {
    ExitCode.DONE: "all was compared that could be",
    ExitCode.FAILED: "--require is not shown, a copy was to be signed for, a claim of --check does "
    "not hold, or the machine failed",
    ExitCode.BAD_INPUT: "the command or a folder will not do",
    ExitCode.NOTHING_DONE: "no point has its counterpart",
}
# Two boards of one kind differ by a few per cent: arXiv 2312.02741 states 5 % for their sensors.
_MARGIN: Final = 5.0
_PERCENT: Final = 100.0
# Where the files go that a signature is asked of, where nobody says.
_OUT: Final = "compared"
# Signed, to learn whether a key signs.
_TRIAL: Final = b"joulegrid"


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and say what came of it; the exit code."""
    parser = CommandParser(module=_MODULE, description=__doc__, exits=_EXITS)
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="a results folder, a run, or a campaign's folder"
    )
    parser.add_argument(
        "--by",
        help="what differs on purpose, apart by commas: gpu (default), engine, power_cap_w, dtype, "
        "quantization, gpus, batch_size, sm_clock_mhz, memory_clock_mhz, "
        "driver, center, campaign, or folder: nothing but the folder",
    )
    parser.add_argument(
        "--margin",
        default=str(_MARGIN),
        help=f"per cent by which sides that are the same may differ: {_MARGIN:g}",
    )
    parser.add_argument(
        "--require",
        choices=("same", "reproduced"),
        help="end with 1 unless sameness within the margin is shown in every cell, or the verdict "
        "is that the original is reproduced",
    )
    parser.add_argument(
        "--simulated-too",
        action="store_true",
        help="hold simulated runs against measured ones, labelled",
    )
    parser.add_argument(
        "--out", help="folder for CSV, Parquet, LaTeX, JSON, a figure, and of two folders a verdict"
    )
    parser.add_argument(
        "--key", help=f"SSH key that signs the verdict in --out, else in {_OUT}: yours"
    )
    parser.add_argument(
        "--allowed-signers", metavar="FILE", help="whose signatures count (man ssh-keygen)"
    )
    parser.add_argument(
        "--check", metavar="DIR", help="a verdict, or its folder: does it still hold?"
    )
    parser.add_json(
        "sides, cells with every number and verdict, the paper's claims, what is not compared"
    )
    parser.add_argument("--all", action="store_true", help="print every cell")
    given = parser.parse_args(arguments)
    with needs_extra(_WHO, "analysis"):
        # A bare installation lacks what it imports.
        from analysis.compare.comparison import Comparison  # noqa: F401, PLC0415
    allowed = _signers(given.allowed_signers)
    if given.check is not None:
        return _check(given, allowed)
    if not given.paths:
        parser.error("the following arguments are required: PATH")
    return _compare(given, allowed)


def _compare(given: argparse.Namespace, allowed: Path | None) -> int:
    from analysis.compare.axes import Axes  # noqa: PLC0415
    from analysis.compare.comparison import Comparison  # noqa: PLC0415
    from analysis.compare.printed import print_comparison  # noqa: PLC0415
    from analysis.compare.sides import open_sides  # noqa: PLC0415
    from analysis.compare.written import to_mapping, write  # noqa: PLC0415

    margin = _margin(given.margin)
    key = _key(given)
    out = _out(given.out or (_OUT if key is not None else None))
    axes = Axes.read(given.by)
    with waiting("reading sealed runs", aside=False):
        sides = open_sides(given.paths, axes)
        comparison = Comparison.of(
            sides, axes, margin=margin, mixed=given.simulated_too, allowed=allowed
        )
    people = Output()
    print_comparison(comparison, people, every=given.all)
    content = {**to_mapping(comparison), "written": []}
    if (document := due()) is not None:
        document.fill("compare", content)
    if not comparison.cells:
        complain(_WHO, "no point of one side has its counterpart on the other")
        return ExitCode.NOTHING_DONE
    if key is not None and (refused := _unsignable(comparison)):
        complain(_WHO, refused)
        return ExitCode.FAILED
    if out is not None:
        written = write(comparison, out)
        if len(given.paths) == len("AB"):
            written += _verdict(comparison, out, key)
        content["written"] = [str(path) for path in written]
        for path in written:
            people.exact(f"written: {path}")
    people.next(_next(given, out))
    if given.require == "same" and not comparison.same:
        complain(_WHO, f"sameness within {given.margin} % is not shown of every point")
        return ExitCode.FAILED
    if given.require == "reproduced" and not comparison.reproduced:
        complain(_WHO, f"no reproduction within {given.margin} % is shown")
        return ExitCode.FAILED
    return ExitCode.DONE


def _check(given: argparse.Namespace, allowed: Path | None) -> int:
    """Whether a verdict that somebody wrote still holds."""
    from analysis.audit.check import Outcome  # noqa: PLC0415
    from analysis.compare.checked import WrittenVerdict, check_verdict  # noqa: PLC0415

    for name in ("out", "key", "by", "require"):
        if getattr(given, name) is not None:
            raise CommandError(f"`--{name}` must not stand beside --check, which writes nothing")
    if given.paths and len(given.paths) != len("AB"):
        raise CommandError(
            f"`PATH` must be both folders of the verdict or none, but is {' '.join(given.paths)}"
        )
    try:
        verdict = WrittenVerdict.read(named_path("--check", given.check, "a verdict or its folder"))
    except CommandError:
        raise
    except ValueError as error:
        raise CommandError(str(error)) from error
    with waiting("reading sealed runs", aside=False):
        claims = check_verdict(verdict, given.paths, allowed)
    faults = [one for one in claims if one.finding.outcome is Outcome.FAILED]
    open_ones = [one for one in claims if one.finding.outcome is Outcome.UNSEEN]
    people = Output()
    if faults:
        said = f"the verdict does not hold: {faults[0].finding.evidence}"
    elif open_ones:
        left = told_count(len(open_ones), "claim")
        said = f"nothing speaks against the verdict; {left} could not be looked at"
    else:
        said = "the verdict holds"
    people.say(said)
    people.say(str(verdict.content["sentence"]))
    for one in claims:
        mark = one.finding.outcome.mark
        people.say(f"{mark} {one.told}: {one.finding.evidence}", hang=len(mark) + 1)
    if (document := due()) is not None:
        document.fill(
            "verdict",
            {
                "holds": not faults,
                "said": said,
                "verdict": verdict.content["verdict"],
                "sentence": verdict.content["sentence"],
                "claims": [
                    {
                        "name": one.name,
                        "claim": one.told,
                        "outcome": str(one.finding.outcome),
                        "evidence": one.finding.evidence,
                    }
                    for one in claims
                ],
            },
        )
    paths = given.paths or [str(side["path"]) for side in verdict.sides]
    people.next(typed("analysis.audit", paths[0]))
    if faults:
        complain(_WHO, said)
        return ExitCode.FAILED
    return ExitCode.DONE


def _key(given: argparse.Namespace) -> Path | None:
    """The key that signs, seen to sign before anything is read."""
    if given.key is None:
        return None
    if len(given.paths) != len("AB"):
        raise CommandError(
            "`--key` must stand beside two folders, the original and what was made after it, "
            f"but there are {len(given.paths)}"
        )
    key = _file("--key", given.key)
    assert key is not None
    try:
        sign(_TRIAL, key)
    except SigningError as error:
        raise CommandError(str(error).replace("`signing_key`", "`--key`")) from error
    return key


def _unsignable(comparison: "Comparison") -> str | None:
    """Why there is no verdict to sign: nobody answers for a copy as a second measurement."""
    from analysis.compare.reproduced import Reproduced  # noqa: PLC0415

    (reproduction,) = comparison.reproductions
    if reproduction.outcome is not Reproduced.NONE:
        return None
    return f"`--key` must sign a reproduction, but this is none: {reproduction.reasons[0]}"


def _verdict(comparison: "Comparison", out: Path, key: Path | None) -> list[Path]:
    from analysis.compare.verdict_document import (  # noqa: PLC0415
        verdict_mapping,
        write_verdict,
    )

    try:
        return write_verdict(verdict_mapping(comparison), out, key)
    except SigningError as error:
        raise CommandError(str(error), ExitCode.FAILED) from error


def _signers(given: str | None) -> Path | None:
    if given is None:
        return None
    try:
        path = named_path("--allowed-signers", given, "a file")
        require_allowed("--allowed-signers", path)
    except ValueError as error:
        raise CommandError(str(error)) from error
    return path


def _file(name: str, given: str | None) -> Path | None:
    if given is None:
        return None
    try:
        path = named_path(name, given, "a file")
    except ValueError as error:
        raise CommandError(str(error)) from error
    if not path.is_file():
        raise CommandError(f"`{name}` must be a file, but {path} is not")
    return path


def _margin(given: str) -> float:
    try:
        percent = float(given.removesuffix("%"))
    except ValueError:
        percent = math.nan
    if not 0 < percent <= _PERCENT:
        raise CommandError(f"`--margin` must be per cent, above 0 and up to 100, but is {given!r}")
    return percent / _PERCENT


def _out(given: str | None) -> Path | None:
    """The folder to write to: none of a record, of which a file more would break a seal."""
    out = named_out(given)
    if out is None:
        return None
    real = Path(os.path.realpath(out))
    place = place_of(next(each for each in (real, *real.parents) if each.is_dir()))
    if place.results is not None:
        raise CommandError(
            "`--out` must lie in no results folder, which holds records alone, but "
            f"{out} lies in {place.results}"
        )
    return out


def _next(given: argparse.Namespace, out: Path | None) -> str:
    """The files where there are none yet, then the verdict's check, else the audit."""
    if out is None:
        more = ("--by", given.by) if given.by else ()
        return typed(_MODULE, *given.paths, *more, "--out", _OUT)
    if given.key is not None:
        signers = ("--allowed-signers", given.allowed_signers) if given.allowed_signers else ()
        return typed(_MODULE, "--check", shown(out), *signers)
    return typed("analysis.audit", given.paths[-1])


if __name__ == "__main__":
    raise SystemExit(main())

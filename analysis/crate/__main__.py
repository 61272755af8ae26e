"""Crate: sealed runs as an RO-Crate, which archives and other tools read; and one looked at.

    python -m analysis.crate RESULTS [--out FOLDER|FILE.zip] [--license LICENCE]
    python -m analysis.crate --verify PATH

Without --out the results folder itself becomes the crate: ro-crate-metadata.json is written beside
its runs, and nothing in them. Of one run's folder --out makes a crate of that run alone.
"""

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

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
from telemetry.record.place import RecordPlace, named_place, require_no_run_s, shown
from telemetry.waiting import waiting

if TYPE_CHECKING:
    from analysis.crate.verification import Verified

_WHO: Final = "crate"
_MODULE: Final = "analysis.crate"
# RFC 3986, section 2: what a URI is made of.
_URL: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_EXITS: Final = {
    ExitCode.DONE: "written, or every file of the crate is as it says",
    ExitCode.FAILED: "a file or a statement is not as it says, a sealed run was changed, or the "
    "machine refuses",
    ExitCode.NOTHING_DONE: "there is no sealed run",
}


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Write a crate, or look at one; the exit code."""
    parser = CommandParser(module=_MODULE, description=__doc__, exits=_EXITS)
    parser.add_argument(
        "results", help="a results folder or a run; with --verify a crate's folder or zip"
    )
    parser.add_argument("--out", help="new folder or FILE.zip to write to, else in place")
    parser.add_argument(
        "--profile",
        choices=("0.5", "0.6"),
        default="0.5",
        help="version of Process Run Crate: 0.5 (default) on RO-Crate 1.1, or 0.6 on 1.3",
    )
    parser.add_argument("--license", help="under which it may be used: a URL or words")
    parser.add_argument("--name", help="the crate's name, else models and boards")
    parser.add_argument("--published", help="date of publication, else the day of the last seal")
    parser.add_argument("--verify", action="store_true", help="look at a crate that there is")
    parser.add_json("the crate's path, counts and what is left out; of --verify every fault")
    given = parser.parse_args(arguments)
    # A bare installation lacks what it imports.
    with needs_extra(_WHO, "analysis"), waiting("loading what makes crates"):
        from analysis.crate.description import CrateStatement  # noqa: PLC0415
        from analysis.crate.making import make  # noqa: PLC0415
        from analysis.crate.profile import PROFILES  # noqa: PLC0415
        from analysis.crate.verification import verify  # noqa: PLC0415
    if given.verify:
        for name in ("out", "license", "name", "published"):
            if getattr(given, name) is not None:
                raise CommandError(f"`--{name}` must not stand beside --verify, but does")
        path = _named("results", given.results)
        with waiting("verifying"):
            found = verify(path)
        return _told(path, found)
    place = named_place(given.results, _MODULE)
    out = None if given.out is None else _out(given.out, place)
    if out is None and place.run is not None:
        raise CommandError(
            f"`--out` must be given for one run, but is not: "
            f"{typed(_MODULE, given.results, '--out', f'{place.run.run_id}.zip')}"
        )
    statement = CrateStatement(
        profile=PROFILES[given.profile],
        name=_words("--name", given.name),
        licence=_licence(given.license),
        published=_date(given.published),
    )
    with waiting("crate"):
        written, crate = make(place, statement, out)
    screen = Output()
    files = [*crate.payload.files, *crate.made]
    size_bytes = sum(one.size_bytes for one in files)
    screen.say(
        f"{told_count(len(crate.loaded.runs), 'sealed run')}, {told_count(len(files), 'file')}, "
        f"{size_bytes:,} bytes; Process Run Crate {given.profile} on RO-Crate "
        f"{statement.profile.base}"
    )
    if any(run.simulated for run in crate.loaded.runs):
        screen.say("SIMULATED runs are in it, which it says of each.")
    if given.license is None:
        screen.note("no licence is stated: --license names one")
    for line in _left_out(crate.payload.left_out):
        screen.say(line, hang=4, indent=2)
    screen.exact(f"crate: {shown(written)}")
    if (document := due()) is not None:
        document.fill(
            "crate",
            {
                "path": str(written),
                "runs": [run.run_id for run in crate.loaded.runs],
                "files": len(files),
                "bytes": size_bytes,
                "left_out": [{"name": name, "why": why} for name, why in crate.payload.left_out],
            },
        )
    screen.next(typed(_MODULE, "--verify", shown(out or place.results)))
    return ExitCode.DONE


def _told(path: Path, found: "Verified") -> ExitCode:
    screen = Output()
    state = f"{len(found.faults)} faults" if found.faults else "none differs"
    screen.say(f"{told_count(found.files, 'file')} as the crate says, {state}")
    for line in found.faults:
        screen.say(f"[ ] {line}", hang=4)
    for line in found.unseen:
        screen.say(f"[?] could not be looked at: {line}", hang=4)
    if (document := due()) is not None:
        document.fill(
            "crate",
            {
                "path": str(path),
                "files": found.files,
                "faults": found.faults,
                "unseen": found.unseen,
            },
        )
    if found.faults:
        complain(_WHO, f"{shown(path)} is not as its metadata says: {found.faults[0]}")
        return ExitCode.FAILED
    if path.is_dir():
        screen.next(typed("analysis.audit", shown(path)))
    else:
        screen.next(shlex.join(["python", "-m", "zipfile", "-e", shown(path), path.stem]))
    return ExitCode.DONE


def _left_out(left: Sequence[tuple[str, str]]) -> Iterator[str]:
    """A line for each reason: what is left out for it, one by name and how many more."""
    by_reason: dict[str, list[str]] = {}
    for name, why in left:
        by_reason.setdefault(why, []).append(name)
    for why, names in by_reason.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"left out: {names[0]}{more}: {why}"


def _named(name: str, given: str) -> Path:
    try:
        return named_path(name, given, "a crate's folder or zip")
    except ValueError as error:
        raise CommandError(str(error)) from error


def _out(given: str, place: RecordPlace) -> Path:
    """Where it is to be written: not among the runs, and over nothing that is there."""
    try:
        out = named_path("--out", given, "a new folder or FILE.zip")
    except ValueError as error:
        raise CommandError(str(error)) from error
    require_no_run_s(out)
    if Path(os.path.realpath(out)).is_relative_to(os.path.realpath(place.results)):
        raise CommandError(f"`--out` must lie outside the results folder, but {out} lies in it")
    if out.suffix.lower() == ".zip":
        if out.is_dir():
            raise CommandError(f"`--out` must be a file, but {out} is a folder")
        if out.exists() or out.is_symlink():
            # It may be anybody's archive, or a crate that was published.
            raise CommandError(f"`--out` must be a new file, but {out} is there")
    elif out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise CommandError(f"`--out` must be a new or empty folder, but {out} is there")
    return out


def _words(flag: str, given: str | None) -> str | None:
    if given is not None and not given.strip():
        raise CommandError(f"`{flag}` must be words, but is {given!r} instead")
    return given


def _licence(given: str | None) -> str | None:
    """Words, or the URL of a licence."""
    if _words("--license", given) is None or "://" not in str(given):
        return given
    try:
        parts = urlsplit(str(given))
        is_url = parts.scheme in ("http", "https") and bool(parts.netloc)
    except ValueError:
        is_url = False
    if not is_url or not _URL.fullmatch(str(given)):
        raise CommandError(
            f"`--license` must be words or a URL of http(s), but is {given!r} instead"
        )
    return given


def _date(given: str | None) -> str | None:
    if given is None:
        return None
    try:
        return date.fromisoformat(given).isoformat()
    except ValueError as error:
        raise CommandError(
            f"`--published` must be a date such as 2026-11-27, but is {given!r} instead"
        ) from error


if __name__ == "__main__":
    raise SystemExit(main())

"""Stage: `python -m launcher.stage gsm8k alpaca`, once, where there is internet.

Compute nodes and air-gapped login nodes then take the prompts from the cache. Where there is no
internet at all, `--from` takes files, or a clone of the hub's repository, that were carried there.

Exit status: 0 all staged, 1 the hub cannot be reached, 2 the command or a file is wrong.
"""

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from telemetry.command import CommandParser, ExitCode, command, complain, needs_extra
from telemetry.document import due
from telemetry.named_paths import named_path
from telemetry.nearest import one_of, settled
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.waiting import waiting

with needs_extra("stage", "launch"):
    # The commands that only name data sets do without it; and loaded here it would read its
    # settings too early.
    if find_spec("datasets") is None:
        raise ModuleNotFoundError(name="datasets")
    from workers.prompts.corpus import CORPORA
    from workers.prompts.source import cache_folder
    from workers.prompts.staging import StagedCopy, stage


@command("stage")
def main(arguments: Sequence[str] | None = None) -> int:
    """Stage what the command names; the exit status."""
    parser = CommandParser(
        module="launcher.stage",
        description="Put datasets where machines without internet find them.",
        epilog="datasets:\n"
        + "".join(f"  {name:<16}  {CORPORA[name].about}\n" for name in _stageable()),
        exits={
            ExitCode.DONE: "all staged",
            ExitCode.FAILED: "the hub cannot be reached",
            ExitCode.BAD_INPUT: "the command or a file will not do",
        },
    )
    parser.add_argument("datasets", nargs="+", metavar="DATASET", help=", ".join(_stageable()))
    parser.add_argument(
        "--cache",
        default=None,
        metavar="DIR",
        help="where staged copies lie (default: $JOULEGRID_CACHE, else ~/.cache/joulegrid)",
    )
    parser.add_argument(
        "--from",
        dest="origins",
        action="append",
        default=[],
        metavar="FILE",
        help="take this file, or a clone of the hub's repository, instead of the hub; "
        "given more than once, the files are read one after another",
    )
    parser.add_json("what was staged, from where, and its SHA-256")
    given = parser.parse_args(arguments)
    out = Output()
    names = [settled(name, _stageable()) or name for name in dict.fromkeys(given.datasets)]
    try:
        cache = cache_folder() if given.cache is None else named_path("--cache", given.cache)
        origins = [named_path("--from", each, "a file or a folder") for each in given.origins]
    except ValueError as error:
        return _refuse(str(error), ExitCode.BAD_INPUT)
    if origins and len(names) > 1:
        return _refuse("`--from` must be given with one dataset, but is given with several", 2)
    if strangers := [name for name in names if name not in _stageable()]:
        return _refuse(one_of("DATASET", _stageable(), strangers[0], things="data sets"), 2)
    copies: list[StagedCopy] = []
    for name in names:
        try:
            with waiting(f"staging {name}"):
                copy = stage(CORPORA[name], cache, origins=origins)
        except ValueError as error:
            return _refuse(str(error), 2)
        except RuntimeError as error:
            return _refuse(str(error), 1)
        except OSError as error:
            return _refuse(f"`--cache` must be a folder that can be written, but: {error}", 2)
        copies.append(copy)
        out.say(_describe(copy))
        out.exact(f"  in {cache / copy.corpus}")
        if (document := due()) is not None:
            document.fill("stage", _document(copies, cache))
    out.next(_next_command(names[0], cache, is_default=given.cache is None))
    return 0


def _document(copies: Sequence[StagedCopy], cache: Path) -> dict[str, Any]:
    staged = [{**dataclasses.asdict(copy), "folder": str(cache / copy.corpus)} for copy in copies]
    return {"cache": str(cache), "staged": staged}


def _stageable() -> list[str]:
    return [name for name, corpus in CORPORA.items() if corpus.stageable]


def _describe(copy: StagedCopy) -> str:
    empty = copy.rows - copy.prompts
    left_out = f" ({empty} empty rows left out)" if empty else ""
    return (
        f"{copy.corpus}: {copy.prompts} prompts{left_out}, recorded as {copy.dataset}, "
        f"sha256 {copy.sha256[:16]}"
    )


def _next_command(name: str, cache: Path, *, is_default: bool) -> str:
    # A cache named by hand is found again only if the launcher is told of it.
    place = "" if is_default else f"JOULEGRID_CACHE={shlex.quote(str(cache))} "
    # What is not on the hub is configured as a file, so the staged copy must be asked for.
    source = () if CORPORA[name].hub else ("dataset.source=staged",)
    return place + typed("launcher", f"dataset={name}", *source)


def _refuse(line: str, status: int) -> int:
    complain("stage", " ".join(line.split()))
    return status


if __name__ == "__main__":
    sys.exit(main())

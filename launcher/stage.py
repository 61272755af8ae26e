"""Stage: `python -m launcher.stage gsm8k alpaca`, once, where there is internet.

Compute nodes and air-gapped login nodes then take the prompts from the cache. Where there is no
internet at all, `--from` takes files, or a clone of the hub's repository, that were carried there.

Exit status: 0 all staged, 1 the hub cannot be reached, 2 the command or a file is wrong.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from workers.prompts.corpus import CORPORA
from workers.prompts.selection import cache_folder
from workers.prompts.staging import StagedCopy, stage


def main(arguments: Sequence[str] | None = None) -> int:
    """Stage what the command names; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m launcher.stage",
        description="Put datasets where machines without internet find them.",
        epilog="datasets: " + "; ".join(f"{name}: {CORPORA[name].about}" for name in _stageable()),
    )
    parser.add_argument("datasets", nargs="+", metavar="DATASET", help=", ".join(_stageable()))
    parser.add_argument(
        "--cache",
        type=Path,
        default=None,
        metavar="DIR",
        help="where staged copies lie (default: $JOULEGRID_CACHE, else ~/.cache/joulegrid)",
    )
    parser.add_argument(
        "--from",
        dest="origins",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="take this file, or a clone of the hub's repository, instead of the hub; "
        "given more than once, the files are read one after another",
    )
    given = parser.parse_args(arguments)
    cache = (cache_folder() if given.cache is None else given.cache).expanduser().absolute()
    console = Console(stderr=True, highlight=False)
    names = list(dict.fromkeys(given.datasets))
    if given.origins and len(names) > 1:
        return _refuse("`--from` must be given with one dataset, but is given with several", 2)
    if strangers := [name for name in names if name not in _stageable()]:
        return _refuse(
            f"`DATASET` must be one of {', '.join(_stageable())}, but is {strangers[0]!r} instead",
            2,
        )
    for name in names:
        try:
            with console.status(f"staging {name}"):
                copy = stage(CORPORA[name], cache, origins=given.origins)
        except ValueError as error:
            return _refuse(str(error), 2)
        except RuntimeError as error:
            return _refuse(str(error), 1)
        except OSError as error:
            return _refuse(f"`--cache` must be a folder that can be written, but: {error}", 2)
        sys.stdout.write(_describe(copy, cache))
    sys.stdout.write(_next_command(names[0], cache, is_default=given.cache is None))
    return 0


def _stageable() -> list[str]:
    return [name for name, corpus in CORPORA.items() if corpus.columns]


def _describe(copy: StagedCopy, cache: Path) -> str:
    empty = copy.rows - copy.prompts
    left_out = f" ({empty} empty rows left out)" if empty else ""
    return (
        f"{copy.corpus}: {copy.prompts} prompts{left_out}, recorded as {copy.dataset}, "
        f"sha256 {copy.sha256[:16]}\n  in {cache / copy.corpus}\n"
    )


def _next_command(name: str, cache: Path, *, is_default: bool) -> str:
    # A cache named by hand is found again only if the launcher is told of it.
    place = "" if is_default else f"JOULEGRID_CACHE={shlex.quote(str(cache))} "
    # What is not on the hub is configured as a file, so the staged copy must be asked for.
    source = "" if CORPORA[name].hub else " dataset.source=staged"
    return f"next: {place}python -m launcher dataset={name}{source}\n"


def _refuse(line: str, status: int) -> int:
    sys.stderr.write(" ".join(line.split()) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())

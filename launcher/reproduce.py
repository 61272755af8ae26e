"""Reproduce: `python -m launcher.reproduce PATH`: a sealed campaign is made again here.

The same as `python -m launcher reproduce=PATH`.
"""

import sys
from collections.abc import Sequence
from typing import Final

from launcher.__main__ import main as launch
from launcher.plan.again import SIGNERS, WORD
from launcher.plan.rebuild import HERE
from telemetry.command import CommandParser, ExitCode, command

_EXITS: Final = {
    ExitCode.DONE: "planned, sealed, queued, or going on elsewhere",
    ExitCode.FAILED: "a point or the machine failed, or the original is not what was signed",
    ExitCode.NOTHING_DONE: "nothing of it can be made again here",
}


@command("reproduce")
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = CommandParser(
        module="launcher.reproduce",
        description="Make the sealed runs of a campaign again: tell what is different here, plan, "
        "run or queue them, and name the comparison.",
        exits=_EXITS,
    )
    parser.add_argument(
        "path", metavar="PATH", help="a results folder, a campaign's folder, a run or an attempt"
    )
    parser.add_argument(
        "words",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help=f"this place's keys: {', '.join(HERE)}; plan=true starts nothing, results=FOLDER is "
        "where it goes, else beside PATH with -reproduced behind its name",
    )
    parser.add_argument(
        "--allowed-signers",
        metavar="FILE",
        help="whose signatures count (man ssh-keygen): an original that none of them signed is "
        "refused; as a word: allowed_signers=FILE",
    )
    # Flags are the launcher's own.
    given, flags = parser.parse_known_args(arguments)
    signers = [] if given.allowed_signers is None else [f"{SIGNERS}{given.allowed_signers}"]
    return launch([f"{WORD}{given.path}", *signers, *given.words, *flags])


if __name__ == "__main__":
    sys.exit(main())

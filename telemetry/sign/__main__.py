"""Sign: `python -m telemetry.sign RESULTS --key KEY`: who answers for what is sealed, and its root.

Signs the seal of every run that has no signature yet, takes one hash of all seals, keeps it in
RESULTS/roots and signs it too. The hash is to be lodged where the folder's owner cannot edit.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.command import CommandParser, ExitCode, command, complain
from telemetry.named_paths import named_path
from telemetry.next_line import typed
from telemetry.record.paths import list_runs
from telemetry.record.place import named_place, shown
from telemetry.record.roots import Root
from telemetry.record.signature import SigningError, sign_file, signature_of
from telemetry.terminal import printable

_WHO: Final = "sign"
_MODULE: Final = "telemetry.sign"
_EXITS: Final = {
    ExitCode.DONE: "all that is sealed is signed",
    ExitCode.FAILED: "the machine refuses",
    ExitCode.BAD_INPUT: "the command, the folder or the key will not do",
    ExitCode.NOTHING_DONE: "nothing is sealed",
}


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Sign what is sealed in a results folder; the exit status."""
    parser = CommandParser(module=_MODULE, description=__doc__, exits=_EXITS)
    parser.add_argument("results", help="the results folder")
    parser.add_argument(
        "--key",
        required=True,
        help="SSH key: a private one without a passphrase, or a public one that an agent holds",
    )
    given = parser.parse_args(arguments)
    try:
        key = named_path("--key", given.key, "an SSH key's file")
    except ValueError as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT
    place = named_place(
        given.results, _MODULE, line=lambda folder: typed(_MODULE, folder, "--key", given.key)
    )
    results = place.results
    if place.run is not None:
        line = typed(_MODULE, shown(results), "--key", given.key)
        complain(_WHO, f"`results` must be a results folder, but {place.folder} is of one: {line}")
        return ExitCode.BAD_INPUT
    try:
        return _sign(results, key)
    except SigningError as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT


def _sign(results: Path, key: Path) -> int:
    attempts = [attempt for run in list_runs(results) if (attempt := run.sealed()) is not None]
    if not attempts:
        complain(_WHO, f"{results} holds no sealed run")
        return ExitCode.NOTHING_DONE
    new = [attempt for attempt in attempts if not signature_of(attempt.seal).exists()]
    for attempt in new:
        sign_file(attempt.seal, key)
    root = Root.take(results)
    kept = root.keep(results)
    sign_file(kept, key)
    lines = [
        f"{len(new)} of {len(attempts)} seals signed, {len(attempts) - len(new)} were before",
        f"root: {root.sha256}",
        f"wrote {kept} and its signature",
        "lodge the root where this folder's owner cannot edit it: docs/evidence.md has how",
        f"next: {typed('analysis.audit', results, '--root', root.sha256)}",
    ]
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())

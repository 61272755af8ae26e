"""Sign: `python -m telemetry.sign RESULTS --key KEY`: who answers for what is sealed, and its root.

Signs the seal of every run that has no signature yet, takes one hash of all seals, keeps it in
RESULTS/roots and signs it too. The hash is to be lodged where the folder's owner cannot edit.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.clock import wall_us
from telemetry.command import CommandParser, ExitCode, command, complain
from telemetry.named_paths import named_path
from telemetry.next_line import typed
from telemetry.paragraph import say
from telemetry.record.paths import AttemptPaths, RunPaths, list_runs
from telemetry.record.place import named_place, shown
from telemetry.record.roots import Root
from telemetry.record.seal import verify_seal
from telemetry.record.signature import (
    SigningError,
    check_signature,
    sign,
    sign_file,
    signature_of,
)
from telemetry.terminal import printable
from telemetry.waiting import waiting

_WHO: Final = "sign"
_MODULE: Final = "telemetry.sign"
# Signed, to learn whether and as whom a key signs.
_TRIAL: Final = b"joulegrid"
_EXITS: Final = {
    ExitCode.DONE: "all that is sealed is signed",
    ExitCode.FAILED: "a run is not as sealed, a signature not its seal's, or the machine refuses",
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
    sealed = [(run, attempt) for run in list_runs(results) if (attempt := run.sealed()) is not None]
    if not sealed:
        complain(_WHO, f"{results} holds no sealed run")
        return ExitCode.NOTHING_DONE
    # Before anything is hashed; and a key that cannot sign is none though all is signed already.
    own = _signer_of(key)
    faults: list[str] = []
    news: list[Path] = []
    olds: list[str] = []
    with waiting("hashing sealed runs", aside=False):
        for run, attempt in sealed:
            signature = signature_of(attempt.seal)
            if signature.exists():
                olds.append(_signed_by(attempt.seal, run.run_id, faults))
            elif difference := _difference(run, attempt):
                # Whoever signs answers for it.
                faults.append(f"{run.run_id}: {difference}; not signed")
            else:
                news.append(sign_file(attempt.seal, key))
    root = Root.take(results)
    kept = root.keep(results)
    was = signature_of(kept).exists()
    sign_file(kept, key)
    others = sum(signer not in ("", own) for signer in olds)
    beside = f"; {others} of them by another key" if others else ""
    say(f"{len(news)} of {len(sealed)} seals signed, {len(olds)} were before{beside}")
    say(f"root: {root.sha256}")
    if was and _signed_by(kept, kept.name, faults) not in ("", own):
        say("the root was signed before by another key, which stays")
    say(f"wrote {kept} and its signature")
    say("lodge the root where this folder's owner cannot edit it: docs/evidence.md has how")
    line = typed("analysis.audit", results, "--root", root.sha256)
    sys.stdout.write(f"{printable(f'next: {line}')}\n")
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        complain(_WHO, f"{faults[0]}{more}")
        return ExitCode.FAILED
    return ExitCode.DONE


def _signer_of(key: Path) -> str:
    """The fingerprint of the key that `key` signs with."""
    with tempfile.TemporaryDirectory() as folder:
        signature = Path(folder) / "trial.sig"
        signature.write_bytes(sign(_TRIAL, key))
        return check_signature(_TRIAL, signature, None, wall_us()).key


def _signed_by(signed: Path, name: str, faults: list[str]) -> str:
    """The fingerprint of the key that signed before; empty, and a fault, where none did."""
    try:
        return check_signature(signed.read_bytes(), signature_of(signed), None, wall_us()).key
    except ValueError as error:
        faults.append(f"{name}: {error}")
        return ""


def _difference(run: RunPaths, attempt: AttemptPaths) -> str | None:
    try:
        differences = verify_seal(run, attempt)
    except (ValueError, OSError) as error:
        return str(error)
    return differences[0] if differences else None


if __name__ == "__main__":
    sys.exit(main())

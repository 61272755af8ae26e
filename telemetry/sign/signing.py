"""Signing: who answers for each seal, and who did before."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from telemetry.clock import wall_us
from telemetry.evidence.bundle import NoBundleError, sign_bundle
from telemetry.record.beside import BUNDLE, beside
from telemetry.record.files import write_bytes
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.seal import verify_seal
from telemetry.record.signature import NOBODY, check_signature, sign, sign_file, signature_by
from telemetry.record.signer import SigningError

# Signed, to learn whether and as whom a key signs.
_TRIAL: Final = b"joulegrid"
Sealed = Sequence[tuple[RunPaths, AttemptPaths]]
"""Runs with their sealed attempts."""


@dataclass(kw_only=True)
class Signing:
    """What was signed, and what could not be."""

    news: list[str] = field(default_factory=list)
    """Runs that were signed now."""
    olds: list[str] = field(default_factory=list)
    """Who signed those that were signed before, each; empty where what lies there is none."""
    bundles: list[str] = field(default_factory=list)
    """Runs of which sigstore gave a bundle now."""
    faults: list[str] = field(default_factory=list)
    """What is wrong, one line each."""
    silent: bool = False
    """Whether sigstore was asked and gave no bundle: it is asked no more."""


def sign_seals(sealed: Sealed, key: Path | None, name: str | None, *, sigstore: bool) -> Signing:
    """Sign each seal that has no such signature yet, of a run that is as it was sealed.

    Raises:
        SigningError: the key does not sign.
    """
    signing = Signing()
    for run, attempt in sealed:
        differences: list[str | None] = []
        if key is not None:
            signature = signature_by(attempt.seal, key, name)
            if signature.exists() or signature.is_symlink():
                signing.olds.append(signed_by(attempt.seal, signature, run.run_id, signing.faults))
            else:
                differences.append(_difference(run, attempt))
                if differences[0] is None:
                    sign_file(attempt.seal, key, name)
                    signing.news.append(run.run_id)
        bundle = beside(attempt.seal, BUNDLE)
        if sigstore and not signing.silent and not bundle.exists():
            differences = differences or [_difference(run, attempt)]
            if differences[0] is None and add_bundle(attempt.seal, signing):
                signing.bundles.append(run.run_id)
        if differences and differences[0] is not None:
            # Whoever signs answers for it.
            signing.faults.append(f"{run.run_id}: {differences[0]}; not signed")
    return signing


def add_bundle(signed: Path, signing: Signing) -> bool:
    """Put a bundle of sigstore's beside a file; False, and a fault, where there is none to have.

    Raises:
        OSError: it cannot be written.
        SigningError: there is no identity token, or sigstore is not installed.
    """
    try:
        bundle = sign_bundle(signed.read_bytes())
    except NoBundleError as error:
        signing.silent = True
        signing.faults.append(f"no bundle: {error}")
        return False
    write_bytes(beside(signed, BUNDLE), bundle)
    return True


def signer_of(key: Path) -> str:
    """The key that `key` signs with, as a signature tells it.

    Raises:
        SigningError: it does not sign.
    """
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "trial"
        signature = signature_by(trial, key)
        signature.write_bytes(sign(_TRIAL, key))
        return check_signature(_TRIAL, signature, trial.name, NOBODY, wall_us()).key


def signed_by(signed: Path, signature: Path, name: str, faults: list[str]) -> str:
    """The key that signed before; empty, and a fault, where none did."""
    try:
        return check_signature(signed.read_bytes(), signature, signed.name, NOBODY, wall_us()).key
    except (ValueError, OSError, SigningError) as error:
        faults.append(f"{name}: {error}")
        return ""


def _difference(run: RunPaths, attempt: AttemptPaths) -> str | None:
    try:
        differences = verify_seal(run, attempt)
    except (ValueError, OSError) as error:
        return str(error)
    return differences[0] if differences else None

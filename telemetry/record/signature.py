"""Signature: who answers for a seal or a root, by a key that its holder alone has.

A seal proves that files agree with each other: whoever owns the folder can make it again. A
signature can be made by the key's holder alone. A key is OpenSSH's or minisign's, and the file is
in that tool's own form: `telemetry.record.ssh_signature`, `telemetry.record.minisign`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from telemetry.clock import wall_us
from telemetry.record.beside import BUNDLE, MINISIGN, SSH, beside, signatures_beside
from telemetry.record.files import read_json, write_bytes
from telemetry.record.minisign import check_minisign, is_minisign, sign_minisign
from telemetry.record.paths import AttemptPaths
from telemetry.record.signer import BadSignatureError, Signer, SigningError, UnknownSignerError
from telemetry.record.ssh_signature import check_ssh, sign_ssh
from telemetry.record.when import told_us


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """Whose signatures count, which the record's owner cannot have written."""

    ssh_signers: Path | None = None
    """Names and keys in OpenSSH's form (man ssh-keygen, ALLOWED SIGNERS); None for none."""
    minisign_keys: Path | None = None
    """Public keys as minisign writes them, each under its comment; None for none."""


NOBODY = Allowed()
"""Of whom nobody said whose signatures count: a key is told alone."""


def sign(data: bytes, key: Path) -> bytes:
    """The signature of `data` by a private key, or by the agent that holds that public key's.

    Raises:
        SigningError: there is no such key, or it wants a passphrase, or what signs is missing.
    """
    if is_minisign(key):
        return sign_minisign(data, key, f"{subject(data)} signed {told_us(wall_us())}")
    return sign_ssh(data, key)


def signature_by(signed: Path, key: Path, name: str | None = None) -> Path:
    """Where the signature of a file by such a key lies; `name` is a further signer's."""
    return beside(signed, MINISIGN if is_minisign(key) else SSH, name)


def sign_file(path: Path, key: Path, name: str | None = None) -> Path:
    """Put the signature of a file beside it; the one that is there already stays.

    Raises:
        OSError: it cannot be written.
        SigningError: there is no such key, or it wants a passphrase, or what signs is missing.
    """
    signature = signature_by(path, key, name)
    if not signature.exists():
        write_bytes(signature, sign(path.read_bytes(), key))
    return signature


def sign_as_launched(attempt: AttemptPaths) -> str | None:
    """Sign an attempt's seal with the key that its launch.json names; why it is not, or None.

    Raises:
        OSError: it cannot be written.
        ValueError: launch.json is no JSON object.
    """
    key = read_json(attempt.launch).get("signing_key")
    if key is None:
        return None
    try:
        sign_file(attempt.seal, Path(key))
    except SigningError as error:
        # The record is whole without; `telemetry.sign` makes up for it.
        return f"not signed: {error}"
    return None


def key_signatures(signed: Path) -> list[Path]:
    """Every signature of a file by a key; a bundle of sigstore's is by none that lasts."""
    return [path for path in signatures_beside(signed) if not path.name.endswith(BUNDLE)]


def check_signature(data: bytes, signature: Path, of: str, allowed: Allowed, at_us: int) -> Signer:
    """Who signed `data`.

    Args:
        data: what was signed.
        signature: the file that holds the signature.
        of: the name of the file beside it, for the message.
        allowed: whose signatures count; where nobody is named, the key alone is told.
        at_us: when it says that it was signed, for keys that are allowed for a time.

    Raises:
        BadSignatureError: the signature is not of `data`, or its key is nobody's who is allowed.
        OSError: a file cannot be read.
        SigningError: what checks it is missing.
        ValueError: the signature's file is no plain file of a signature's size and form.
    """
    if not signature.name.endswith(f".{MINISIGN}"):
        return check_ssh(data, signature, of, allowed.ssh_signers, at_us)
    signer, comment = check_minisign(data, signature, of, allowed.minisign_keys)
    told, _, _ = comment.partition(" signed ")
    # One that minisign's own program made says what it likes.
    if comment.startswith(_OURS) and told != subject(data):
        raise BadSignatureError(
            f"the trusted comment of {signature.name} must be of {subject(data)!r}, "
            f"but is of {told!r} instead"
        )
    return signer


def signers_of(signed: Path, data: bytes, allowed: Allowed, at_us: int) -> list[Signer]:
    """Who signed a file with a key, those who count first; empty where nobody did.

    Args:
        signed: the file, beside which its signatures lie.
        data: what it holds.
        allowed: whose signatures count; one that does is enough, whoever signed beside.
        at_us: when it says that it was signed.

    Raises:
        BadSignatureError: a signature is not of `data`, or all are of nobody who is allowed.
        OSError: a file cannot be read.
        SigningError: what checks one is missing.
        ValueError: a signature's file is none.
    """
    found: list[Signer] = []
    strangers: list[UnknownSignerError] = []
    for signature in key_signatures(signed):
        try:
            found.append(check_signature(data, signature, signed.name, allowed, at_us))
        except UnknownSignerError as error:
            strangers.append(error)
    if strangers and not any(one.principal for one in found):
        raise strangers[0]
    return sorted(found, key=lambda one: one.principal is None)


_OURS = "joulegrid "


def subject(data: bytes) -> str:
    """What a trusted comment says of a seal or a root: which it is and when it was made."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict):
        if "run_id" in content:
            run, number = content["run_id"], content.get("attempt")
            return f"{_OURS}run {run} attempt {number} sealed {_time(content.get('sealed_us'))}"
        if "root_sha256" in content:
            taken = _time(content.get("taken_us"))
            return f"{_OURS}root {content['root_sha256']} taken {taken}"
    return f"{_OURS}file"


def _time(us: object) -> str:
    return told_us(us) if type(us) is int else "at no time"

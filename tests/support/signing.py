"""Keys for tests, SSH's and minisign's, and who of their holders is allowed."""

import base64
import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def make_key(path: Path, passphrase: str = "") -> Path:
    """A new private key, its public half beside it."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def allow(path: Path, keys: Mapping[str, Path], options: str = "") -> Path:
    """A file of allowed signers: each name with its key."""
    lines = []
    for name, key in keys.items():
        kind, public, _ = key.with_suffix(".pub").read_text().split(maxsplit=2)
        lines.append(f"{name} {options} {kind} {public}\n")
    path.write_text("".join(lines))
    return path


def make_minisign_key(path: Path, comment: str = "jo@center.example") -> Path:
    """A new minisign key without a passphrase; its public half, under `comment`, is .pub.

    A key's form is written here by hand, as a machine without the program has keys, too.
    """
    private = Ed25519PrivateKey.generate()
    seed, public = private.private_bytes_raw(), private.public_key().public_bytes_raw()
    key_id = os.urandom(8)
    checksum = hashlib.blake2b(b"Ed" + key_id + seed + public, digest_size=32).digest()
    secret = b"Ed" + b"\0\0" + b"B2" + bytes(48) + key_id + seed + public + checksum
    _write_key(path, "minisign secret key", secret)
    _write_key(path.with_suffix(".pub"), comment, b"Ed" + key_id + public)
    return path


def _write_key(path: Path, comment: str, content: bytes) -> None:
    path.write_text(f"untrusted comment: {comment}\n{base64.b64encode(content).decode()}\n")

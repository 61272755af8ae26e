"""Minisign: who answers for a file, by an Ed25519 key in the form of the program of that name.

The form is public (https://jedisct1.github.io/minisign, "Signature format"): a comment that anybody
can change, the signature of the file's BLAKE2b hash, a comment that is signed along, and the
signature of both. What signs and checks is the package `cryptography` where it is installed, else
the program `minisign`; with neither nothing is signed or checked, and it is said so.
"""

import base64
import binascii
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from telemetry.command import lacks
from telemetry.record.files import read_plain
from telemetry.record.plain_file import plain_file
from telemetry.record.signer import BadSignatureError, Signer, SigningError, UnknownSignerError

# A comment of the program's has at most 8 kB; keys have some hundred bytes.
_MOST_BYTES: Final = 64 << 10
# A hash of some megabytes takes no time; the program asks nobody, as no key here has a passphrase.
_PATIENCE_S: Final = 30.0
_UNTRUSTED: Final = "untrusted comment: "
_TRUSTED: Final = "trusted comment: "
# Of the published form: Ed25519, and the same over BLAKE2b's 64 bytes instead of the file.
_ED25519: Final = b"Ed"
_PREHASHED: Final = b"ED"
_NO_KDF: Final = b"\0\0"
_BLAKE2B: Final = b"B2"
# 2 + 8 + 64 bytes; 2 + 8 + 32; 2 + 2 + 2 + 32 + 8 + 8 + (8 + 64 + 32).
_SIGNATURE_BYTES, _PUBLIC_BYTES, _SECRET_BYTES = 74, 42, 158
_EXTRA: Final = "evidence"


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A signature's file."""

    key_id: bytes
    """Of the key that made it, 8 bytes."""
    signature: bytes
    """Of the file's hash, 64 bytes."""
    comment: str
    """The trusted comment, in one line."""
    whole: bytes
    """Of signature and trusted comment, 64 bytes."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """What a file holds.

        Raises:
            OSError: it cannot be read.
            ValueError: it has not the published form, or is not prehashed.
        """
        lines = _lines(path)
        form = f"{path.name} must be a signature in minisign's form, but is not"
        if len(lines) != 4 or not lines[0].startswith(_UNTRUSTED):  # noqa: PLR2004
            raise ValueError(form)
        first, whole = _decoded(lines[1], form), _decoded(lines[3], form)
        comment = lines[2].removeprefix(_TRUSTED)
        if len(first) != _SIGNATURE_BYTES or len(whole) != 64 or comment == lines[2]:  # noqa: PLR2004
            raise ValueError(form)
        if first[:2] != _PREHASHED:
            raise ValueError(
                f"{path.name} must be prehashed (minisign -H, the default since 0.10), but is not"
            )
        return cls(key_id=first[2:10], signature=first[10:], comment=comment, whole=whole)

    def to_bytes(self, said: str) -> bytes:
        """Its file's form; `said` is the untrusted comment."""
        first = base64.b64encode(_PREHASHED + self.key_id + self.signature).decode()
        whole = base64.b64encode(self.whole).decode()
        lines = (f"{_UNTRUSTED}{said}", first, f"{_TRUSTED}{self.comment}", whole)
        return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True, kw_only=True)
class SecretKey:
    """A key that signs without a passphrase."""

    key_id: bytes
    """8 bytes that tell keys apart."""
    seed: bytes
    """Ed25519's, 32 bytes."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """What a file holds.

        Raises:
            SigningError: it is no secret key, cannot be read, is damaged, or wants a passphrase.
        """
        bad = f"`signing_key` must be a key that signs, but {path}"
        try:
            content = _decoded(_lines(Path(os.path.realpath(path)))[1], f"{path} holds no key")
        except (OSError, ValueError, IndexError) as error:
            raise SigningError(f"{bad} does not: {error}") from error
        if len(content) != _SECRET_BYTES or content[:2] != _ED25519:
            raise SigningError(f"{bad} does not: it is no secret key of minisign's")
        if content[2:4] != _NO_KDF:
            raise SigningError(f"{bad} wants a passphrase: `minisign -G -W` makes one without")
        key_id, secret, checksum = content[54:62], content[62:126], content[126:158]
        # The program leaves that of a key without a passphrase empty.
        sums = (bytes(32), _blake2b(_ED25519 + key_id + secret, 32))
        if content[4:6] != _BLAKE2B or checksum not in sums or not _is_pair(secret):
            raise SigningError(f"{bad} does not: it is damaged")
        return cls(key_id=key_id, seed=secret[:32])


def is_minisign(key: Path) -> bool:
    """Whether a key's file is in minisign's form; one that is not there is not."""
    try:
        with plain_file(key, follow=True) as number:
            return os.read(number, len(_UNTRUSTED)) == _UNTRUSTED.encode()
    except (OSError, ValueError):
        return False


def sign_minisign(data: bytes, key: Path, comment: str) -> bytes:
    """The signature of `data`; `comment` is signed along.

    Raises:
        SigningError: there is no such key, it wants a passphrase, or what signs is missing.
    """
    secret = SecretKey.read(key)
    if _by_package():
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PrivateKey,
        )

        private = Ed25519PrivateKey.from_private_bytes(secret.seed)
        signature = private.sign(_blake2b(data, 64))
        whole = private.sign(signature + comment.encode())
        signed = Signed(key_id=secret.key_id, signature=signature, comment=comment, whole=whole)
        return signed.to_bytes("signature of joulegrid's")
    with tempfile.TemporaryDirectory() as folder:
        file, made = Path(folder) / "signed", Path(folder) / "signed.minisig"
        file.write_bytes(data)
        words = ["-S", "-H", "-s", key, "-m", file, "-x", made, "-t", comment]
        done = _program([str(word) for word in words])
        if done.returncode:
            raise SigningError(f"`signing_key` must be a key that signs, but {key} does not")
        return made.read_bytes()


def check_minisign(data: bytes, signature: Path, of: str, keys: Path | None) -> tuple[Signer, str]:
    """Who signed `data`, and the trusted comment.

    Args:
        data: what was signed.
        signature: the file that holds the signature.
        of: the name of the file beside it, for the message.
        keys: public keys as minisign writes them, each under its comment; None tells the key's id
            alone, which the signature's maker wrote.

    Raises:
        BadSignatureError: the signature is not of `data`, or its key is not among `keys`.
        OSError: a file cannot be read.
        SigningError: what checks it is missing.
        ValueError: a file is not in minisign's form.
    """
    signed = Signed.read(signature)
    key = f"minisign key {_told(signed.key_id)}"
    if keys is None:
        return Signer(key=key, principal=None, of_it=False), signed.comment
    for name, key_id, public in _public_keys(keys):
        if key_id == signed.key_id:
            if not _holds(data, signed, signature, key_id + public):
                raise BadSignatureError(f"{signature.name} is not the signature of {of}")
            return Signer(key=key, principal=name), signed.comment
    raise UnknownSignerError(f"{key} is of nobody in {keys}")


def _is_pair(secret: bytes) -> bool:
    """Whether a key's two halves belong together, where the package can tell; the program does."""
    if not _by_package():
        return True
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )

    private = Ed25519PrivateKey.from_private_bytes(secret[:32])
    return private.public_key().public_bytes_raw() == secret[32:]


def require_public_keys(path: Path) -> None:
    """Refuse what no signature can be held against.

    Raises:
        OSError: it cannot be read.
        ValueError: it does not hold public keys in minisign's form.
    """
    _ = list(_public_keys(path))


def _holds(data: bytes, signed: Signed, signature: Path, public: bytes) -> bool:
    if _by_package():
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PublicKey,
        )

        key = Ed25519PublicKey.from_public_bytes(public[8:])
        try:
            key.verify(signed.signature, _blake2b(data, 64))
            key.verify(signed.whole, signed.signature + signed.comment.encode())
        except InvalidSignature:
            return False
        return True
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "signed"
        file.write_bytes(data)
        form = base64.b64encode(_ED25519 + public).decode()
        words = ["-V", "-q", "-P", form, "-m", str(file), "-x", str(signature.absolute())]
        return not _program(words).returncode


def _public_keys(path: Path) -> Iterator[tuple[str, bytes, bytes]]:
    """Of each key in a file its comment, id and bytes."""
    name, found = "", 0
    # The auditor's own file may be a link.
    for line in _lines(Path(os.path.realpath(path))):
        if line.startswith(_UNTRUSTED):
            name = line.removeprefix(_UNTRUSTED)
            continue
        bad = f"`--minisign-keys` must hold public keys of minisign's, but {path} holds others"
        content = _decoded(line, bad)
        if len(content) != _PUBLIC_BYTES or content[:2] != _ED25519:
            raise ValueError(bad)
        found += 1
        yield name or _told(content[2:10]), content[2:10], content[10:]
        name = ""
    if not found:
        raise ValueError(f"`--minisign-keys` must hold public keys, but {path} holds none")


def _by_package() -> bool:
    """Whether the package signs and checks; False where the program does.

    Raises:
        SigningError: there is neither.
    """
    if importlib.util.find_spec("cryptography") is not None:
        return True
    if shutil.which("minisign") is None:
        raise SigningError(f"{lacks('cryptography', _EXTRA)}, and the program minisign will do")
    return False


def _program(words: list[str]) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(
            ["minisign", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SigningError(f"minisign must answer within {_PATIENCE_S:g} s, but did not") from error


def _lines(path: Path) -> list[str]:
    data = read_plain(path, most_bytes=_MOST_BYTES)
    try:
        # A carriage return is a part of the line, as it is to the program.
        return [line for line in data.decode().split("\n") if line]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} must be text, but is not") from error


def _decoded(line: str, bad: str) -> bytes:
    try:
        return base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(bad) from error


def _blake2b(data: bytes, size: int) -> bytes:
    return hashlib.blake2b(data, digest_size=size).digest()


def _told(key_id: bytes) -> str:
    # As the program tells it: a number, its lowest byte first.
    return f"{int.from_bytes(key_id, 'little'):016X}"

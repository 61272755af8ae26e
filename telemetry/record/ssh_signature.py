"""SSH signature: who answers for a file, by an SSH key that its holder alone has.

`ssh-keygen -Y` (OpenSSH 8.2 and later) makes and checks it; the file is OpenSSH's own form, so
that no tool of this project is needed to check one.
"""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.record.files import read_plain
from telemetry.record.limits import SIGNATURE_BYTES
from telemetry.record.signer import BadSignatureError, Signer, SigningError, UnknownSignerError
from telemetry.record.when import at_utc

NAMESPACE: Final = "joulegrid"
"""What the signature is for: one of another namespace, of a mail or a commit, is none of ours."""
# A key in an agent that asks its holder, or a slow disk; nobody waits longer.
_PATIENCE_S: Final = 30.0
# Principals, options, the key's type and its base64, which in every type begins with a length
# below 2^24.
_ALLOWED: Final = re.compile(rb"\s*[^#\s].*\s(?:sk-)?(?:ssh|ecdsa)-\S+\s+AAAA")


def sign_ssh(data: bytes, key: Path) -> bytes:
    """The signature of `data` by a private key, or by the agent that holds that public key's.

    Raises:
        SigningError: there is no ssh-keygen or no such key, or it wants a passphrase.
    """
    done = _ssh_keygen(["sign", "-n", NAMESPACE, "-f", os.path.abspath(key)], data)  # noqa: PTH100
    if done.returncode or not done.stdout:
        raise SigningError(
            f"`signing_key` must be a key that signs, but {key} does not: {_why(done)}"
        )
    return done.stdout


def check_ssh(data: bytes, signature: Path, of: str, allowed: Path | None, at_us: int) -> Signer:
    """Who signed `data`.

    Args:
        data: what was signed.
        signature: the file that holds the signature.
        of: the name of the file beside it, for the message.
        allowed: allowed signers in OpenSSH's form (man ssh-keygen, ALLOWED SIGNERS); None tells
            the key alone.
        at_us: when it says that it was signed, for keys that are allowed for a time.

    Raises:
        BadSignatureError: the signature is not of `data`, or its key is nobody's who is allowed.
        OSError: a file cannot be read.
        SigningError: there is no ssh-keygen.
        ValueError: the signature's file is no plain file of a signature's size.
    """
    read_plain(signature, most_bytes=SIGNATURE_BYTES.most)
    where = os.path.abspath(signature)  # noqa: PTH100
    of_whom = ["-n", NAMESPACE, "-s", where]
    done = _ssh_keygen(["check-novalidate", *of_whom], data)
    if done.returncode:
        raise BadSignatureError(f"{signature.name} is not the signature of {of}")
    key = done.stdout.decode(errors="replace").strip().rpartition(" with ")[2]
    if allowed is None:
        return Signer(key=key, principal=None)
    time = at_utc(at_us).strftime("%Y%m%d%H%M%SZ")
    signers = ["-f", os.path.abspath(allowed), f"-Overify-time={time}"]  # noqa: PTH100
    done = _ssh_keygen(["find-principals", "-s", where, *signers], b"")
    principals = done.stdout.decode(errors="replace").split("\n") if not done.returncode else []
    for principal in filter(None, principals):
        done = _ssh_keygen(["verify", *of_whom, *signers, "-I", principal], data)
        if not done.returncode:
            return Signer(key=key, principal=principal)
    raise UnknownSignerError(f"{key} is of nobody in {allowed}")


def require_allowed(name: str, path: Path) -> None:
    """Refuse what no signature can be held against: a file that names nobody's key.

    Args:
        name: what is being set, for the message.
        path: the user's own, which may be a link.

    Raises:
        ValueError: it is no file, cannot be read, or no line of it has a key in OpenSSH's form.
    """
    if not path.is_file():
        raise ValueError(f"`{name}` must be a file, but {path} is not")
    try:
        with path.open("rb") as source:
            named = any(_ALLOWED.match(line) for line in source)
    except OSError as error:
        raise ValueError(
            f"`{name}` must be a file that can be read, but {path} is not: {error.strerror}"
        ) from error
    if not named:
        raise ValueError(
            f"`{name}` must hold lines such as `jo@center.example ssh-ed25519 AAAA...` "
            f"(man ssh-keygen, ALLOWED SIGNERS), but {path} holds none"
        )


def _ssh_keygen(words: Sequence[str], data: bytes) -> "subprocess.CompletedProcess[bytes]":
    # Without a terminal and an asker it fails on a passphrase; with one it would wait for ever.
    quiet = {**os.environ, "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["ssh-keygen", "-Y", *words],
            input=data,
            capture_output=True,
            timeout=_PATIENCE_S,
            env=quiet,
            start_new_session=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise SigningError("ssh-keygen must be installed (OpenSSH 8.2), but is not") from error
    except subprocess.TimeoutExpired as error:
        raise SigningError(
            f"ssh-keygen must answer within {_PATIENCE_S:g} s, but did not"
        ) from error


def _why(done: "subprocess.CompletedProcess[bytes]") -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else f"exit code {done.returncode}"

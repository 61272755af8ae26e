"""A signature is its key's holder's, and of nothing else than what was signed."""

import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from telemetry.record.beside import signature_of
from telemetry.record.signature import NOBODY, Allowed, check_signature, sign, sign_file
from telemetry.record.signer import BadSignatureError, Signer, SigningError
from tests.support.signing import allow, make_key

# 2026-11-27, 12:00 UTC.
AT_US = 1_795_780_800_000_000


def check(signed: Path, signers: Path | None = None, at_us: int = AT_US) -> Signer:
    allowed = Allowed(ssh_signers=signers)
    return check_signature(signed.read_bytes(), signature_of(signed), signed.name, allowed, at_us)


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    path = tmp_path / "seal.json"
    path.write_text("{}\n")
    sign_file(path, make_key(tmp_path / "key"))
    return path


def test_an_allowed_signer_is_told_by_name(signed: Path, tmp_path: Path) -> None:
    signers = allow(tmp_path / "signers", {"jo@center.example": tmp_path / "key"})
    signer = check(signed, signers)
    assert signer.principal == "jo@center.example"
    assert signer.key.startswith("ED25519 key SHA256:")


def test_without_allowed_signers_the_key_alone_is_told(signed: Path) -> None:
    signer = check(signed)
    assert signer.principal is None


def test_the_signature_of_another_text_is_none(signed: Path) -> None:
    with pytest.raises(BadSignatureError, match=r"not the signature of seal\.json"):
        check_signature(b"{ }\n", signature_of(signed), signed.name, NOBODY, AT_US)


def test_a_key_that_is_not_allowed_is_nobody_s(signed: Path, tmp_path: Path) -> None:
    signers = allow(tmp_path / "signers", {"jo@center.example": make_key(tmp_path / "other")})
    with pytest.raises(BadSignatureError, match="is of nobody in"):
        check(signed, signers)


def test_a_key_counts_for_the_time_it_is_allowed_for(signed: Path, tmp_path: Path) -> None:
    signers = allow(
        tmp_path / "signers",
        {"jo@center.example": tmp_path / "key"},
        options='valid-before="20251231"',
    )
    with pytest.raises(BadSignatureError):
        check(signed, signers)
    before_us = AT_US - 365 * 86_400 * 1_000_000
    told = check(signed, signers, before_us)
    assert told.principal == "jo@center.example"


def test_a_signature_for_another_purpose_is_none(signed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(tmp_path / "key")],
        input=signed.read_bytes(),
        capture_output=True,
        check=True,
    )
    signature_of(signed).write_bytes(done.stdout)
    with pytest.raises(BadSignatureError):
        check(signed)


def test_a_key_that_wants_a_passphrase_is_refused_and_waits_for_nobody(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", passphrase="secret")  # noqa: S106
    with pytest.raises(SigningError, match="`signing_key` must be a key that signs"):
        sign(b"", key)


def test_a_key_with_a_passphrase_signs_by_an_agent_that_holds_it(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(tmp_path / "held")
    # Unix sockets have short paths: not below pytest's own folder.
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "agent"
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
        try:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            while not socket.exists() and agent.poll() is None:
                time.sleep(0.01)
            subprocess.run(["ssh-add", "-q", str(key)], check=True, capture_output=True)
            key.unlink()
            signature_of(signed).unlink()
            sign_file(signed, key.with_suffix(".pub"))
        finally:
            agent.terminate()
            agent.wait()
    signers = allow(tmp_path / "signers", {"jo@center.example": key})
    assert check(signed, signers).principal == "jo@center.example"


def test_a_key_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="No such file"):
        sign(b"", tmp_path / "none")


def test_a_signature_that_is_there_stays(signed: Path, tmp_path: Path) -> None:
    before = signature_of(signed).read_bytes()
    sign_file(signed, make_key(tmp_path / "other"))
    assert signature_of(signed).read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no signature", b"x" * 100_000])
def test_a_file_that_is_no_signature_is_none(signed: Path, content: bytes) -> None:
    signature_of(signed).write_bytes(content)
    with pytest.raises(ValueError, match=r"\.sig "):
        check(signed)

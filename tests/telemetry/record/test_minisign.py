"""A minisign signature is the program's own form, and holds for nothing but what was signed."""

import base64
import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from telemetry.record.beside import MINISIGN, beside
from telemetry.record.files import read_json, write_json
from telemetry.record.minisign import check_minisign, sign_minisign
from telemetry.record.signature import (
    Allowed,
    check_signature,
    sign,
    sign_as_launched,
    sign_file,
)
from telemetry.record.signer import (
    BadSignatureError,
    Signer,
    SigningError,
    UnknownSignerError,
)
from tests.support.records import build_run
from tests.support.signing import make_minisign_key

PROGRAM = pytest.mark.skipif(shutil.which("minisign") is None, reason="needs the program minisign")
AT_US = 1_795_780_800_000_000
SEAL = {"run_id": "one", "attempt": 1, "sealed_us": AT_US}


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_minisign_key(tmp_path / "key")


@pytest.fixture
def signed(tmp_path: Path, key: Path) -> Path:
    path = tmp_path / "seal.json"
    write_json(path, SEAL)
    sign_file(path, key)
    return path


def nothing_installed(_name: str) -> None:
    """What Python says of a package that is not there."""


def check(signed: Path, keys: Path | None) -> Signer:
    allowed = Allowed(minisign_keys=keys)
    return check_signature(
        signed.read_bytes(), beside(signed, MINISIGN), signed.name, allowed, AT_US
    )


def test_an_allowed_key_is_told_by_its_comment(signed: Path, key: Path) -> None:
    signer = check(signed, key.with_suffix(".pub"))
    assert signer.principal == "jo@center.example"
    assert signer.key.startswith("minisign key ")


def test_the_trusted_comment_names_run_and_time(signed: Path) -> None:
    line = beside(signed, MINISIGN).read_text().splitlines()[2]
    assert line.startswith(
        "trusted comment: joulegrid run one attempt 1 sealed 2026-11-27T12:00:00Z signed 20"
    )


def test_without_keys_nobody_knows_whether_it_is_a_signature_at_all(signed: Path) -> None:
    signer = check(signed, None)
    assert signer.principal is None
    assert not signer.of_it


def test_the_signature_of_another_text_is_none(signed: Path, key: Path) -> None:
    write_json(signed, {**SEAL, "files": {}})
    with pytest.raises(BadSignatureError, match=r"not the signature of seal\.json"):
        check(signed, key.with_suffix(".pub"))


def test_a_key_that_is_not_allowed_is_nobody_s(signed: Path, tmp_path: Path) -> None:
    other = make_minisign_key(tmp_path / "other").with_suffix(".pub")
    with pytest.raises(UnknownSignerError, match="is of nobody in"):
        check(signed, other)


def test_of_several_allowed_keys_one_is_enough(signed: Path, key: Path, tmp_path: Path) -> None:
    other = make_minisign_key(tmp_path / "other", "ann").with_suffix(".pub")
    both = tmp_path / "both"
    both.write_text(other.read_text() + key.with_suffix(".pub").read_text())
    assert check(signed, both).principal == "jo@center.example"


def test_a_trusted_comment_that_was_edited_breaks_the_signature(signed: Path, key: Path) -> None:
    path = beside(signed, MINISIGN)
    path.write_text(path.read_text().replace("attempt 1", "attempt 2"))
    # By the comment alone where no key is there, by the signature of the comment where one is.
    with pytest.raises(BadSignatureError):
        check(signed, key.with_suffix(".pub"))
    with pytest.raises(BadSignatureError):
        check(signed, None)


def test_a_comment_that_names_another_run_is_refused_though_the_key_signed_it(
    signed: Path, key: Path
) -> None:
    comment = "joulegrid run two attempt 1 sealed 2026-11-27T12:00:00Z signed x"
    beside(signed, MINISIGN).write_bytes(sign_minisign(signed.read_bytes(), key, comment))
    with pytest.raises(BadSignatureError, match="must be of 'joulegrid run one"):
        check(signed, key.with_suffix(".pub"))


def test_a_signature_that_is_not_prehashed_is_refused(signed: Path) -> None:
    path = beside(signed, MINISIGN)
    lines = path.read_text().splitlines()
    first = bytearray(base64.b64decode(lines[1]))
    first[:2] = b"Ed"
    lines[1] = base64.b64encode(first).decode()
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match="must be prehashed"):
        check(signed, None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"untrusted comment: a\nAAAA\ntrusted comment: b\nAAAA\n",
        b"untrusted comment: a\n" + b"A" * 100_000,
    ],
)
def test_a_file_that_is_no_signature_is_none(signed: Path, content: bytes) -> None:
    beside(signed, MINISIGN).write_bytes(content)
    with pytest.raises(ValueError, match=r"\.minisig must"):
        check(signed, None)


def test_a_key_with_a_passphrase_is_refused_with_the_way_to_one_without(key: Path) -> None:
    head, line, *_ = key.read_text().splitlines()
    content = bytearray(base64.b64decode(line))
    content[2:4] = b"Sc"
    key.write_text(f"{head}\n{base64.b64encode(content).decode()}\n")
    with pytest.raises(SigningError, match="wants a passphrase: `minisign -G -W`"):
        sign(b"", key)


@pytest.mark.parametrize("emptied", [False, True])
def test_a_damaged_key_signs_nothing(key: Path, emptied: bool) -> None:
    head, line, *_ = key.read_text().splitlines()
    content = bytearray(base64.b64decode(line))
    content[70] ^= 1
    content[126:] = bytes(32) if emptied else content[126:]
    key.write_text(f"{head}\n{base64.b64encode(content).decode()}\n")
    with pytest.raises(SigningError, match="it is damaged"):
        sign(b"", key)


def test_a_key_may_lie_behind_a_link(signed: Path, key: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(key)
    (tmp_path / "link.pub").symlink_to(key.with_suffix(".pub"))
    beside(signed, MINISIGN).unlink()
    sign_file(signed, tmp_path / "link")
    assert check(signed, tmp_path / "link.pub").principal == "jo@center.example"


def test_a_signature_behind_a_link_is_none(signed: Path, key: Path, tmp_path: Path) -> None:
    path = beside(signed, MINISIGN)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises((ValueError, OSError)):
        check(signed, key.with_suffix(".pub"))


def test_a_public_key_signs_nothing(key: Path) -> None:
    with pytest.raises(SigningError, match="no secret key"):
        sign(b"", key.with_suffix(".pub"))


def test_public_keys_that_are_none_are_told(signed: Path, tmp_path: Path) -> None:
    (tmp_path / "none").write_text("untrusted comment: none\n")
    with pytest.raises(ValueError, match="holds none"):
        check(signed, tmp_path / "none")


def test_a_job_s_end_signs_with_a_minisign_key_too(tmp_path: Path, key: Path) -> None:
    attempt = build_run(tmp_path / "results").attempt(1)
    write_json(attempt.launch, {**read_json(attempt.launch), "signing_key": str(key)})
    assert sign_as_launched(attempt) is None
    assert check(attempt.seal, key.with_suffix(".pub")).principal == "jo@center.example"


@PROGRAM
def test_the_program_takes_our_signature(signed: Path, key: Path) -> None:
    done = subprocess.run(
        ["minisign", "-V", "-p", key.with_suffix(".pub"), "-m", signed, "-H"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Trusted comment: joulegrid run one attempt 1" in done.stdout


@PROGRAM
def test_what_the_program_signed_counts(signed: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    make = ["minisign", "-G", "-W", "-p", f"{made}.pub", "-s", str(made)]
    subprocess.run(make, check=True, capture_output=True)
    path = beside(signed, MINISIGN)
    path.unlink()
    subprocess.run(
        ["minisign", "-S", "-H", "-s", made, "-m", signed], check=True, capture_output=True
    )
    assert check(signed, Path(f"{made}.pub")).principal is not None
    path.unlink()
    sign_file(signed, made)
    assert check(signed, Path(f"{made}.pub")).principal is not None


@PROGRAM
def test_without_the_package_the_program_signs_and_checks(
    signed: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", nothing_installed)
    beside(signed, MINISIGN).unlink()
    sign_file(signed, key)
    assert check(signed, key.with_suffix(".pub")).principal == "jo@center.example"
    write_json(signed, {})
    with pytest.raises(BadSignatureError):
        check_minisign(
            signed.read_bytes(), beside(signed, MINISIGN), "seal.json", key.with_suffix(".pub")
        )


def test_with_neither_it_says_what_is_missing(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", nothing_installed)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SigningError, match=r"pip install 'joulegrid\[evidence\]'"):
        sign(b"", key)

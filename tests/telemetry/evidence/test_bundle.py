"""A bundle of sigstore's is checked offline, against whom the auditor names and trusts."""

import json
from pathlib import Path

import pytest

from telemetry.evidence.bundle import (
    TOKEN_VARIABLE,
    SigstoreSigner,
    check_bundle,
    sign_bundle,
    told_of_bundle,
)
from telemetry.record.signer import BadSignatureError, SigningError, UnknownSignerError
from tests.support.sigstore_log import ISSUER, Sigstore

JO = "jo@center.example"
DATA = b"a seal\n"


@pytest.fixture(scope="module")
def sigstore() -> Sigstore:
    return Sigstore.new()


@pytest.fixture
def bundle(sigstore: Sigstore, tmp_path: Path) -> Path:
    path = tmp_path / "seal.json.sigstore.json"
    path.write_bytes(sigstore.sign(DATA, JO))
    return path


@pytest.fixture
def signer(sigstore: Sigstore, tmp_path: Path) -> SigstoreSigner:
    root = sigstore.write_root(tmp_path / "trusted_root.json")
    return SigstoreSigner(identity=JO, issuer=ISSUER, trusted_root=root)


def of(signer: SigstoreSigner, **changed: object) -> SigstoreSigner:
    return SigstoreSigner(**{**vars(signer), **changed})


def test_a_bundle_of_whom_the_auditor_names_holds(bundle: Path, signer: SigstoreSigner) -> None:
    told = check_bundle(DATA, bundle, "seal.json", signer)
    assert told == f"{JO} by sigstore, vouched for by {ISSUER}"


def test_a_bundle_of_another_text_is_none(bundle: Path, signer: SigstoreSigner) -> None:
    with pytest.raises(BadSignatureError, match=r"is not the signature of seal\.json"):
        check_bundle(b"another seal\n", bundle, "seal.json", signer)


@pytest.mark.parametrize(
    "changed", [{"identity": "ann@center.example"}, {"issuer": "https://idp.example"}]
)
def test_a_bundle_of_somebody_else_is_a_stranger_s(
    bundle: Path, signer: SigstoreSigner, changed: dict[str, str]
) -> None:
    with pytest.raises(UnknownSignerError, match=rf"is of {JO}, not of"):
        check_bundle(DATA, bundle, "seal.json", of(signer, **changed))


def test_a_bundle_that_the_trusted_root_knows_nothing_of_is_none(
    bundle: Path, signer: SigstoreSigner, tmp_path: Path
) -> None:
    other = Sigstore.new().write_root(tmp_path / "other_root.json")
    with pytest.raises(BadSignatureError, match="is not the signature of"):
        check_bundle(DATA, bundle, "seal.json", of(signer, trusted_root=other))


def test_a_root_that_is_none_is_told(bundle: Path, signer: SigstoreSigner, tmp_path: Path) -> None:
    for content in ("", "{}", "[]", '{"mediaType": "x"}'):
        (tmp_path / "none.json").write_text(content)
        with pytest.raises(SigningError, match="must be sigstore's trusted root"):
            check_bundle(DATA, bundle, "seal.json", of(signer, trusted_root=tmp_path / "none.json"))


@pytest.mark.parametrize("part", ["signature", "integratedTime", "rootHash", "rawBytes"])
def test_a_bundle_that_was_edited_is_none(bundle: Path, signer: SigstoreSigner, part: str) -> None:
    content = json.loads(bundle.read_text())
    material = content["verificationMaterial"]
    (entry,) = material["tlogEntries"]
    holder = {
        "signature": content["messageSignature"],
        "integratedTime": entry,
        "rootHash": entry["inclusionProof"],
        "rawBytes": material["certificate"],
    }[part]
    text = holder[part]
    holder[part] = str(int(text) - 60) if part == "integratedTime" else _turned(text)
    bundle.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"seal\.json"):
        check_bundle(DATA, bundle, "seal.json", signer)


def _turned(text: str) -> str:
    place = len(text) // 2
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "null", '{"mediaType": 1}', "\ufffd", "[" * 50_000, "x" * (1 << 21)]
)
def test_what_is_no_bundle_is_told(bundle: Path, signer: SigstoreSigner, content: str) -> None:
    bundle.write_text(content)
    with pytest.raises(ValueError, match=r"sigstore\.json must"):
        check_bundle(DATA, bundle, "seal.json", signer)
    with pytest.raises(ValueError, match=r"sigstore\.json must"):
        told_of_bundle(bundle)


def test_without_an_identity_a_bundle_only_says_whose_it_is(bundle: Path) -> None:
    assert told_of_bundle(bundle) == (
        f"signed by {JO}, says seal.json.sigstore.json; whether it is --sigstore-identity tells"
    )


def test_without_a_token_nothing_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with pytest.raises(SigningError, match="must hold an identity token, but is not set"):
        sign_bundle(DATA)
    monkeypatch.setenv(TOKEN_VARIABLE, "none")
    with pytest.raises(SigningError, match="must hold an identity token, but does not"):
        sign_bundle(DATA)

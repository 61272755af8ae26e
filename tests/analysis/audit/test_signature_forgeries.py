"""Signatures that are another's, of another time or of another run, and what several say."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from analysis.audit.authorship_checks import signed
from analysis.audit.check import Case, Finding, Outcome
from analysis.audit.registry import CHECKS
from analysis.audit.trust import Trust
from telemetry.evidence.bundle import SigstoreSigner
from telemetry.record.beside import BUNDLE, MINISIGN, beside, is_beside, signature_of, signer_name
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from telemetry.record.roots import Root, merkle_root
from telemetry.record.signature import sign_file
from telemetry.sign.__main__ import main
from tests.support.records import Plan, build_run
from tests.support.signing import allow, make_key, make_minisign_key
from tests.support.sigstore_log import ISSUER, Sigstore


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    return build_run(tmp_path / "results", Plan())


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "key")


@pytest.fixture
def trust(tmp_path: Path, key: Path) -> Trust:
    return Trust(allowed_signers=allow(tmp_path / "signers", {"jo@center.example": key}))


def told(run: RunPaths, trust: Trust) -> Finding:
    return signed(Case(run, trust))


def as_sealed(run: RunPaths) -> Finding:
    check = next(each for each in CHECKS if each.name == "seal")
    return check.look(Case(run))


def test_a_run_s_signature_beside_another_run_s_seal_fails(
    run: RunPaths, key: Path, trust: Trust
) -> None:
    other = build_run(run.results, Plan(spec={"seed": 7}))
    sign_file(other.attempt(1).seal, key)
    shutil.copy(signature_of(other.attempt(1).seal), signature_of(run.attempt(1).seal))
    assert told(run, trust).evidence == "seal.json.sig is not the signature of seal.json"


def test_a_key_that_was_no_longer_allowed_when_it_was_sealed_fails(
    run: RunPaths, key: Path, tmp_path: Path
) -> None:
    sign_file(run.attempt(1).seal, key)
    past = allow(tmp_path / "past", {"jo": key}, options='valid-before="20250101"')
    assert told(run, Trust(allowed_signers=past)).outcome is Outcome.FAILED


def test_a_signature_of_another_namespace_fails(run: RunPaths, key: Path, trust: Trust) -> None:
    seal = run.attempt(1).seal
    words = ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(key)]
    done = subprocess.run(words, input=seal.read_bytes(), capture_output=True, check=True)
    signature_of(seal).write_bytes(done.stdout)
    assert told(run, trust).outcome is Outcome.FAILED


def test_user_and_center_sign_one_seal(
    run: RunPaths, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    center = make_key(tmp_path / "center")
    assert main([str(run.results), "--key", str(key)]) == 0
    assert main([str(run.results), "--key", str(center), "--as", "center"]) == 0
    assert "1 of 1 seals signed, 0 were before" in capsys.readouterr().out
    both = allow(tmp_path / "both", {"jo": key, "center": center})
    finding = told(run, Trust(allowed_signers=both))
    assert finding.outcome is Outcome.PASSED
    assert finding.evidence.startswith("signed by center with ED25519 key SHA256:")
    assert " and jo with ED25519 key SHA256:" in finding.evidence
    assert as_sealed(run).outcome is Outcome.PASSED


def test_a_stranger_s_signature_beside_one_that_counts_is_told(
    run: RunPaths, key: Path, trust: Trust, tmp_path: Path
) -> None:
    sign_file(run.attempt(1).seal, key)
    sign_file(run.attempt(1).seal, make_key(tmp_path / "forger"), "forger")
    finding = told(run, trust)
    assert finding.outcome is Outcome.PASSED
    assert "is of nobody in" in finding.evidence


def test_of_several_signatures_one_that_is_not_the_seal_s_fails(
    run: RunPaths, key: Path, trust: Trust
) -> None:
    seal = run.attempt(1).seal
    sign_file(seal, key)
    beside(seal, "sig", "center").write_text("none\n")
    assert told(run, trust).evidence == "seal.json.center.sig is not the signature of seal.json"


def test_a_minisign_signature_counts_for_whom_it_names(run: RunPaths, tmp_path: Path) -> None:
    key = make_minisign_key(tmp_path / "mini")
    assert main([str(run.results), "--key", str(key)]) == 0
    finding = told(run, Trust(minisign_keys=key.with_suffix(".pub")))
    assert finding.outcome is Outcome.PASSED
    assert finding.evidence.startswith("signed by jo@center.example with minisign key ")
    assert told(run, Trust()).outcome is Outcome.UNSEEN


def test_what_anybody_can_put_there_is_no_signature_where_one_is_asked_for(
    run: RunPaths, trust: Trust, tmp_path: Path
) -> None:
    # Whose minisign key it is nobody said: it is not looked up, and is no excuse.
    sign_file(run.attempt(1).seal, make_minisign_key(tmp_path / "forger"))
    assert told(run, trust).outcome is Outcome.FAILED


def test_a_minisign_signature_of_another_run_fails_though_nobody_named_a_key(
    run: RunPaths, tmp_path: Path
) -> None:
    other = build_run(run.results, Plan(spec={"seed": 7}))
    key = make_minisign_key(tmp_path / "mini")
    sign_file(other.attempt(1).seal, key)
    shutil.copy(beside(other.attempt(1).seal, MINISIGN), beside(run.attempt(1).seal, MINISIGN))
    assert told(run, Trust()).outcome is Outcome.FAILED


def test_a_time_that_no_calendar_has_fails_and_does_not_raise(
    run: RunPaths, key: Path, trust: Trust
) -> None:
    seal = run.attempt(1).seal
    write_json(seal, {**read_json(seal), "sealed_us": 10**18})
    sign_file(seal, key)
    assert told(run, trust).outcome is Outcome.FAILED


def test_a_bundle_of_sigstore_s_counts_for_whom_the_auditor_names(
    run: RunPaths, tmp_path: Path, trust: Trust
) -> None:
    sigstore, seal = Sigstore.new(), run.attempt(1).seal
    beside(seal, BUNDLE).write_bytes(sigstore.sign(seal.read_bytes(), "jo@center.example"))
    root = sigstore.write_root(tmp_path / "root.json")
    jo = SigstoreSigner(identity="jo@center.example", issuer=ISSUER, trusted_root=root)
    assert told(run, Trust(sigstore=jo)).outcome is Outcome.PASSED
    assert told(run, Trust()).outcome is Outcome.UNSEEN
    # Whom the auditor names by another kind of key alone is not this one.
    assert told(run, trust).outcome is Outcome.FAILED
    assert as_sealed(run).outcome is Outcome.PASSED
    write_json(seal, {**read_json(seal), "sealed_us": 1})
    assert told(run, Trust(sigstore=jo)).outcome is Outcome.FAILED


def test_more_signatures_than_anybody_has_signers_are_not_looked_at(
    run: RunPaths, key: Path, trust: Trust
) -> None:
    seal = run.attempt(1).seal
    sign_file(seal, key)
    for number in range(40):
        shutil.copy(signature_of(seal), beside(seal, "sig", f"s{number}"))
    with pytest.raises(ValueError, match="at most 32 signatures"):
        told(run, trust)


@pytest.mark.parametrize(
    "name",
    [
        *("SEAL.JSON.SIG", "seal.json.Center.sig", "seal.json.zentrumß.sig", "seal.json..sig"),
        *(
            "seal.json.a.b.sig",
            "seal.json.sig.bak",
            "seal.json.\u0441enter.sig",
            "seal.json.tsr.sig2",
        ),
    ],
)
def test_a_name_that_only_looks_like_a_signature_s_is_not_in_the_seal(
    run: RunPaths, name: str
) -> None:
    path = run.attempt(1).folder / name
    path.write_text("none\n")
    assert not is_beside(run.attempt(1).seal, path)
    finding = as_sealed(run)
    assert finding.outcome is Outcome.FAILED
    assert "not in the seal" in finding.evidence


@pytest.mark.parametrize("name", ["", "Center", "a.b", "-a", "a-", "a" * 33, "../a", "ä"])
def test_a_signer_s_name_is_one_on_every_disk(name: str) -> None:
    with pytest.raises(ValueError, match="`--as` must be"):
        signer_name(name)


def test_a_node_of_the_tree_is_no_leaf() -> None:
    # RFC 6962's prefixes: two leaves' hashes as one leaf do not give the tree of the two.
    leaves = [b"a", b"b"]
    node = b"".join(hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves)
    assert merkle_root([node]) != merkle_root(leaves)
    assert merkle_root([b"\1" + node]) != merkle_root(leaves)


def test_a_root_s_file_that_names_a_seal_twice_is_told(run: RunPaths) -> None:
    path = Root.take(run.results).keep(run.results)
    text = path.read_text()
    (name,) = read_json(path)["seals"]
    path.write_text(text.replace(f'"{name}"', f'"{name}": "{"0" * 64}",\n  "{name}"'))
    with pytest.raises(ValueError, match="twice"):
        Root.read(path)


@pytest.mark.parametrize("names", [("a", "A"), ("\u00e4", "a\u0308"), ("ss", "\u00df")])
def test_seals_whose_names_are_one_on_some_disk_are_refused(names: tuple[str, str]) -> None:
    a, b = names
    seals = {f"{a}/attempt-001/seal.json": "0" * 64, f"{b}/attempt-001/seal.json": "1" * 64}
    with pytest.raises(ValueError, match="no disk takes for one"):
        Root(taken_us=1, seals=seals)


@pytest.mark.parametrize(
    "name",
    [
        "../attempt-001/seal.json",
        "/attempt-001/seal.json",
        "a/../seal.json",
        "a\0b/attempt-001/seal.json",
        *("a/attempt-001/spec.json", "a\u202e/attempt-001/seal.json", ""),
    ],
)
def test_a_root_names_no_seal_outside_its_folder(name: str) -> None:
    with pytest.raises(ValueError, match="`seals` must"):
        Root(taken_us=1, seals={name: "0" * 64})

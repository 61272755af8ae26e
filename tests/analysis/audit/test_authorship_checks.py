"""Who answers for a record: what an auditor is told of signatures and lodged roots."""

from pathlib import Path

import pytest

from analysis.audit.__main__ import main
from analysis.audit.check import Finding, Outcome
from analysis.audit.run import audit_folder
from analysis.audit.trust import Trust
from telemetry.record.beside import signature_of
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from telemetry.record.roots import Root
from telemetry.record.signature import sign_file
from telemetry.sign.__main__ import main as sign_main
from tests.support.records import Plan, build_run
from tests.support.signing import allow, make_key

SIGSTORE = (
    *("--sigstore-identity", "jo@center.example", "--sigstore-issuer", "https://idp.example"),
    "--sigstore-root",
)


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    return build_run(tmp_path / "results", Plan())


@pytest.fixture
def signers(tmp_path: Path) -> Path:
    return allow(tmp_path / "signers", {"jo@center.example": make_key(tmp_path / "key")})


def finding(run: RunPaths, check: str, trust: Trust | None = None) -> Finding:
    audit = audit_folder(run.results, trust or Trust())
    return next(line.worst[1] for line in audit.lines if line.name == check)


def test_an_unsigned_record_has_no_author(run: RunPaths) -> None:
    assert finding(run, "signature") == Finding(
        outcome=Outcome.SKIPPED,
        evidence="no signature: the record is consistent, its author unknown",
    )


def test_an_unsigned_record_fails_where_a_signature_is_asked_for(
    run: RunPaths, signers: Path
) -> None:
    assert finding(run, "signature", Trust(allowed_signers=signers)).outcome is Outcome.FAILED


def test_a_signature_is_told_with_its_signer(run: RunPaths, signers: Path, tmp_path: Path) -> None:
    sign_file(run.attempt(1).seal, tmp_path / "key")
    told = finding(run, "signature", Trust(allowed_signers=signers))
    assert told.outcome is Outcome.PASSED
    assert told.evidence.startswith("signed by jo@center.example with ED25519 key SHA256:")
    assert finding(run, "seal").outcome is Outcome.PASSED


def test_whose_a_signature_is_nobody_knows_without_allowed_signers(
    run: RunPaths, signers: Path, tmp_path: Path
) -> None:
    sign_file(run.attempt(1).seal, tmp_path / "key")
    assert finding(run, "signature").outcome is Outcome.UNSEEN


def test_a_forger_who_seals_again_has_the_old_signature(
    run: RunPaths, signers: Path, tmp_path: Path
) -> None:
    sign_file(run.attempt(1).seal, tmp_path / "key")
    seal = run.attempt(1).seal
    write_json(seal, {**read_json(seal), "sealed_us": 1})
    told = finding(run, "signature", Trust(allowed_signers=signers))
    assert told.evidence == "seal.json.sig is not the signature of seal.json"


def test_a_forger_who_signs_with_a_key_of_his_own_is_nobody(
    run: RunPaths, signers: Path, tmp_path: Path
) -> None:
    sign_file(run.attempt(1).seal, make_key(tmp_path / "forger"))
    told = finding(run, "signature", Trust(allowed_signers=signers))
    assert told.outcome is Outcome.FAILED


def test_a_signature_that_leads_nowhere_fails(run: RunPaths) -> None:
    signature_of(run.attempt(1).seal).symlink_to("/nonexistent")
    assert finding(run, "signature").outcome is Outcome.FAILED


def test_a_lodged_root_holds_what_was_sealed(run: RunPaths) -> None:
    root = Root.take(run.results)
    root.keep(run.results)
    told = finding(run, "roots", Trust(lodged_root=root.sha256))
    assert told.outcome is Outcome.PASSED
    assert told.evidence == "1 roots, the largest of 1 seals; one is as it was lodged; not signed"


def test_a_lodged_root_that_the_folder_lost_fails(run: RunPaths) -> None:
    Root.take(run.results).keep(run.results).unlink()
    assert finding(run, "roots", Trust(lodged_root="0" * 64)).outcome is Outcome.FAILED


def test_a_run_that_was_left_out_since_the_root_fails(run: RunPaths) -> None:
    build_run(run.results, Plan(spec={"seed": 7}))
    Root.take(run.results).keep(run.results)
    for attempt in run.attempts():
        attempt.seal.unlink()
    assert "missing since the root was taken" in finding_of_others(run).evidence


def finding_of_others(run: RunPaths) -> Finding:
    return finding(run, "roots")


def test_signing_a_folder_signs_every_seal_and_its_root(
    run: RunPaths, signers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = str(run.results)
    assert sign_main([results, "--key", str(tmp_path / "key")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 of 1 seals signed, 0 were before\nroot: ")
    root = said.splitlines()[1].removeprefix("root: ")
    assert main([results, "--allowed-signers", str(signers), "--root", root]) == 0
    assert "signed by jo@center.example" in capsys.readouterr().out
    assert sign_main([results, "--key", str(tmp_path / "key")]) == 0
    assert capsys.readouterr().out.startswith("0 of 1 seals signed, 1 were before")


@pytest.mark.parametrize(
    "words",
    [
        ["--root", "abc"],
        ["--allowed-signers", "/nonexistent/signers"],
        # A file that holds something else.
        ["--allowed-signers", __file__],
        ["--allowed-signers", "/dev/null"],
        ["--minisign-keys", __file__],
        ["--tsa-certificate", __file__],
        ["--tsa-certificate", "/dev/null"],
        ["--sigstore-identity", "jo@center.example"],
        [*SIGSTORE, __file__],
        ["--lodged", "svn"],
    ],
)
def test_what_an_auditor_brings_must_be_there(run: RunPaths, words: list[str]) -> None:
    assert main([str(run.results), *words]) == 2


@pytest.mark.parametrize("words", [["--root", "0" * 64], ["--lodged", "git"]])
def test_what_is_asked_of_a_folder_is_not_left_out_of_a_run_s_audit(
    run: RunPaths, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run.folder), *words]) == 2
    assert f"`{words[0]}` must be asked of a results folder" in capsys.readouterr().err


def test_a_folder_without_a_seal_has_nothing_to_sign(tmp_path: Path) -> None:
    assert sign_main([str(tmp_path), "--key", str(make_key(tmp_path / "key"))]) == 3

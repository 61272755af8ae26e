"""`python -m telemetry.sign`: what is signed, by whom, and what is said where it was before."""

from pathlib import Path

import pytest

from telemetry.command import ExitCode
from telemetry.record.beside import signature_of
from telemetry.record.paths import RunPaths
from telemetry.sign.__main__ import main
from tests.support.records import build_run
from tests.support.signing import make_key
from tests.support.told import complaints

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    return build_run(tmp_path / "results")


def test_what_another_key_has_signed_is_told_apart(
    run: RunPaths, tmp_path: Path, capsys: Captured
) -> None:
    mine, other = make_key(tmp_path / "mine"), make_key(tmp_path / "other")
    assert main([str(run.results), "--key", str(other)]) == ExitCode.DONE
    assert "another key" not in capsys.readouterr().out
    assert main([str(run.results), "--key", str(mine)]) == ExitCode.DONE
    told = " ".join(capsys.readouterr().out.split())
    assert "0 of 1 seals signed, 1 were before; 1 of them by another key" in told
    assert "the root was signed before by another key" in told


def test_a_key_that_cannot_sign_is_refused_though_all_is_signed(
    run: RunPaths, tmp_path: Path, capsys: Captured
) -> None:
    assert main([str(run.results), "--key", str(make_key(tmp_path / "key"))]) == ExitCode.DONE
    assert main([str(run.results), "--key", str(tmp_path / "none")]) == ExitCode.BAD_INPUT
    assert "`signing_key` must be a key that signs" in capsys.readouterr().err


def test_a_signature_that_is_not_of_its_seal_is_told(
    run: RunPaths, tmp_path: Path, capsys: Captured
) -> None:
    key = make_key(tmp_path / "key")
    signature_of(run.attempt(1).seal).write_text("none\n")
    assert main([str(run.results), "--key", str(key)]) == ExitCode.FAILED
    assert "seal.json.sig is not the signature of seal.json" in capsys.readouterr().err


def test_a_run_that_was_changed_is_not_signed(
    run: RunPaths, tmp_path: Path, capsys: Captured
) -> None:
    run.spec.chmod(0o644)
    run.spec.write_text("")
    code = main([str(run.results), "--key", str(make_key(tmp_path / "key"))])
    captured = capsys.readouterr()
    assert code == ExitCode.FAILED
    assert len(complaints(captured.err)) == 1
    assert "spec.json: changed since it was sealed; not signed" in captured.err
    assert not signature_of(run.attempt(1).seal).exists()


def test_an_empty_key_is_told_as_a_key(run: RunPaths, capsys: Captured) -> None:
    assert main([str(run.results), "--key", ""]) == ExitCode.BAD_INPUT
    assert (
        capsys.readouterr().err
        == "sign: `--key` must be an SSH or minisign key's file, but is '' instead\n"
    )


def test_what_it_says_fits_a_terminal_but_for_paths_and_commands(
    run: RunPaths, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    main([str(run.results), "--key", str(make_key(tmp_path / "key"))])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("next: ")
    assert all(len(line) <= 80 or "/" in line for line in lines[:-1])

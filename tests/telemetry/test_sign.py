"""`python -m telemetry.sign`: what is signed, by whom, and what is said where it was before."""

import json
import subprocess
from pathlib import Path

import pytest

from telemetry.command import ExitCode
from telemetry.evidence.lodged import read_lodgings
from telemetry.record.beside import signature_of
from telemetry.record.paths import RunPaths
from telemetry.record.roots import list_roots
from telemetry.sign.__main__ import main
from tests.support.records import build_run
from tests.support.signing import make_key
from tests.support.sigstore_log import make_token
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
    assert "`--key` must be a key that signs" in capsys.readouterr().err


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


def test_a_program_is_told_root_signers_and_lodgings(
    run: RunPaths, tmp_path: Path, capsys: Captured
) -> None:
    key = make_key(tmp_path / "key")
    words = [str(run.results), "--key", str(key), "--lodge", f"git={tmp_path}", "--json"]
    assert main(words) == ExitCode.FAILED
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "joulegrid.sign"
    assert told["exit_code"] == ExitCode.FAILED
    assert told["signed"] == [run.run_id]
    assert told["seals"] == 1
    (signer,) = told["signers"]
    assert signer.startswith("ED25519 key SHA256:")
    (path,) = list_roots(run.results)
    assert told["root"] == path.stem
    (lodging,) = told["lodged"]
    assert lodging["where"] == f"git={tmp_path}"
    assert not lodging["kept"]
    assert lodging["answer"].startswith("git refuses: fatal: not a git repository")
    assert told["errors"] == [f"not lodged in git={tmp_path}: {lodging['answer']}"]


def test_a_refused_lodging_leaves_the_root_signed_and_says_why(
    run: RunPaths, tmp_path: Path, capsys: Captured
) -> None:
    key = make_key(tmp_path / "key")
    assert main([str(run.results), "--key", str(key), "--lodge", f"git={tmp_path}"]) == 1
    assert capsys.readouterr().err.startswith(f"sign: not lodged in git={tmp_path}: git refuses")
    (path,) = list_roots(run.results)
    assert signature_of(path).is_file()
    assert [one.kept for one in read_lodgings(path)] == [False]


def test_a_lodged_note_s_next_step_names_the_repository_it_lies_in(
    run: RunPaths, tmp_path: Path, capsys: Captured
) -> None:
    repository = tmp_path / "books of theirs"
    named = ["-c", "user.name=jo", "-c", "user.email=jo@center.example"]
    subprocess.run(["git", "init", "-q", repository], check=True)
    words = ["git", "-C", str(repository), *named, "commit", "-q", "--allow-empty", "-m", "first"]
    subprocess.run(words, check=True)
    for word in named[1::2]:
        key, _, value = word.partition("=")
        subprocess.run(["git", "-C", str(repository), "config", key, value], check=True)
    assert main([str(run.results), "--lodge", f"git={repository}"]) == ExitCode.DONE
    told = capsys.readouterr().out
    assert f"  git -C '{repository}' push REMOTE refs/notes/joulegrid\n" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "one of `--key`, `--sigstore`, `--tsa`, `--tsa-query`, `--tsr` and `--lodge` must"),
        (["--as", "center", "--tsa-query"], "`--key` must be given with `--as`"),
        (["--tsa", "file:///etc/passwd"], "`--tsa` must be a URL of http or https"),
        (["--lodge", "svn"], "`--lodge` must be git, git=REPOSITORY or slurm"),
        (["--tsr", __file__, "--stamp-seals"], "must be given with `--stamp-seals`"),
        (["--tsr", "/nonexistent/a.tsr"], "`--tsr` must be a file, but /nonexistent/a.tsr is not"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_before_anything_is_written(
    run: RunPaths, words: list[str], said: str, capsys: Captured
) -> None:
    assert main([str(run.results), *words]) == ExitCode.BAD_INPUT
    assert said in capsys.readouterr().err
    assert list_roots(run.results) == []


def test_sigstore_without_a_token_is_refused_in_a_line(
    run: RunPaths, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIGSTORE_ID_TOKEN", raising=False)
    assert main([str(run.results), "--sigstore"]) == ExitCode.BAD_INPUT
    assert "`SIGSTORE_ID_TOKEN` must hold an identity token" in capsys.readouterr().err


def test_a_sigstore_that_cannot_be_asked_leaves_the_root_and_says_so(
    run: RunPaths, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", make_token())
    # Nobody listens where every request is led.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main([str(run.results), "--sigstore"]) == ExitCode.FAILED
    assert "sign: no bundle: sigstore could not be asked: " in capsys.readouterr().err
    assert len(list_roots(run.results)) == 1


def test_what_it_says_fits_a_terminal_but_for_paths_and_commands(
    run: RunPaths, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    main([str(run.results), "--key", str(make_key(tmp_path / "key"))])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("next: ")
    assert all(len(line) <= 80 or "/" in line for line in lines[:-1])

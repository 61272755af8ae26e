import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.stage import main
from tests.support.told import complaints
from workers.prompts.corpus import CORPORA
from workers.prompts.selection import select
from workers.prompts.source import identify
from workers.prompts.staging import StagedCopy


def write_questions(folder: Path, *questions: str, name: str = "questions.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps({"question": text}) + "\n" for text in questions))
    return path


def test_a_staged_file_is_described_and_the_next_command_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_questions(tmp_path, "a", "", "b")
    cache = tmp_path / "my cache"
    assert main(["gsm8k", "--cache", str(cache), "--from", str(path)]) == 0
    out = capsys.readouterr().out
    assert "gsm8k: 2 prompts (1 empty rows left out), recorded as gsm8k-" in out
    assert out.endswith(f"next: JOULEGRID_CACHE='{cache}' python -m launcher dataset=gsm8k\n")


def test_the_default_cache_needs_no_mention_in_the_next_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEGRID_CACHE", str(tmp_path / "cache"))
    assert main(["gsm8k", "--from", str(write_questions(tmp_path, "a"))]) == 0
    assert capsys.readouterr().out.endswith("\nnext: python -m launcher dataset=gsm8k\n")
    assert StagedCopy.read(tmp_path / "cache", CORPORA["gsm8k"]) is not None


def test_files_are_read_one_after_another(tmp_path: Path, public_data: Path) -> None:
    train, test = (str(public_data / f"gsm8k_{split}.jsonl") for split in ("train", "test"))
    assert main(["gsm8k", "--cache", str(tmp_path), "--from", train, "--from", test]) == 0
    source = identify("gsm8k", source="auto", path=None, columns=None, cache=tmp_path, local=False)
    selection = select(source, prompts=4096, seed=1)
    assert selection.available == 8792
    assert any(prompt.source_row >= 7473 for prompt in selection.prompts)


def test_real_seed_tasks_are_staged_and_asked_for_by_their_source(
    tmp_path: Path, public_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = public_data / "alpaca_seed_tasks.jsonl"
    assert main(["alpaca_seed", "--cache", str(tmp_path), "--from", str(path)]) == 0
    out = capsys.readouterr().out
    assert "alpaca_seed: 175 prompts, recorded as alpaca_seed-" in out
    assert "dataset=alpaca_seed dataset.source=staged" in out


def test_staging_again_gives_the_same_record(tmp_path: Path) -> None:
    arguments = ["gsm8k", "--cache", str(tmp_path), "--from", str(write_questions(tmp_path, "a"))]
    assert main(arguments) == 0
    first = (tmp_path / "gsm8k" / "staged.json").read_bytes()
    assert main(arguments) == 0
    assert (tmp_path / "gsm8k" / "staged.json").read_bytes() == first
    assert [child.name for child in tmp_path.iterdir() if child.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gsm9k"], "`DATASET` must be one of gsm8k, alpaca, alpaca_seed, alpaca_task, boolq, "),
        (["file", "--from", "q.jsonl"], "but is 'file' instead"),
        (["gsm8k", "alpaca", "--from", "q.jsonl"], "`--from` must be given with one dataset"),
        (["gsm8k", "--from", "no.jsonl"], "does not exist"),
        (["gsm8k", "--from", "bad.jsonl"], "must be JSON, but is not on line 2"),
        (["gsm8k", "--from", "."], "must be a clone of the hub's openai/gsm8k"),
        (["alpaca_seed"], "is not on the hub"),
        (["gsm8k", "--from", "q.jsonl", "--cache", "q.jsonl"], "`--cache` must be a folder"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOULEGRID_CACHE", str(tmp_path / "cache"))
    write_questions(tmp_path, "a", name="q.jsonl")
    (tmp_path / "bad.jsonl").write_text('{"question": "a"}\n{"question"\n')
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert len(complaints(printed.err)) == 1
    assert printed.out == ""


def test_the_hub_out_of_reach_is_one_line_and_status_1(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "launcher.stage", "gsm8k", "--cache", str(tmp_path / "cache")],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "the hub's openai/gsm8k must be reachable, but is not" in done.stderr
    assert "`python -m launcher.stage gsm8k --from FILE`" in done.stderr
    assert not (tmp_path / "cache" / "gsm8k").exists()


def test_the_command_prints_its_help() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "launcher.stage", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--cache" in done.stdout
    assert "--from" in done.stdout

"""`weights=` takes a folder; what is wrong with it is one line before anything starts."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from launcher.__main__ import main
from launcher.campaign.display import plan_table
from launcher.config.command_line import read_points
from launcher.config.errors import BadInputError
from launcher.plan.check import check
from launcher.plan.checkpoints import RANDOM_WEIGHTS, WeightFinder, find_tokenizer
from launcher.plan.grid import Grid, Verdict
from tests.conftest import REPOSITORY
from tests.support.checkpoints import TINY, write_hugging_face, write_meta
from workers.checkpoints import digests as checkpoint_record
from workers.checkpoints.digests import hash_files
from workers.checkpoints.files import find_files
from workers.models.llama.shape import SHAPES
from workers.tokenizers.tokenizer import BUNDLED_MODEL, identify

pytestmark = pytest.mark.grids

NANO = SHAPES["nano"]


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole checkpoint of nano with a tokenizer beside it; nobody may change it."""
    folder = tmp_path_factory.mktemp("models") / "nano"
    write_meta(folder, NANO, files=2)
    shutil.copy(BUNDLED_MODEL, folder / "tokenizer.model")
    return folder


def grid_of(results: Path, *words: str) -> Grid:
    return check(read_points([f"results={results}", "cluster=local", *words]))


def refuse(results: Path, *words: str) -> str:
    with pytest.raises(BadInputError) as caught:
        grid_of(results, *words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_digests_that_a_plan_keeps_in_the_checkout_are_no_change_of_it(
    tmp_path: Path, nano: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launcher.plan.git_silence._PROJECT", tmp_path)
    grid_of(tmp_path / "results", f"weights={nano}", "plan=true")
    assert list((tmp_path / "results/checkpoints").iterdir())
    assert (tmp_path / "results/.gitignore").read_text() == "*\n"
    monkeypatch.setattr("launcher.plan.git_silence._PROJECT", tmp_path / "elsewhere")
    grid_of(tmp_path / "others", f"weights={nano}", "plan=true")
    assert not (tmp_path / "others/.gitignore").exists()


def test_a_checkpoint_becomes_a_digest_in_the_spec_and_a_folder_in_the_order(
    tmp_path: Path, nano: Path
) -> None:
    (point,) = grid_of(tmp_path, f"weights={nano}", "verify_weights=true").points
    assert point.spec.weights == hash_files(find_files(nano)).digest
    assert point.launch.weights_path == str(nano)
    assert point.launch.verify_weights
    assert point.verdict is Verdict.RUN


def test_random_weights_need_nothing(tmp_path: Path) -> None:
    (point,) = grid_of(tmp_path / "results").points
    assert point.spec.weights == "random"
    assert point.launch.weights_path is None
    assert not point.launch.verify_weights
    assert not (tmp_path / "results").exists()


def test_the_same_checkpoint_elsewhere_is_the_same_run(tmp_path: Path, nano: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(nano, copy)
    here = grid_of(tmp_path / "a", f"weights={nano}").points[0].spec
    there = grid_of(tmp_path / "b", f"weights={copy}").points[0].spec
    assert here.run_id == there.run_id


def test_weights_may_be_swept(tmp_path: Path, nano: Path) -> None:
    found = grid_of(tmp_path, f"weights=random,{nano}").points
    assert [point.spec.weights[:7] for point in found] == ["random", "sha256-"]


def test_a_folder_may_be_named_after_the_model(tmp_path: Path, nano: Path) -> None:
    (point,) = grid_of(tmp_path, f"weights='{nano.parent}/${{model.name}}'").points
    assert point.launch.weights_path == str(nano)


def test_a_folder_may_be_named_from_where_one_stands(
    tmp_path: Path, nano: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(nano.parent)
    (point,) = grid_of(tmp_path, "weights=nano").points
    assert point.launch.weights_path == str(nano)


def test_the_plan_names_the_checkpoint(
    tmp_path: Path, nano: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = hash_files(find_files(nano)).digest
    assert main(["cluster=local", f"weights={nano}", "plan=true", f"results={tmp_path}/r"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"weights of nano: {digest} in" in said
    assert "meta-pth, 2 files, 0.0396 GB" in said


def test_a_plan_of_random_weights_says_nothing_of_them(tmp_path: Path) -> None:
    notes = [str(part) for part in plan_table(grid_of(tmp_path)).renderables[1:]]
    assert not any("weights" in note for note in notes)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["weights=rondom"], "`weights` must be random or a checkpoint's folder, but /"),
        (["weights=null"], "`weights` must be random or a checkpoint's folder, but is None"),
        (["weights=7"], "`weights` must be random or a checkpoint's folder, but is 7 instead"),
        (["verify_weights=maybe"], "`verify_weights` must be true or false"),
        (["verify_weights=true,false"], "`verify_weights` must be the same for all points"),
        (["weights_digest=abc"], "`weights_digest` must be sha256- and 16 hex digits or null"),
        (["weights_digest=sha256-0123456789abcdef"], "must be null for random weights"),
    ],
)
def test_weights_that_are_none_are_refused(tmp_path: Path, words: list[str], message: str) -> None:
    assert message in refuse(tmp_path, *words)


def test_a_checkpoint_of_another_model_stops_the_grid_with_both_sizes(
    tmp_path: Path, nano: Path
) -> None:
    said = refuse(tmp_path, f"weights={nano}", "model=micro")
    assert "`weights` must be of micro, whose dim is 512, but" in said
    assert "params.json says 256 instead" in said


def test_a_checkpoint_that_is_not_whole_stops_the_grid(tmp_path: Path, nano: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(nano, copy)
    (copy / "consolidated.01.pth").unlink()
    assert "it was cut for 2 files, of which 1 are here" in refuse(tmp_path, f"weights={copy}")
    held = torch.load(copy / "consolidated.00.pth", weights_only=True)
    torch.save({"model": held}, copy / "consolidated.00.pth")
    assert "but holds a dict as 'model'" in refuse(tmp_path, f"weights={copy}")


def test_a_refused_checkpoint_exits_with_2_and_writes_nothing(
    tmp_path: Path, nano: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["cluster=local", "model=micro", f"weights={nano}", f"results={tmp_path}/r"]
    assert main(words) == 2
    assert "joulegrid: `weights` must be of micro" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_real_weights_take_the_tokenizer_beside_them(tmp_path: Path, nano: Path) -> None:
    (point,) = grid_of(tmp_path, f"weights={nano}").points
    assert point.launch.tokenizer_path == str(nano / "tokenizer.model")
    assert point.spec.tokenizer == identify(nano / "tokenizer.model")


def test_meta_s_tokenizer_lies_in_the_folder_above(tmp_path: Path) -> None:
    weights = WeightFinder(tmp_path, again=False)
    write_meta(tmp_path / "nano", NANO)
    shutil.copy(BUNDLED_MODEL, tmp_path / "tokenizer.model")
    found = weights.find(str(tmp_path / "nano"), None, "nano")
    assert find_tokenizer(None, found, "nano") == tmp_path / "tokenizer.model"
    assert find_tokenizer(BUNDLED_MODEL, found, "nano") == BUNDLED_MODEL
    assert find_tokenizer(None, RANDOM_WEIGHTS, "nano") is None


def test_real_weights_are_not_read_with_the_stand_in_s_ids(tmp_path: Path, nano: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(nano, copy)
    (copy / "tokenizer.model").unlink()
    said = refuse(tmp_path, f"weights={copy}")
    assert "`tokenizer` must be the checkpoint's own" in said
    assert f"there is no tokenizer.model in {copy}" in said


def test_a_tokenizer_of_another_vocabulary_is_refused(tmp_path: Path, nano: Path) -> None:
    import sentencepiece  # noqa: PLC0415 (a tokenizer of the test's own)

    (tmp_path / "text").write_text("\n".join(f"word{at} and {at * 7}" for at in range(500)))
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text"), model_prefix=str(tmp_path / "small"), vocab_size=100
    )
    said = refuse(tmp_path, f"weights={nano}", f"tokenizer={tmp_path}/small.model", "model=nano")
    assert "`tokenizer` must have 32000 ids as nano has, but" in said
    assert "has 100 instead" in said
    # Random weights know no ids: any that the model has will do.
    assert find_tokenizer(tmp_path / "small.model", RANDOM_WEIGHTS, "llama-3.2-1b") is not None


def test_a_tokenizer_that_is_none_is_refused_with_random_weights_too(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_text("some words")
    said = refuse(tmp_path, f"tokenizer={tmp_path}/tokenizer.model")
    assert "must be a SentencePiece model, but" in said


def test_what_was_hashed_once_is_not_hashed_for_the_next_call(
    tmp_path: Path, nano: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = grid_of(tmp_path, f"weights={nano}").points[0].spec
    record = next((tmp_path / "checkpoints").iterdir())
    before = record.stat().st_mtime_ns

    def fail(paths: list[Path], *_: Any) -> list[str]:
        assert not paths
        return []

    monkeypatch.setattr(checkpoint_record, "_digests", fail)
    assert grid_of(tmp_path, f"weights={nano}").points[0].spec == first
    assert record.stat().st_mtime_ns == before


def test_files_that_are_hashed_are_held_against_their_checklist(tmp_path: Path, nano: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(nano, copy)
    (copy / "checklist.chk").write_text(
        "".join(f"{'0' * 32}  consolidated.0{number}.pth\n" for number in (0, 1))
    )
    for words in ((), ("verify_weights=true",)):
        said = refuse(tmp_path, f"weights={copy}", *words)
        assert "checklist.chk lists them, but the MD5 of consolidated.00.pth is" in said


def test_a_folder_that_only_nodes_can_see_is_named_by_its_digest(
    tmp_path: Path, nano: Path
) -> None:
    digest = hash_files(find_files(nano)).digest
    words = ("weights=/nodes/only/7b", f"tokenizer={BUNDLED_MODEL}")
    (point,) = grid_of(tmp_path, *words, f"weights_digest={digest}").points
    assert (point.spec.weights, point.launch.weights_path) == (digest, "/nodes/only/7b")
    assert "the nodes check and hash it" in point.weights.about
    other = "sha256-0123456789abcdef"
    said = refuse(tmp_path, f"weights={nano}", f"weights_digest={other}")
    assert f"must be that of {nano}, {digest}, but is {other} instead" in said


def test_a_login_node_without_their_reader_leaves_the_files_contents_to_the_nodes(
    tmp_path: Path, nano: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_hugging_face(tmp_path / "hub", NANO)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    finder = WeightFinder(tmp_path / "results", again=False)
    for folder, reader in ((nano, "torch"), (tmp_path / "hub", "safetensors")):
        found = finder.find(str(folder), None, "nano")
        assert found.about.endswith(f"; without {reader} here, the nodes look into its files")


def test_hashing_is_told_in_gigabytes(
    tmp_path: Path, nano: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_record, "_TELL_S", 0.001)
    said: list[str] = []
    WeightFinder(tmp_path, again=False, tell=said.append).find(str(nano), None, "nano")
    assert said
    assert all(line.startswith("hashing weights: 0.0 of 0.0 GB (") for line in said)


def test_planning_with_random_weights_loads_neither_torch_nor_safetensors() -> None:
    code = (
        "import sys, launcher.__main__; "
        "print(sorted({'torch', 'safetensors', 'sentencepiece'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "[]"


def test_a_hub_s_folder_is_taken_as_well(tmp_path: Path) -> None:
    write_hugging_face(tmp_path / "nano", NANO)
    (point,) = grid_of(tmp_path, f"weights={tmp_path}/nano", f"tokenizer={BUNDLED_MODEL}").points
    assert point.weights.about == "hugging-face-safetensors, 1 file, 0.0396 GB"
    assert TINY.vocab != NANO.vocab
    write_hugging_face(tmp_path / "nano", TINY)
    said = refuse(tmp_path, f"weights={tmp_path}/nano", f"tokenizer={BUNDLED_MODEL}")
    assert "`weights` must be of nano, whose hidden_size is 256, but" in said

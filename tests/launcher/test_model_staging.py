"""A hub's model is staged once, held against what the hub says, and read where there is no hub."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from launcher.config.errors import BadInputError
from launcher.config.hydra_plugins import Point
from launcher.model_staging import stage_model
from launcher.plan.own_models import with_own_model
from launcher.plan.staged_models import find_staged, model_folder
from launcher.stage import main
from tests.doubles.model_hub.server import ModelHub, served
from tests.support.told import complaints

MODEL = "some/model"
FIRST, SECOND = "1" * 40, "2" * 40
CONFIG: dict[str, Any] = {
    **{"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 128},
    **{"vocab_size": 32_000, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5},
}
WEIGHTS = save({"wte.weight": torch.zeros(4, 4)})
FILES = {
    "config.json": json.dumps(CONFIG).encode(),
    "tokenizer.json": b'{"version": "1.0"}',
    "model.safetensors": WEIGHTS,
    # What is never fetched: pickles, code, and what no run reads.
    "pytorch_model.bin": b"\x80\x04.",
    "modeling_gpt2.py": b"raise SystemExit('ran')",
    "README.md": b"# A model",
}
MOVED = {**FILES, "config.json": json.dumps({**CONFIG, "n_layer": 3}).encode()}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    # The library waits between its tries.
    monkeypatch.setattr(time, "sleep", lambda _: None)
    made = ModelHub(model=MODEL, commits={FIRST: FILES, SECOND: MOVED}, main=FIRST)
    with served(made):
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        yield made


def held(cache: Path) -> set[str]:
    """The files of the staged model, none where there is none."""
    folder = model_folder(cache, MODEL)
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}


def nothing_is_left(cache: Path) -> bool:
    return not [path for path in cache.rglob("*") if path.is_file()] and not [
        *cache.glob("models/.*")
    ]


def test_config_tokenizer_and_safetensors_are_staged_and_nothing_else(
    hub: ModelHub, tmp_path: Path
) -> None:
    staged = stage_model(MODEL, tmp_path)
    kept = {"config.json", "tokenizer.json", "model.safetensors"}
    assert held(tmp_path) == {"staged.json", *(f"files/{name}" for name in kept)}
    assert {name for _, name in hub.fetched} == kept
    assert (staged.commit, staged.revision, staged.with_weights) == (FIRST, "main", True)
    for one in staged.files:
        assert one.sha256 == hashlib.sha256(FILES[one.name]).hexdigest()
    assert find_staged(tmp_path, MODEL) == (staged, model_folder(tmp_path, MODEL) / "files")


def test_a_staged_model_is_read_without_the_hub_and_its_commit_is_told(
    hub: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage_model(MODEL, tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("JOULEGRID_CACHE", str(tmp_path))
    point = with_own_model(Point({"model": {"name": f"hub:{MODEL}"}, "weights": "own"}, []))
    told = point.config["model"]
    assert told["name"].startswith("gpt2-2m-")
    assert told["hub_commit"] == FIRST
    assert told["config_sha256"] == hashlib.sha256(FILES["config.json"]).hexdigest()
    assert point.config["weights"] == str(model_folder(tmp_path, MODEL) / "files")


def test_a_revision_that_moves_while_files_are_fetched_leaves_them_of_one_commit(
    hub: ModelHub, tmp_path: Path
) -> None:
    hub.moves_to = SECOND
    staged = stage_model(MODEL, tmp_path)
    assert staged.commit == FIRST
    assert {commit for commit, _ in hub.fetched} == {FIRST}
    config = json.loads((model_folder(tmp_path, MODEL) / "files" / "config.json").read_text())
    assert config["n_layer"] == 2


def test_a_revision_that_moved_since_is_told_and_replaces_the_copy(
    hub: ModelHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"hub:{MODEL}", "--cache", str(tmp_path)]
    assert main(words) == 0
    hub.main = SECOND
    assert main(words) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"main at {SECOND[:12]}, was {FIRST[:12]} before" in said
    assert f"next: JOULEGRID_CACHE={tmp_path} python -m launcher model=hub:{MODEL} " in said
    assert main([*words, "--revision", FIRST]) == 0
    found = find_staged(tmp_path, MODEL)
    assert found is not None
    assert found[0].commit == FIRST


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        (
            ("refuses", "model.safetensors"),
            "the hub must give model.safetensors of some/model, but ",
        ),
        (("truncates", "model.safetensors"), "the hub must give model.safetensors of some/model"),
        (("shortens", "model.safetensors"), "as the hub says, but"),
        (("shortens", "config.json"), "as the hub says, but"),
        (("alters", "model.safetensors"), "must have SHA-256"),
        (("alters", "config.json"), "must be git's blob"),
    ],
)
def test_a_file_that_is_not_what_the_hub_says_is_one_line_and_leaves_nothing(
    hub: ModelHub,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    lie: tuple[str, str],
    told: str,
) -> None:
    how, name = lie
    getattr(hub, how).add(name)
    assert main([f"hub:{MODEL}", "--cache", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert told in printed.err
    assert len(complaints(printed.err)) == 1
    assert printed.out == ""
    assert nothing_is_left(tmp_path)


def test_an_earlier_copy_outlives_a_fetch_that_fails(hub: ModelHub, tmp_path: Path) -> None:
    staged = stage_model(MODEL, tmp_path)
    hub.main = SECOND
    hub.alters.add("config.json")
    with pytest.raises(RuntimeError, match="must be git's blob"):
        stage_model(MODEL, tmp_path)
    found = find_staged(tmp_path, MODEL)
    assert found is not None
    assert found[0] == staged


def test_a_repository_of_pickles_is_refused_and_none_is_fetched(
    hub: ModelHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.commits[FIRST] = {name: FILES[name] for name in FILES if name != "model.safetensors"}
    assert main([f"hub:{MODEL}", "--cache", str(tmp_path)]) == 2
    (line,) = complaints(capsys.readouterr().err)
    assert "but holds pytorch_model.bin alone, which is never read" in line
    assert not any(name.endswith(".bin") for _, name in hub.fetched)
    assert nothing_is_left(tmp_path)
    staged = stage_model(MODEL, tmp_path, weights=False)
    assert [one.name for one in staged.files] == ["config.json", "tokenizer.json"]
    assert not staged.with_weights


def test_an_index_brings_the_files_that_it_names(hub: ModelHub, tmp_path: Path) -> None:
    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    index = {"weight_map": {"a": parts[0], "b": parts[1]}}
    hub.commits[FIRST] = {
        "config.json": FILES["config.json"],
        "model.safetensors.index.json": json.dumps(index).encode(),
        **dict.fromkeys((*parts, "other.safetensors"), WEIGHTS),
    }
    staged = stage_model(MODEL, tmp_path)
    assert {one.name for one in staged.files} == {
        *("config.json", "model.safetensors.index.json", *parts)
    }
    index["weight_map"]["b"] = "../b.safetensors"
    hub.commits[FIRST] = {
        **hub.commits[FIRST],
        "model.safetensors.index.json": json.dumps(index).encode(),
    }
    with pytest.raises(ValueError, match=r"must name .safetensors beside it"):
        stage_model(MODEL, tmp_path)


def test_a_gated_model_says_so_and_comes_with_a_token(
    hub: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.gated = True
    with pytest.raises(RuntimeError, match="GatedRepoError"):
        stage_model(MODEL, tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    assert stage_model(MODEL, tmp_path).commit == FIRST


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"{}"),
        ("config.json", FILES["config.json"].replace(b"64", b"32")),
        ("model.safetensors", WEIGHTS[:-1]),
        ("tokenizer.json", None),
    ],
)
def test_a_staged_copy_that_was_altered_is_refused_at_the_plan(
    hub: ModelHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes | None,
) -> None:
    stage_model(MODEL, tmp_path)
    monkeypatch.setenv("JOULEGRID_CACHE", str(tmp_path))
    path = model_folder(tmp_path, MODEL) / "files" / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(BadInputError, match="must be a staged copy of some/model, but is not"):
        with_own_model(Point({"model": {"name": f"hub:{MODEL}"}, "weights": "random"}, []))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["hub:model"], "`DATASET` must be hub:ORG/NAME, but is 'hub:model' instead"),
        (["hub:a/../b"], "`DATASET` must be hub:ORG/NAME, but is 'hub:a/../b' instead"),
        ([f"hub:{MODEL}", "--from", "."], "`--from` must be given with a dataset"),
        (["gsm8k", "--revision", "main"], "`--revision` must be given with one model"),
        (["hub:a/b", "hub:a/c", "--revision", "x"], "`--revision` must be given with one model"),
        (["gsm8k", "--without-weights"], "`--without-weights` must be given with a model"),
    ],
)
def test_words_that_will_not_do_are_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert main([*words, "--cache", str(tmp_path)]) == 2
    (line,) = complaints(capsys.readouterr().err)
    assert told in line


def test_a_hub_out_of_reach_is_one_line_and_status_1(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "launcher.stage", f"hub:{MODEL}", "--cache", str(tmp_path / "c")],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = complaints(done.stderr)
    assert "the hub must give some/model, but does not" in line
    assert nothing_is_left(tmp_path / "c")

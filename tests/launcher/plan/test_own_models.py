"""A model is named by a folder or by the hub's name, and nothing is fetched or run."""

import json
from pathlib import Path
from typing import Any

import pytest

from launcher.config.errors import BadInputError
from launcher.config.hydra_plugins import Point
from launcher.config.overrides import own_model_word
from launcher.plan.own_models import with_own_model

CONFIG = {
    **{"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 128},
    **{"vocab_size": 32_000, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5},
}


def point(model: str, weights: str = "random") -> Point:
    return Point({"model": {"name": model}, "weights": weights}, [])


def written(folder: Path, content: object = CONFIG) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "config.json").write_text(text)
    return folder


def read(model: str, weights: str = "random") -> dict[str, Any]:
    config: dict[str, Any] = with_own_model(point(model, weights)).config
    return config


def test_a_folder_becomes_a_name_with_its_configuration(tmp_path: Path) -> None:
    told = read(str(written(tmp_path / "a")))["model"]
    assert told["name"].startswith("gpt2-2m-")
    assert json.loads(told["config"])["n_embd"] == 64
    # The name is the model's, wherever its folder lies.
    other = read(str(written(tmp_path / "b", {**CONFIG, "use_cache": True})))["model"]
    assert other["name"] == told["name"]
    assert other["config_sha256"] != told["config_sha256"]


def test_its_weights_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    folder = written(tmp_path / "a")
    assert read(str(folder))["weights"] == "random"
    assert read(str(folder), "own")["weights"] == str(folder)
    with pytest.raises(BadInputError, match="but is own with model=gpt2 instead"):
        with_own_model(point("gpt2", "own"))


def test_a_model_of_the_hub_is_taken_from_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("JOULEGRID_CACHE", str(tmp_path / "staged"))
    held = tmp_path / "models--some--model"
    commit = "0123456789" * 4
    written(held / "snapshots" / commit)
    (held / "refs").mkdir()
    (held / "refs" / "main").write_text(commit)
    told_of = read("hub:some/model")["model"]
    assert told_of["name"].startswith("gpt2-2m-")
    assert told_of["hub_commit"] == commit
    with pytest.raises(BadInputError) as told:
        read("hub:some/other")
    assert str(told.value) == (
        "`model` must be staged or lie in this machine's cache of the hub, but some/other is "
        f"neither staged nor in {tmp_path}; where there is internet type "
        "`python -m launcher.stage hub:some/other`, or name a folder that holds it"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "must be a JSON object, but: "),
        ('{"n_embd": 1, "n_embd": 2}', "is given twice"),
        ("[]", "but is a list instead"),
        ({**CONFIG, "model_type": "mamba"}, "mamba cannot: "),
        ({**CONFIG, "n_embd": "64"}, "`dim` must be a whole number"),
    ],
)
def test_a_file_that_will_not_do_is_one_line(tmp_path: Path, content: object, told: str) -> None:
    with pytest.raises(BadInputError) as error:
        read(str(written(tmp_path / "a", content)))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"must be a folder with config.json, but .* has none"):
        read(str(tmp_path))


def test_a_word_that_names_one_sets_the_key_below_the_group() -> None:
    assert own_model_word("model=/a/b,gpt2") == "model.name=/a/b,gpt2"
    assert own_model_word("model=hub:a/b") == "model.name=hub:a/b"
    assert own_model_word("model=7b,13b") == "model=7b,13b"


QWEN = {
    **{"model_type": "qwen2", "hidden_size": 64, "intermediate_size": 160, "vocab_size": 32_000},
    **{"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2},
}


def test_an_architecture_without_a_row_is_counted_by_the_library(tmp_path: Path) -> None:
    told = read(str(written(tmp_path / "a", QWEN)))["model"]
    assert told["name"].startswith("qwen2-4m-")
    content = json.loads(told["config"])
    assert content["config"]["num_key_value_heads"] == 2
    # Two heads of keys, each 16 wide.
    assert (content["counted"]["kept"], content["counted"]["local"]) == (32, None)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({**QWEN, "model_type": "mixtral"}, "but mixtral cannot: mixtral has 8 experts"),
        ({**QWEN, "model_type": "nosuch"}, "knows no architecture 'nosuch'"),
        ({**QWEN, "num_attention_heads": "four"}, "the library does not take it"),
        ({**QWEN, "quantization_config": {"bits": 4}}, "must be of a model that is not quantized"),
    ],
)
def test_what_the_library_cannot_count_is_one_line(
    tmp_path: Path, content: object, told: str
) -> None:
    with pytest.raises(BadInputError) as error:
        read(str(written(tmp_path / "a", content)))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_plan_without_the_library_says_what_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BadInputError, match=r"has no row here and is counted by the library"):
        read(str(written(tmp_path / "a", QWEN)))

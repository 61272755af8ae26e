"""A config.json is the model that it says, whatever else it says, or it is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from telemetry.record.spec import RunSpec
from tests.support.attempts import make_spec
from workers.engines.transformers.library_model import _library_classes
from workers.planning.families import find_shape
from workers.planning.memory import estimate
from workers.planning.own_configs import own_model, shape_of

# One of each family and layout.
MODELS = (
    *("7b", "llama-3.2-1b", "mistral-7b-v0.1", "nano-mistral", "gpt2", "opt-350m", "opt-6.7b"),
    *("bloom-7b1", "gpt-j-6b", "gpt-neo-2.7b", "falcon-7b", "falcon-40b"),
)


def saved(model: str, folder: Path) -> dict[str, Any]:
    """What the library writes of a model."""
    config, _ = _library_classes(find_shape(model), 128)
    config.save_pretrained(folder)
    content: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return content


@pytest.mark.parametrize("model", MODELS)
def test_a_config_of_a_known_model_is_that_model(model: str, tmp_path: Path) -> None:
    own = own_model(saved(model, tmp_path), "config.json")
    assert (own.shape.name, own.config) == (model, None)


@pytest.mark.parametrize("model", MODELS)
def test_another_size_is_a_model_of_its_own_name(model: str, tmp_path: Path) -> None:
    content = {**saved(model, tmp_path), "vocab_size": 50_000}
    own = own_model(content, "config.json")
    assert own.config is not None
    assert own.shape.vocab == 50_000
    # Who made the file, and how, is no part of the name.
    again = own_model({**content, "transformers_version": "1", "use_cache": False}, "config.json")
    assert again == own
    assert own_model(json.loads(own.config), "it") == own


@pytest.mark.parametrize("model", MODELS)
def test_its_parameters_are_the_library_s(model: str, tmp_path: Path) -> None:
    content = {**saved(model, tmp_path), "vocab_size": 50_000}
    shape = own_model(content, "config.json").shape
    made: Any = transformers.AutoModelForCausalLM
    config = transformers.AutoConfig.for_model(**content)
    with torch.device("meta"):
        assert sum(one.numel() for one in made.from_config(config).parameters()) == shape.params


@pytest.mark.parametrize("model", MODELS)
def test_what_is_not_known_is_refused_by_name(model: str, tmp_path: Path) -> None:
    content = {**saved(model, tmp_path), "logit_soft_cap": 30.0}
    with pytest.raises(ValueError, match="but says logit_soft_cap instead"):
        own_model(content, "config.json")


def test_another_arithmetic_is_refused_with_both_values(tmp_path: Path) -> None:
    content = {**saved("gpt2", tmp_path), "activation_function": "relu"}
    with pytest.raises(ValueError, match="activation_function is 'gelu_new', but says 'relu'"):
        own_model(content, "config.json")


def test_an_architecture_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"one of bloom, falcon, gpt2, .*, but is 'mamba'"):
        own_model({"model_type": "mamba"}, "config.json")


def test_a_missing_size_is_named() -> None:
    with pytest.raises(ValueError, match="GPT-2 model, but `n_head` is missing"):
        own_model({"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "vocab_size": 9}, "it")


def test_a_spec_carries_it_and_others_keep_their_ids(spec: RunSpec, tmp_path: Path) -> None:
    assert "model_config" not in spec.to_mapping()
    own = own_model({**saved("gpt2", tmp_path), "n_layer": 3}, "config.json")
    mine = make_spec(
        spec, model=own.shape.name, model_config=own.config, engine="transformers", gpu="cpu"
    )
    assert RunSpec.from_mapping(json.loads(mine.canonical_json)) == mine
    assert shape_of(mine).params == own.shape.params
    assert estimate(mine).weights_bytes > 0


def test_a_spec_whose_name_is_of_another_configuration_is_refused(
    spec: RunSpec, tmp_path: Path
) -> None:
    own = own_model({**saved("gpt2", tmp_path), "n_layer": 3}, "config.json")
    mine = make_spec(spec, model="gpt2", model_config=own.config)
    with pytest.raises(ValueError, match="by the configuration that the spec carries"):
        shape_of(mine)

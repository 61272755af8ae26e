"""Architectures without a row here are counted by the library, planned, and answer as it does."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import transformers

from telemetry.record.spec import ITEM_BYTES, RunSpec
from tests.support.engines import open_for
from tests.support.fake_group import pretended_peers
from tests.workers.engines.transformers.test_engine import CPU, PROMPTS, answered, work
from tests.workers.planning.test_workspace_library import fullest_bytes
from workers.engines.transformers.counting import CannotCountError, count
from workers.models.library.counted import CountedShape
from workers.planning.arithmetic import arithmetic_of
from workers.planning.engine_facts import engine_facts
from workers.planning.memory import estimate
from workers.planning.own_configs import OwnModel, counted_model, shape_named
from workers.planning.workspace import RankWork
from workers.planning.workspace_transformers import transformers_bytes

_SIZES = {
    **{"hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3},
    **{"num_attention_heads": 4, "vocab_size": 512},
}
TWINS: dict[str, dict[str, Any]] = {
    "qwen2": {**_SIZES, "num_key_value_heads": 2},
    "gemma": {**_SIZES, "num_key_value_heads": 1, "head_dim": 32},
    "gemma2": {**_SIZES, "num_key_value_heads": 2, "head_dim": 32, "sliding_window": 8},
    "phi": dict(_SIZES),
    "phi3": dict(_SIZES),
    "gpt_neox": dict(_SIZES),
    "olmo": {**_SIZES, "num_key_value_heads": 2},
    "gpt_bigcode": {
        "n_embd": 64,
        "n_layer": 3,
        "n_head": 4,
        "n_positions": 64,
        "vocab_size": 32_000,
    },
}


@pytest.fixture(autouse=True)
def one_rank() -> Iterator[None]:
    """A group of this process alone."""
    with pretended_peers(1):
        yield


def own(model_type: str) -> OwnModel:
    config = {"model_type": model_type, **TWINS[model_type]}
    return counted_model(config, count(config), "config.json")


def spec_of(spec: RunSpec, model_type: str, **changes: Any) -> RunSpec:
    made = own(model_type)
    return work(spec, made.shape.name, model_config=made.config, **changes)


@pytest.mark.parametrize("model_type", TWINS)
def test_the_count_is_the_library_s_to_the_unit(model_type: str) -> None:
    made = own(model_type)
    config = transformers.AutoConfig.for_model(model_type, **TWINS[model_type], pad_token_id=None)
    make: Any = transformers.AutoModelForCausalLM
    theirs = make.from_config(config)
    assert made.shape.params == sum(one.numel() for one in theirs.parameters())
    assert made.shape.tied == (
        theirs.get_output_embeddings().weight is theirs.get_input_embeddings().weight
    )
    # Nobody needs the library to read the spec's own text.
    assert shape_named(made.shape.name, made.config) == made.shape


@pytest.mark.parametrize("model_type", TWINS)
def test_it_answers_and_reads_and_keeps_what_is_planned(spec: RunSpec, model_type: str) -> None:
    mine = spec_of(spec, model_type, prompts=len(PROMPTS), batch_size=len(PROMPTS))
    assert engine_facts("transformers").fault(mine) is None
    engine: Any = open_for(mine, CPU)
    answers = answered(engine, PROMPTS)
    assert len(answers.ids) == len(PROMPTS)
    assert engine.weight_bytes == arithmetic_of(mine).weight_bytes_per_step
    held = sum(one.nbytes for one in engine.library.parameters())
    assert held == estimate(mine).weights_bytes
    shape = own(model_type).shape
    for layer in engine._cache.layers:
        rows, heads, _, width = layer.keys.shape
        assert (rows, heads * width) == (len(PROMPTS), shape.kv_dim)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("sizes", [(32, 16, 4), (2, 200, 4), (16, 4, 200)])
# A window's cache cannot be lengthened by hand, as is done here.
@pytest.mark.parametrize("model_type", sorted(set(TWINS) - {"gemma2"}))
def test_a_pass_holds_about_what_is_planned(
    model_type: str, sizes: tuple[int, int, int], dtype: str
) -> None:
    config = {"model_type": model_type, **TWINS[model_type], "vocab_size": 64}
    if model_type == "gpt_bigcode":
        config["n_positions"] = 512
    shape = counted_model(config, count(config), "config.json").shape
    assert isinstance(shape, CountedShape)
    batch, prompt_len, new = sizes
    work_of = RankWork(
        shape=shape,
        degree=1,
        batch=batch,
        prefill_len=prompt_len,
        max_len=prompt_len + new,
        item_bytes=ITEM_BYTES[dtype],
    )
    found = fullest_bytes(shape, batch, prompt_len, new, dtype)
    assert 0.85 * found <= transformers_bytes(work_of)
    if new < prompt_len:
        assert transformers_bytes(work_of) <= 1.3 * found


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"model_type": "mixtral", **_SIZES}, "has 8 experts, of which a token meets some alone"),
        (
            {"model_type": "mamba", "hidden_size": 64, "num_hidden_layers": 2},
            "keeps a state in place of keys and values",
        ),
        (
            {"model_type": "bart", "d_model": 64},
            "is an encoder-decoder, of which T5 alone",
        ),
        ({"model_type": "nosuch"}, "knows no architecture 'nosuch'"),
        ({"model_type": "vit"}, "has no model in the library that answers with text"),
    ],
)
def test_what_cannot_be_counted_is_said(config: dict[str, Any], told: str) -> None:
    with pytest.raises(CannotCountError, match=told):
        count(config)


def test_other_settings_are_another_model_and_what_is_of_no_matter_is_not() -> None:
    config = {"model_type": "qwen2", **TWINS["qwen2"]}
    counted = count(config)
    first = counted_model(config, counted, "config.json")
    same = counted_model({**config, "use_cache": False, "eos_token_id": 5}, counted, "config.json")
    other = counted_model({**config, "rope_theta": 5e5}, counted, "config.json")
    assert first.shape.name == same.shape.name
    assert first.config == same.config
    assert first.shape.name != other.shape.name
    assert isinstance(first.shape, CountedShape)


def test_a_spec_whose_counts_are_not_whole_is_refused() -> None:
    made = own("qwen2")
    assert made.config is not None
    content = json.loads(made.config)
    del content["counted"]["parts"]
    with pytest.raises(ValueError, match="must hold what was counted"):
        shape_named(made.shape.name, json.dumps(content))
    content = {**json.loads(made.config), "more": 1}
    with pytest.raises(ValueError, match="alone"):
        shape_named(made.shape.name, json.dumps(content))


def test_several_gpus_and_the_other_engines_are_refused(spec: RunSpec) -> None:
    two = spec_of(spec, "qwen2", gpus=2, gpus_per_node=2)
    assert "the library has no plan" in str(engine_facts("transformers").fault(two))
    for engine in ("fast", "reference", "transformers-static"):
        fault = engine_facts(engine).fault(spec_of(spec, "qwen2", engine=engine))
        assert "`model` must be of family" in str(fault)

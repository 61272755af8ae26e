"""A folder that is no whole checkpoint of the model asked for is refused in one line."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workers.inputs.test_kinds import MADE
from workers.checkpoints.files import Format, check_model, find_files
from workers.inputs.kinds import FileKind
from workers.models.llama.shape import SHAPES

SEVEN = SHAPES["7b"]
PARAMS: dict[str, Any] = {
    "dim": 4096,
    "multiple_of": 256,
    "n_heads": 32,
    "n_layers": 32,
    "norm_eps": 1e-06,
    "vocab_size": -1,
}
# As the hub's folders of LLaMA v1 say it, with what does not matter here left out.
CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "rms_norm_eps": 1e-06,
    "tie_word_embeddings": False,
    "vocab_size": 32000,
}


def meta(folder: Path, shards: int = 2, **params: Any) -> Path:
    for number in range(shards):
        (folder / f"consolidated.{number:02d}.pth").write_bytes(b"x")
    (folder / "params.json").write_text(json.dumps({**PARAMS, **params}))
    return folder


def hugging_face(folder: Path, **config: Any) -> Path:
    (folder / "model.safetensors").write_bytes(b"x")
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    return folder


def indexed(folder: Path, *names: str) -> Path:
    hugging_face(folder)
    (folder / "model.safetensors").unlink()
    weight_map = {f"parameter.{at}": name for at, name in enumerate(names)}
    text = json.dumps({"weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(text)
    return folder


def empty(path: Path) -> None:
    path.write_bytes(b"")


def test_meta_s_files_come_in_the_order_of_their_ranks(tmp_path: Path) -> None:
    files = find_files(meta(tmp_path, shards=8))
    assert files.format is Format.META
    assert files.weights == tuple(f"consolidated.{number:02d}.pth" for number in range(8))
    assert [path.name for path in files.paths()] == [*files.weights, "params.json"]


def test_a_hub_s_folder_is_known_by_its_index(tmp_path: Path) -> None:
    indexed(tmp_path, "model-2.safetensors", "model-1.safetensors", "model-2.safetensors")
    for number in (1, 2):
        (tmp_path / f"model-{number}.safetensors").write_bytes(b"x")
    files = find_files(tmp_path)
    assert files.format is Format.HUGGING_FACE
    assert files.weights == ("model-1.safetensors", "model-2.safetensors")
    assert files.settings == ("config.json", "model.safetensors.index.json")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda at: (at / "consolidated.00.pth").unlink(), "consolidated.00.pth is missing"),
        (lambda at: (at / "params.json").unlink(), "params.json is missing"),
        (lambda at: empty(at / "consolidated.01.pth"), "consolidated.01.pth is empty"),
        (hugging_face, "must hold one checkpoint, but"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    meta(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ValueError, match="`weights` must") as caught:
        find_files(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "holding"),
    [
        (None, "holds nothing"),
        ("readme.md", "holds nothing of the kind"),
        ("pytorch_model-00001-of-00002.bin", "PyTorch's .bin files, which are not read"),
        ("model-00001-of-00002.safetensors", "without model.safetensors.index.json"),
        ("llama.gguf", "GGUF files, which are not read"),
    ],
)
def test_what_a_folder_holds_instead_is_said(
    tmp_path: Path, name: str | None, holding: str
) -> None:
    if name:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=r"must hold consolidated\.NN\.pth") as caught:
        find_files(tmp_path)
    assert holding in str(caught.value)


def test_a_folder_that_is_not_there_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"checkpoint's folder, but .* does not exist"):
        find_files(tmp_path / "7B")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"random or a checkpoint's folder, but .* is a file"):
        find_files(tmp_path / "file")


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "model.bin", ""])
def test_an_index_leads_to_no_file_outside_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"must name \.safetensors files beside it"):
        find_files(indexed(tmp_path, name))


def test_a_file_that_the_index_names_must_be_there(tmp_path: Path) -> None:
    indexed(tmp_path, "model-1.safetensors", "model-2.safetensors")
    (tmp_path / "model-1.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"model-2\.safetensors is missing"):
        find_files(tmp_path)


@pytest.mark.parametrize("kind", [FileKind.LFS, FileKind.HTML, FileKind.GZIP, FileKind.OLD_TORCH])
@pytest.mark.parametrize(
    ("write", "name"),
    [
        (meta, "consolidated.01.pth"),
        (meta, "params.json"),
        (hugging_face, "model.safetensors"),
        (hugging_face, "config.json"),
    ],
)
def test_another_kind_of_file_is_told_by_what_it_is(
    tmp_path: Path, write: Callable[[Path], Path], name: str, kind: FileKind
) -> None:
    write(tmp_path)
    (tmp_path / name).write_bytes(MADE[kind][0])
    with pytest.raises(ValueError, match="`weights` must be whole") as caught:
        find_files(tmp_path)
    assert str(caught.value) == f"`weights` must be whole, but {tmp_path / name} is {kind}"


def test_an_index_that_is_a_pointer_is_told_by_that(tmp_path: Path) -> None:
    indexed(tmp_path, "model-1.safetensors")
    (tmp_path / "model.safetensors.index.json").write_bytes(MADE[FileKind.LFS][0])
    with pytest.raises(ValueError, match="must be a JSON object, but is a Git LFS pointer"):
        find_files(tmp_path)


def test_any_safetensors_beside_meta_s_files_are_another_checkpoint(tmp_path: Path) -> None:
    (meta(tmp_path) / "consolidated.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"holds consolidated\.00\.pth and consolidated\.safet"):
        find_files(tmp_path)


def test_an_adapter_is_no_model_and_is_not_passed_over(tmp_path: Path) -> None:
    (hugging_face(tmp_path) / "adapter_config.json").write_text("{}")
    with pytest.raises(ValueError, match="holds an adapter, which is not applied"):
        find_files(tmp_path)


def test_a_setting_nested_beyond_reason_is_refused_in_one_short_line(tmp_path: Path) -> None:
    files = find_files(meta(tmp_path))
    for depth in (100, 900, 5000):
        (tmp_path / "params.json").write_text('{"dim": ' + "[" * depth + "]" * depth + "}")
        with pytest.raises(ValueError, match="must") as caught:
            check_model(files, SEVEN)
        assert len(str(caught.value)) < 500


def test_a_whole_file_beside_shards_is_two_checkpoints(tmp_path: Path) -> None:
    hugging_face(tmp_path)
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="must hold one checkpoint, but"):
        find_files(tmp_path)


@pytest.mark.parametrize("text", ['{"dim": 4096, "dim": 5120}', '{"a": {"b": 1, "b": 1}}'])
def test_a_setting_that_is_given_twice_is_refused(tmp_path: Path, text: str) -> None:
    files = find_files(meta(tmp_path))
    (tmp_path / "params.json").write_text(text)
    with pytest.raises(ValueError, match=r"params\.json must be a JSON object, but: `\w+` must be"):
        check_model(files, SEVEN)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(["params.json", "config.json"]),
    change=st.dictionaries(
        st.sampled_from([*PARAMS, *CONFIG, "ffn_dim_multiplier", "rope_scaling", "rope_theta"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda some: st.lists(some, max_size=2) | st.dictionaries(st.text(max_size=9), some),
            max_leaves=4,
        ),
    ),
    content=st.none() | st.binary(max_size=30),
)
def test_any_settings_are_taken_or_refused_in_one_printable_line(
    tmp_path: Path, name: str, change: dict[str, Any], content: bytes | None
) -> None:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    (meta if name == "params.json" else hugging_face)(folder, **change)
    if content is not None:
        (folder / name).write_bytes(content)
    try:
        check_model(find_files(folder), SEVEN)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017 (no error is as good)


@pytest.mark.parametrize("name", ["nano", "micro", "7b", "13b", "30b", "65b"])
def test_what_meta_published_of_every_model_is_taken(tmp_path: Path, name: str) -> None:
    shape = SHAPES[name]
    sizes = {"dim": shape.dim, "n_heads": shape.heads, "n_layers": shape.layers}
    meta(tmp_path, norm_eps=shape.norm_eps, **sizes)
    check_model(find_files(tmp_path), shape)


@pytest.mark.parametrize(("name", "multiplier"), [("llama-3.2-1b", 1.5), ("llama-3.2-3b", 1.0)])
def test_what_meta_publishes_of_llama_3_2_is_taken(
    tmp_path: Path, name: str, multiplier: float
) -> None:
    shape = SHAPES[name]
    sizes = {"dim": shape.dim, "n_heads": shape.heads, "n_layers": shape.layers, "n_kv_heads": 8}
    rope: dict[str, Any] = {"rope_theta": 500000.0, "use_scaled_rope": True}
    more: dict[str, Any] = {"norm_eps": 1e-5, "vocab_size": 128_256}
    more["ffn_dim_multiplier"] = multiplier
    check_model(find_files(meta(tmp_path, **sizes, **rope, **more)), shape)


LLAMA_3_2_3B: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "num_hidden_layers": 28,
    "num_attention_heads": 24,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "rms_norm_eps": 1e-5,
    "vocab_size": 128_256,
    "tie_word_embeddings": True,
    "rope_theta": 500000.0,
    "rope_scaling": {
        "rope_type": "llama3",
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
}
MISTRAL: dict[str, Any] = {
    "model_type": "mistral",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-5,
    "vocab_size": 32_000,
    "sliding_window": 4096,
    "rope_theta": 10000.0,
}


def published(folder: Path, config: dict[str, Any], **change: Any) -> Path:
    """A hub's folder of a later model, its weights a word."""
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    return folder


def test_what_the_hub_publishes_of_llama_3_2_and_mistral_is_taken(tmp_path: Path) -> None:
    check_model(find_files(published(tmp_path, LLAMA_3_2_3B)), SHAPES["llama-3.2-3b"])
    both = {**LLAMA_3_2_3B["rope_scaling"], "rope_theta": 500000.0}
    five = {key: value for key, value in LLAMA_3_2_3B.items() if not key.startswith("rope")}
    check_model(find_files(published(tmp_path, five, rope_parameters=both)), SHAPES["llama-3.2-3b"])
    check_model(find_files(published(tmp_path, MISTRAL)), SHAPES["mistral-7b-v0.1"])
    left_out = {key: value for key, value in MISTRAL.items() if key != "sliding_window"}
    check_model(find_files(published(tmp_path, left_out)), SHAPES["mistral-7b-v0.1"])


SCALING = LLAMA_3_2_3B["rope_scaling"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_key_value_heads": 24}, "num_key_value_heads is 8"),
        ({"num_key_value_heads": None}, "num_key_value_heads is 8"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is True"),
        ({"rope_theta": 10000.0}, "rope_theta is 500000.0"),
        ({"rope_scaling": None}, "rope_scaling is"),
        ({"rope_scaling": {**SCALING, "factor": 8.0}}, "factor in rope_scaling is 32.0"),
        ({"rope_scaling": {**SCALING, "rope_type": "yarn"}}, "rope_type in rope_scaling is"),
        ({"rope_scaling": {**SCALING, "low_freq_factor": 2.0}}, "low_freq_factor in rope_scaling"),
        (
            {"rope_scaling": {**SCALING, "original_max_position_embeddings": 4096}},
            "original_max_position_embeddings in rope_scaling is 8192",
        ),
        ({"sliding_window": 4096}, "sliding_window is not given"),
        ({"model_type": "mistral"}, "model_type is 'llama'"),
    ],
)
def test_another_rotation_sharing_or_tie_is_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        check_model(find_files(published(tmp_path, LLAMA_3_2_3B, **change)), SHAPES["llama-3.2-3b"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sliding_window": None}, "sliding_window is 4096"),
        ({"sliding_window": 1024}, "sliding_window is 4096"),
        ({"num_key_value_heads": 32}, "num_key_value_heads is 8"),
    ],
)
def test_a_mistral_of_another_window_is_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        check_model(find_files(published(tmp_path, MISTRAL, **change)), SHAPES["mistral-7b-v0.1"])


@pytest.mark.parametrize(
    "more",
    [
        {"vocab_size": 32000},
        {"n_kv_heads": 32},
        {"rope_theta": 10000},
        {"max_seq_len": 2048, "max_batch_size": 32},
        {"ffn_dim_multiplier": None},
    ],
)
def test_settings_that_change_nothing_are_taken(tmp_path: Path, more: dict[str, Any]) -> None:
    check_model(find_files(meta(tmp_path, **more)), SEVEN)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 5120}, "whose dim is 4096, but {} says 5120"),
        ({"n_layers": 40}, "whose n_layers is 32, but {} says 40"),
        ({"n_heads": 64}, "whose n_heads is 32, but {} says 64"),
        ({"n_heads": None}, "whose n_heads is 32, but {} says not given"),
        ({"norm_eps": 1e-5}, "whose norm_eps is 1e-06, but {} says 1e-05"),
        ({"vocab_size": 32001}, "whose vocab_size is 32000, but {} says 32001"),
        ({"n_kv_heads": 8}, "whose n_kv_heads is 32, but {} says 8"),
        ({"multiple_of": 4096}, "whose feed-forward width is 11008, but {} says 12288"),
        ({"ffn_dim_multiplier": 1.3}, "whose feed-forward width is 11008, but {} says 14336"),
        ({"rope_theta": 500000.0}, "whose rope_theta is 10000.0, but {} says 500000.0"),
        ({"use_scaled_rope": True}, "whose use_scaled_rope is False, but {} says True"),
        ({"multiple_of": 0}, "{} must describe a LLaMA model, but"),
        ({"multiple_of": "256"}, "{} must describe a LLaMA model, but"),
        ({"moe": {}}, "whose list of other settings is [], but {} says ['moe']"),
    ],
)
def test_params_of_another_model_are_refused_with_both_values(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    files = find_files(meta(tmp_path, **change))
    with pytest.raises(ValueError, match="must") as caught:
        check_model(files, SEVEN)
    assert message.format(tmp_path / "params.json") in str(caught.value)


@pytest.mark.parametrize(
    "more",
    [
        {"num_key_value_heads": 32, "head_dim": 128, "rope_theta": 10000.0, "rope_scaling": None},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
        {"architectures": ["LlamaForCausalLM"], "torch_dtype": "float16", "use_cache": True},
    ],
)
def test_configs_of_old_and_new_transformers_are_taken(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    check_model(find_files(hugging_face(tmp_path, **more)), SEVEN)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "mistral"}, "whose model_type is 'llama', but {} says 'mistral'"),
        ({"hidden_size": 8192}, "whose hidden_size is 4096, but {} says 8192"),
        ({"intermediate_size": 11009}, "whose intermediate_size is 11008, but {} says 11009"),
        ({"num_key_value_heads": 8}, "whose num_key_value_heads is 32, but {} says 8"),
        ({"head_dim": 64}, "whose head_dim is 128, but {} says 64"),
        ({"rms_norm_eps": 1e-5}, "whose rms_norm_eps is 1e-06, but {} says 1e-05"),
        ({"vocab_size": 32016}, "whose vocab_size is 32000, but {} says 32016"),
        ({"tie_word_embeddings": True}, "whose tie_word_embeddings is False, but {} says True"),
        ({"attention_bias": True}, "whose attention_bias is False, but {} says True"),
        ({"rope_theta": 1e6}, "whose rope_theta is 10000.0, but {} says 1000000.0"),
        ({"rope_parameters": {"rope_theta": 5e5}}, "whose rope_theta in rope_parameters is 1000"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "but {} says 'linear'"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "but {} says 'llama3'"),
        (
            {"rope_theta": 1e4, "rope_parameters": {"rope_theta": 5e5}},
            "whose rope_theta in rope_parameters is 10000.0, but {} says 500000.0",
        ),
        (
            {"rope_theta": 5e5, "rope_parameters": {"rope_theta": 1e4}},
            "whose rope_theta is 10000.0, but {} says 500000.0",
        ),
        ({"rope_scaling": {"rope_type": "default", "type": "linear"}}, "whose type in rope_scal"),
        (
            {"rope_parameters": {"rope_type": "default"}, "rope_scaling": {"type": "yarn"}},
            "whose type in rope_scaling is 'default', but {} says 'yarn'",
        ),
        ({"theta": 5e5}, "list of other rope settings is [], but {} says ['theta']"),
        ({"num_key_value_heads": 0}, "whose num_key_value_heads is 32, but {} says 0"),
        ({"rope_parameters": ["default"]}, "must describe a LLaMA model, but"),
        ({"quantization_config": {"bits": 4}}, "quantization_config is not given, but {} says"),
    ],
)
def test_a_config_of_what_the_shapes_do_not_know_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    files = find_files(hugging_face(tmp_path, **change))
    with pytest.raises(ValueError, match="must") as caught:
        check_model(files, SEVEN)
    assert message.format(tmp_path / "config.json") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_that_are_no_json_are_refused(tmp_path: Path) -> None:
    files = find_files(meta(tmp_path))
    (tmp_path / "params.json").write_text("{'dim': 4096}")
    with pytest.raises(ValueError, match=r"params\.json must be a JSON object"):
        check_model(files, SEVEN)

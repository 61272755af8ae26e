"""Own configs: a model that is known by its config.json alone, as the hub holds them.

The sizes in it make a shape of a family that there is; then everything it says is held against
that shape, as a checkpoint's is. What is not known may change what is computed, and is refused by
name. No code that a folder brings is run. Two files of one model, whatever else they say, are one
name: that of their shape where it has one here, else one made of what decides the arithmetic.
"""

import functools
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from telemetry.nearest import one_of
from telemetry.record.spec import RunSpec
from workers.models.base.family import Family
from workers.models.base.shape import ModelShape
from workers.models.library.shape import LibraryShape
from workers.models.llama.shape import ROPE_THETA, LlamaShape, RopeScaling
from workers.planning.counted_models import COUNTED_KEY, counted_shape, counted_text
from workers.planning.families import FAMILIES, find_shape

# Said by files and of no matter to what inference computes: who made them, ids that the tokenizer
# says, what a training drops or begins with, what is returned beside logits, and how much was
# trained on where positions have no table.
_NO_MATTER: Final = frozenset(
    {
        *("_name_or_path", "name_or_path", "architectures", "auto_map", "transformers_version"),
        *("torch_dtype", "dtype", "use_cache", "initializer_range", "model_parallel"),
        *("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "sep_token_id"),
        *("decoder_start_token_id", "tokenizer_class", "prefix", "task_specific_params"),
        *("attention_dropout", "attn_pdrop", "embd_pdrop", "resid_pdrop", "hidden_dropout"),
        *("dropout", "activation_dropout", "embed_dropout", "resid_dropout", "layerdrop"),
        *("classifier_dropout", "classifier_dropout_prob", "gradient_checkpointing"),
        *("summary_activation", "summary_first_dropout", "summary_proj_to_labels"),
        *("summary_type", "summary_use_proj", "output_attentions", "output_hidden_states"),
        *("return_dict", "problem_type", "id2label", "label2id", "finetuning_task"),
        *("chunk_size_feed_forward", "_attn_implementation", "pretraining_tp"),
        *("masked_softmax_fusion", "bias_dropout_fusion", "n_ctx", "seq_length"),
        *("_remove_final_layer_norm", "init_std", "is_encoder_decoder"),
    }
)
# Where positions are turned, not looked up, how many were trained on changes nothing.
_TURNED: Final = frozenset({"llama", "falcon"})
_DIGEST_DIGITS: Final = 12
_MILLION: Final = 10**6
_BILLION: Final = 10**9

# Which key says a size, by family and field of its shape; several where files differ.
_SIZES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "llama": {
        "dim": ("hidden_size",),
        "layers": ("num_hidden_layers",),
        "heads": ("num_attention_heads",),
        "kv_heads": ("num_key_value_heads",),
        "ffn_width": ("intermediate_size",),
        "norm_eps": ("rms_norm_eps",),
        "vocab": ("vocab_size",),
        "tied": ("tie_word_embeddings",),
    },
    "gpt2": {
        "dim": ("n_embd",),
        "layers": ("n_layer",),
        "heads": ("n_head",),
        "vocab": ("vocab_size",),
        "context": ("n_positions",),
    },
    "opt": {
        "dim": ("hidden_size",),
        "layers": ("num_hidden_layers",),
        "heads": ("num_attention_heads",),
        "vocab": ("vocab_size",),
        "context": ("max_position_embeddings",),
    },
    "bloom": {
        "dim": ("hidden_size", "n_embed"),
        "layers": ("n_layer", "num_hidden_layers"),
        "heads": ("n_head", "num_attention_heads"),
        "vocab": ("vocab_size",),
    },
    "gptj": {
        "dim": ("n_embd",),
        "layers": ("n_layer",),
        "heads": ("n_head",),
        "vocab": ("vocab_size",),
        "context": ("n_positions",),
        "turned": ("rotary_dim",),
    },
    "gpt_neo": {
        "dim": ("hidden_size",),
        "layers": ("num_layers",),
        "heads": ("num_heads",),
        "vocab": ("vocab_size",),
        "context": ("max_position_embeddings",),
        "local": ("window_size",),
    },
    "falcon": {
        "dim": ("hidden_size",),
        "layers": ("num_hidden_layers",),
        "heads": ("num_attention_heads",),
        "vocab": ("vocab_size",),
    },
}


@dataclass(frozen=True, kw_only=True)
class OwnModel:
    """A model as a config.json says it."""

    shape: ModelShape
    """Its sizes, under the name that `RunSpec.model` holds."""
    config: str | None
    """What decides its arithmetic, as `RunSpec.model_config` holds it; None where the shape has a
    name here already."""


def shape_of(spec: RunSpec) -> ModelShape:
    """The shape of a spec's model.

    Raises:
        ValueError: there is no such model, or the configuration that it carries is none of one.
    """
    return shape_named(spec.model, spec.model_config)


def shape_named(model: str, config: str | None) -> ModelShape:
    """The shape of a name that there is, or of the configuration that says what the name is.

    Raises:
        ValueError: there is no such model, or the configuration is none of one.
    """
    if config is None:
        return find_shape(model)
    own = _of_text(config)
    if own.shape.name != model:
        raise ValueError(
            f"`model` must be {own.shape.name} by the configuration that the spec carries, "
            f"but is {model} instead"
        )
    return own.shape


def own_model(config: Mapping[str, Any], place: str) -> OwnModel:
    """The model that a config.json says; `place` names the file in messages.

    Raises:
        ValueError: its architecture is none that there is, a size is missing, or it says what is
            not known or not so.
    """
    family = _family(config, place)
    try:
        shape = _shape(family, config)
    except (ValueError, TypeError, AttributeError, ArithmeticError, KeyError) as error:
        raise ValueError(
            f"{place} must describe a {family.names.title} model, but {error}"
        ) from error
    _check(family, config, shape, place)
    said = _canonical(config["model_type"], shape)
    for known in family.shapes.values():
        if _canonical(config["model_type"], known) == said:
            return OwnModel(shape=known, config=None)
    text = json.dumps(
        _canonical(config["model_type"], shape), sort_keys=True, separators=(",", ":")
    )
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_DIGITS]
    name = f"{config['model_type'].replace('_', '-')}-{_short(shape.params)}-{digest}"
    return OwnModel(shape=replace(shape, name=name), config=text)


def has_row(config: Mapping[str, Any]) -> bool:
    """Whether a config.json's architecture is one of those that are known here."""
    return config.get("model_type") in (*_SIZES, "mistral")


def counted_model(config: Mapping[str, Any], counted: Mapping[str, Any], place: str) -> OwnModel:
    """The model of an architecture without a row, by what the library counted of it.

    Raises:
        ValueError: it is quantized, or was not counted as a shape needs it.
    """
    if config.get("quantization_config") is not None:
        raise ValueError(f"{place} must be of a model that is not quantized, but is of one")
    return _counted(json.loads(counted_text(config, counted, _NO_MATTER)))


def _counted(content: Mapping[str, Any]) -> OwnModel:
    shape = counted_shape(content)
    shape = counted_shape(content, f"{_short(shape.params)}-")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return OwnModel(shape=shape, config=text)


# Thousands of points may be of one model.
@functools.lru_cache(maxsize=256)
def _of_text(text: str) -> OwnModel:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError(f"`model_config` must be an object, but is {text[:60]!r} instead")
    own = _counted(content) if COUNTED_KEY in content else own_model(content, "`model_config`")
    if own.config is not None and own.config != text:
        raise ValueError("`model_config` must be in its canonical form, but is not")
    return own


def _family(config: Mapping[str, Any], place: str) -> Family:
    """The family of a configuration's architecture."""
    by_type = {name: FAMILIES[name] for name in _SIZES if name in FAMILIES}
    by_type["mistral"] = FAMILIES[LlamaShape.family]
    said = config.get("model_type")
    if not isinstance(said, str) or said not in by_type:
        known = one_of("model_type", sorted(by_type), said, things="architectures")
        raise ValueError(f"{place}: {known}")
    return by_type[said]


def _shape(family: Family, config: Mapping[str, Any]) -> ModelShape:
    """The shape of the sizes in a configuration, whatever else that says."""
    sizes: dict[str, Any] = {}
    for field, keys in _SIZES[family.name].items():
        for key in keys:
            if config.get(key) is not None:
                sizes[field] = config[key]
                break
    needed = {"dim", "layers", "heads", "vocab"}
    if missing := sorted(needed - set(sizes)):
        said = " or ".join(_SIZES[family.name][missing[0]])
        raise ValueError(f"`{said}` is missing")
    if more := _MORE.get(family.name):
        sizes |= more(config, sizes)
    make: Any = type(next(iter(family.shapes.values())))
    shape: ModelShape = make(name="own", **sizes)
    return shape


def _llama_sizes(config: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """What a LLaMA's or a Mistral's configuration says by several keys, or leaves out."""
    parts = [config.get(name) or {} for name in ("rope_parameters", "rope_scaling")]
    bases = [part["rope_theta"] for part in (config, *parts) if "rope_theta" in part]
    more: dict[str, Any] = {
        "rope_theta": float(bases[0] if bases else ROPE_THETA),
        "norm_eps": float(sizes.get("norm_eps", math.nan)),
    }
    for part in parts:
        if "llama3" in (part.get("rope_type"), part.get("type")):
            more["rope_scaling"] = RopeScaling(
                factor=float(part["factor"]),
                low_freq_factor=float(part["low_freq_factor"]),
                high_freq_factor=float(part["high_freq_factor"]),
                original_positions=part["original_max_position_embeddings"],
            )
    if config["model_type"] == "mistral":
        more["published_as"] = "mistral"
        # What the library takes where nothing is said; null is no window.
        more["window"] = config.get("sliding_window", 4096)
    return more


def _opt_sizes(config: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """An embedding narrower than the stream, and where norms are."""
    width = config.get("word_embed_proj_dim", sizes["dim"])
    narrow = {} if width == sizes["dim"] else {"embedded": width}
    return {**narrow, "norm_after": config.get("do_layer_norm_before", True) is False}


def _falcon_sizes(config: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Heads of keys and values, which the library looks at in the newer layout alone."""
    del sizes
    newer = config.get("new_decoder_architecture") is True
    return {"kv_heads": config.get("num_kv_heads")} if newer else {}


_MORE: Final[Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]]] = {
    "llama": _llama_sizes,
    "opt": _opt_sizes,
    "falcon": _falcon_sizes,
}
# Of no matter in one family: what its library's class does not look at.
_NOT_LOOKED_AT: Final[Mapping[str, frozenset[str]]] = {
    "falcon": frozenset({"num_kv_heads", "ffn_hidden_size", "num_ln_in_parallel_attn"}),
    "bloom": frozenset({"n_embed", "num_attention_heads", "num_hidden_layers", "offset_alibi"}),
    "gpt_neo": frozenset({"attention_layers"}),
    "gptj": frozenset({"rotary", "scale_attn_weights"}),
}


def _canonical(model_type: str, shape: ModelShape) -> dict[str, Any]:
    """The configuration that decides a shape's arithmetic, each setting said and in one way."""
    if isinstance(shape, LibraryShape):
        return {"model_type": model_type, **shape.library_settings()}
    assert isinstance(shape, LlamaShape)
    rope: dict[str, Any] | None = None
    if (scaling := shape.rope_scaling) is not None:
        rope = {
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_positions,
        }
    return {
        "model_type": model_type,
        "hidden_size": shape.dim,
        "intermediate_size": shape.ffn,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "rms_norm_eps": shape.norm_eps,
        "vocab_size": shape.vocab,
        "tie_word_embeddings": shape.tied,
        "rope_theta": shape.rope_theta,
        "rope_scaling": rope,
        "sliding_window": shape.window,
    }


def _check(family: Family, config: Mapping[str, Any], shape: ModelShape, place: str) -> None:
    """Refuse a configuration that says what is not known, or not as the shape has it."""
    known: set[str] = set()
    for name, value, expected in _pairs(family, config, shape, place):
        known.add(name.partition(" ")[0])
        if not _equal(value, expected):
            raise ValueError(
                f"{place} must be of a {family.names.title} model, whose {name} is {expected!r}, "
                f"but says {value!r} instead"
            )
    known |= {"rope_theta", "rope_parameters", "rope_scaling", "partial_rotary_factor"}
    passed = _NO_MATTER | _NOT_LOOKED_AT.get(family.name, frozenset())
    if family.name in _TURNED:
        passed |= {"max_position_embeddings"}
    if strangers := sorted(set(config) - known - passed):
        raise ValueError(
            f"{place} must say nothing but what is known of a {family.names.title} model, as it "
            f"may change what is computed, but says {strangers[0]} instead"
        )


def _pairs(
    family: Family, config: Mapping[str, Any], shape: ModelShape, place: str
) -> Iterator[tuple[str, Any, Any]]:
    try:
        yield from family.names.hugging_face_settings(config, shape)
    except (TypeError, AttributeError, ArithmeticError, ValueError) as error:
        raise ValueError(
            f"{place} must describe a {family.names.title} model, but {error}"
        ) from error


def _equal(value: object, expected: object) -> bool:
    if isinstance(expected, float) and isinstance(value, int | float):
        return math.isclose(value, expected, rel_tol=1e-9)
    # 1 == True, and 32.0 == 32: a size is a whole number.
    return type(value) is type(expected) and value == expected


def _short(params: int) -> str:
    """A count of parameters in a name, such as 124m or 6.7b."""
    if params < _BILLION:
        return f"{max(1, round(params / _MILLION))}m"
    return f"{params / _BILLION:.1f}b"

"""Names: how published LLaMA checkpoints call its parameters and its sizes.

The parameters have Meta's own names here; the Hugging Face hub has others, and keeps the rows of a
head of queries and keys in another order.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from workers.models.base.family import CheckpointNames
from workers.models.llama.shape import ROPE_THETA, LlamaShape

# What some conversions keep beside the parameters: the table of rotations, which we make anew.
_NO_PARAMETER: Final = re.compile(r"(.*\.)?(rope\.freqs|rotary_emb\.inv_freq)")
_THEIR_TABLES: Final = {
    "model.embed_tokens.weight": "tok_embeddings.weight",
    "model.norm.weight": "norm.weight",
    "lm_head.weight": "output.weight",
}
_THEIR_LAYER: Final = re.compile(r"model\.layers\.(\d+)\.(.+)\.weight")
_THEIR_NAMES: Final = {
    "self_attn.q_proj": "attention.wq",
    "self_attn.k_proj": "attention.wk",
    "self_attn.v_proj": "attention.wv",
    "self_attn.o_proj": "attention.wo",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.down_proj": "feed_forward.w2",
    "mlp.up_proj": "feed_forward.w3",
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "ffn_norm",
}
_ROPE_PARTS: Final = ("rope_parameters", "rope_scaling")
# `MistralConfig` of transformers.
_WINDOW_LEFT_OUT: Final = 4096
_ROPE: Final = re.compile(r"rope|rotary|theta")
# What params.json may hold beside sizes: how much a server holds at once, not what it computes.
_NO_MATTER: Final = {"max_batch_size", "max_seq_len"}


def _hugging_face_name(name: str) -> str | None:
    if table := _THEIR_TABLES.get(name):
        return table
    layer = _THEIR_LAYER.fullmatch(name)
    if layer is None or layer[2] not in _THEIR_NAMES:
        return None
    return f"layers.{layer[1]}.{_THEIR_NAMES[layer[2]]}.weight"


def _meta_settings(params: Mapping[str, Any], shape: LlamaShape) -> Iterator[tuple[str, Any, Any]]:
    """What params.json says and what it must say; the names are its own."""
    yield "dim", params.get("dim"), shape.dim
    yield "n_layers", params.get("n_layers"), shape.layers
    yield "n_heads", params.get("n_heads"), shape.heads
    yield "n_kv_heads", params.get("n_kv_heads", params.get("n_heads")), shape.kv_heads
    yield "norm_eps", params.get("norm_eps"), shape.norm_eps
    # -1 leaves it to the tokenizer; the embedding's own size is looked at later.
    vocab = params.get("vocab_size", -1)
    yield "vocab_size", shape.vocab if vocab == -1 else vocab, shape.vocab
    multiple = params.get("multiple_of")
    if multiple is not None:
        factor = params.get("ffn_dim_multiplier") or 1
        if not isinstance(factor, int | float):
            # A text times a number is a long text.
            raise TypeError(f"ffn_dim_multiplier is a {type(factor).__name__}")
        classical = int(factor * int(8 * shape.dim / 3))
        yield "feed-forward width", math.ceil(classical / multiple) * multiple, shape.ffn
    yield "rope_theta", params.get("rope_theta", ROPE_THETA), shape.rope_theta
    # How far is in Meta's code alone: a flag, and the same factors for all models of a release.
    scaled = shape.rope_scaling is not None
    yield "use_scaled_rope", params.get("use_scaled_rope", False), scaled
    yield "sliding_window", params.get("sliding_window"), shape.window
    known = {"dim", "n_layers", "n_heads", "n_kv_heads", "norm_eps", "vocab_size", "multiple_of"}
    known |= {"ffn_dim_multiplier", "rope_theta", "use_scaled_rope", "sliding_window", *_NO_MATTER}
    # A key that is not known may be one that changes what the model computes.
    yield "list of other settings", sorted(set(params) - known), []


def _hugging_face_settings(
    config: Mapping[str, Any], shape: LlamaShape
) -> Iterator[tuple[str, Any, Any]]:
    """What config.json says and what it must say; the names are its own."""
    yield "model_type", config.get("model_type"), shape.published_as
    yield "hidden_size", config.get("hidden_size"), shape.dim
    yield "intermediate_size", config.get("intermediate_size"), shape.ffn
    yield "num_hidden_layers", config.get("num_hidden_layers"), shape.layers
    heads = config.get("num_attention_heads")
    yield "num_attention_heads", heads, shape.heads
    for name, value, left_out in (
        ("num_key_value_heads", shape.kv_heads, heads),
        ("head_dim", shape.head_dim, shape.head_dim),
    ):
        given = config.get(name)
        yield name, left_out if given is None else given, value
    yield "rms_norm_eps", config.get("rms_norm_eps"), shape.norm_eps
    yield "vocab_size", config.get("vocab_size"), shape.vocab
    yield "hidden_act", config.get("hidden_act", "silu"), "silu"
    yield "attention_bias", config.get("attention_bias", False), False
    yield "mlp_bias", config.get("mlp_bias", False), False
    # Tied, the output matrix is the embedding: another model, with vocab x dim fewer parameters.
    yield "tie_word_embeddings", config.get("tie_word_embeddings", False), shape.tied
    # What transformers takes a Mistral's to be that says nothing; null is no window.
    left_out = _WINDOW_LEFT_OUT if config.get("model_type") == "mistral" else None
    yield "sliding_window", config.get("sliding_window", left_out), shape.window
    yield "quantization_config", config.get("quantization_config"), None
    yield from _rope_settings(config, shape)


def _rope_settings(config: Mapping[str, Any], shape: LlamaShape) -> Iterator[tuple[str, Any, Any]]:
    """Every spelling of the rotation that is given: each must say what the shape has.

    Up to transformers 4 two keys, from 5 on one; readers differ in which they take where a config
    has both, so none of them may say otherwise.
    """
    parts = {name: config.get(name) or {} for name in _ROPE_PARTS}
    bases = {"rope_theta": config} | {f"rope_theta in {name}": parts[name] for name in parts}
    given = {name: held["rope_theta"] for name, held in bases.items() if "rope_theta" in held}
    for name, value in (given or {"rope_theta": ROPE_THETA}).items():
        yield name, value, shape.rope_theta
    factor = "partial_rotary_factor"
    yield factor, config.get(factor, 1.0), 1.0
    kind = "default" if shape.rope_scaling is None else "llama3"
    if shape.rope_scaling is not None and not any(parts.values()):
        yield "rope_scaling", config.get("rope_scaling"), {"rope_type": kind}
    for name, part in parts.items():
        if part or shape.rope_scaling is None:
            told = [spelling for spelling in ("rope_type", "type") if spelling in part]
            for spelling in told or ["rope_type"]:
                yield f"{spelling} in {name}", part.get(spelling, "default"), kind
            yield from _scaling(name, part, shape)
        yield f"{factor} in {name}", part.get(factor, 1.0), 1.0
    # A key of rotation that is not known may be another spelling, or change what is computed.
    known = {"rope_theta", factor, *_ROPE_PARTS}
    yield "list of other rope settings", sorted(filter(_ROPE.search, set(config) - known)), []


def _scaling(
    name: str, part: Mapping[str, Any], shape: LlamaShape
) -> Iterator[tuple[str, Any, Any]]:
    """How long waves are slowed, as one spelling says."""
    scaling = shape.rope_scaling
    if scaling is None:
        return
    for key, value in (
        ("factor", scaling.factor),
        ("low_freq_factor", scaling.low_freq_factor),
        ("high_freq_factor", scaling.high_freq_factor),
        ("original_max_position_embeddings", scaling.original_positions),
    ):
        yield f"{key} in {name}", part.get(key), value


def _halved(name: str) -> bool:
    return name.split(".")[-2] in ("wq", "wk")


NAMES: Final = CheckpointNames(
    title="LLaMA",
    no_parameter=_NO_PARAMETER,
    hugging_face_name=_hugging_face_name,
    hugging_face_settings=_hugging_face_settings,
    meta_settings=_meta_settings,
    halved=_halved,
    copies={"output.weight": "tok_embeddings.weight"},
)
"""LLaMA's names."""

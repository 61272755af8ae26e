"""Checkpoints: small ones in the layouts that are published, written by our own code."""

import json
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from tests.support.weights import draw_whole, shard
from workers.models.llama.shape import ROPE_THETA, LlamaShape

TINY: Final = LlamaShape(name="tiny", dim=64, layers=2, heads=8, norm_eps=1e-6, vocab=128)
"""Small enough to write dozens of; its head_dim of 8 has four pairs to turn."""


def write_meta(
    folder: Path,
    shape: LlamaShape = TINY,
    *,
    files: int = 1,
    dtype: torch.dtype = torch.float16,
    **settings: Any,
) -> dict[str, Tensor]:
    """Write `consolidated.NN.pth` and `params.json`; the whole parameters they hold."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = random_parameters(shape, dtype)
    for number in range(files):
        # A clone: what torch.save is given of a view is the whole storage behind it.
        held = {name: weight.clone() for name, weight in shard(whole, shape, number, files).items()}
        for layer in range(shape.layers):
            # Published beside the parameters, and no parameter.
            name = f"layers.{layer}.attention.inner_attention.rope.freqs"
            held[name] = torch.arange(shape.head_dim // 2, dtype=torch.float32)
        torch.save(held, folder / f"consolidated.{number:02d}.pth")
    write_params(folder, shape, **settings)
    return whole


def write_params(folder: Path, shape: LlamaShape, **settings: Any) -> None:
    """Write the `params.json` that Meta publishes beside the parameters."""
    params = {
        "dim": shape.dim,
        "multiple_of": 256,
        "n_heads": shape.heads,
        "n_layers": shape.layers,
        "norm_eps": shape.norm_eps,
        "vocab_size": -1,
        **settings,
    }
    (folder / "params.json").write_text(json.dumps(params))


def write_hugging_face(
    folder: Path,
    shape: LlamaShape = TINY,
    *,
    dtype: torch.dtype = torch.float16,
    shard_size: str = "5GB",
    **settings: Any,
) -> dict[str, Tensor]:
    """Let transformers save a model of its own making; its parameters by transformers' names."""
    torch.manual_seed(11)
    model = hugging_face_model(shape, positions=64, **settings)
    model.to(dtype=dtype)
    for name, weight in model.named_parameters():
        # Wide enough that attention looks at some positions more than at others.
        wide = 1.0 if "embed" in name else weight.shape[-1] ** -0.5
        torch.nn.init.normal_(weight, *((1.0, 0.1) if "norm" in name else (0.0, wide)))
    model.save_pretrained(folder, max_shard_size=shard_size)
    return {name: weight.detach() for name, weight in model.state_dict().items()}


def hugging_face_config(shape: LlamaShape, *, positions: int, **settings: Any) -> Any:
    """Transformers' own description of a shape, for so many positions."""
    from transformers import LlamaConfig, MistralConfig  # noqa: PLC0415 (seconds to import)

    if shape.kv_heads != shape.heads:
        settings = {"num_key_value_heads": shape.kv_heads, **settings}
    if shape.tied:
        settings = {"tie_word_embeddings": True, **settings}
    if shape.rope_scaling is not None or shape.rope_theta != ROPE_THETA:
        settings = {"rope_parameters": _rope(shape), **settings}
    make: Any = LlamaConfig
    if shape.published_as == "mistral":
        make = MistralConfig
        settings = {"sliding_window": shape.window, **settings}
    return make(
        vocab_size=shape.vocab,
        hidden_size=shape.dim,
        intermediate_size=shape.ffn,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        rms_norm_eps=shape.norm_eps,
        max_position_embeddings=positions,
        **settings,
    )


def hugging_face_model(shape: LlamaShape, *, positions: int, **settings: Any) -> Any:
    """Transformers' own model of a shape."""
    return hugging_face_class(shape)(hugging_face_config(shape, positions=positions, **settings))


def hugging_face_class(shape: LlamaShape) -> Any:
    """The class that transformers has for a shape."""
    from transformers import LlamaForCausalLM, MistralForCausalLM  # noqa: PLC0415 (seconds)

    return MistralForCausalLM if shape.published_as == "mistral" else LlamaForCausalLM


def _rope(shape: LlamaShape) -> dict[str, Any]:
    scaling = shape.rope_scaling
    if scaling is None:
        return {"rope_type": "default", "rope_theta": shape.rope_theta}
    return {
        "rope_type": "llama3",
        "rope_theta": shape.rope_theta,
        "factor": scaling.factor,
        "low_freq_factor": scaling.low_freq_factor,
        "high_freq_factor": scaling.high_freq_factor,
        "original_max_position_embeddings": scaling.original_positions,
    }


def random_parameters(shape: LlamaShape, dtype: torch.dtype) -> dict[str, Tensor]:
    """Whole parameters with norms that are not all one, so that none is taken for another."""
    whole = draw_whole(shape, 5)
    generator = torch.Generator().manual_seed(6)
    for name, weight in whole.items():
        if "norm" in name:
            weight.normal_(1.0, 0.1, generator=generator)
    return {name: weight.to(dtype) for name, weight in whole.items()}

"""Counting: what an architecture of the library takes, read off its own model without memory.

    python -m workers.engines.transformers.counting < CONFIG

Standard input is a config.json; standard output is `workers.models.library.counted.CountedShape`
as one JSON object, or {"fault": why it cannot be counted}. No code but the library's is run, and
what it cannot count it does not guess.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)

from workers.models.library.counted import NUMBER

_NO_IDS: Final = {"pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
# How configurations of the library say how many experts there are.
_EXPERTS: Final = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
_LAYER: Final = re.compile(r"\.\d+\.")
_TOKENS: Final = 4
_MATRIX: Final = 2
# Rows, heads, positions and their width.
_KEYS: Final = 4
_GATED: Final = 3
_FUSED: Final = 4
# Its gelu by tanh is spelled out, one is torch's own, others hold what goes in and what comes out.
_BY_ACTIVATION: Final = {"gelu_new": 4, "gelu": 2, "relu": 2, "silu": 2}
# How the library's classes fail over a setting that they do not take.
_LIBRARY_FAULTS: Final = (
    *(ValueError, TypeError, AttributeError, KeyError, RuntimeError, ArithmeticError),
    StrictDataclassError,
)


class CannotCountError(ValueError):
    """Why the library's model is not counted, in one line."""


def count(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the shape of a configuration, but its name.

    Raises:
        CannotCountError: the library does not know it, or its work is not what is counted here.
    """
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in CONFIG_MAPPING:
        raise CannotCountError(
            f"transformers {transformers.__version__} knows no architecture {model_type!r}"
        )
    if model_type in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        raise CannotCountError(
            f"{model_type} is an encoder-decoder, of which T5 alone is known: the work of the "
            "encoder is not counted apart"
        )
    if model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise CannotCountError(f"{model_type} has no model in the library that answers with text")
    settings = {name: value for name, value in config.items() if name != "model_type"}
    made = transformers.AutoConfig.for_model(model_type, **{**settings, **_NO_IDS})
    for name in _EXPERTS:
        if (experts := getattr(made, name, None)) and experts > 1:
            raise CannotCountError(
                f"{model_type} has {experts} experts, of which a token meets some alone: what a "
                "step computes and reads hangs on what is answered"
            )
    with torch.device("meta"):
        make: Any = transformers.AutoModelForCausalLM
        model = make.from_config(made).eval()
    spelled = model.config._attn_implementation == "eager"
    # Who keeps a state is told so, whatever its parameters are.
    kept = _cache(model, made)
    return {"model_type": model_type, "spelled": spelled, **kept, **_sizes(model, made)}


def _sizes(model: Any, config: Any) -> dict[str, Any]:
    """Names and sizes of the parameters, and what of them is a table."""
    layers, dim = int(config.num_hidden_layers), int(config.hidden_size)
    table, head = model.get_input_embeddings(), model.get_output_embeddings()
    if head is None:
        raise CannotCountError(f"{config.model_type} has no output matrix that the library names")
    found: dict[str, dict[int, tuple[int, ...]]] = {}
    alone: dict[str, tuple[int, ...]] = {}
    for name, weight in model.named_parameters():
        size = tuple(weight.shape)
        if len(size) > _MATRIX:
            raise CannotCountError(
                f"{name} has {len(size)} dimensions, and is no matrix that each token meets once"
            )
        pattern, count_of = _LAYER.subn(f".{NUMBER}.", name)
        if count_of > 1:
            raise CannotCountError(f"{name} is a part of a list within a layer")
        if count_of == 0:
            alone[name] = size
            continue
        number = _LAYER.search(name)
        assert number is not None
        found.setdefault(pattern, {})[int(number.group()[1:-1])] = size
    for pattern, sizes in found.items():
        if set(sizes) != set(range(layers)) or len(set(sizes.values())) != 1:
            raise CannotCountError(f"its layers are not alike: {pattern} is not the same in all")
    positions = _positions(model, table, dim)
    tables = {id(table.weight), id(head.weight)}
    for name, weight in model.named_parameters():
        known = id(weight) in tables or (positions is not None and name == positions[0])
        if name in alone and weight.ndim == _MATRIX and not known:
            raise CannotCountError(f"{name} is a matrix outside its layers, of unknown work")
    parts = [*alone.items(), *((name, sizes[0]) for name, sizes in found.items())]
    ffn = int(getattr(config, "intermediate_size", None) or 4 * dim)
    return {
        "dim": dim,
        "layers": layers,
        "heads": int(config.num_attention_heads),
        "vocab": int(table.weight.shape[0]),
        "table": int(table.weight.shape[1]),
        "shares_table": head.weight is table.weight,
        "position_rows": None if positions is None else positions[1],
        "parts": [[name, list(size)] for name, size in parts],
        "ffn_width": ffn,
        "wide": _wide(config, parts),
        "tables_bytes": sum(one.nbytes for one in model.buffers()),
    }


def _wide(config: Any, parts: Sequence[tuple[str, tuple[int, ...]]]) -> int:
    """Tensors of the feed-forward layer's width that live at once."""
    gates = [name for name, _ in parts if "gate" in name]
    if gates:
        # One matrix of both, whose halves are views of what it made, or one for each.
        return _FUSED if any("up" in name.rpartition("gate")[2] for name in gates) else _GATED
    return _BY_ACTIVATION.get(str(getattr(config, "hidden_act", "")), _GATED)


def _positions(model: Any, table: nn.Module, dim: int) -> tuple[str, int] | None:
    """Name and rows of a learned table of positions; None without one."""
    others = [
        (name, part)
        for name, part in model.named_modules()
        if isinstance(part, nn.Embedding) and part is not table
    ]
    if not others:
        return None
    name, part = others[0]
    if len(others) > 1 or part.weight.shape[1] != dim:
        raise CannotCountError(f"{name} is a table that is neither of tokens nor of positions")
    return f"{name}.weight", int(part.weight.shape[0])


def _cache(model: Any, config: Any) -> dict[str, Any]:
    """What the library's cache keeps of a position, and where it has a window."""
    # Its fused kernels look at the mask's numbers, of which `meta` has none.
    model.config._attn_implementation = "eager"
    cache = transformers.DynamicCache(config=config)
    ids = torch.zeros(1, _TOKENS, dtype=torch.int64, device="meta")
    try:
        with torch.no_grad():
            model(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
    except (RuntimeError, TypeError, ValueError, NotImplementedError, AttributeError) as error:
        said = " ".join(str(error).split())[:200]
        raise CannotCountError(f"its pass cannot be followed without memory: {said}") from error
    kept: set[tuple[int, ...]] = set()
    windows: list[int] = []
    for layer in cache.layers:
        keys, values = getattr(layer, "keys", None), getattr(layer, "values", None)
        if keys is None or values is None or keys.ndim != _KEYS or keys.shape[2] != _TOKENS:
            raise CannotCountError(
                f"its {type(layer).__name__} keeps a state in place of keys and values of each "
                "position: what a step reads does not grow as is counted here"
            )
        kept.add((int(keys.shape[1]), int(keys.shape[3]), int(values.shape[1] * values.shape[3])))
        if window := getattr(layer, "sliding_window", None):
            windows.append(int(window))
    if len(kept) != 1 or len(cache.layers) != config.num_hidden_layers or len(set(windows)) > 1:
        raise CannotCountError("the caches of its layers are not alike")
    ((heads, head, values_width),) = kept
    if values_width != heads * head:
        raise CannotCountError("its values are not as wide as its keys")
    return {
        "head": head,
        "kept": heads * head,
        "local": windows[0] if windows else None,
        "local_layers": len(windows),
    }


def main() -> int:
    """Count what standard input says; 0 also where it cannot be counted, and why is said."""
    logging.disable(logging.WARNING)
    config = json.load(sys.stdin)
    try:
        told = count(config)
    except CannotCountError as error:
        told = {"fault": str(error)}
    except _LIBRARY_FAULTS as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        told = {"fault": f"the library does not take it: {said}"}
    sys.stdout.write(f"{json.dumps(told)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

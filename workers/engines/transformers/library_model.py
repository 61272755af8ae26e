"""Library model: a shape as the library transformers builds it, filled on its device.

Its parameters are made one by one where they are to be, in the run's format, and filled from the
run's own source: no checkpoint of the library is read, no code of a hub is run.
"""

import inspect
from typing import Any, Final, cast

import torch
import torch.distributed as dist
import transformers
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard
from transformers.distributed.configuration_utils import DistributedConfig
from transformers.distributed.tensor_parallel import apply_tensor_parallelism

from workers.models.base.parameter import Parameter
from workers.models.base.shape import ModelShape
from workers.models.base.torch_dtypes import TORCH_DTYPES
from workers.models.library.counted import CountedShape
from workers.models.library.shape import LibraryShape
from workers.models.llama.shape import LlamaShape
from workers.models.random_weights import WeightSource
from workers.planning.families import family_of, parameters_of

# Which ids begin, end and pad is the tokenizer's to say, which need not be the library's.
_NO_IDS: Final = {"pad_token_id": None, "bos_token_id": None, "eos_token_id": None}

# Styles of the library's plan whose outputs are parts that ranks sum (its tensor_parallel.py).
_SUMMED: Final = frozenset({"rowwise", "embedding_rowwise"})


def library_config(shape: LlamaShape, max_len: int) -> Any:
    """The library's configuration of a shape, every size given: its defaults are other models'."""
    rope: dict[str, Any] = {"rope_type": "default", "rope_theta": shape.rope_theta}
    if (scaling := shape.rope_scaling) is not None:
        rope |= {
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_positions,
        }
    sizes: dict[str, Any] = {
        "vocab_size": shape.vocab,
        "hidden_size": shape.dim,
        "intermediate_size": shape.ffn,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "rms_norm_eps": shape.norm_eps,
        "max_position_embeddings": max_len,
        "tie_word_embeddings": shape.tied,
        "rope_parameters": rope,
        "hidden_act": "silu",
        **_NO_IDS,
    }
    if shape.window is not None:
        # The library's LLaMA has no window, its Mistral is the same layer with one.
        return transformers.MistralConfig(**sizes, sliding_window=shape.window)
    return transformers.LlamaConfig(**sizes)


def build_model(
    shape: ModelShape, source: WeightSource, *, dtype: str, device: torch.device, max_len: int
) -> Any:
    """The library's model of a shape on `device`, filled from `source` by our parameters' names.

    Raises:
        ValueError: the weights do not fit it.
        RuntimeError: the weights cannot be read, or the library tied no head where one is tied, or
            has no numbers for a table of its own.
    """
    config, make = _library_classes(shape, max_len)
    with torch.device("meta"):
        model = cast(Any, make)(config).eval()
    if dist.is_initialized() and (degree := dist.get_world_size()) > 1:
        _share(model, degree, device)
    names, wholes = family_of(shape).names, parameters_of(shape)
    with torch.no_grad():
        for name, blank in list(model.named_parameters()):
            if (ours := names.hugging_face_name(name)) is None:
                raise RuntimeError(
                    f"the library's {name} must be one of our parameters, but is not"
                )
            size = blank.to_local().shape if isinstance(blank, DTensor) else blank.shape
            weight = torch.empty(size, dtype=TORCH_DTYPES[dtype], device=device)
            _fill(weight, ours, blank, source, wholes[ours])
            if isinstance(shape, LlamaShape) and names.halved(ours):
                weight = _halved(weight, shape.head_dim)
            part, _, last = name.rpartition(".")
            if isinstance(blank, DTensor):
                weight = DTensor.from_local(
                    weight,
                    blank.device_mesh,
                    blank.placements,
                    run_check=False,
                    shape=blank.shape,
                    stride=blank.stride(),
                )
            kept = nn.Parameter(weight, requires_grad=False)
            model.get_submodule(part).register_parameter(last, kept)
    if shape.tied or shape.encodes:
        # An encoder and a decoder read one table, whatever the head is.
        model.tie_weights()
    if shape.encodes and not shape.tied:
        # The library ties each T5's head, which version 1.1's files hold apart.
        head = torch.empty(shape.vocab, shape.dim, dtype=TORCH_DTYPES[dtype], device=device)
        with torch.no_grad():
            source.fill("lm_head.weight", head)
        model.get_output_embeddings().weight = nn.Parameter(head, requires_grad=False)
    head_is_table = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    if shape.tied and not head_is_table:
        raise RuntimeError("the library's head must be its embedding, but is not")
    _make_buffers(model, device)
    return model


def _share(model: Any, degree: int, device: torch.device) -> None:
    """Have ranks share the model by the library's own plan, before it has memory."""
    head = model.get_output_embeddings()
    if head.weight is model.get_input_embeddings().weight:
        # The plan cuts both, each by its own name, as where the library loads a model itself.
        head.weight = nn.Parameter(torch.empty_like(head.weight), requires_grad=False)
    plan = _plan(model, degree)
    apply_tensor_parallelism(model, init_device_mesh(device.type, (degree,)), plan)
    model.tie_weights()


def _plan(model: Any, degree: int) -> dict[str, str]:
    """How the library shares each part of a model, by the part's name."""
    plan, _, _ = model._resolve_parallel_plans(DistributedConfig(tp_size=degree))
    return cast(dict[str, str], plan)


def sums_per_token(model: Any) -> int:
    """Rows of the residual stream that ranks sum for each token; 0 on one rank.

    By the library's plan they are one after attention and one after the feed-forward layer, and
    one of the embedding, of which each rank has rows.
    """
    if not dist.is_initialized() or (degree := dist.get_world_size()) == 1:
        return 0
    # The plan names a part's parameters beside the part itself, which is what sums.
    plan = _plan(model, degree)
    return sum(plan.get(name) in _SUMMED for name, _ in model.named_modules())


def _fill(weight: Tensor, name: str, blank: Any, source: WeightSource, whole: Parameter) -> None:
    """Fill this rank's part of a parameter, as the library cuts it."""
    if not isinstance(blank, DTensor) or whole.split_dim is None:
        source.fill(name, weight)
        return
    degree, placement = blank.device_mesh.size(), blank.placements[0]
    assert isinstance(placement, Shard)
    cut = placement.dim % blank.ndim
    if whole.split_dim == cut:
        source.fill(name, weight)
        return
    # The library gives each rank rows of the embedding, where the weights are cut by columns.
    mine = torch.empty(whole.part_size(degree), dtype=weight.dtype, device=weight.device)
    source.fill(name, mine)
    sent = [part.contiguous() for part in mine.chunk(degree, cut)]
    got = [torch.empty_like(sent[0]) for _ in sent]
    for to in range(degree):
        dist.gather(sent[to], got if dist.get_rank() == to else None, dst=to)
    torch.cat(got, whole.split_dim, out=weight)


def takes_places(model: Any) -> bool:
    """Whether the library's model is told at which position each token stands."""
    return "position_ids" in inspect.signature(model.forward).parameters


def _local(weight: Tensor) -> Tensor:
    """What of a parameter this rank holds."""
    return weight.to_local() if isinstance(weight, DTensor) else weight


def step_bytes(model: Any, shape: ModelShape) -> int:
    """Bytes of weights that a step of decoding reads: all but tables of which it reads rows."""
    held = sum(_local(weight).nbytes for weight in model.parameters())
    table = _local(model.get_input_embeddings().weight)
    rows = (0 if shape.tied else table.nbytes) + shape.position_params * table.element_size()
    return int(held - rows)


def _make_buffers(model: Any, device: torch.device) -> None:
    """Make what is no parameter, such as rates of turns and masks, as the library fills it itself.

    On the device `meta` it has size and no numbers. The library's own initialization gives a part
    its numbers; what that left as it was is seen by a filling that no table has.

    Raises:
        RuntimeError: the library has no numbers for one.
    """
    for part_name, part in model.named_modules():
        blank = {name: one for name, one in part.named_buffers(recurse=False) if one.is_meta}
        for name, one in blank.items():
            made = torch.empty_like(one, device=device)
            if made.is_floating_point():
                made.fill_(torch.nan)
            part.register_buffer(name, made, persistent=False)
        if blank:
            with torch.no_grad():
                model._init_weights(part)
        for name in blank:
            table = part.get_buffer(name)
            if table.is_floating_point() and not bool(table.isfinite().all()):
                raise RuntimeError(
                    f"the library's {part_name}.{name} must have been made, but was not"
                )


def _library_classes(shape: ModelShape, max_len: int) -> tuple[Any, Any]:
    """The library's configuration of a shape, and the class of its model."""
    if isinstance(shape, CountedShape):
        settings = {**shape.library_settings(), **_NO_IDS}
        made = transformers.AutoConfig.for_model(shape.model_type, **settings)
        return made, transformers.AutoModelForCausalLM.from_config
    if isinstance(shape, LibraryShape):
        made = getattr(transformers, shape.config_class)(**shape.library_settings(), **_NO_IDS)
        return made, getattr(transformers, shape.model_class)
    if not isinstance(shape, LlamaShape):
        raise RuntimeError(f"the library must know family {shape.family}, but does not")
    windowed = shape.window is not None
    make = transformers.MistralForCausalLM if windowed else transformers.LlamaForCausalLM
    return library_config(shape, max_len), make


def _halved(rows: Tensor, head: int) -> Tensor:
    """Rows of heads with pairs side by side, as the library has them: all firsts, all seconds."""
    pairs = rows.reshape(rows.shape[0] // head, head // 2, 2, rows.shape[1])
    return pairs.transpose(1, 2).reshape(rows.shape)

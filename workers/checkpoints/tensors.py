"""Tensors: the tensors of a checkpoint's files, by the released names, none of them read yet.

Meta's files each hold one slice of every matrix, cut as its ranks shared it, and every norm whole;
a Hugging Face folder holds each parameter once, under other names and, for queries and keys, with
the rows of a head in another order.
"""

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from workers.checkpoints.files import CheckpointFiles, Format
from workers.checkpoints.stored_tensor import StoredTensor
from workers.planning.parameters import parameter_sizes, part_size, split_dim
from workers.planning.shapes import ModelShape

FORMATS: Final = {"F16": "fp16", "BF16": "bf16", "F32": "fp32"}
"""Number formats that weights may be stored in: by their names in safetensors, as here."""

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


def open_tensors(files: CheckpointFiles) -> dict[str, list[StoredTensor]]:
    """What the files hold by released name: one piece, or one for each of Meta's files in order.

    The files are mapped into memory, not read. Meta's need torch.

    Raises:
        ValueError: a file is not whole, not of its kind, or holds what is no parameter of LLaMA.
        OSError: a file cannot be read.
    """
    found: dict[str, list[StoredTensor]] = {}
    for file in files.weights:
        path = files.folder / file
        if files.format is Format.META:
            # Only here is torch needed, which a login node may not have.
            from workers.checkpoints.pth import open_pth  # noqa: PLC0415

            held = open_pth(path)
        else:
            held = _open_safetensors(path)
        for name, piece in held.items():
            if _NO_PARAMETER.fullmatch(name):
                continue
            ours = name if files.format is Format.META else _released_name(name)
            if ours is None:
                raise ValueError(f"{path} must hold LLaMA's parameters alone, but holds {name!r}")
            found.setdefault(ours, []).append(piece)
    return found


def check_tensors(
    files: CheckpointFiles, pieces: Mapping[str, list[StoredTensor]], shape: ModelShape
) -> None:
    """Refuse files that do not make up the parameters of `shape`, each once.

    Raises:
        ValueError: a parameter is missing, strange, or of another size or number format.
    """
    parts = len(files.weights) if files.format is Format.META else 1
    sizes = dict(parameter_sizes(shape))
    for name, found in pieces.items():
        if name not in sizes:
            raise ValueError(
                f"`weights` must hold the parameters of {shape.name} alone, "
                f"but {files.folder / found[0].file} holds {name!r}"
            )
    for name, size in sizes.items():
        found = pieces.get(name, [])
        if len(found) != parts:
            missing = sorted(set(files.weights) - {piece.file for piece in found})
            where = f"{missing[0]} lacks it" if parts > 1 and missing else "no file holds it"
            fault = where if len(found) < parts else f"{len(found)} files hold it"
            raise ValueError(
                f"`weights` must hold {name} of {shape.name}, but in {files.folder} {fault}"
            )
        for piece in found:
            _check_piece(files, name, size, piece, parts)


def _check_piece(
    files: CheckpointFiles, name: str, size: tuple[int, ...], piece: StoredTensor, parts: int
) -> None:
    path = files.folder / piece.file
    if piece.format not in FORMATS.values():
        raise ValueError(
            f"`weights` must be stored as one of {', '.join(FORMATS.values())}, "
            f"but {path} holds {name} as {piece.format} instead"
        )
    if piece.size == (expected := part_size(name, size, parts)):
        return
    of = f", one of {parts} slices of {_by(size)}," if parts > 1 else ""
    hint = ""
    dim = split_dim(name)
    if files.format is Format.META and dim is not None and len(piece.size) == len(size):
        others = piece.size[:dim] + piece.size[dim + 1 :]
        slices, rest = divmod(size[dim], piece.size[dim] or 1)
        if others == size[:dim] + size[dim + 1 :] and not rest:
            hint = f": it was cut for {slices} files, of which {parts} are here"
    if name in ("tok_embeddings.weight", "output.weight") and not hint:
        hint = "; its vocabulary must be the tokenizer's"
    raise ValueError(
        f"`weights` must hold {name} as {_by(expected)}{of} but {path} holds it as "
        f"{_by(piece.size)} instead{hint}"
    )


def _open_safetensors(path: Path) -> dict[str, StoredTensor]:
    import safetensors  # noqa: PLC0415 (a login node with random weights alone may lack it)

    framework = "pt" if importlib.util.find_spec("torch") else "np"
    handle: Any
    try:
        handle = safetensors.safe_open(path, framework=framework)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} must be a whole .safetensors file, but is not: {error}") from (
            error
        )
    pieces = {}
    # A handle, not a dict: it has keys and no iterator.
    for name in handle.keys():  # noqa: SIM118
        stored = handle.get_slice(name)
        pieces[name] = StoredTensor(
            file=path.name,
            size=tuple(stored.get_shape()),
            format=FORMATS.get(stored.get_dtype(), stored.get_dtype()),
            read=stored.__getitem__,
        )
    return pieces


def _released_name(name: str) -> str | None:
    if table := _THEIR_TABLES.get(name):
        return table
    layer = _THEIR_LAYER.fullmatch(name)
    if layer is None or layer[2] not in _THEIR_NAMES:
        return None
    return f"layers.{layer[1]}.{_THEIR_NAMES[layer[2]]}.weight"


def _by(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size)) or "one number"

"""Tensors: the tensors of a checkpoint's files, by the released names, none of them read yet.

Meta's files each hold one slice of every matrix, cut as its ranks shared it, and every norm whole;
a Hugging Face folder holds each parameter once, under other names and, for queries and keys, with
the rows of a head in another order.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from workers.checkpoints.files import CheckpointFiles, Format
from workers.checkpoints.slices import check_copies, check_slices
from workers.checkpoints.stored_tensor import StoredTensor
from workers.inputs.kinds import one_line
from workers.models.base.family import CheckpointNames
from workers.models.base.parameter import Parameter
from workers.models.base.shape import ModelShape
from workers.planning.families import family_of, parameters_of

FORMATS: Final = {"F16": "fp16", "BF16": "bf16", "F32": "fp32"}
"""Number formats that weights may be stored in: by their names in safetensors, as here."""


def open_tensors(files: CheckpointFiles, names: CheckpointNames) -> dict[str, list[StoredTensor]]:
    """What the files hold by parameter: one piece, or one for each of Meta's files in order.

    `names` tells which name is which parameter. The files are mapped into memory, not read; Meta's
    need torch.

    Raises:
        ValueError: a file is not whole, not of its kind, or holds what is no parameter.
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
            if names.no_parameter.fullmatch(name):
                continue
            ours = name if files.format is Format.META else names.hugging_face_name(name)
            if ours is None:
                raise ValueError(
                    f"{path} must hold {names.title}'s parameters alone, but holds {name!r}"
                )
            found.setdefault(ours, []).append(piece)
    return found


def check_tensors(
    files: CheckpointFiles, pieces: Mapping[str, list[StoredTensor]], shape: ModelShape
) -> None:
    """Refuse files that do not make up the parameters of `shape`, each once.

    That no two of them hold the same numbers is looked at where torch can read them.

    Raises:
        ValueError: a parameter is missing, strange, of another size or number format, or there
            twice under two names or in two files.
    """
    parts = len(files.weights) if files.format is Format.META else 1
    parameters = parameters_of(shape)
    copies = family_of(shape).names.copies if shape.tied else {}
    for name, found in pieces.items():
        if name not in parameters and name in copies:
            if importlib.util.find_spec("torch"):
                check_copies(files, found, name, pieces.get(copies[name], []), copies[name])
        elif name not in parameters:
            raise ValueError(
                f"`weights` must hold the parameters of {shape.name} alone, "
                f"but {files.folder / found[0].file} holds {name!r}"
            )
    for name, parameter in parameters.items():
        found = pieces.get(name, [])
        if len(found) != parts:
            missing = sorted(set(files.weights) - {piece.file for piece in found})
            where = f"{missing[0]} lacks it" if parts > 1 and missing else "no file holds it"
            fault = where if len(found) < parts else f"{len(found)} files hold it"
            raise ValueError(
                f"`weights` must hold {name} of {shape.name}, but in {files.folder} {fault}"
            )
        for piece in found:
            _check_piece(files, parameter, piece, parts, shape.vocab)
    if importlib.util.find_spec("torch"):
        check_slices(files, pieces, shape)


def _check_piece(
    files: CheckpointFiles, parameter: Parameter, piece: StoredTensor, parts: int, vocab: int
) -> None:
    name, size, dim = parameter.name, parameter.size, parameter.split_dim
    path = files.folder / piece.file
    if piece.format not in FORMATS.values():
        raise ValueError(
            f"`weights` must be stored as one of {', '.join(FORMATS.values())}, "
            f"but {path} holds {name} as {piece.format} instead"
        )
    if piece.size == (expected := parameter.part_size(parts)):
        return
    of = f", one of {parts} slices of {_by(size)}," if parts > 1 else ""
    hint = ""
    if files.format is Format.META and dim is not None and len(piece.size) == len(size):
        others = piece.size[:dim] + piece.size[dim + 1 :]
        slices, rest = divmod(size[dim], piece.size[dim] or 1)
        if others == size[:dim] + size[dim + 1 :] and not rest:
            hint = f": it was cut for {slices} files, of which {parts} are here"
    if size[0] == vocab and not hint:
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
        raise ValueError(
            f"{path} must be a whole .safetensors file, but is not: {one_line(error)}"
        ) from (error)
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


def _by(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size)) or "one number"

"""Files: which files of a folder are a checkpoint, and of which model.

Two kinds of folder are read: `consolidated.NN.pth` with `params.json` as Meta published them, and
`config.json` with `.safetensors` as the Hugging Face hub holds them. No torch here: a login node
tells what is wrong before anything is queued.
"""

import math
import re
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from workers.inputs.kinds import FileKind, file_fault, one_line
from workers.inputs.strict_json import read_object
from workers.models.base.shape import ModelShape
from workers.planning.families import family_of

_SHARD: Final = re.compile(r"consolidated\.(\d+)\.pth")
_SINGLE: Final = "model.safetensors"
_INDEX: Final = "model.safetensors.index.json"
# As transformers' save_pretrained names them; no separator, so none leads out of the folder.
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors")
# A shard as transformers' save_pretrained names it.
_THEIR_SHARD: Final = re.compile(r"model-\d+-of-\d+\.safetensors")
_TAKES: Final = {".pth": {FileKind.ZIP}, ".safetensors": {FileKind.SAFETENSORS}}
"""What the files of weights are, by suffix; settings are text."""
# A message is one line; a value longer than this is no size.
_MOST_CHARS: Final = 100


class Format(StrEnum):
    """How a checkpoint's files are laid out."""

    META = "meta-pth"
    """`params.json` and one `consolidated.NN.pth` for each rank that Meta ran."""
    HUGGING_FACE = "hugging-face-safetensors"
    """`config.json` and whole parameters in one or more `.safetensors`."""


@dataclass(frozen=True, kw_only=True)
class CheckpointFiles:
    """The files of one checkpoint, all of them there."""

    folder: Path
    """Where all of them lie."""
    format: Format
    """Whose layout they have."""
    weights: tuple[str, ...]
    """Names of the files that hold parameters, in order."""
    settings: tuple[str, ...]
    """Names of the JSON files beside them; the first describes the model."""

    def paths(self) -> Iterator[Path]:
        """Every file that decides the weights."""
        for name in (*self.weights, *self.settings):
            yield self.folder / name


def find_files(folder: Path) -> CheckpointFiles:
    """The checkpoint in `folder`.

    Raises:
        ValueError: there is none, a part of it is missing, or there are two.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise ValueError(f"`weights` must be random or a checkpoint's folder, but {folder} {what}")
    try:
        names = {child.name for child in folder.iterdir()}
    except PermissionError as error:
        raise ValueError(f"`weights` must be readable, but {folder} is not") from error
    meta = sorted(name for name in names if _SHARD.fullmatch(name))
    theirs = names & {_SINGLE, _INDEX}
    if "adapter_config.json" in names:
        raise ValueError(
            f"`weights` must be a whole model, but {folder} holds an adapter, which is not "
            "applied: merge it, and name the merged model's folder"
        )
    if meta:
        theirs |= {name for name in names if name.endswith(".safetensors")}
    if meta and theirs:
        raise ValueError(
            f"`weights` must hold one checkpoint, but {folder} holds {meta[0]} and "
            f"{min(theirs)}: name a folder with one of them"
        )
    if meta:
        files = _meta_files(folder, meta)
    elif theirs:
        files = _hugging_face_files(folder, names)
    else:
        raise ValueError(
            f"`weights` must hold consolidated.NN.pth, {_SINGLE} or {_INDEX}, but {folder} "
            f"holds {_holding(names)}"
        )
    for path in files.paths():
        if fault := file_fault(path, _TAKES.get(path.suffix, frozenset())):
            missing = "is missing" if fault == "does not exist" else fault
            raise ValueError(f"`weights` must be whole, but {path} {missing}")
    return files


def check_model(files: CheckpointFiles, shape: ModelShape) -> None:
    """Refuse a checkpoint of another model than `shape`.

    Raises:
        ValueError: its settings differ in a size, or ask for what the shape does not know.
    """
    path = files.folder / files.settings[0]
    content = read_object(path)
    names = family_of(shape).names
    meta = files.format is Format.META
    said = names.meta_settings if meta else names.hugging_face_settings
    if said is None:
        raise ValueError(
            f"`weights` must be of {shape.name}, but no {names.title} was published as {path.name}"
        )
    pairs = said(content, shape)
    while (pair := _next_pair(pairs, path, names.title)) is not None:
        name, value, expected = pair
        if not _equal(value, expected):
            raise ValueError(
                f"`weights` must be of {shape.name}, whose {name} is {_short(expected)}, "
                f"but {path} says {_short(value)} instead"
            )


def _next_pair(
    pairs: Iterator[tuple[str, object, object]], path: Path, title: str
) -> tuple[str, object, object] | None:
    """The next setting; what is of another type than settings are describes no model."""
    try:
        return next(pairs, None)
    except (TypeError, AttributeError, ArithmeticError, ValueError) as error:
        raise ValueError(f"{path} must describe a {title} model, but {one_line(error)}") from error


def _meta_files(folder: Path, names: list[str]) -> CheckpointFiles:
    for number, name in enumerate(names):
        expected = f"consolidated.{number:02d}.pth"
        if name != expected:
            raise ValueError(
                f"`weights` must be whole, but {folder / expected} is missing beside {names[-1]}"
            )
    return CheckpointFiles(
        folder=folder, format=Format.META, weights=tuple(names), settings=("params.json",)
    )


def _hugging_face_files(folder: Path, names: set[str]) -> CheckpointFiles:
    if _SINGLE in names:
        if shards := sorted(name for name in names if _THEIR_SHARD.fullmatch(name)):
            raise ValueError(
                f"`weights` must hold one checkpoint, but {folder} holds {_SINGLE} and "
                f"{shards[0]}: name a folder with one of them"
            )
        # An index without its files: transformers, too, takes the single file then.
        weights, settings = [_SINGLE], ["config.json"]
    else:
        held = read_object(folder / _INDEX).get("weight_map")
        if not isinstance(held, dict) or not held:
            raise ValueError(f"{folder / _INDEX} must hold a `weight_map`, but holds none")
        for name in held.values():
            if not isinstance(name, str) or not _PLAIN_NAME.fullmatch(name):
                raise ValueError(
                    f"{folder / _INDEX} must name .safetensors files beside it, "
                    f"but names {_short(name)} instead"
                )
        weights, settings = sorted(set(held.values())), ["config.json", _INDEX]
    return CheckpointFiles(
        folder=folder,
        format=Format.HUGGING_FACE,
        weights=tuple(weights),
        settings=tuple(settings),
    )


def _holding(names: set[str]) -> str:
    for pattern, what in (
        (r"pytorch_model.*\.bin", "PyTorch's .bin files, which are not read"),
        (r".*\.safetensors", f".safetensors files without {_INDEX}"),
        (r".*\.gguf", "GGUF files, which are not read"),
    ):
        if any(re.fullmatch(pattern, name) for name in names):
            return what
    return "nothing of the kind" if names else "nothing"


def _equal(value: object, expected: object) -> bool:
    if isinstance(expected, float) and isinstance(value, int | float):
        return math.isclose(value, expected, rel_tol=1e-9)
    # 1 == True, and 32.0 == 32: a size is a whole number.
    return type(value) is type(expected) and value == expected


def _short(value: object) -> str:
    # A foreign value may be nested deeper than repr itself can go.
    return "not given" if value is None else one_line(reprlib.repr(value), _MOST_CHARS)

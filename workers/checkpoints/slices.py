"""Slices: no two parts of a checkpoint hold the same numbers, as no two of a trained model do.

A slice that was copied in place of another fits in name, size and format, and half of every matrix
is then there twice. Of each matrix one row of each part is looked at: thousands of numbers of which
not all are alike never come out equal by themselves.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from workers.checkpoints.files import CheckpointFiles
from workers.checkpoints.stored_tensor import StoredTensor
from workers.models.base.shape import ModelShape
from workers.planning.families import parameters_of

# Rows of a copy that are compared at once: 25 MB at 3,072 columns.
_ROWS: Final = 4096


def check_slices(
    files: CheckpointFiles, pieces: Mapping[str, list[StoredTensor]], shape: ModelShape
) -> None:
    """Refuse files of which a matrix, or a slice of one, is there twice.

    That all parameters are there, in their sizes, was looked at before.

    Raises:
        ValueError: two parts hold the same numbers.
        OSError: a file cannot be read.
    """
    seen: dict[tuple[float, ...], tuple[str, str]] = {}
    for name, parameter in parameters_of(shape).items():
        if parameter.split_dim is None:
            continue
        for piece in pieces[name]:
            row = _middle_row(piece)
            # A row of one number, such as an embedding's of a token never met, tells nothing.
            if len(set(row)) == 1:
                continue
            first, file = seen.setdefault(row, (name, piece.file))
            if (first, file) != (name, piece.file):
                raise ValueError(
                    f"`weights` must hold each part of a model once, but {first} in "
                    f"{files.folder / file} and {name} in {piece.file} are the same numbers"
                )


def check_copies(
    files: CheckpointFiles,
    copy: Sequence[StoredTensor],
    name: str,
    tied: Sequence[StoredTensor],
    of: str,
) -> None:
    """Refuse a parameter that must be another's copy, as a tied model has one, and is not.

    Raises:
        ValueError: a number of it differs, or a size, or how it is stored.
        OSError: a file cannot be read.
    """
    pairs = zip(copy, tied, strict=True) if len(copy) == len(tied) else ()
    same = len(copy) == len(tied) and all(_same(one, other) for one, other in pairs)
    if not same:
        raise ValueError(
            f"`weights` must hold {name} as a copy of {of}, to which the model ties it, but "
            f"{files.folder / copy[0].file} holds other numbers instead"
        )


def _same(one: StoredTensor, other: StoredTensor) -> bool:
    if (one.size, one.format) != (other.size, other.format):
        return False
    for begin in range(0, one.size[0], _ROWS):
        rows = slice(begin, begin + _ROWS)
        box = (rows, *(slice(None) for _ in one.size[1:]))
        if not bool((one.read(box) == other.read(box)).all()):
            return False
    return True


def _middle_row(piece: StoredTensor) -> tuple[float, ...]:
    at = piece.size[0] // 2
    return tuple(piece.read((slice(at, at + 1), slice(None))).flatten().tolist())

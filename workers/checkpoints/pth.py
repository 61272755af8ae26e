"""Pth: the plain tensors of a file that `torch.save` wrote, mapped into memory.

`torch.load` is told to make tensors alone: a pickle that would call anything else is refused.
"""

import struct
from pathlib import Path
from pickle import UnpicklingError
from typing import Final

import torch
from torch import Tensor

from workers.checkpoints.stored_tensor import StoredTensor
from workers.inputs.kinds import one_line
from workers.models.base.torch_dtypes import format_name

# What torch's own unpickler raises of a pickle with bytes that changed: it checks none of them.
_BROKEN: Final = (
    *(RuntimeError, EOFError, TypeError, ValueError, LookupError, AttributeError),
    *(AssertionError, ArithmeticError, struct.error),
)


def open_pth(path: Path) -> dict[str, StoredTensor]:
    """The file's tensors by name; their numbers are read when they are asked for.

    Raises:
        ValueError: the file is not whole, or holds anything but a flat dict of plain tensors.
        OSError: it cannot be read.
    """
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except UnpicklingError as error:
        raise ValueError(
            f"{path} must hold plain tensors alone, but its pickle asks for more: it is not loaded"
        ) from error
    except _BROKEN as error:
        raise ValueError(
            f"{path} must be a whole zip file of torch.save, but is not: {_short(error)}"
        ) from error
    if not isinstance(held, dict):
        raise ValueError(
            f"{path} must hold a dict of tensors, but holds a {type(held).__name__} instead"
        )
    pieces = {}
    for name, tensor in held.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ValueError(
                f"{path} must hold a dict of tensors by name, "
                f"but holds a {type(tensor).__name__} as {name!r}"
            )
        if tensor.layout is not torch.strided or tensor.device.type != "cpu":
            raise ValueError(f"{path} must hold plain tensors alone, but {name} is none")
        pieces[name] = StoredTensor(
            file=path.name,
            size=tuple(tensor.shape),
            format=format_name(tensor.dtype),
            read=tensor.detach().__getitem__,
        )
    return pieces


def _short(error: Exception) -> str:
    # torch's own first sentence; the rest is advice on downloading again.
    return one_line(str(error).split(". ", 1)[0]) or "it ends too early"

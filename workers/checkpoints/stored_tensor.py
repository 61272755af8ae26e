"""A tensor as a checkpoint's file stores it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class StoredTensor:
    """One stored tensor."""

    file: str
    """Name of the file that holds it."""
    size: tuple[int, ...]
    """Its shape as stored: of a matrix in Meta's files, one slice's."""
    format: str
    """Its number format: a value of `FORMATS`, or whatever else its file calls it."""
    read: Callable[[tuple[slice, ...]], Any]
    """The tensor's numbers in a box, one slice for each dimension; needs torch."""

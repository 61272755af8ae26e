"""A tensor as a checkpoint's file stores it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One stored tensor."""

    file: str
    """Name of the file that holds it."""
    size: tuple[int, ...]
    format: str
    """Its number format: a value of `FORMATS`, or whatever else its file calls it."""
    read: Callable[[tuple[slice, ...]], Any]
    """The tensor's numbers in a box, one slice for each dimension; needs torch."""

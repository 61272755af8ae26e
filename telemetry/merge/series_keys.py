"""Series keys: one small whole number for each host, device and field that a table has met.

Codes are given in the order in which keys are met, which a merge keeps the same each time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Key = tuple[str, str, str]
"""Host, device and field."""

Codes = npt.NDArray[np.int32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Alphabet:
    """What the codes of `SeriesKeys` mean, and their order."""

    ranks: npt.NDArray[np.int64]
    """Place of each code's key among all keys, sorted."""
    words: tuple[pa.Array, pa.Array, pa.Array]
    """The different hosts, devices and fields, each sorted."""
    indices: tuple[Codes, Codes, Codes]
    """For each code its host's, device's and field's place in `words`."""


class SeriesKeys:
    """Keys by code and codes by key."""

    def __init__(self) -> None:
        self._codes: dict[Key, int] = {}
        self._alphabet: Alphabet | None = None

    def __len__(self) -> int:
        return len(self._codes)

    def keys(self) -> list[Key]:
        """All keys, by code."""
        return list(self._codes)

    def encode(self, keys: Sequence[Key]) -> Codes:
        """The codes of `keys`; new keys get the next ones."""
        codes = self._codes
        known = len(codes)
        found = np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int32)
        if len(codes) > known:
            self._alphabet = None
        return found

    def alphabet(self) -> Alphabet:
        """The order of all codes there are now."""
        if self._alphabet is None:
            self._alphabet = _alphabet(self.keys())
        return self._alphabet


def ranks(keys: Sequence[Key]) -> npt.NDArray[np.int64]:
    """For each key its place among all of them, sorted."""
    places = np.empty(len(keys), dtype=np.int64)
    places[sorted(range(len(keys)), key=keys.__getitem__)] = np.arange(len(keys))
    return places


def _alphabet(keys: Sequence[Key]) -> Alphabet:
    words = []
    indices = []
    for column in range(3):
        different = sorted({key[column] for key in keys})
        place = {word: index for index, word in enumerate(different)}
        words.append(pa.array(different, pa.string()))
        indices.append(np.array([place[key[column]] for key in keys], dtype=np.int32))
    return Alphabet(
        ranks=ranks(keys),
        words=(words[0], words[1], words[2]),
        indices=(indices[0], indices[1], indices[2]),
    )

"""Sample arrays: rows of the samples table as arrays of numbers, 20 bytes a row.

Host, device and field are one code. The few rows that are not just a value, but null or with a
reason, have a remark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from telemetry.merge.series_keys import Alphabet, Codes, Integers
from telemetry.record.schema import SAMPLES

_Order = npt.NDArray[np.intp]

CODED: Final = pa.schema(
    [
        field.with_type(pa.dictionary(pa.int32(), pa.string()))
        if field.name in ("host", "device", "field")
        else field
        for field in SAMPLES
    ]
)
"""The samples table's columns with words as codes: Parquet stores both the same."""

NullReason = tuple[bool, str | None]
"""Whether the value is null, and the reason."""

PLAIN: Final[NullReason] = (False, None)
"""The remark of a row that is a value without a reason: number 0."""


class NullReasons:
    """One small whole number for each different pair of being null and the reason."""

    def __init__(self) -> None:
        self._numbers: dict[NullReason, int] = {PLAIN: 0}

    def encode(self, remarks: Sequence[NullReason]) -> Codes:
        """The numbers of `remarks`; new ones get the next."""
        numbers = self._numbers
        return np.array([numbers.setdefault(one, len(numbers)) for one in remarks], dtype=np.int32)

    def __len__(self) -> int:
        return len(self._numbers)

    def listed(self) -> list[NullReason]:
        """All remarks, by number."""
        return list(self._numbers)


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Some rows of the samples table."""

    t_us: Integers
    """Time of each row, int64 of shape (n,), on the reference host's clock."""
    code: Codes
    """Host, device and field, by a `SeriesKeys`."""
    value: npt.NDArray[np.float64]
    """NaN where it is null."""
    remark: Codes | None
    """Number in `NullReasons`; None when all are plain values."""

    def __len__(self) -> int:
        return len(self.t_us)

    def slice(self, start: int, stop: int) -> "Samples":
        """Neighbouring rows, not copied."""
        return Samples(
            t_us=self.t_us[start:stop],
            code=self.code[start:stop],
            value=self.value[start:stop],
            remark=None if self.remark is None else self.remark[start:stop],
        )

    def take(self, rows: _Order | npt.NDArray[np.bool_]) -> "Samples":
        """The rows at these positions, or where true."""
        return Samples(
            t_us=self.t_us[rows],
            code=self.code[rows],
            value=self.value[rows],
            remark=None if self.remark is None else self.remark[rows],
        )

    @classmethod
    def concatenate(cls, pieces: Sequence["Samples"]) -> Self:
        """All rows of the pieces, in their order."""
        remark = None
        if any(piece.remark is not None for piece in pieces):
            remark = np.concatenate(
                [
                    np.zeros(len(piece), dtype=np.int32) if piece.remark is None else piece.remark
                    for piece in pieces
                ]
            )
        return cls(
            t_us=np.concatenate([piece.t_us for piece in pieces]),
            code=np.concatenate([piece.code for piece in pieces]),
            value=np.concatenate([piece.value for piece in pieces]),
            remark=remark,
        )

    def order(self, code_ranks: Integers) -> tuple[_Order, npt.NDArray[np.bool_]]:
        """Positions of the rows by time, host, device and field, and which repeat the one before.

        `code_ranks` is each code's place among the sorted keys.
        """
        key = self._sort_key(code_ranks)
        if key is not None:
            # Runs that are sorted already merge in one pass each.
            order = np.argsort(key, kind="stable")
            key = key[order]
            same = key[1:] == key[:-1]
        else:
            rank = code_ranks[self.code]
            order = np.lexsort((rank, self.t_us))
            t_us, rank = self.t_us[order], rank[order]
            same = (t_us[1:] == t_us[:-1]) & (rank[1:] == rank[:-1])
        return order, np.append(False, same)

    def sorted(self, code_ranks: Integers) -> "Samples":
        """The rows by time, host, device and field; not copied where they stand so."""
        key = self._sort_key(code_ranks)
        if key is not None and bool((key[1:] >= key[:-1]).all()):
            return self
        order = self.order(code_ranks)[0] if key is None else np.argsort(key, kind="stable")
        return self.take(order)

    def _sort_key(self, code_ranks: Integers) -> Integers | None:
        """One whole number a row that sorts as the row does; None where 64 bits do not hold it."""
        if len(self) == 0:
            return self.t_us
        start_us = int(self.t_us.min())
        span_us = int(self.t_us.max()) - start_us + 1
        if span_us * len(code_ranks) >= np.iinfo(np.int64).max:
            return None
        key = self.t_us - start_us
        key *= len(code_ranks)
        key += code_ranks[self.code]
        return key

    def to_table(self, alphabet: Alphabet, remarks: Sequence[NullReason]) -> pa.Table:
        """The rows under `CODED`; `alphabet` and `remarks` are of all codes and remarks."""
        words = [
            pa.DictionaryArray.from_arrays(pa.array(indices[self.code]), different, safe=False)
            for indices, different in zip(alphabet.indices, alphabet.words, strict=True)
        ]
        if self.remark is None or not self.remark.any():
            value = pa.array(self.value)
            reason = pa.nulls(len(self), pa.string())
        else:
            is_null = np.array([null for null, _ in remarks])
            value = pa.array(self.value, mask=is_null[self.remark])
            reason = pa.array([why for _, why in remarks], pa.string()).take(pa.array(self.remark))
        return pa.Table.from_arrays([pa.array(self.t_us), *words, value, reason], schema=CODED)

"""One reading of one GPU over time, as arrays."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """Readings of one field of one device: sorted by time, without nulls."""

    t_us: IntArray
    """Shape (n,), not falling."""
    value: FloatArray
    """Shape (n,), in the field's unit."""
    nulls: int = 0
    """Readings that were null and are left out here."""
    null_reason: str | None = None
    """The commonest reason of a null; None when there was no null."""
    width_us: IntArray | None = None
    """Shape (n,): each was read at some moment of this width around its `t_us`; None for at it."""

    null_us: IntArray | None = None
    """When the readings that were null were due, rising; None when there was no null."""
    breaks: tuple[tuple[int, str], ...] = ()
    """When a null was told that a counter has no difference over, and its reason."""
    impossible: int = 0
    """How many of the nulls were values that no sensor can mean."""

    def __post_init__(self) -> None:
        if self.t_us.shape != self.value.shape:
            raise ValueError(
                f"`value` must have the shape of `t_us`, but has {self.value.shape} "
                f"against {self.t_us.shape} instead"
            )

    def first_of_each(self) -> NDArray[np.bool_]:
        """Shape (n,): True for the first reading of each moment."""
        return np.concatenate(([True], np.diff(self.t_us) > 0))[: len(self)]

    def distinct(self) -> tuple[IntArray, FloatArray]:
        """Times and values of the first reading of each moment."""
        keep = self.first_of_each()
        return self.t_us[keep], self.value[keep]

    def too_few(self, count: int) -> str:
        """Why `count` readings are too few, with what became of the others."""
        if self.null_reason is not None:
            return f"{count} readings, {self.nulls} nulls: {self.null_reason}"
        return f"{count} readings"

    def __len__(self) -> int:
        return len(self.t_us)

    def without(self, wild: NDArray[np.bool_], reason: str) -> "Series":
        """The same with the readings that are `wild` counted as nulls for `reason`."""
        lost_us = self.t_us[wild]
        return replace(
            self,
            t_us=self.t_us[~wild],
            value=self.value[~wild],
            width_us=None if self.width_us is None else self.width_us[~wild],
            nulls=self.nulls + int(wild.sum()),
            impossible=self.impossible + int(wild.sum()),
            null_us=np.union1d(self.t_us[:0] if self.null_us is None else self.null_us, lost_us),
            null_reason=reason if int(wild.sum()) >= self.nulls else self.null_reason,
        )

    def between(self, start_us: int, end_us: int) -> "Series":
        """The readings from `start_us` to `end_us`, both included."""
        first = int(np.searchsorted(self.t_us, start_us, side="left"))
        last = int(np.searchsorted(self.t_us, end_us, side="right"))
        return Series(t_us=self.t_us[first:last], value=self.value[first:last])

    def holding(self, start_us: int, end_us: int, reach_us: int) -> "Series":
        """The same and the last reading before, if no further back than `reach_us`.

        A level that is read seldom holds until it is read again.
        """
        first = int(np.searchsorted(self.t_us, start_us, side="left"))
        known = first > 0 and start_us - int(self.t_us[first - 1]) <= reach_us
        return self.between(int(self.t_us[first - 1]) if known else start_us, end_us)

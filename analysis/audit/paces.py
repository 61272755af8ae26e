"""Paces: the digests by which the times and the tokens of a batch are known again."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from analysis.audit.check import Case
from analysis.runs.series import IntArray
from analysis.runs.table_arrays import int_array

# Times between steps come to the microsecond: 16 that vary are those of no second batch.
_LEAST_STEPS: Final = 16
# Of a record whose steps are evenly spaced nothing can be told.
_LEAST_DIFFERENT: Final = 8


@dataclass(frozen=True, kw_only=True)
class Paces:
    """What stands for the batches of one run."""

    steps: Mapping[int, bytes]
    """Of each batch whose steps vary enough: a digest of the times between them, by its number."""
    ids: bytes
    """A digest of all generated ids, in the order of the prompts' passes."""
    ids_count: int
    """How many they are."""
    inputs: str
    """SHA-256 of the prompts file, as launch.json has it; empty where it does not."""


def run_paces(case: Case) -> Paces:
    """The digests of a run's batches."""
    responses = case.run.responses.select(["batch", "row", "generated_ids"])
    responses = responses.sort_by([("batch", "ascending"), ("row", "ascending")])
    ids = np.asarray(responses["generated_ids"].combine_chunks().flatten().to_numpy(), dtype="<i8")
    steps = case.run.steps
    return Paces(
        steps=dict(_paces(steps)) if steps is not None else {},
        ids=hashlib.sha256(ids.tobytes()).digest(),
        ids_count=len(ids),
        inputs=_text(case.run.launch.get("prompts_sha256")),
    )


def _paces(steps: pa.Table) -> Iterator[tuple[int, bytes]]:
    batch, t_us = int_array(steps, "batch"), int_array(steps, "t_us")
    starts = np.flatnonzero(np.diff(batch, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(batch)], strict=True):
        between: IntArray = np.diff(t_us[start:stop])
        if len(between) >= _LEAST_STEPS and len(np.unique(between)) >= _LEAST_DIFFERENT:
            digest = hashlib.sha256(np.ascontiguousarray(between, dtype="<i8").tobytes())
            yield int(batch[start]), digest.digest()[:16]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

"""Which fields of the table DCGM reads, and how often each may be asked for."""

from collections.abc import Sequence
from typing import Final

from telemetry.fields import FIELDS, Field, Subject

PROFILING_PERIOD_US: Final = 100_000
"""NVIDIA: profiling polled faster is invalid on Hopper (github.com/NVIDIA/DCGM/issues/310)."""

# dcgm_fields.h: profiling fields are 1001 to 1075; what lies above are device fields again.
_PROFILING_IDS: Final = range(1001, 1076)


def dcgm_fields(names: Sequence[str] | None) -> list[Field]:
    """The GPU readings that DCGM has, device fields first; of `names` unless that is None.

    Raises:
        ValueError: none of `names` is one of DCGM's.
    """
    fields = [
        field
        for field in FIELDS.values()
        if field.subject is Subject.GPU
        and field.dcgm_id is not None
        and (names is None or field.name in names)
    ]
    if not fields:
        raise ValueError(
            f"`gpu_fields` must hold a reading that DCGM has, but is {names!r} instead"
        )
    return sorted(fields, key=is_profiling)


def is_profiling(field: Field) -> bool:
    """True for a field that DCGM's profiling reads: supported by some GPUs, at 100 ms at best."""
    return field.dcgm_id in _PROFILING_IDS


def watch_period_us(field: Field, period_us: int) -> int:
    """How often a field is polled when `period_us` is asked for."""
    return max(period_us, PROFILING_PERIOD_US) if is_profiling(field) else period_us


def by_kind(fields: Sequence[Field]) -> list[list[Field]]:
    """Device fields and profiling fields apart, as one profiling field can fail its whole group."""
    device = [field for field in fields if not is_profiling(field)]
    profiling = [field for field in fields if is_profiling(field)]
    return [kind for kind in (device, profiling) if kind]

"""Which fields of the table DCGM reads, and how often each may be asked for."""

from collections.abc import Sequence
from typing import Final

from telemetry.clock import US_PER_S
from telemetry.record.fields import FIELDS, Field, Subject
from telemetry.sources.schedule import cadence_us

# An engine cannot be asked for a last value when a run ends: this bounds how old the last one is.
# Profiling is never polled faster than every 100 ms, which NVIDIA calls invalid on Hopper
# (github.com/NVIDIA/DCGM/issues/310): its cadence is a second too.
_SLOWEST_US: Final = US_PER_S

# dcgm_fields.h: profiling fields are 1001 to 1075; what lies above are device fields again.
_PROFILING_IDS: Final = range(1001, 1076)


def dcgm_fields(names: Sequence[str] | None) -> list[Field]:
    """The GPU readings that DCGM has; of `names` unless that is None.

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
    return fields


def is_profiling(field: Field) -> bool:
    """True for a field that DCGM's profiling reads: supported by some GPUs alone."""
    return field.dcgm_id in _PROFILING_IDS


def watch_period_us(field: Field, period_us: int, *, sampled: bool) -> int:
    """How often the engine polls a field when `period_us` is asked for.

    `sampled` is true where the driver's own power samples are taken as well.
    """
    asked_us = cadence_us(field.name, period_us, sampled=sampled)
    return max(period_us, min(asked_us, _SLOWEST_US))


def by_watch(
    fields: Sequence[Field], period_us: int, *, sampled: bool
) -> list[tuple[int, list[Field]]]:
    """Fields that one watch can hold, each with its period.

    Device fields and profiling fields stay apart, as one profiling field can fail its whole group.
    """
    found: dict[tuple[bool, int], list[Field]] = {}
    for field in fields:
        asked_us = watch_period_us(field, period_us, sampled=sampled)
        found.setdefault((is_profiling(field), asked_us), []).append(field)
    return [(asked_us, together) for (_, asked_us), together in sorted(found.items())]

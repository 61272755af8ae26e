"""Reading checks: is what a node's source was to read there, possible, and told alike by all?"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.audit.check import Case, Check, Finding, Severity, judged, skipped, unseen
from analysis.energy.gpu_energy import Gpu
from telemetry.boards.sensor_timing import POWER_FIELDS
from telemetry.clock import US_PER_MS, US_PER_S

# Keys under which a source tells at what pace it was to take which readings, and which it lacks.
ASKED_KEY: Final = "asked_us"
MISSING_KEY: Final = "missing"
# How telemetry.record.reading_bounds begins to tell of a value that cannot be. A value below a
# least one above 0 is what boards without the sensor give.
_IMPOSSIBLE: Final = "the sensor gave"
_NO_SENSOR: Final = "the sensor gave a value below"
_NEGATIVE: Final = "the sensor gave a value below 0"
# What names a series.
_NAMES: Final = ("host", "device", "field")
_UTILIZATION: Final = "gpu_utilization"
# One reading may see the pause between two batches.
_LEAST_READ: Final = 2
# A field is first read when the watching begins, not a period later; who was watched for a
# moment only may have missed it.
_DUE: Final = 2.0
# The finest of the power fields, read every 20 ms, and what each of the others is a mean over.
_FINE: Final = "power_sample_w"
_OVER_US: Final = {"power_instant_w": 300 * US_PER_MS, "power_average_w": US_PER_S}
_LATE_US: Final = 150 * US_PER_MS
_LEAST_FINE: Final = 3
_LEAST_COMPARED: Final = 4
# The median of a run's readings lay 11.5 % below to 4.9 % above it on 38 GPUs of 21 recorded runs.
_READERS_TOLERANCE: Final = 0.25


def readings_taken(case: Case) -> Finding:
    """Every field that a source was to read was read of every GPU, and most of it can be."""
    counted = _counted(case)
    names = set(counted)
    faults: list[str] = []
    blind: list[str] = []
    for host, ready in sorted(case.run.hosts.items()):
        faults += _absent(case, host, ready, names)
    for (host, device, field), (known, lost, reason) in counted.items():
        if not lost or known > lost:
            continue
        told = f"{field} of {device} on {host}: {lost} of {known + lost}"
        without = reason.startswith(_NO_SENSOR) and not reason.startswith(_NEGATIVE)
        (blind if without else faults).append(f"{told} readings are none: {reason}")
    faults += _idle_at_work(case)
    if blind and not faults:
        return unseen(blind[0])
    return judged(faults, f"{len(names)} series of readings, all that were to be taken")


def _counted(case: Case) -> dict[tuple[str, str, str], tuple[int, int, str]]:
    """By host, device and field: readings with a value, impossible ones, and the last reason."""
    found: dict[tuple[str, str, str], tuple[int, int, str]] = {}
    for group in case.run.sample_groups([*_NAMES, "value", "reason"]):
        reason = group["reason"].cast(pa.string())
        lost = pc.starts_with(pc.fill_null(reason, ""), pattern=_IMPOSSIBLE)
        columns = [*_NAMES, "value"]
        rows = group.select(columns).append_column("lost", lost).append_column("reason", reason)
        counts = (
            rows.unify_dictionaries()
            .group_by(list(_NAMES))
            .aggregate([("value", "count"), ("lost", "sum"), ("reason", "max")])
            .to_pylist()
        )
        for row in counts:
            name = (row["host"], row["device"], row["field"])
            known, lost_before, why = found.get(name, (0, 0, ""))
            found[name] = (
                known + row["value_count"],
                lost_before + (row["lost_sum"] or 0),
                max(why, row["reason_max"] or ""),
            )
    return found


def named_readings(part: object, wanted: str) -> dict[str, Any]:
    """The readings that a source, or those that it is made of, name under a key."""
    names: dict[str, Any] = {}
    for key, value in part.items() if isinstance(part, dict) else ():
        if isinstance(value, dict):
            names |= value if key == wanted else named_readings(value, wanted)
    return names


def _absent(
    case: Case, host: str, ready: Mapping[str, Any], names: set[tuple[str, str, str]]
) -> Iterator[str]:
    """Fields of a node's GPUs that were to be read, and nothing is left of.

    A reading that could not be had is a null with its reason, or its source says that it has none.
    """
    asked = named_readings(ready.get("source"), ASKED_KEY)
    missing = set(named_readings(ready.get("source"), MISSING_KEY))
    watched_us = max(rank.life_us[1] for rank in case.run_energy.ranks) - int(ready["ready_us"])
    for gpu in ready.get("gpus", []):
        lacking = missing | set(gpu.get("unavailable") or {})
        for field, period_us in sorted(asked.items()):
            due = isinstance(period_us, int | float) and period_us <= _DUE * watched_us
            if due and field not in lacking and (host, gpu.get("uuid"), field) not in names:
                yield f"{gpu.get('uuid')}: {field} was to be read, but the record has no reading"


def _idle_at_work(case: Case) -> Iterator[str]:
    """GPUs of a rank that chose tokens all along and were busy at no reading."""
    if case.run.launch.get("device") != "cuda":
        return
    for gpu in case.run_energy.gpus:
        busy = case.run_energy.series(gpu.host, gpu.uuid, _UTILIZATION)
        inside = busy.between(*case.run_energy.window_us).value
        if len(inside) >= _LEAST_READ and not inside.any():
            yield f"{gpu.uuid}: {_UTILIZATION} is 0 at all {len(inside)} readings of the window"


def readers_agree(case: Case) -> Finding:
    """Fields of one GPU's power that are read apart tell the same power at the same time."""
    faults = []
    worst, compared = 0.0, 0
    for gpu in (*case.run_energy.gpus, *case.run_energy.idle_gpus):
        for field in POWER_FIELDS:
            shares = _shares_of_fine(case, gpu, field) if field in _OVER_US else []
            if len(shares) < _LEAST_COMPARED:
                continue
            compared += 1
            apart = float(np.median(shares)) - 1.0
            worst = max(worst, apart, key=abs)
            if abs(apart) > _READERS_TOLERANCE:
                faults.append(
                    f"{gpu.uuid}: {field} is {apart:+.1%} off {_FINE} next to it, "
                    f"most {_READERS_TOLERANCE:.0%}"
                )
    if not compared:
        return skipped("no GPU's power was read by two fields at once")
    return judged(
        faults,
        f"{compared} fields of power, at most {worst:+.1%} off {_FINE}",
        strain=abs(worst) / _READERS_TOLERANCE,
    )


def _shares_of_fine(case: Case, gpu: Gpu, field: str) -> list[float]:
    """Each reading of a field as a share of the mean of the finest ones that it is a mean over."""
    fine = case.run_energy.series(gpu.host, gpu.uuid, _FINE)
    coarse = case.run_energy.series(gpu.host, gpu.uuid, field)
    first = np.searchsorted(fine.t_us, coarse.t_us - _OVER_US[field])
    last = np.searchsorted(fine.t_us, coarse.t_us + _LATE_US, side="right")
    return [
        float(value / fine.value[start:stop].mean())
        for start, stop, value in zip(first, last, coarse.value, strict=True)
        if stop - start >= _LEAST_FINE and fine.value[start:stop].mean() > 0
    ]


READING_CHECKS: Final = (
    Check(
        name="readings",
        claim="what was to be read was read, and can be",
        severity=Severity.WEAK,
        rule=(
            "every reading that a node's source was to take of a GPU is there, or "
            "null with its reason, and most are possible; a GPU at work is busy"
        ),
        tolerance="half of a field's readings",
        reason="a sensor that fails more often than not tells nothing",
        rules_out="a witness that was taken out of the record, and GPUs that did nothing",
        look=readings_taken,
    ),
    Check(
        name="readers",
        claim="fields of one power agree",
        severity=Severity.WRONG,
        rule=(
            "the driver's instant and average power are what its finest samples around them mean"
        ),
        tolerance=f"{_READERS_TOLERANCE:.0%} of the median",
        reason="of 38 GPUs of 21 recorded runs it lay 11.5 % below to 4.9 % above",
        rules_out="one field of power that was falsified and the others not",
        look=readers_agree,
    ),
)
"""Checks of the readings, in the audit's order."""

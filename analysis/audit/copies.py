"""Copies: one trace of readings under two names is a copy, as no two measurements are alike."""

import hashlib
from typing import Final

import numpy as np

from analysis.audit.check import Case, Check, Finding, judged, skipped

# What is read at least once a second, and never twice the same over a run.
_TELLING: Final = (
    *("power_instant_w", "power_average_w", "power_sample_w"),
    "process_cpu_utilization",
)
# A constant or a handful of steps can come again; a row of so many different values cannot.
_LEAST_READINGS: Final = 16
_LEAST_DIFFERENT: Final = 8


def traces_differ(case: Case) -> Finding:
    """No trace of power or work stands under a second GPU, rank, node or run.

    Values alone count: stamps that were shifted make no other measurement. Of each trace its digest
    is kept, so that runs can be held against all those before them.
    """
    faults = []
    compared = 0
    for (host, device, field), series in sorted(case.run.series(_TELLING).items()):
        values = series.value
        if len(values) < _LEAST_READINGS or len(np.unique(values)) < _LEAST_DIFFERENT:
            continue
        compared += 1
        digest = hashlib.sha256(np.ascontiguousarray(values, dtype="<f8").tobytes()).hexdigest()
        name = (case.paths.run_id, host, device)
        other = case.traces.setdefault((field, digest), name)
        if other != name:
            faults.append(
                f"{field} of {device} on {host} is, value by value, that of {_told(other, case)}"
            )
    if not compared:
        return skipped("no trace is long and varied enough to be told from another")
    return judged(faults, f"{compared} traces, none like another")


def _told(other: tuple[str, str, str], case: Case) -> str:
    run_id, host, device = other
    elsewhere = "" if run_id == case.paths.run_id else f" in {run_id}"
    return f"{device} on {host}{elsewhere}"


COPY_CHECKS: Final = (
    Check(name="copies", claim="no trace stands under a second name", look=traces_differ),
)
"""Checks of runs against each other."""

"""Processes: sealed runs spread over processes, of which only what is kept of a run comes back.

A run that a process died of has every check failed by its name, and the others go on.
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from analysis.audit.run_audit import RunAudit, audit_one
from analysis.audit.trust import Trust
from analysis.runs.processes import spread, told_left
from telemetry.record.paths import RunPaths
from telemetry.waiting import at

_DIED: Final = "the process that looked at it was killed, as where memory runs out"


def audit_runs(
    runs: Sequence[RunPaths], trust: Trust, jobs: int, *, rows: bool = False
) -> list[RunAudit]:
    """What is kept of every run, in their order, however many processes looked at them."""
    look = partial(audit_one, trust=trust, rows=rows)
    if jobs == 1:
        return [
            look(run, place=f"run {number} of {len(runs)}") for number, run in enumerate(runs, 1)
        ]
    found: dict[int, RunAudit] = {}
    begin_s = time.monotonic()
    at(f"run 1 of {len(runs)}, in {jobs} processes")
    for index, audit in spread(runs, look, jobs):
        found[index] = audit or RunAudit.lost(runs[index], _DIED)
        at(told_left(len(found), len(runs), time.monotonic() - begin_s))
    return [found[index] for index in range(len(runs))]

"""Rows made: what each run gives to the tables, made once, by as many processes as are worth it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.energy.run_energy import RunEnergy
from analysis.runs.processes import jobs_for, spread, table_bytes, told_left
from analysis.runs.sealed_runs import Loaded, Run
from analysis.runs.unreadable import UNREADABLE
from analysis.tables.point import run_order
from analysis.workbook.build import RunRows, run_rows
from analysis.workbook.kept_rows import KeptRows
from telemetry.waiting import at

WORTH_BYTES: Final = 64 << 20
"""Tables of this size in all are worth it to keep the rows: less is computed in some seconds."""


@dataclass(frozen=True, kw_only=True)
class RowsMade:
    """The rows of all runs that can be read."""

    rows: Mapping[str, RunRows]
    """By run; one that is not here cannot be read, or its process died of it."""
    kept: int
    """Of how many runs they were kept from an earlier report."""


def rows_made(loaded: Loaded, keep: KeptRows | None, jobs: int | None = 1) -> RowsMade:
    """What every run of a folder gives to the tables.

    Args:
        loaded: the runs.
        keep: where rows are kept, taken from and added to; None: nowhere.
        jobs: processes that look at runs; 1 is this one alone, None as many as are worth it, which
            a program may ask for whose main module can be imported. The rows are the same.

    Raises:
        OSError: what is to be kept cannot be written.
    """
    found: dict[str, RunRows] = {}
    if keep is not None:
        for run in loaded.runs:
            if (known := keep.rows_of(run)) is not None:
                found[run.run_id] = known
    kept = len(found)
    left = [run for run in sorted(loaded.runs, key=run_order) if run.run_id not in found]
    processes = jobs_for([run.paths for run in left], jobs) if left else 1
    if processes > 1 or keep is not None:
        begin_s = time.monotonic()
        at(f"computing run 1 of {len(left)}, in {processes} processes")
        for number, (index, rows) in enumerate(_computed(left, processes), 1):
            at(f"computing, {told_left(number, len(left), time.monotonic() - begin_s)}")
            if rows is not None:
                found[left[index].run_id] = rows
                if keep is not None:
                    keep.keep(left[index], rows)
    if keep is not None:
        keep.forget_others(loaded.runs)
    return RowsMade(rows=found, kept=kept)


def worth_keeping(loaded: Loaded) -> bool:
    """Whether the rows of these runs take long to make, by the size of their tables."""
    return sum(table_bytes(run.paths) for run in loaded.runs) >= WORTH_BYTES


def _computed(runs: Sequence[Run], processes: int) -> Iterator[tuple[int, RunRows | None]]:
    if processes > 1:
        yield from spread(runs, rows_or_none, processes)
    else:
        for index, run in enumerate(runs):
            yield index, rows_or_none(run)
            run.let_go()


def rows_or_none(run: Run) -> RunRows | None:
    """A run's rows; None where its record cannot be read: whoever builds the tables says why."""
    try:
        return run_rows(RunEnergy(run))
    except UNREADABLE:
        return None

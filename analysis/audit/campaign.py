"""Campaign: what is left of every run once it was audited, and the checks that need all of them.

Each run is looked at in a process that then lets its arrays go. What checks of all runs together
need of it is taken before, by `TAKERS`, and is small: a few kilobytes a GPU.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from analysis.audit.check import Case, Finding, Question
from analysis.audit.noise import TraceNoise, trace_noise
from analysis.audit.paces import Paces, run_paces
from analysis.audit.settings import Settings, run_settings
from analysis.audit.traces import TraceMarks, trace_marks
from analysis.audit.trust import Trust
from analysis.runs.sealed_runs import Loaded, load
from analysis.runs.unreadable import UNREADABLE, shortened
from analysis.tables.table import Tables
from analysis.workbook.build import RunRows, build_tables

TAKERS: Final[dict[str, Callable[[Case], Any]]] = {
    "attempt": lambda case: case.attempt.number,
    "spec": lambda case: case.run.spec.to_mapping(),
    "traces": trace_marks,
    "noise": trace_noise,
    "settings": run_settings,
    "paces": run_paces,
}
"""How each field of `RunFacts` is taken of a run, by its name; what one raises stands in `missing`.

What it gives is small, can be pickled, and holds no array of the run.
"""


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What checks of all runs together know of one; a field that is `missing` has its default."""

    run_id: str
    """The run's name in its results folder."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why a field could not be taken, by its name: a damaged record, in one line."""
    attempt: int | None = None
    """Number of the sealed attempt; None when it is missing."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """The run's spec, as spec.json has it; empty when it is missing."""
    traces: tuple[TraceMarks, ...] = ()
    """The traces of power that can be told from others, sorted by host, GPU and field."""
    noise: tuple[TraceNoise, ...] = ()
    """The noise of each GPU's power that is lively for long enough, sorted by host and GPU."""
    settings: Settings | None = None
    """What the run's nodes, code and packages were; None when it is missing."""
    paces: Paces | None = None
    """Digests of the times and tokens of its batches; None when they are missing."""

    @classmethod
    def lost(cls, run_id: str, why: str) -> "RunFacts":
        """Nothing of a run that could not be looked at, by `why`."""
        return cls(run_id=run_id, missing=dict.fromkeys(TAKERS, why))

    @classmethod
    def of(cls, case: Case) -> "RunFacts":
        """What can be taken of a run; never raises on a damaged record."""
        taken: dict[str, Any] = {}
        missing: dict[str, str] = {}
        for name, take in TAKERS.items():
            try:
                taken[name] = take(case)
            except (*UNREADABLE, AssertionError, StopIteration) as error:
                missing[name] = shortened(error)
        return cls(run_id=case.paths.run_id, missing=missing, **taken)


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """All sealed runs of a results folder, or the one that was audited alone."""

    results: Path
    """The results folder."""
    trust: Trust
    """What the auditor brought along."""
    runs: tuple[RunFacts, ...]
    """What is known of each sealed run, by name."""
    rows: Mapping[str, RunRows] = field(default_factory=dict)
    """Their rows of the report's tables by run, where there is a report to hold against them."""

    @cached_property
    def made(self) -> tuple[Loaded, Tables]:
        """The sealed runs as a report loads them, and its tables."""
        loaded = load(self.results)
        return loaded, build_tables(loaded, self.rows)


@dataclass(frozen=True, kw_only=True)
class FolderCheck(Question):
    """One question that the audit asks of all sealed runs together."""

    look: Callable[[Campaign], Finding | dict[str, Finding]]
    """One finding of the folder, or one of each run by its id; what it raises counts as failed."""
    alone: bool = False
    """Whether it is asked of a run that is audited alone, too."""

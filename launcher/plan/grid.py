"""Grid: planned points, each with its verdict and what it takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from launcher.plan.auto_repeats import AutoRepeats
from launcher.plan.checkpoints import Weights
from launcher.plan.cluster import Cluster
from telemetry.record.foreseen import Foreseen
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from workers.planning.memory import MemoryEstimate
from workers.prompts import source as prompts

NOT_SELECTED: Final = "0" * 64


class Retry(StrEnum):
    """Which dead attempts are tried again."""

    INTERRUPTED = "interrupted"
    """Those that others ended: cancelled, preempted, or lost with their node."""
    FAILED = "failed"
    """Also those that failed or ran out of time."""


class Verdict(StrEnum):
    """What becomes of a point."""

    RUN = "run"
    SEALED = "sealed"
    """Done before: skipped."""
    OTHERWISE = "sealed otherwise"
    """Done before with other settings of the measurement than are asked for now: skipped, told."""
    MERGE = "merge"
    """Its job completed, its seal is missing: merged and sealed, not run again."""
    QUEUED = "queued"
    """Another call has queued it: skipped."""
    RUNNING = "running"
    """Another call is at it: skipped."""
    FAILED = "failed"
    """Tried before: skipped unless retry=failed."""
    ILLEGAL = "illegal"
    """The model cannot be split so, the nodes or Slurm cannot hold it, or the engine does not."""
    TOO_LARGE = "too large"
    """It does not fit the memory."""
    TOO_LONG = "too long"
    """It cannot end within the time limit."""
    NOT_STAGED = "not staged"
    """Its prompts are on a hub that cannot be reached from here, and not in the cache."""
    UNSUPPORTED = "unsupported"
    """This version would not do what the point asks."""


@dataclass(frozen=True, kw_only=True)
class PlannedPoint:
    """One point of the grid and what becomes of it."""

    spec: RunSpec
    """What the point is."""
    cluster: Cluster
    """Where its job runs."""
    source: prompts.PromptSource
    """Where its prompts come from."""
    launch: LaunchConfig
    """How its job is carried out; `NOT_SELECTED` stands for the prompts until they are."""
    config: Mapping[str, Any]
    """The resolved configuration the point came from."""
    overrides: tuple[str, ...]
    """What set the point apart from the configuration's defaults, such as `gpus=8`."""
    verdict: Verdict
    """Whether it runs, and if not, which kind of reason keeps it."""
    reason: str | None
    """Why it does not run; None when it runs."""
    memory: MemoryEstimate
    """What it will need of each of its GPUs."""
    weights: Weights
    """The digest and folder of what the model is filled with."""
    attempts: int
    """Attempts there were when it was checked: the next has the number after."""
    foreseen: Foreseen | None = None
    """What it is expected to take; None where it does not run, or nobody asked yet."""
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """What the plan settled of what was left open, and by which rule; empty for nothing."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """All points of one call, checked as a whole."""

    results: Path
    """The results folder, absolute."""
    points: tuple[PlannedPoint, ...]
    """Each point once, in the order in which they were composed."""
    plan_only: bool
    """True: the plan is shown and nothing is started."""
    allow_dirty: bool
    """True: a source tree with uncommitted changes may start it."""
    wait: bool
    """Stay until the last job of a batch system has ended."""
    history: Path | None = None
    """Another results folder whose sealed runs teach what points take; None for none."""
    auto: AutoRepeats | None = None
    """The rule by which points are repeated; None where their repeats were counted."""
    notes: tuple[str, ...] = ()
    """What the reader of the plan should know beside it, a line each."""

    def having(self, *verdicts: Verdict) -> list[PlannedPoint]:
        """The entries with one of those verdicts, in order."""
        return [point for point in self.points if point.verdict in verdicts]

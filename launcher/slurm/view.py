"""View: what Slurm knows about the open attempts of a results folder."""

from dataclasses import dataclass, field
from pathlib import Path

from launcher.slurm.queue import JobState
from telemetry.record.attempt_state import AttemptState, attempt_state
from telemetry.record.paths import AttemptPaths


@dataclass(kw_only=True)
class SlurmView:
    """What Slurm knows about the open attempts of a results folder."""

    jobs: dict[Path, JobState] = field(default_factory=dict)
    """By attempt folder: those that wait or run."""
    closing: set[Path] = field(default_factory=set)
    """Attempt folders that a queued job will merge and seal."""
    unknown: dict[Path, str] = field(default_factory=dict)
    """By attempt folder: why nobody can say whether its job runs or how it ended."""
    unsettled: set[Path] = field(default_factory=set)
    """Attempt folders that a rank called failed, with Slurm's own word still to come."""
    unwritten: dict[Path, AttemptState] = field(default_factory=dict)
    """By attempt folder: an end that the disk did not take."""
    doubts: list[str] = field(default_factory=list)
    """What could not be learned or written, and what nobody is at, one line each."""
    ended: int = 0
    """Attempts whose end this call recorded."""

    def state(self, attempt: AttemptPaths) -> AttemptState:
        """Where an attempt stands: by its record, or by Slurm where the disk took no record."""
        return self.unwritten.get(attempt.folder) or attempt_state(attempt)

    def doubt(self, line: str) -> None:
        """Note what could not be learned or written, once."""
        if line not in self.doubts:
            self.doubts.append(line)

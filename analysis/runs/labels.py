"""Labels: what a reader of any number of a run has to know of the run first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from analysis.runs.sealed_runs import Run
from telemetry.record.files import file_sha256

# Weights that nobody trained, as a spec has them.
_RANDOM: Final = "random"


@dataclass(frozen=True, kw_only=True)
class RunLabels:
    """What travels with every table and trace of a run."""

    attempt: int
    """Number of the sealed attempt."""
    seal_sha256: str
    """SHA-256 of seal.json, which holds that of every other file: equal for equal records."""
    simulated: bool
    """True when its GPUs are a stated power model driven by work on CPU: no measurement."""
    random_weights: bool
    """True when nobody trained the weights: the answers are noise."""
    changed_code: bool | None
    """True when the code had changes that no commit holds; None when no commit is on record."""
    partial_record: bool
    """True when the merge found parts damaged or missing, or readings that no sensor can mean."""

    @classmethod
    def of(cls, run: Run) -> Self:
        """The labels of a sealed run.

        Raises:
            OSError: its seal cannot be read.
        """
        return cls(
            attempt=run.attempt.number,
            seal_sha256=file_sha256(run.attempt.seal),
            simulated=run.simulated,
            random_weights=random_weights(run),
            changed_code=changed_code(run),
            partial_record=partial_record(run),
        )

    def to_mapping(self) -> dict[str, Any]:
        """Their JSON form."""
        return dict(vars(self))


def random_weights(run: Run) -> bool:
    """Whether nobody trained the weights."""
    return run.spec.weights == _RANDOM


def changed_code(run: Run) -> bool | None:
    """Whether the code that ran had changes that no commit holds; None: no commit on record."""
    git = run.provenance.get("git")
    if not isinstance(git, Mapping):
        return None
    if git.get("dirty") or git.get("changes"):
        return True
    return None if git.get("commit") is None else False


def partial_record(run: Run) -> bool:
    """Whether the merge found parts damaged or missing, or readings that no sensor can mean."""
    parts = run.manifest.get("parts")
    parts = parts if isinstance(parts, list) else []
    damaged = any(isinstance(part, Mapping) and part.get("damage") for part in parts)
    return damaged or bool(run.manifest.get("missing")) or bool(run.manifest.get("impossible"))

"""Attempts of one shape, nodes, ranks a node and time, that can become one job array."""

from collections.abc import Sequence
from dataclasses import dataclass

from launcher.plan.cluster import Cluster
from launcher.plan.grid import Entry
from telemetry.record.paths import AttemptPaths


@dataclass(frozen=True, kw_only=True)
class Trial:
    """An entry of the grid and the attempt at it."""

    entry: Entry
    attempt: AttemptPaths


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What jobs must have in common to be one job array."""

    cluster: Cluster
    nodes: int
    ranks_per_node: int

    @property
    def gpus_per_node(self) -> int:
        """GPUs that a job asks of each node."""
        return self.ranks_per_node if self.cluster.device == "cuda" else 0


def by_shape(trials: Sequence[Trial]) -> dict[Shape, list[Trial]]:
    """The trials by the resources that their jobs ask for, in order."""
    shapes: dict[Shape, list[Trial]] = {}
    for trial in trials:
        shapes.setdefault(shape_of(trial), []).append(trial)
    return shapes


def shape_of(trial: Trial) -> Shape:
    """The resources that a trial's job asks for."""
    spec = trial.entry.spec
    return Shape(cluster=trial.entry.cluster, nodes=spec.nodes, ranks_per_node=spec.gpus_per_node)

"""Attempts of one shape, nodes, ranks a node and time, that can become one job array."""

from collections.abc import Sequence
from dataclasses import dataclass

from launcher.plan.cluster import Cluster
from launcher.plan.grid import PlannedPoint
from telemetry.power.slurm_frequency import gpu_freq
from telemetry.power.wish import Wish
from telemetry.record.paths import AttemptPaths


@dataclass(frozen=True, kw_only=True)
class Trial:
    """An entry of the grid and the attempt at it."""

    point: PlannedPoint
    """The point that is tried."""
    attempt: AttemptPaths
    """Where the attempt's record lies."""


@dataclass(frozen=True, kw_only=True)
class JobShape:
    """What jobs must have in common to be one job array."""

    cluster: Cluster
    """Where they run."""
    nodes: int
    """Nodes that each asks for."""
    ranks_per_node: int
    """Ranks of each on a node, one task each."""
    comment: str | None = None
    """The job's comment, by which it wishes for a cap or clock; None wishes for none."""
    gpu_freq: str | None = None
    """Slurm's --gpu-freq; None asks Slurm for no clock."""

    @property
    def gpus_per_node(self) -> int:
        """GPUs that a job asks of each node."""
        return self.ranks_per_node if self.cluster.device == "cuda" else 0


def by_shape(trials: Sequence[Trial]) -> dict[JobShape, list[Trial]]:
    """The trials by the resources that their jobs ask for, in order."""
    shapes: dict[JobShape, list[Trial]] = {}
    for trial in trials:
        shapes.setdefault(shape_of(trial), []).append(trial)
    return shapes


def shape_of(trial: Trial) -> JobShape:
    """The resources that a trial's job asks for."""
    spec, cluster, power = trial.point.spec, trial.point.cluster, trial.point.launch.power
    wishes = cluster.slurm is not None and cluster.device == "cuda"
    wish = Wish.of(spec) if wishes else Wish()
    return JobShape(
        cluster=cluster,
        nodes=spec.nodes,
        ranks_per_node=spec.gpus_per_node,
        # Where there is no broker nobody reads it.
        comment=wish.comment if power in ("auto", "broker") else None,
        gpu_freq=gpu_freq(wish) if power == "slurm" else None,
    )

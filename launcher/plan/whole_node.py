"""Whole node: `gpus=auto` is all GPUs of one node, once it is known how many those are."""

from collections.abc import Sequence

from launcher.config.hydra_plugins import Point
from launcher.plan.cluster import Cluster
from launcher.plan.fit import AUTO, Place


def settle_gpus(points: Sequence[Point], place: Place) -> tuple[list[Point], tuple[str, ...]]:
    """The points with a number for `gpus`, and a note for each number that was chosen.

    A site's file may leave `gpus_per_node` to Slurm, and a point that fills a node then says so.

    Raises:
        ValueError: a point's GPU or cluster is none.
    """
    settled: list[Point] = []
    notes: dict[str, None] = {}
    for point in points:
        if point.config["gpus"] != AUTO:
            settled.append(point)
            continue
        gpu, cluster = place(point.config)
        count = cluster.gpus_per_node
        rule = f"all GPUs of a node of cluster {cluster.name}"
        notes[f"gpus={count} where it is {AUTO}: {rule}, which has {gpu}"] = None
        chosen = {"rule": rule, "gpus_rule": rule, "values": {"gpus": count}}
        settled.append(Point({**point.config, "gpus": count}, point.overrides, chosen))
    return settled, tuple(notes)


def spread(gpus: object, cluster: Cluster) -> tuple[object, str | None]:
    """GPUs on each node, and why the nodes cannot hold them so, or None."""
    per_node = cluster.gpus_per_node
    if not isinstance(gpus, int) or gpus <= per_node:
        return gpus, None
    if cluster.slurm is None and cluster.device == "cuda":
        return (
            gpus,
            f"`gpus` must be at most {per_node}, the GPUs of this node, but is {gpus} instead",
        )
    if gpus % per_node == 0:
        return per_node, None
    return 1, (
        f"`gpus` must fill nodes of {per_node}, but is {gpus} instead: "
        f"{gpus} = {gpus // per_node} x {per_node} + {gpus % per_node}"
    )

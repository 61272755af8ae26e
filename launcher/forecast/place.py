"""Place: what names a host, so that runs of it teach how long its processors take.

On a batch system it is the cluster's name: nobody knows the node before, and nodes of one cluster
are bought together and keep compiled kernels in one home. On this machine it is the name of the
host and, where a driver tells it, its first visible GPU: rented machines are all called the same.
A run on another GPU of a machine is taken for another host's, which widens and misleads nothing.
"""

import os
import socket
from collections.abc import Mapping
from typing import Any

from launcher.plan.boards import gpus_here
from launcher.plan.cluster import Cluster


def planned_place(cluster: Cluster) -> str:
    """Where a point's job will run."""
    if cluster.executor != "local":
        return cluster_place(cluster.name)
    gpus = [] if cluster.device == "cpu" else gpus_here(os.environ)
    return machine_place(socket.gethostname(), gpus[0].get("uuid") if gpus else None)


def measured_place(provenance: Mapping[str, Any], host: str, gpu_uuid: str | None) -> str:
    """Where a sealed run ran: `host` and `gpu_uuid` are its first rank's."""
    config = provenance.get("config")
    cluster = config.get("cluster") if isinstance(config, dict) else None
    if isinstance(cluster, dict) and cluster.get("executor") not in (None, "local"):
        return cluster_place(str(cluster.get("name")))
    return machine_place(host, gpu_uuid)


def cluster_place(name: str) -> str:
    """Any node of the cluster of that name."""
    return f"cluster {name}"


def machine_place(host: str, gpu_uuid: object) -> str:
    """One machine; of one without a GPU its name says all."""
    # Simulated GPUs have no driver's name of their own and lie on any host.
    if isinstance(gpu_uuid, str) and gpu_uuid.startswith(("GPU-", "MIG-")):
        return f"{host} {gpu_uuid}"
    return host

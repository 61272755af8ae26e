"""Cluster: where jobs run and what they may ask for there."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from typing import Any, Final, Self

from launcher.config.errors import BadInputError
from telemetry.nearest import did_you_mean, one_of
from telemetry.record.launch import DEVICES, MAX_THREADS
from telemetry.record.validation import MOST_WHOLE, require_whole

AUTO_DEVICE: Final = "auto"
"""Where a point's GPU decides: on it, or on CPU where it is simulated."""
UNTOLD_GPUS: Final = 0
"""What `Cluster.gpus_per_node` is until Slurm has told it (`auto` in conf/cluster)."""
EXECUTORS: Final = ("local", "slurm")
# 2**31 and more minutes are no limit to Slurm, and it takes larger numbers for no number at all.
MOST_MINUTES: Final = 525_600
"""Most minutes of a point's job: a year, beyond what any site lends."""
# `local` says 50, AMX in bf16 does some 1,000: a rate a thousand times beyond either is a slip of
# units, and makes times that a float cannot square.
LEAST_CORE_GFLOPS: Final = 1e-3
MOST_CORE_GFLOPS: Final = 1e6
# NVIDIA's widest node addresses 72; a number beyond is a slip that would hide a lack of nodes.
MOST_GPUS_PER_NODE: Final = 1024
"""Most GPUs of a node."""
_NAMES: Final = (
    "partition",
    "account",
    "qos",
    "constraint",
    "gpu_type",
    "mem",
    "closing_partition",
    "wckey",
)


@dataclass(frozen=True, kw_only=True)
class SlurmRequest:
    """What every job of a Slurm cluster asks for beside its shape; None leaves Slurm's default."""

    partition: str | None
    """Partition that jobs queue in."""
    account: str | None
    """Account that jobs are charged to."""
    qos: str | None
    """Slurm's quality of service."""
    constraint: str | None
    """Features that nodes must have, in Slurm's own words."""
    cpus_per_task: int
    """CPUs of each rank, as Slurm counts them."""
    exclusive: bool
    """Nobody else on the nodes: the energy of a shared node is nobody's."""
    setup: tuple[str, ...]
    """Shell lines of the site, run before the job, such as `module load cuda`."""
    array_parallelism: int
    """Points of one shape that run at once."""
    gpu_type: str | None = None
    """Type in `--gpus-per-node=TYPE:N`; None asks for GPUs of any type."""
    mem: str | None = None
    """Memory of each node, such as 64G; None leaves the site's default."""
    closing_partition: str | None = None
    """Where the small job that merges and seals runs; None takes `partition`."""
    wckey: str | None = None
    """Key that the site's books group jobs by; None gives none."""

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Self:
        """The request from its configuration form.

        Raises:
            BadInputError: a key is unknown or missing, or a value has the wrong type.
        """
        _require_fields(cls, content, "cluster.slurm")
        for name in _NAMES:
            value = content.get(name)
            # A batch file's option ends with its line: what followed would be a command.
            if value is not None and not (isinstance(value, str) and value.isprintable()):
                raise BadInputError(
                    f"`cluster.slurm.{name}` must be a name on one line or null, "
                    f"but is {value!r} instead"
                )
        setup = content["setup"]
        if not isinstance(setup, list) or not all(isinstance(line, str) for line in setup):
            raise BadInputError(
                f"`cluster.slurm.setup` must be a list of shell lines, but is {setup!r} instead"
            )
        if not isinstance(content["exclusive"], bool):
            raise BadInputError(
                "`cluster.slurm.exclusive` must be true or false, "
                f"but is {content['exclusive']!r} instead"
            )
        for name in ("cpus_per_task", "array_parallelism"):
            require_count(f"cluster.slurm.{name}", content[name])
        return cls(**{**content, "setup": tuple(content["setup"])})


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A place to run jobs, from conf/cluster."""

    name: str
    """Its name in conf/cluster."""
    executor: str
    """`local` for this machine, `slurm` for a batch system."""
    device: str
    """Where ranks compute: `cpu`, `cuda`, or `auto` until a point's GPU is known."""
    gpus_per_node: int
    """GPUs of each node, real or simulated: the most ranks that one holds; `UNTOLD_GPUS` until
    `BoardFinder` has settled it."""
    timeout_min: int
    """Time limit of one point's job."""
    threads: int | None
    """CPU threads of each rank; None shares the node's cores."""
    core_gflops: float | None
    """One core's best arithmetic, for the shortest time a point can take; None asks no such."""
    slurm: SlurmRequest | None
    """None on the local executor."""

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Self:
        """The cluster from its configuration form.

        `gpu`, `dtype` and `typical` are defaults of other keys and no part of it.

        Raises:
            BadInputError: a key is unknown or missing, or a value is not allowed.
        """
        own = {
            key: value for key, value in content.items() if key not in {"gpu", "dtype", "typical"}
        }
        _require_fields(cls, own, "cluster")
        for name, allowed in (("executor", EXECUTORS), ("device", (AUTO_DEVICE, *DEVICES))):
            if own[name] not in allowed:
                raise BadInputError(
                    one_of(f"cluster.{name}", allowed, own[name], things=f"{name}s")
                )
        if own["gpus_per_node"] == "auto":
            own["gpus_per_node"] = UNTOLD_GPUS
        else:
            require_count("cluster.gpus_per_node", own["gpus_per_node"], MOST_GPUS_PER_NODE)
        minutes = own["timeout_min"]
        if type(minutes) is not int or not 1 <= minutes <= MOST_MINUTES:
            raise BadInputError(
                f"`cluster.timeout_min` must be a whole number from 1 to {MOST_MINUTES}, "
                f"but is {minutes!r} instead"
            )
        if own["threads"] is not None:
            require_count("cluster.threads", own["threads"], MAX_THREADS)
        rate = own["core_gflops"]
        if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float)):
            raise BadInputError(
                f"`cluster.core_gflops` must be a number or null, but is {rate!r} instead"
            )
        if rate is not None and not LEAST_CORE_GFLOPS <= rate <= MOST_CORE_GFLOPS:
            raise BadInputError(
                f"`cluster.core_gflops` must be a number from {LEAST_CORE_GFLOPS:g} to "
                f"{MOST_CORE_GFLOPS:g}, but is {rate!r} instead"
            )
        request = SlurmRequest.from_mapping(own["slurm"]) if own["executor"] == "slurm" else None
        return cls(**{**own, "slurm": request})

    @property
    def cores(self) -> int:
        """Cores of this machine; on a batch system nobody asks."""
        return len(os.sched_getaffinity(0))


def _require_fields(
    kind: type[SlurmRequest] | type[Cluster], content: Mapping[str, Any], where: str
) -> None:
    fields = {field.name for field in dataclasses.fields(kind)}
    for stranger in sorted(set(content) - fields):
        raise BadInputError(
            f"`{where}.{stranger}` must be one of {len(fields)} keys of `{where}`, but is none"
            f"{did_you_mean(stranger, sorted(fields))}"
        )
    needed = {field.name for field in dataclasses.fields(kind) if field.default is MISSING}
    for missing in sorted(needed - set(content)):
        raise BadInputError(f"`{where}.{missing}` must be given, but is missing")


def require_count(name: str, value: object, most: int = MOST_WHOLE) -> None:
    """Check that a key of the configuration is a whole number of at least 1 and at most `most`.

    Raises:
        BadInputError: it is not.
    """
    try:
        require_whole(name, value, 1, most=most)
    except ValueError as error:
        raise BadInputError(str(error)) from error

"""Partitions: what Slurm lets a job of a partition have, asked before one is queued for ever.

Slurm takes a job of more nodes or time than its partition has, and lets it wait; it is for a site
to decide otherwise (EnforcePartLimits).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from launcher.slurm.queue import SlurmError, ask_slurm

_PAIR: Final = re.compile(r"(?:^|\s)([A-Za-z/]+)=(\S*)")
_TIME: Final = re.compile(r"(?:(?P<days>\d+)-)?(?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>\d+)")
# gpu:2, gpu:a100:2 or gpu:a100:2(S:0-1); a count may have a suffix, of which GPUs have none.
_GPUS: Final = re.compile(r"gpu(?::(?P<kind>[^:(),]+))?:(?P<count>\d+)(?:\(.*?\))?")


@dataclass(frozen=True, kw_only=True)
class Partition:
    """What one partition has and what it lets a job have."""

    name: str
    """Its name in Slurm."""
    nodes: int
    """Nodes that it has, down ones too."""
    most_nodes: int | None
    """Nodes that a job may have; None for any number."""
    most_minutes: int | None
    """Whole minutes that a job may run; None for any time."""
    gpus: tuple[Mapping[str, int], ...]
    """Of each node, how many GPUs of each type it has; `` where Slurm knows no type."""
    features: tuple[tuple[str, ...], ...] = ()
    """Of each node, the words that its site gave it; empty where nobody asked."""

    @classmethod
    def read(cls, line: str, gres: Sequence[str], features: Sequence[str] = ()) -> Self:
        """The partition of a line of scontrol's, its nodes' generic resources and their features.

        Raises:
            SlurmError: the line is no partition's.
        """
        fields = dict(_PAIR.findall(line))
        if not fields.get("TotalNodes", "").isdecimal() or "PartitionName" not in fields:
            raise SlurmError(f"scontrol: no partition in {line.strip()[:80]!r}")
        most_nodes = fields.get("MaxNodes", "UNLIMITED")
        return cls(
            name=fields["PartitionName"],
            nodes=int(fields["TotalNodes"]),
            most_nodes=int(most_nodes) if most_nodes.isdecimal() else None,
            most_minutes=_minutes(fields.get("MaxTime", "UNLIMITED")),
            gpus=tuple(_gpus(text) for text in gres),
            features=tuple(_features(text) for text in features),
        )

    def fault(
        self, *, nodes: int, minutes: int, gpus: int, gpu_type: str | None, qos: bool
    ) -> str | None:
        """Why a job cannot ever run here, in one line; None when it may.

        A quality of service may lift what a partition allows, not what it has.

        Args:
            nodes: nodes that it needs.
            minutes: its time limit.
            gpus: GPUs that it needs of each node.
            gpu_type: Slurm's type of them; None for any.
            qos: True when it names a quality of service.
        """
        where = f"partition {self.name}"
        # A partition of nodes that come on demand may have none just now.
        if not self.nodes:
            return None
        if nodes > self.nodes:
            return f"needs {nodes} nodes, but {where} has {self.nodes}"
        if not qos and self.most_nodes is not None and nodes > self.most_nodes:
            return f"needs {nodes} nodes, but {where} lets a job have {self.most_nodes}"
        if not qos and self.most_minutes is not None and minutes > self.most_minutes:
            return (
                f"`cluster.timeout_min` must be at most {self.most_minutes}, the time that {where} "
                f"lets a job run, but is {minutes} instead"
            )
        able = sum(self._most_gpus(node, gpu_type) >= gpus for node in self.gpus)
        if gpus and able < nodes:
            kind = "GPUs" if gpu_type is None else f"GPUs of type {gpu_type}"
            most = max((self._most_gpus(node, gpu_type) for node in self.gpus), default=0)
            return (
                f"needs {gpus} {kind} on each of {nodes} nodes, but {able} nodes of {where} have "
                f"so many; the most is {most}"
            )
        return None

    @staticmethod
    def _most_gpus(node: Mapping[str, int], gpu_type: str | None) -> int:
        return sum(node.values()) if gpu_type is None else node.get(gpu_type, 0)


class PartitionFinder:
    """Asks Slurm for a partition's limits once."""

    def __init__(self) -> None:
        self._known: dict[str | None, tuple[Partition, ...]] = {}
        self._silence: SlurmError | None = None

    def find(self, names: str | None) -> tuple[Partition, ...]:
        """The partitions of those names, a comma between them, or the default one.

        One that Slurm does not know is not among them: sbatch says so in Slurm's own words.

        Raises:
            SlurmError: Slurm does not answer.
        """
        if names not in self._known:
            wanted = None if names is None else names.split(",")
            text = self._partitions()
            lines = [
                line
                for line in text.splitlines()
                if (fields := dict(_PAIR.findall(line))).get("PartitionName") in (wanted or [])
                or (wanted is None and fields.get("Default") == "YES")
            ]
            self._known[names] = tuple(Partition.read(line, *_nodes(line)) for line in lines)
        return self._known[names]

    def names(self) -> tuple[str, ...]:
        """The names of all partitions that this user may see.

        Raises:
            SlurmError: Slurm does not answer.
        """
        lines = self._partitions().splitlines()
        found = (dict(_PAIR.findall(line)).get("PartitionName") for line in lines)
        return tuple(name for name in found if name)

    def _partitions(self) -> str:
        # A Slurm that is down makes who asks wait a minute: once is enough for a grid.
        if self._silence is not None:
            raise self._silence
        try:
            return ask_slurm(["scontrol", "--oneliner", "show", "partition"])
        except SlurmError as error:
            self._silence = error
            raise

    def fault(
        self,
        names: str | None,
        *,
        nodes: int,
        minutes: int,
        gpus: int,
        gpu_type: str | None,
        qos: bool,
    ) -> str | None:
        """Why a job cannot ever run in any of those partitions; None when it may, or none is known.

        Raises:
            SlurmError: Slurm does not answer.
        """
        faults = [
            each.fault(nodes=nodes, minutes=minutes, gpus=gpus, gpu_type=gpu_type, qos=qos)
            for each in self.find(names)
        ]
        return faults[0] if faults and all(faults) else None


def _nodes(line: str) -> tuple[list[str], list[str]]:
    """Generic resources and features of each node of a partition."""
    name = dict(_PAIR.findall(line))["PartitionName"]
    command = ["sinfo", "--noheader", "--Node", f"--partition={name}", "--format=%G|%f"]
    parts = [text.partition("|") for text in ask_slurm(command).splitlines()]
    return [gres for gres, _, _ in parts], [features for _, _, features in parts]


def _features(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.strip().split(",") if word and word != "(null)")


def _gpus(gres: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for match in _GPUS.finditer(gres):
        kind = match["kind"] or ""
        found[kind] = found.get(kind, 0) + int(match["count"])
    return found


def _minutes(text: str) -> int | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hours = int(match["days"] or 0) * 24 + int(match["hours"])
    return hours * 60 + int(match["minutes"])

"""Offers: which boards the nodes of a Slurm partition have, by what Slurm calls their GPUs."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from launcher.plan.cluster import SlurmRequest
from launcher.slurm.partitions import Partition, PartitionFinder
from launcher.slurm.queue import SlurmError
from telemetry.boards.spellings import board_meant

# Features that all must be there; Slurm's other words (| [ ] *) are for Slurm alone.
_ALL_OF: Final = re.compile(r"[\w.:=+-]+(?:[&,][\w.:=+-]+)*")
# More would be no line.
_MOST_TOLD: Final = 6


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One kind of GPU of a partition's nodes."""

    partition: str
    """The partition's name."""
    gpu_type: str
    """Slurm's type of them; empty where it has none."""
    board: str | None
    """The short name of the board that type or features mean; None where they mean none."""
    counts: tuple[int, ...]
    """How many each node with such GPUs has."""
    features: tuple[str, ...]
    """Features of one such node."""

    @property
    def per_node(self) -> int:
        """How many most of the nodes have; where as many have one as another, the larger."""
        tally = Counter(self.counts)
        return max(tally, key=lambda count: (tally[count], count))

    @property
    def told(self) -> str:
        """What Slurm says of it, in short."""
        kind = f"gpu:{self.gpu_type}" if self.gpu_type else "gpu"
        beside = f", features {','.join(self.features)}" if self.board is None else ""
        board = f" ({self.board})" if self.board else ""
        nodes = len(self.counts)
        where = f"{nodes} node{'s' if nodes > 1 else ''} of {self.partition}"
        return f"{kind}:{self.per_node}{board} on {where}{beside}"


class OfferFinder:
    """What a cluster's request may be given, asked of Slurm once."""

    def __init__(self, partitions: PartitionFinder) -> None:
        self._partitions = partitions

    def find(self, request: SlurmRequest) -> list[Offer]:
        """The kinds of GPU that jobs of a request may land on.

        Raises:
            SlurmError: Slurm does not answer.
        """
        found = [
            offer
            for partition in self._partitions.find(request.partition)
            for offer in _offers(partition, request.constraint)
        ]
        if request.gpu_type is None:
            return found
        return [offer for offer in found if offer.gpu_type == request.gpu_type]

    def elsewhere(self, request: SlurmRequest) -> str:
        """What Slurm has in any partition, in words for who asked where there is nothing.

        Raises:
            SlurmError: Slurm does not answer.
        """
        offers = [
            offer
            for name in self._partitions.names()
            for partition in self._partitions.find(name)
            for offer in _offers(partition, request.constraint)
        ]
        return told(offers) if offers else "no partition that this user sees has GPUs"


def told(offers: Sequence[Offer]) -> str:
    """Offers on one line."""
    words = [offer.told for offer in offers[:_MOST_TOLD]]
    more = len(offers) - _MOST_TOLD
    return "; ".join([*words, *([f"and {more} more"] if more > 0 else [])])


def slurm_fault(error: SlurmError) -> str:
    """Why Slurm says nothing, in its own words."""
    return f"Slurm does not tell: {error}"


def _offers(partition: Partition, constraint: str | None) -> Iterator[Offer]:
    wanted = set(re.split("[&,]", constraint)) if constraint and _simple(constraint) else set()
    features = partition.features or ((),) * len(partition.gpus)
    kinds: dict[tuple[str, str | None], list[tuple[int, tuple[str, ...]]]] = {}
    for gpus, words in zip(partition.gpus, features, strict=False):
        if wanted <= set(words):
            for gpu_type, count in gpus.items():
                meant = board_meant(gpu_type, words)
                kind = (gpu_type, None if meant is None else meant.name)
                kinds.setdefault(kind, []).append((count, words))
    for (gpu_type, board), nodes in kinds.items():
        yield Offer(
            partition=partition.name,
            gpu_type=gpu_type,
            board=board,
            counts=tuple(count for count, _ in nodes),
            features=nodes[0][1],
        )


def _simple(constraint: str) -> bool:
    return _ALL_OF.fullmatch(constraint) is not None

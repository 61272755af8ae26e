"""Rank: one process of a run and its place among the others; `run_rank` is all its work.

No torch at import: the launcher makes a Rank on machines that have none.
"""

import re
from dataclasses import dataclass
from typing import Final

from telemetry.record.validation import require_whole

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Rank:
    """One process of a run: its number and where it stands."""

    rank: int
    """Number among all ranks, counted from 0."""
    world: int
    """Ranks of the run."""
    local_rank: int
    """Number among the ranks of its node, counted from 0."""
    local_world: int
    """Ranks of its node."""
    node: int
    """Number of its node, counted from 0."""
    nodes: int
    """Nodes of the run."""
    host: str
    """The node's name."""

    def __post_init__(self) -> None:
        for number, total in (("rank", "world"), ("local_rank", "local_world"), ("node", "nodes")):
            value, bound = getattr(self, number), getattr(self, total)
            for name, whole in ((number, value), (total, bound)):
                require_whole(name, whole)
            if not 0 <= value < bound:
                raise ValueError(
                    f"`{number}` must be at least 0 and below `{total}`, "
                    f"but is {value} of {bound} instead"
                )
        if self.local_rank > self.rank or self.local_world > self.world:
            raise ValueError(
                f"`local_rank` and `local_world` must not exceed `rank` and `world`, but are "
                f"{self.local_rank} of {self.local_world} within {self.rank} of {self.world} "
                "instead"
            )
        if self.nodes == 1 and (self.local_rank, self.local_world) != (self.rank, self.world):
            raise ValueError(
                f"`local_rank` of the only node must be `rank`, but is {self.local_rank} of "
                f"{self.local_world} within {self.rank} of {self.world} instead"
            )
        if not _HOST.fullmatch(self.host):
            raise ValueError(f"`host` must be a host name, but is {self.host!r} instead")

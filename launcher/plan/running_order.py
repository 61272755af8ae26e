"""Running order: in which order the points of a campaign run, so that drift hits no axis.

A board warms up, a room heats, a neighbour comes and goes: where points run in the grid's order,
the last value of an axis gets the hottest hour. So points run shuffled: the first repeat of all of
them, then the second, each repeat in an order of its own. A campaign that is stopped half-way then
holds whole repeats, and what drifts from one repeat to the next shows in the spread between them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from telemetry.record.spec import RunSpec
from telemetry.record.validation import require_whole

RULE: Final = "by repeat, then by the SHA-256 of '<seed>/order/<run_id>'"
"""What `RunningOrder` sorts by: anybody can do it again from a campaign's record."""


@dataclass(frozen=True, kw_only=True)
class RunningOrder:
    """The order of a campaign's points; it depends on the seed and on nothing else that runs."""

    seed: int
    """The seed of the campaign's first point."""

    def __post_init__(self) -> None:
        require_whole("seed", self.seed, 0)

    def key(self, spec: RunSpec) -> tuple[int, str]:
        """What a point is sorted by; a point keeps its place when others are left out."""
        digest = hashlib.sha256(f"{self.seed}/order/{spec.run_id}".encode()).hexdigest()
        return spec.repeat, digest

    def to_mapping(self, specs: Sequence[RunSpec]) -> dict[str, Any]:
        """The record of the order in which `specs` run."""
        return {
            "rule": RULE,
            "seed": self.seed,
            "run_ids": [spec.run_id for spec in sorted(specs, key=self.key)],
        }

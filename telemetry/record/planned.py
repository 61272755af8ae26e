"""Planned: which call of the launcher an attempt belongs to, and that call's plan by its digest.

A campaign's plan names every point that it was to run. Each attempt's provenance.json has the
plan's digest, how many attempts it made and which of them this is, and each plan the digests of
those that lay there before: what is left out afterwards leaves a gap.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from telemetry.record.files import read_plain
from telemetry.record.paths import campaigns_folder

KEY: Final = "planned"
"""Where it stands in an attempt's provenance.json."""
BEFORE: Final = "before"
"""Where a plan has the digests of those before it, by their campaigns' names."""
PLAN: Final = "campaign.json"
"""The file of a campaign's folder that has its plan."""
TAKEN_BACK: Final = "taken_back.json"
"""The file that has the attempts which never began, with the reason: a batch system's refusal."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# 100,000 points with their overrides are some 50 MB.
_MOST_PLAN_BYTES: Final = 256 << 20


@dataclass(frozen=True, kw_only=True)
class Planned:
    """An attempt's place in the plan that made it."""

    campaign: str
    """Name of the campaign's folder."""
    plan_sha256: str
    """SHA-256 of its plan."""
    number: int
    """Which of the plan's attempts it is, counted from 0."""
    count: int
    """How many attempts the plan made."""

    def __post_init__(self) -> None:
        if not isinstance(self.campaign, str) or not self.campaign:
            raise ValueError(f"`campaign` must be a name, but is {self.campaign!r} instead")
        if not isinstance(self.plan_sha256, str) or not _SHA256.fullmatch(self.plan_sha256):
            raise ValueError(
                f"`plan_sha256` must be 64 hex digits, but is {self.plan_sha256!r} instead"
            )
        if type(self.number) is not int or type(self.count) is not int:
            raise ValueError(
                f"`number` and `count` must be whole numbers, but are {self.number!r} and "
                f"{self.count!r} instead"
            )
        if not 0 <= self.number < self.count:
            raise ValueError(
                f"`number` must be from 0 to below `count`, but is {self.number} of {self.count} "
                "instead"
            )

    def to_mapping(self) -> dict[str, Any]:
        """Its JSON form."""
        return {
            "campaign": self.campaign,
            "plan_sha256": self.plan_sha256,
            "number": self.number,
            "count": self.count,
        }

    @classmethod
    def of(cls, provenance: Mapping[str, Any]) -> Self | None:
        """The place that a provenance.json tells; None in one from before.

        Raises:
            ValueError: what it tells is no such place.
        """
        content = provenance.get(KEY)
        if content is None:
            return None
        names = {"campaign", "plan_sha256", "number", "count"}
        if not isinstance(content, dict) or content.keys() != names:
            raise ValueError(
                f"`{KEY}` must be an object of {', '.join(sorted(names))}, "
                f"but is {content!r} instead"
            )
        return cls(**content)


def plan_sha256(plan: Path) -> str:
    """SHA-256 of a campaign's plan.

    Raises:
        OSError, ValueError: it cannot be read, or is no plain file of a plan's size.
    """
    return hashlib.sha256(read_plain(plan, most_bytes=_MOST_PLAN_BYTES)).hexdigest()


def plans_before(results: Path) -> dict[str, str]:
    """The digest of every plan that lies in a results folder, by its campaign's name.

    One that cannot be read is left out: a new campaign does not answer for an old one's damage.
    """
    found = {}
    for plan in sorted(campaigns_folder(results).glob(f"*/{PLAN}")):
        try:
            found[plan.parent.name] = plan_sha256(plan)
        except (OSError, ValueError):
            continue
    return found

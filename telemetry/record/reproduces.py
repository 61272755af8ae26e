"""Reproduces: which sealed run another was made after, as the later one's record says it."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from telemetry.record.files import file_sha256
from telemetry.record.paths import AttemptPaths, RunPaths

KEY: Final = "reproduces"
"""Where it stands in the configuration that a run's provenance.json holds."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Reproduces:
    """The original of a run that was made after a sealed one."""

    results: str
    """The original's results folder, absolute where it was read."""
    campaign: str | None
    """The call of the launcher that made it; None where its record does not say."""
    run_id: str
    """The original's name."""
    seal_sha256: str
    """SHA-256 of its seal.json, which has those of all its files."""

    def __post_init__(self) -> None:
        for name in ("results", "run_id"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise ValueError(f"`{name}` must be a text, but is {value!r} instead")
        if self.campaign is not None and not isinstance(self.campaign, str):
            raise ValueError(f"`campaign` must be a name or null, but is {self.campaign!r} instead")
        if not isinstance(self.seal_sha256, str) or not _SHA256.fullmatch(self.seal_sha256):
            raise ValueError(
                f"`seal_sha256` must be 64 hex digits, but is {self.seal_sha256!r} instead"
            )

    @classmethod
    def of(cls, run: RunPaths, attempt: AttemptPaths, campaign: str | None) -> Self:
        """A sealed run as it lies there.

        Raises:
            OSError: its seal cannot be read.
        """
        return cls(
            results=str(run.results),
            campaign=campaign,
            run_id=run.run_id,
            seal_sha256=file_sha256(attempt.seal),
        )

    @classmethod
    def from_mapping(cls, content: object) -> Self:
        """What `to_mapping` gave.

        Raises:
            ValueError: it is no such thing.
        """
        names = {"results", "campaign", "run_id", "seal_sha256"}
        if not isinstance(content, Mapping) or set(content) != names:
            raise ValueError(f"`{KEY}` must be an object of {', '.join(sorted(names))}, but is not")
        return cls(**content)

    @staticmethod
    def of_all(originals: "Sequence[Reproduces]") -> dict[str, Any] | None:
        """What a campaign's record says of all its originals; None where it has none.

        `seals_sha256` is of their run ids and seals, sorted: one number for all that was rebuilt.
        """
        if not originals:
            return None
        lines = sorted(f"{one.seal_sha256}  {one.run_id}\n" for one in originals)
        return {
            "results": sorted({one.results for one in originals}),
            "campaigns": sorted({one.campaign for one in originals if one.campaign}),
            "runs": len(originals),
            "seals_sha256": hashlib.sha256("".join(lines).encode()).hexdigest(),
        }

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "results": self.results,
            "campaign": self.campaign,
            "run_id": self.run_id,
            "seal_sha256": self.seal_sha256,
        }

"""Clock offset: how far a host's clock is ahead of the reference host's, measured in the job.

Every stamp of a host is on its own steady clock (`telemetry.clock`). In a run of several nodes
local rank 0 of each asks the reference host (that of rank 0) for its time and keeps the exchange
with the shortest round trip: the answer was given somewhere within it, so half of it bounds the
error, whatever the network did. It is done once when the ranks have met and once after the last
batch, and stands in clocks/<host>.json:

    {"host": …, "reference_host": …,
     "start": {"t_us": …, "offset_us": …, "error_us": …, "round_trip_us": …},
     "end": the same, or null when the attempt ended before}

The reference host has a file too, all zeros by definition; a run of one node has none.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths
from telemetry.record.validation import is_host_name, require_whole


@dataclass(frozen=True, kw_only=True)
class OffsetReading:
    """One measurement of a host's clock against the reference's."""

    t_us: int
    """When, on the host's own clock."""
    offset_us: int
    """The host's clock minus the reference host's: subtract it to get reference time."""
    error_us: int
    """The true offset is within `offset_us` ± this."""
    round_trip_us: int
    """The shortest round trip of the exchange."""

    def __post_init__(self) -> None:
        for name, least in (
            ("t_us", None),
            ("offset_us", None),
            ("error_us", 0),
            ("round_trip_us", 0),
        ):
            require_whole(name, getattr(self, name), least)


@dataclass(frozen=True, kw_only=True)
class HostOffset:
    """A host's clock against the reference host's, at both ends of an attempt."""

    host: str
    """Whose clock it is."""
    reference_host: str
    """Rank 0's host, on whose clock the tables are."""
    start: OffsetReading
    """As measured when the ranks had met."""
    end: OffsetReading | None
    """None when the attempt ended before it was measured."""

    def __post_init__(self) -> None:
        for name in ("host", "reference_host"):
            value = getattr(self, name)
            if not is_host_name(value):
                raise ValueError(f"`{name}` must be a host name, but is {value!r} instead")
        if self.end is not None and self.end.t_us < self.start.t_us:
            raise ValueError(
                f"`end` must not be before `start`, but is at {self.end.t_us} and "
                f"{self.start.t_us} us instead"
            )

    @classmethod
    def read(cls, path: Path) -> Self:
        """The offset that `path` (a clocks/<host>.json) holds.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it does not hold an offset; the message names it.
        """
        content = read_json(path)
        try:
            end = content["end"]
            return cls(
                host=content["host"],
                reference_host=content["reference_host"],
                start=_reading(content["start"]),
                end=None if end is None else _reading(end),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} must hold a clock offset, but does not: {error}") from error

    def write(self, attempt: AttemptPaths) -> None:
        """Write it to the attempt's clocks/<host>.json, in place of what stood there."""
        attempt.clocks.mkdir(exist_ok=True)
        write_json(attempt.clocks / f"{self.host}.json", dataclasses.asdict(self))

    @property
    def error_us(self) -> int:
        """Bound of the error at both measurements, and between them if the drift was even."""
        return max(self.start.error_us, 0 if self.end is None else self.end.error_us)


def _reading(content: Mapping[str, Any]) -> OffsetReading:
    return OffsetReading(**content)

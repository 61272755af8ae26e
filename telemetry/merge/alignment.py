"""Alignment: the stamps of every node on the reference host's time.

An offset is what `telemetry.record.clock_offset` measured in the job: linear between the two
measurements, constant outside them. Where none was measured the host's own stamps stand, and the
manifest says so.
"""

from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np

from telemetry.merge.series_keys import Integers
from telemetry.record.clock_offset import HostOffset
from telemetry.record.paths import AttemptPaths

# Time must not run backwards on the reference's clock. The steepest slew of a clock daemon,
# chrony's default `maxslewrate`, is 83,333 parts in a million.
_MAX_DRIFT: Final = 0.1
_MILLION: Final = 1e6


class Clocks:
    """The clock offsets of an attempt's hosts."""

    def __init__(self, offsets: Mapping[str, HostOffset], notes: Mapping[str, str]) -> None:
        self._offsets = dict(offsets)
        self._notes = dict(notes)

    @classmethod
    def read(cls, attempt: AttemptPaths) -> Self:
        """The offsets that the attempt's clocks/ holds; one that is none is noted and left out."""
        offsets: dict[str, HostOffset] = {}
        notes: dict[str, str] = {}
        for path in sorted(attempt.clocks.glob("*.json")):
            if path.name.startswith("."):
                continue
            try:
                offset = HostOffset.read(path)
            except (ValueError, OSError) as error:
                # The manifest names the file by its place in the attempt, not on this machine.
                notes[path.stem] = str(error).replace(str(path), path.name)
                continue
            if offset.host != path.stem:
                notes[path.stem] = f"{path.name} is about {offset.host}"
            elif abs(drift := _drift(offset)) > _MAX_DRIFT:
                notes[path.stem] = (
                    f"{path.name} drifts by {drift * _MILLION:.0f} ppm, "
                    f"at most {_MAX_DRIFT * _MILLION:.0f} are a clock's"
                )
            else:
                offsets[path.stem] = offset
        return cls(offsets, notes)

    def to_reference(self, host: str, t_us: Integers) -> Integers:
        """Stamps of `host` on the reference host's clock, in their order."""
        offset = self._offsets.get(host)
        if offset is None:
            return t_us
        start, end = offset.start, offset.end
        if end is None or end.t_us == start.t_us or end.offset_us == start.offset_us:
            return t_us - start.offset_us
        # In place: this passes over every sample there is.
        ahead_us = np.clip(t_us, start.t_us, end.t_us) - np.float64(start.t_us)
        ahead_us *= _drift(offset)
        ahead_us += start.offset_us
        np.rint(ahead_us, out=ahead_us)
        moved: Integers = t_us - ahead_us.astype(np.int64)
        return moved

    def earliest_us(self, t_us: int, hosts: tuple[str, ...] | None) -> int:
        """A time on the reference's clock before which no stamp of at least `t_us` lies.

        `hosts` are those that stamped; None for any.
        """
        stamp = np.array([t_us], dtype=np.int64)
        among = {*self._offsets, ""} if hosts is None else hosts
        return min(int(self.to_reference(host, stamp)[0]) for host in among)

    def to_mapping(self) -> dict[str, dict[str, Any]]:
        """What was applied to each host's stamps, for the manifest."""
        return {
            host: {
                "reference_host": offset.reference_host,
                "start_offset_us": offset.start.offset_us,
                "end_offset_us": None if offset.end is None else offset.end.offset_us,
                "drift_ppm": round(_drift(offset) * _MILLION, 3),
                "error_us": offset.error_us,
            }
            for host, offset in sorted(self._offsets.items())
        }

    def notes(self, hosts: set[str]) -> list[str]:
        """What a reader of the stamps of `hosts` has to know, one sentence each."""
        said = [
            f"{host}: clock offset taken as 0: {why}" for host, why in sorted(self._notes.items())
        ]
        for host in sorted(hosts - set(self._notes)):
            offset = self._offsets.get(host)
            # One node alone has nothing to agree with.
            if offset is None and len(hosts) > 1:
                said.append(f"{host}: clock offset taken as 0: none was measured")
            elif offset is not None and offset.end is None:
                said.append(f"{host}: clock offset measured at the start only, drift unknown")
        return said


def _drift(offset: HostOffset) -> float:
    """Microseconds gained on the reference in each microsecond."""
    start, end = offset.start, offset.end
    if end is None or end.t_us == start.t_us:
        return 0.0
    return (end.offset_us - start.offset_us) / (end.t_us - start.t_us)

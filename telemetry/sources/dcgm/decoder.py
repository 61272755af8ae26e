"""Decoder: an engine's values as readings, each absence and each reset of a counter once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from telemetry.record.fields import Field, Kind
from telemetry.sources.base import Absences, Reading, Remarks
from telemetry.sources.dcgm.values import Raw, decode

# Two watchers place a stamp of the engine up to a step of slewing apart, which is 1 ms.
_SAME_US: Final = 2_000


class DcgmDecoder:
    """What was told before decides what is told now."""

    def __init__(
        self,
        fields: Sequence[Field],
        remarks: Remarks,
        last: Mapping[tuple[str, str], tuple[int, float]] | None = None,
    ) -> None:
        """`last` holds by GPU and field the time and value where an earlier watcher stopped."""
        self._field_of = {field.dcgm_id: field for field in fields}
        self._remarks = remarks
        self._absences = Absences()
        names = {field.name: field.kind for field in fields}
        known = {key: one for key, one in (last or {}).items() if key[1] in names}
        self._skip_until_us = {key: t_us + _SAME_US for key, (t_us, _) in known.items()}
        self._counters = {
            key: value for key, (_, value) in known.items() if names[key[1]] is Kind.COUNTER
        }

    def since_us(self, now_us: int) -> int:
        """From when on values are new: of now, or of where an earlier watcher stopped."""
        return min(self._skip_until_us.values(), default=now_us)

    def readings(self, values: Iterable[tuple[int, str, Raw]]) -> list[Reading]:
        """Values with their time and GPU as readings."""
        readings = []
        for t_us, uuid, raw in values:
            field = self._field_of.get(raw[0])
            if field is None or t_us <= self._skip_until_us.get((uuid, field.name), 0):
                continue
            value, reason = decode(raw, field)
            if value is None:
                assert reason is not None
                readings += self._absences.note(t_us, uuid, field.name, reason)
                continue
            if field.kind is Kind.COUNTER:
                readings += self._look_for_reset(t_us, uuid, field.name, value)
            self._absences.end(uuid, field.name)
            readings.append(Reading(t_us=t_us, device=uuid, field=field.name, value=value))
        return readings

    def nulls(
        self, t_us: int, uuids: Iterable[str], names: Sequence[str], reason: str
    ) -> list[Reading]:
        """A null row for each GPU and field that is not known to be missing for that reason."""
        return [
            null
            for uuid in uuids
            for name in names
            for null in self._absences.note(t_us, uuid, name, reason)
        ]

    def _look_for_reset(self, t_us: int, uuid: str, name: str, value: float) -> list[Reading]:
        """A null between a counter's last value and its first after it began anew."""
        before = self._counters.get((uuid, name))
        self._counters[uuid, name] = value
        if before is None or value >= before:
            return []
        self._remarks.note(t_us, "counter_reset", device=uuid, before_j=before, after_j=value)
        reason = f"the counter began anew, from {before:.3f} J to {value:.3f} J"
        return self._absences.note(t_us - 1, uuid, name, reason)

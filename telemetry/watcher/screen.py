"""Screen: what a source gives, with what cannot be made null, whichever source it is.

Every reading passes here on its way to disk, so that a source of somebody else's is held to the
bounds of `telemetry.record.reading_bounds` as those of this package are.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from telemetry.record.fields import FIELDS
from telemetry.record.reading_bounds import (
    Bounds,
    CounterHistory,
    bounds_of,
    is_energy_counter,
    most_power_w,
)
from telemetry.sources.base import Absences, Reading
from telemetry.watcher.log import WatchLog

_Key = tuple[str, str]


class Screen:
    """What was told before decides what is told now."""

    def __init__(self, gpus: Sequence[Mapping[str, Any]], log: WatchLog) -> None:
        """`gpus` is the source's inventory, whose limits bound the readings of each."""
        self._gpus = {str(gpu.get("uuid")): gpu for gpu in gpus}
        self._log = log
        self._absences = Absences()
        self._bounds: dict[_Key, Bounds] = {}
        self._counters: dict[_Key, CounterHistory] = {}
        self._refused: Counter[_Key] = Counter()

    def pass_on(self, readings: Sequence[Reading]) -> list[Reading]:
        """The readings in their order; one that cannot be is a null row, or none when it is known.

        The log is told of the first of each device and field, with the value.
        """
        passed: list[Reading] = []
        for reading in readings:
            value = reading.value
            key = reading.device, reading.field
            if value is None:
                self._interrupt(key)
                passed.append(reading)
            elif (reason := self._fault(key, reading.t_us, value)) is None:
                # Nothing to end for most readings there are.
                if key in self._refused:
                    self._absences.end(*key)
                passed.append(reading)
            else:
                passed += self._refuse(key, reading.t_us, value, reason)
        return passed

    def close(self) -> None:
        """Tell the log how many readings could not be, where there was more than the first."""
        for (device, name), count in sorted(self._refused.items()):
            if count > 1:
                self._log.event("impossible_readings", device=device, field=name, readings=count)

    def _interrupt(self, key: _Key) -> None:
        """The source itself tells why there is no reading."""
        self._absences.end(*key)
        if (history := self._counters.get(key)) is not None:
            history.interrupt()

    def _fault(self, key: _Key, t_us: int, value: float) -> str | None:
        device, name = key
        bounds = self._bounds.get(key)
        if bounds is None:
            gpu = self._gpus.get(device)
            bounds = self._bounds[key] = bounds_of(name, gpu)
            if is_energy_counter(FIELDS.get(name)):
                self._counters[key] = CounterHistory(most_power_w(name, gpu))
        if (reason := bounds.fault(value)) is not None:
            return reason
        history = self._counters.get(key)
        return None if history is None else history.fault(t_us, value)

    def _refuse(self, key: _Key, t_us: int, value: float, reason: str) -> list[Reading]:
        device, name = key
        self._refused[key] += 1
        if self._refused[key] == 1:
            # As text: JSON has no word for what is not a number.
            self._log.event(
                "impossible_reading",
                t_us=t_us,
                device=device,
                field=name,
                value=f"{value:.10g}",
                reason=reason,
            )
        return self._absences.note(t_us, device, name, reason)

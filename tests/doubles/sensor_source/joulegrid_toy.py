"""A sensor source of somebody else's: the meter of a rack, one file that knows no other source."""

import os
from collections.abc import Sequence

from telemetry.clock import US_PER_MS
from telemetry.record.fields import Field, Kind, Subject, add_field
from telemetry.sources.base import Assignment, Description, Reading

RACK_POWER = Field(
    name="rack_power_w",
    subject=Subject.HOST,
    kind=Kind.GAUGE,
    unit="W",
    meaning="Power of the rack that the node stands in.",
)
add_field(RACK_POWER)


class RackMeter:
    """A meter that tells a watt more at each look, after what TOY_POWER_W lists."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._power_w = 1_000.0
        self._listed = [float(one) for one in os.environ.get("TOY_POWER_W", "").split(",") if one]

    def describe(self) -> Description:
        period_us = self._assignment.launch.period_ms * US_PER_MS
        return Description(name="toy", simulated=False, periods_us={RACK_POWER.name: period_us})

    def read(self) -> Sequence[Reading]:
        self._power_w = self._listed.pop(0) if self._listed else self._power_w + 1.0
        now_us = self._assignment.clock.now_us()
        return [Reading(t_us=now_us, device="host", field=RACK_POWER.name, value=self._power_w)]

    def finish(self) -> Sequence[Reading]:
        return self.read()

    def close(self) -> None:
        pass

"""Look: where all points of a grid stand after a round."""

from dataclasses import dataclass
from typing import Any

from launcher.plan.auto_repeats import AutoRepeats
from launcher.repeats.drift import RoundsDrift
from launcher.repeats.series import RepeatSeries, RepeatStanding
from launcher.repeats.stopping import LEVEL, LOOK_LEVEL


@dataclass(frozen=True, kw_only=True)
class RoundsLook:
    """Where all points of a grid stand after a round."""

    rule: AutoRepeats
    """What was asked."""
    series: tuple[RepeatSeries, ...]
    """Each point's repeats, in the grid's order."""
    gpu_hours: float | None
    """What all repeats held of GPUs, those that failed too; None where of one nobody knows."""
    kwh: float | None
    """What the GPUs of the sealed ones took, a power model's joules where they are simulated; None
    where of one nobody knows."""
    drift: RoundsDrift
    """Whether the rounds drifted."""

    def having(self, *standings: RepeatStanding) -> list[RepeatSeries]:
        """The points that stand so, in order."""
        return [each for each in self.series if each.standing in standings]

    @property
    def rounds(self) -> int:
        """Repeats of the point that has most."""
        return max((each.rounds for each in self.series), default=0)

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form: equal for equal seals, whoever looks."""
        return {
            "rule": {**self.rule.to_mapping(), "level": LEVEL, "look_level": LOOK_LEVEL},
            "rounds": self.rounds,
            "spent": {"gpu_hours": self.gpu_hours, "kwh": self.kwh},
            "drift": self.drift.to_mapping(),
            "points": [each.to_mapping() for each in self.series],
        }

"""Auto repeats: what `repeats=auto` asks for: how narrow, how few, how many, and for how much."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from launcher.config.errors import BadInputError
from telemetry.record.spec import RunSpec
from telemetry.record.validation import require_number, require_whole

KEY: Final = "repeats_auto"
"""Where a campaign's plan has the rule; null or absent where the repeats were counted."""
# With two a lucky pair ends it: the interval of what a rule ends by looking must hold for three
# (tests/benchmarks/NOTES.md).
LEAST: Final = 3
# More than all GPUs of the world have: a slip of the keyboard.
_MOST_BUDGET: Final = 1e9


@dataclass(frozen=True, kw_only=True)
class AutoRepeats:
    """The rule by which points are repeated."""

    width: float
    """Half of the interval of J/token at most, as a share of its mean."""
    least: int
    """Repeats of each point before anybody looks."""
    most: int
    """Repeats of each point at most."""
    gpu_hours: float | None
    """What all repeats of the grid may hold of GPUs; None sets no bound."""
    kwh: float | None
    """What their GPUs may take; None sets no bound."""

    def __post_init__(self) -> None:
        require_number("repeats_width", self.width, low=0.0, low_allowed=False, high=1.0)
        require_whole("repeats_least", self.least, LEAST)
        require_whole("repeats_most", self.most, 1)
        if self.most < self.least:
            raise ValueError(
                f"`repeats_most` must be at least `repeats_least`, {self.least}, but is "
                f"{self.most} instead"
            )
        for name in ("gpu_hours", "kwh"):
            if (value := getattr(self, name)) is not None:
                require_number(
                    f"repeats_{name}", value, low=0.0, low_allowed=False, high=_MOST_BUDGET
                )

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """What a composed point asks for.

        Raises:
            BadInputError: a value is not allowed.
        """
        names = ("width", "least", "most", "gpu_hours", "kwh")
        try:
            return cls(**{name: config[f"repeats_{name}"] for name in names})
        except ValueError as error:
            raise BadInputError(str(error)) from error

    def least_of(self, spec: RunSpec) -> int:
        """How many repeats of any spec there are before anybody looked."""
        del spec
        return self.least

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)

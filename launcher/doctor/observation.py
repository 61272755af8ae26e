"""Observation: what one look at the machine found, and what it costs a measurement if it lacks."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from telemetry.terminal import printable


class Standing(StrEnum):
    """What came of a look."""

    THERE = "there"
    MISSING = "missing"
    UNSEEN = "could not be looked at"
    ELSEWHERE = "does not apply here"

    @property
    def box(self) -> str:
        """Its check box, as in the audit's list."""
        return _BOXES[self]


_BOXES: Final = {
    Standing.THERE: "[x]",
    Standing.MISSING: "[ ]",
    Standing.UNSEEN: "[?]",
    Standing.ELSEWHERE: "[-]",
}


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One line of the list."""

    name: str
    """What was looked at, in one word: `cpu-energy`."""
    standing: Standing
    """Whether it is there, is not, could not be looked at, or does not apply here."""
    found: str
    """What was found, with numbers, or why nothing could be, in one line."""
    costs: str | None = None
    """What a measurement loses by it, in one sentence; None where it is there or does not apply."""
    remedy: str | None = None
    """What an administrator, or the user, can do about it; None where nothing is to be done."""
    stops: bool = False
    """True where nothing can be measured here, or nothing can be started, until it is mended."""

    def __post_init__(self) -> None:
        for field in ("found", "costs", "remedy"):
            text = getattr(self, field)
            if text is not None:
                object.__setattr__(self, field, printable(" ".join(text.split())))
        lacks = self.standing in {Standing.MISSING, Standing.UNSEEN}
        if lacks != (self.costs is not None):
            raise ValueError(
                f"`costs` must be told of what is missing or unseen and of nothing else, but "
                f"{self.name} is {self.standing} and costs {self.costs!r}"
            )
        if self.stops and self.standing is not Standing.MISSING:
            raise ValueError(
                f"`stops` must be false of what is not missing, but {self.name} is {self.standing}"
            )

    @classmethod
    def from_mapping(cls, content: dict[str, Any]) -> Self:
        """The observation of its JSON form."""
        return cls(**{**content, "standing": Standing(content["standing"])})


def there(name: str, found: str) -> Observation:
    """It is there."""
    return Observation(name=name, standing=Standing.THERE, found=found)


def missing(
    name: str, found: str, *, costs: str, remedy: str | None = None, stops: bool = False
) -> Observation:
    """It is not there, or not as it should be."""
    return Observation(
        name=name,
        standing=Standing.MISSING,
        found=found,
        costs=costs,
        remedy=remedy,
        stops=stops,
    )


def unseen(name: str, why: str, *, costs: str, remedy: str | None = None) -> Observation:
    """Nobody knows; `costs` is what a measurement loses should it not be there."""
    return Observation(name=name, standing=Standing.UNSEEN, found=why, costs=costs, remedy=remedy)


def elsewhere(name: str, why: str) -> Observation:
    """It does not apply here."""
    return Observation(name=name, standing=Standing.ELSEWHERE, found=why)

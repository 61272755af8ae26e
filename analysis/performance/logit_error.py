"""Logit error: what a grid point's runs say of how far their logits are from fp32's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analysis.performance.model_record import ModelFacts
from analysis.runs.sealed_runs import Run

# What model.json calls it.
_PART: Final = "logit_error"


@dataclass(frozen=True, kw_only=True)
class LogitError:
    """The logit error of one grid point: the same weights and probe give it in every repeat."""

    members: tuple[ModelFacts, ...]
    """What each of its runs says of its model."""

    @classmethod
    def of(cls, runs: Sequence[Run]) -> "LogitError":
        """That of a point's runs."""
        return cls(members=tuple(map(ModelFacts, runs)))

    def number(self, name: str) -> float | None:
        """One number of it, of the first run that has one; None when none has."""
        numbers = (member.number(_PART, name) for member in self.members)
        return next((number for number in numbers if number is not None), None)

    @property
    def reason(self) -> str | None:
        """Why there is none; None when there is one."""
        if self.number("relative_rms") is not None:
            return None
        reasons = (member.reason(_PART) for member in self.members)
        return next(filter(None, reasons), None) or "not compared with fp32"

"""Warm-up: batches are answered and thrown away until they take equally long, by a stated rule.

Each batch is the same work, prompts and seed alike, so that rates differ for the machine's reasons
alone: clocks that rise, caches and allocators that fill, code that is compiled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from telemetry.clock import US_PER_S
from telemetry.record.launch import LaunchConfig
from workers.engines.base.generation import Generation

WINDOW: Final = 3
"""Batches whose rates must agree: two agree by chance on a machine that drifts."""


@dataclass(frozen=True, kw_only=True)
class WarmupRule:
    """When a warm-up ends: at `least` batches once steady, at `most` or after `most_s` anyway."""

    least: int
    """Batches answered at least; 0 leaves the warm-up out."""
    most: int
    """Batches answered at most."""
    spread: float
    """The last `WINDOW` rates agree when they spread over at most this share of their mean."""
    most_s: float
    """No batch beyond `least` begins later than this."""

    @classmethod
    def of(cls, launch: LaunchConfig) -> "WarmupRule":
        """The rule of a launch."""
        return cls(
            least=launch.warmup_batches,
            most=launch.most_warmup_batches,
            spread=launch.warmup_spread,
            most_s=launch.max_warmup_s,
        )

    def goes_on(self, rates: Sequence[float], elapsed_s: float) -> bool:
        """True when another batch is to be answered after those with `rates`."""
        if len(rates) < self.least:
            return True
        if self.least == 0 or len(rates) >= self.most or elapsed_s >= self.most_s:
            return False
        return not self.is_steady(rates)

    def is_steady(self, rates: Sequence[float]) -> bool | None:
        """True when the last rates agree; None when there are too few to say."""
        spread = spread_of(rates)
        return None if spread is None else spread <= self.spread

    def describe(self, rates: Sequence[float], elapsed_s: float) -> dict[str, Any]:
        """What the record says of a warm-up that ended after `elapsed_s`."""
        steady, spread = self.is_steady(rates), spread_of(rates)
        reason = None
        if steady is None:
            reason = f"fewer than {WINDOW} batches were answered"
        elif not steady:
            ended = "batches" if len(rates) >= self.most else "the time"
            reason = (
                f"the last {WINDOW} rates differ by {spread:.1%}, more than {self.spread:.1%}, "
                f"when {ended} ran out"
            )
        return {
            "rule": f"the rates of the last {WINDOW} batches, highest less lowest over mean",
            "least": self.least,
            "most": self.most,
            "most_s": self.most_s,
            "spread": self.spread,
            "window": WINDOW,
            "batches": len(rates),
            "rates_tokens_per_s": list(rates),
            "reached_spread": spread,
            "seconds": elapsed_s,
            "steady": steady,
            "reason": reason,
        }


def rate_of(answers: Generation, seconds: float) -> float:
    """Tokens chosen a second: by all rows after prefill's step, or by prefill's where it is all.

    Tokens that an end-of-sequence id cuts off count too: choosing them took as long. Where no step
    is told it is the tokens kept over the `seconds` that the whole batch took.
    """
    rows, step_us = len(answers.ids), answers.step_us
    if step_us is None:
        return sum(map(len, answers.ids)) / seconds
    if len(step_us) > 1 and step_us[-1] > step_us[0]:
        return rows * (len(step_us) - 1) / (step_us[-1] - step_us[0]) * US_PER_S
    # A clock of whole microseconds cannot tell less than one.
    return rows * len(step_us) / max(1, step_us[-1]) * US_PER_S


def spread_of(rates: Sequence[float]) -> float | None:
    """How far the last `WINDOW` rates lie apart, as a share of their mean; None when fewer."""
    last = rates[-WINDOW:]
    if len(last) < WINDOW:
        return None
    return (max(last) - min(last)) / fmean(last)

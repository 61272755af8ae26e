"""Format causes: why fewer bits of weight save what they do, or nothing.

Joules a token are watts over tokens a second. Of the time a token takes, the roofline's bound is
what the bytes of the format leave, and all beyond it is the software's: launches, gaps, and in a
quantized run the widening of weights besides. What a quantized run is further beyond its bound than
its twin beyond its own is what the format costs beyond its bytes: widening, and what its shorter
steps hide no more. The record does not tell the two apart. What lacks is said to lack.
"""

from dataclasses import dataclass

from analysis.findings.format_points import FormatPoint
from analysis.findings.format_twins import FormatTwins


@dataclass(frozen=True, kw_only=True, eq=False)
class FormatCauses:
    """What a quantized point and its twin record of bytes, time and power."""

    twins: FormatTwins
    """Both of them."""

    @property
    def weight_share(self) -> float | None:
        """Weights' share of the bytes that the twin moves; None where that is not known."""
        return None if self.twins.base is None else self.twins.base.weight_share

    @property
    def bound_ratio(self) -> float | None:
        """Tokens a second of its bound over those of the twin's; None without both bounds."""
        return self._over("bound_tokens_per_s")

    @property
    def power_ratio(self) -> float | None:
        """Watts over the twin's; None where either has none."""
        return self._over("power_w")

    @property
    def excess_s(self) -> float | None:
        """Seconds a token that it is further beyond its bound than its twin beyond its own."""
        own, base = (None if one is None else one.beyond_bound_s for one in self._both)
        return None if own is None or base is None else own - base

    @property
    def excess_share(self) -> float | None:
        """The same over the seconds a token takes; below 0 where it is nearer."""
        excess_s, rate = self.excess_s, self.twins.of.rate
        return None if excess_s is None or rate is None else excess_s * rate.value

    @property
    def cap_shares(self) -> tuple[float | None, float | None]:
        """Share of the readings in which a power limit held a clock: the twin's, its own."""
        base, own = (None if one is None else one.mean("cap_bound_share") for one in self._turned)
        return base, own

    @property
    def bound_reason(self) -> str | None:
        """Why bounds are missing; None where both are there."""
        if self.excess_s is not None and self.bound_ratio is not None:
            return None
        told = (None if one is None else one.reason("performance_reason") for one in self._both)
        return self.twins.unpaired or next(filter(None, told), None) or self.twins.rate_lacking

    @property
    def bytes_reason(self) -> str | None:
        """Why the share of the bytes is missing; None where it is there."""
        if self.weight_share is not None:
            return None
        base = self.twins.base
        told = None if base is None else base.reason("work_reason")
        return self.twins.unpaired or told or "the twin moved nothing"

    @property
    def clocks_reason(self) -> str | None:
        """Why a share of limited readings is missing; None where both are there."""
        if None not in self.cap_shares:
            return None
        return self.twins.unpaired or "too few readings of either say what held the clocks"

    @property
    def why(self) -> str | None:
        """What the bytes, the time beyond the bound and the power limit have to do with it."""
        if self.twins.base is None:
            return None
        return "; ".join((self._bytes, self._time, self._power, self._limit))

    @property
    def _bytes(self) -> str:
        share, bound, rate = self.weight_share, self.bound_ratio, self.twins.rate_ratio
        told = (
            f"bytes not told: {self.bytes_reason}"
            if share is None
            else f"weights are {share:.0%} of the bytes that the twin moves"
        )
        if bound is None or rate is None:
            return f"{told}; bound not told: {self.bound_reason}"
        return (
            f"{told}: the bound allows {bound:.2f} times its tokens/s, {rate.value:.2f} times came"
        )

    @property
    def _time(self) -> str:
        share = self.excess_share
        if share is None:
            return f"time in widening not told: {self.bound_reason}"
        if share <= 0:
            return "it is no further beyond its bound than the twin: nothing is lost to widening"
        return f"widening and what shorter steps hide no more take {share:.0%} of the time"

    @property
    def _power(self) -> str:
        power = self.power_ratio
        return "power not told" if power is None else f"it draws {power:.2f} times the twin's power"

    @property
    def _limit(self) -> str:
        base, own = self.cap_shares
        if base is None or own is None:
            return f"limit not told: {self.clocks_reason}"
        if not base and not own:
            return "no power limit held a clock"
        return (
            f"a power limit held the clock in {own:.0%} of the readings, the twin's in {base:.0%}"
        )

    @property
    def _both(self) -> tuple[FormatPoint, FormatPoint | None]:
        return self.twins.of, self.twins.base

    @property
    def _turned(self) -> tuple[FormatPoint | None, FormatPoint]:
        return self.twins.base, self.twins.of

    def _over(self, name: str) -> float | None:
        own, base = (None if one is None else one.mean(name) for one in self._both)
        return own / base if own and base else None

"""Scaling: one model and work on several numbers of GPUs, and how far each is off a law.

A family has the same work, board, engine, batch, format, cap and clock; its points differ in GPUs
and nodes alone. Of time and energy a token a power law is fitted, a line through logarithms
(ordinary least squares over the points' means), and of time Amdahl's law as well:
time = a + b / GPUs, of which a / (a + b) does not get shorter.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.findings.estimate import Ranged, ratio
from analysis.findings.pareto import Placed
from analysis.findings.settled import settled
from analysis.findings.works import CHOICES, SEVERAL, Work, works
from analysis.tables.table import Results

# What a family's points may differ in.
_SPREAD: Final = ("gpus", "gpus_per_node")
# A line through two points has no residual, and no interval of its own.
_LEAST_FITTED: Final = 3
# Two-sided 95 %.
_QUANTILE: Final = 0.975

TWO_POINTS: Final = "two numbers of GPUs: the points' own intervals"
"""Basis of a slope's interval where nothing is left to scatter about the line."""


@dataclass(frozen=True, kw_only=True)
class Law:
    """A line through points, of logarithms or as Amdahl has it."""

    slope: Ranged
    """Its slope with its interval."""
    intercept: float
    """Where it meets the axis."""
    r_squared: float | None
    """Share of the points' scatter that it explains; None through two points."""

    def at(self, x: float) -> float:
        """The line at one place."""
        return self.intercept + self.slope.value * x


@dataclass(frozen=True, kw_only=True)
class GpuFamily:
    """Points that differ in GPUs alone, by GPUs and nodes; at least two numbers of GPUs."""

    points: tuple[Placed, ...]
    """Each with time and energy."""

    @property
    def work(self) -> Work:
        """The work that all of them did."""
        return self.points[0].work

    @property
    def fewest(self) -> Placed:
        """The point of the fewest GPUs and nodes."""
        return self.points[0]

    @property
    def counts(self) -> tuple[int, ...]:
        """The GPUs of each point."""
        return tuple(gpus_of(one) for one in self.points)

    @cached_property
    def time_law(self) -> Law:
        """Power law of the time a token: logarithm over logarithm."""
        return self._power_law([_time(one) for one in self.points])

    @cached_property
    def energy_law(self) -> Law:
        """Power law of the energy a token."""
        return self._power_law([_energy(one) for one in self.points])

    @cached_property
    def serial_share(self) -> Ranged | str:
        """Amdahl's share of the time on one GPU that more GPUs do not shorten, or why not.

        By the line of time over 1 / GPUs. Its interval is by the delta method, from what the fit
        says of slope and intercept.
        """
        from scipy import stats  # noqa: PLC0415 - seconds to import

        if len(set(self.counts)) < _LEAST_FITTED:
            return "fewer than three numbers of GPUs"
        inverse = [1.0 / count for count in self.counts]
        fit = stats.linregress(inverse, [_time(one).value for one in self.points])
        fixed, shared = float(fit.intercept), float(fit.slope)
        whole = fixed + shared
        if whole <= 0 or shared < 0:
            return "time rises with GPUs: Amdahl's law does not hold"
        share = fixed / whole
        if share < 0:
            return "faster than in proportion to GPUs: Amdahl's law does not hold"
        mean = math.fsum(inverse) / len(inverse)
        # The intercept's error and the slope's are tied: cov = - mean x var(slope).
        covariance = -mean * fit.stderr**2
        variance = (
            shared**2 * fit.intercept_stderr**2
            + fixed**2 * fit.stderr**2
            - 2.0 * fixed * shared * covariance
        ) / whole**4
        degrees = len(self.points) - 2
        half = float(stats.t.ppf(_QUANTILE, degrees)) * math.sqrt(max(0.0, variance))
        return Ranged(
            value=settled(share),
            low=settled(share - half),
            high=settled(share + half),
            basis=f"least squares, {degrees} degrees of freedom",
        )

    def _power_law(self, values: Sequence[Ranged]) -> Law:
        from scipy import stats  # noqa: PLC0415 - seconds to import

        x = [math.log(count) for count in self.counts]
        y = [math.log(value.value) for value in values]
        fit = stats.linregress(x, y)
        if len(set(self.counts)) >= _LEAST_FITTED:
            degrees = len(x) - 2
            half = float(stats.t.ppf(_QUANTILE, degrees)) * float(fit.stderr)
            basis = f"least squares, {degrees} degrees of freedom"
            r_squared: float | None = settled(float(fit.rvalue) ** 2)
        else:
            widths = [value.relative for value in values]
            known = [width for width in widths if width is not None]
            half = math.hypot(*known) / (max(x) - min(x)) if len(known) == len(widths) else math.nan
            basis, r_squared = TWO_POINTS, None
        slope, half = settled(float(fit.slope)), settled(half)
        if not math.isfinite(half):
            lacking = next(value.basis for value in values if value.relative is None)
            found = Ranged(value=slope, low=None, high=None, basis=lacking)
        else:
            found = Ranged(value=slope, low=slope - half, high=slope + half, basis=basis)
        return Law(slope=found, intercept=settled(float(fit.intercept)), r_squared=r_squared)


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """One point of a family."""

    family: GpuFamily
    """The family."""
    of: Placed
    """The point."""

    @property
    def more_gpus(self) -> float:
        """Its GPUs over the fewest."""
        return gpus_of(self.of) / gpus_of(self.family.fewest)

    @cached_property
    def speedup(self) -> Ranged | None:
        """Time a token on the fewest GPUs over its own."""
        return ratio(_time(self.family.fewest), _time(self.of))

    @cached_property
    def parallel_efficiency(self) -> Ranged | None:
        """Speedup over how many times the GPUs."""
        return scaled(self.speedup, 1.0 / self.more_gpus)

    @cached_property
    def energy_efficiency(self) -> Ranged | None:
        """Energy a token on the fewest GPUs over its own."""
        return ratio(_energy(self.family.fewest), _energy(self.of))

    @property
    def time_residual(self) -> float | None:
        """Its time over the power law's, less 1; None through two points, which are on it."""
        return self._residual(self.family.time_law, _time(self.of))

    @property
    def energy_residual(self) -> float | None:
        """Its energy over the power law's, less 1; None through two points."""
        return self._residual(self.family.energy_law, _energy(self.of))

    def _residual(self, law: Law, value: Ranged) -> float | None:
        if law.r_squared is None:
            return None
        return value.value / math.exp(law.at(math.log(gpus_of(self.of)))) - 1.0


def scaled(one: Ranged | None, factor: float) -> Ranged | None:
    """An estimate times an exact, positive factor."""
    if one is None:
        return None
    return Ranged(
        value=one.value * factor,
        low=None if one.low is None else one.low * factor,
        high=None if one.high is None else one.high * factor,
        basis=one.basis,
    )


def gpus_of(one: Placed) -> int:
    """GPUs of a point."""
    return int(one.point.group["gpus"] or 0)


def families(results: Results) -> Iterator[GpuFamily]:
    """All families of at least two numbers of GPUs, in the order of the groups."""
    for work in works(results):
        found: dict[str, list[Placed]] = {}
        for point in work.points:
            one = Placed(work=work, point=point)
            fixed = [point.group[name] for name in CHOICES if name not in _SPREAD]
            if one.both is not None:
                found.setdefault(json.dumps([point.board, *fixed]), []).append(one)
        for own in found.values():
            own.sort(key=lambda one: (gpus_of(one), int(one.point.group["nodes"] or 0)))
            if len({gpus_of(one) for one in own}) >= SEVERAL:
                yield GpuFamily(points=tuple(own))


def _time(one: Placed) -> Ranged:
    assert one.time is not None
    return one.time


def _energy(one: Placed) -> Ranged:
    assert one.energy is not None
    return one.energy

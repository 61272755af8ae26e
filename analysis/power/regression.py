"""Regression: what a clock and a temperature that nobody set went with.

Of each grid point every amount is taken over its mean, so that points of several sizes stand
together, and a slope is per cent by per cent. Each point has a mean and a slope along the answer of
its own, as a step takes longer the more was said before. Least squares; readings of one run are not
independent, so the lag-one correlation rho of its residuals makes n readings as good as
n (1 - rho) / (1 + rho) (Bayley, Hammersley, Suppl. J. R. Stat. Soc. 8, 1946), and intervals as much
wider. What moved less than the sensor resolves tells nothing.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analysis.findings.settled import settled
from analysis.statistics.intervals import t_quantile_95

Floats = NDArray[np.float64]

CLOCK: Final = "clock"
"""The multiprocessors' clock, over its mean."""
TEMPERATURE: Final = "temperature"
"""Degrees Celsius."""
# Two neighbours of nvmlDeviceGetSupportedGraphicsClocks lie 15 MHz apart on the boards on record,
# and NVML tells whole degrees: less is no movement.
_STEP: Final = {CLOCK: 15.0, TEMPERATURE: 1.0}
_UNIT: Final = {CLOCK: "MHz", TEMPERATURE: "C"}
# With fewer degrees of freedom left Student's factor is above 3.2.
_LEAST_FREE: Final = 3.0
# Of what was read, less is rounding.
_NOTHING: Final = 1e-6
# One less is divided by.
_MOST_CORRELATION: Final = 0.95


@dataclass(frozen=True, kw_only=True)
class Observed:
    """One moment of one run."""

    run: str
    """Its readings follow one another in the order in which they are given."""
    point: Hashable
    """What was done: readings of one point may be held against each other."""
    position: float
    """Tokens of the answer that were there already."""
    clock_mhz: float
    """Read, not set."""
    temperature_c: float | None
    """Read; None where it was not."""
    value: float
    """What is explained, above 0."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value > 0):
            raise ValueError(f"`value` must be a number above 0, but is {self.value} instead")
        if not (math.isfinite(self.clock_mhz) and self.clock_mhz > 0):
            raise ValueError(
                f"`clock_mhz` must be a number above 0, but is {self.clock_mhz} instead"
            )


@dataclass(frozen=True, kw_only=True)
class ObservedSlope:
    """What one of the two goes with."""

    value: float
    """Relative change by one of the regressor's unit: per cent by per cent, or a share a degree."""
    low: float
    """Lower end of its 95 % interval."""
    high: float
    """Upper end of it."""


@dataclass(frozen=True, kw_only=True)
class ObservedCurve:
    """What readings say together."""

    n: int
    """Readings."""
    runs: int
    """Runs that they are of."""
    effective: float | None
    """As many independent ones they are worth; None without a regression."""
    correlation: float | None
    """Of residuals that follow one another in a run; None without a regression."""
    residual: float | None
    """Standard deviation of what is left, as a share; None without a regression."""
    r_squared: float | None
    """Share of the scatter beside point and position that both explain; None without."""
    slopes: Mapping[str, ObservedSlope] = field(default_factory=dict)
    """By `CLOCK` and `TEMPERATURE`; one that cannot be told lacks."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why one cannot be told."""


def curve_of(readings: Sequence[Observed]) -> ObservedCurve:
    """What clock and temperature go with."""
    n, runs = len(readings), len({one.run for one in readings})

    def untold(reasons: Mapping[str, str]) -> ObservedCurve:
        return ObservedCurve(
            n=n,
            runs=runs,
            effective=None,
            correlation=None,
            residual=None,
            r_squared=None,
            reasons=reasons,
        )

    if not readings:
        return untold(dict.fromkeys((CLOCK, TEMPERATURE), "no reading in decode"))
    beside = _beside(readings)
    taken = int(np.linalg.matrix_rank(beside))
    if n - taken - 1 < _LEAST_FREE:
        return untold(dict.fromkeys((CLOCK, TEMPERATURE), _too_few(n, n - taken - 1)))
    chosen, reasons = _moved(readings, beside)
    if not chosen:
        return untold(reasons)
    y = _over_mean(readings, [one.value for one in readings])
    x = np.column_stack([_regressor(readings, name) for name in chosen])
    y, x = _without(beside, y[:, None])[:, 0], _without(beside, x)
    taken += len(chosen)
    if n - taken < _LEAST_FREE:
        return untold(reasons | dict.fromkeys(chosen, _too_few(n, n - taken)))
    found, *_ = np.linalg.lstsq(x, y, rcond=None)
    left = y - x @ found
    correlation = min(max(_lag_one(readings, left), 0.0), _MOST_CORRELATION)
    worth = n * (1.0 - correlation) / (1.0 + correlation)
    free = worth - taken
    if free < _LEAST_FREE:
        few = _too_few(n, free, correlation)
        return untold(reasons | dict.fromkeys(chosen, few))
    inflation = math.sqrt((1.0 + correlation) / (1.0 - correlation))
    variance = float(left @ left) / (n - taken)
    covariance = variance * np.linalg.inv(x.T @ x)
    factor = t_quantile_95(free) * inflation
    slopes = {}
    for place, name in enumerate(chosen):
        value, half = float(found[place]), factor * math.sqrt(float(covariance[place, place]))
        slopes[name] = ObservedSlope(
            value=settled(value), low=settled(value - half), high=settled(value + half)
        )
    scatter = float(y @ y)
    return ObservedCurve(
        n=n,
        runs=runs,
        effective=settled(worth),
        correlation=settled(correlation),
        residual=settled(math.sqrt(variance)),
        r_squared=settled(1.0 - float(left @ left) / scatter) if scatter > 0 else None,
        slopes=slopes,
        reasons=reasons,
    )


def beside_position(readings: Sequence[Observed]) -> Floats:
    """Shape (readings,): each value over its point's, what its place in the answer does taken off.

    In proportion, by logarithms: none falls below 0, and a point's geometric mean is 1.
    """
    if not readings:
        return np.empty(0)
    y = np.log(np.array([one.value for one in readings]))
    return np.asarray(np.exp(_without(_beside(readings), y[:, None])[:, 0]))


def _moved(readings: Sequence[Observed], beside: Floats) -> tuple[list[str], dict[str, str]]:
    """Which of the two moved by more than its sensor's step beside all else, and why not others."""
    reasons: dict[str, str] = {}
    chosen = [CLOCK, TEMPERATURE]
    if any(one.temperature_c is None for one in readings):
        chosen.remove(TEMPERATURE)
        reasons[TEMPERATURE] = "no temperature was read around some of the readings"
    while chosen:
        moved = {}
        for name in chosen:
            others = [_regressor(readings, other) for other in chosen if other != name]
            rest = _without(np.column_stack([beside, *others]), _raw(readings, name)[:, None])
            moved[name] = float(np.sqrt(np.mean(rest**2)))
        name = min(chosen, key=lambda one: moved[one] / _STEP[one])
        if moved[name] >= _STEP[name]:
            break
        chosen.remove(name)
        reasons[name] = _stood_still(_raw(readings, name), moved[name], name)
    return chosen, reasons


def _stood_still(seen: Floats, moved: float, name: str) -> str:
    unit, least, most = _UNIT[name], float(seen.min()), float(seen.max())
    if most - least < _NOTHING * most:
        return f"cannot tell: {least:.5g} {unit} throughout"
    # A movement of some billionths is rounding, which differs between machines.
    by = f"by {moved:.2g} {unit} (root mean square)" if moved > _NOTHING * most else "not at all"
    return (
        f"cannot tell: {least:.5g} to {most:.5g} {unit}, but beside point, place and the other it "
        f"moved {by}, less than the sensor's step of {_STEP[name]:g} {unit}"
    )


def _raw(readings: Sequence[Observed], name: str) -> Floats:
    if name == CLOCK:
        return np.array([one.clock_mhz for one in readings])
    return np.array(
        [math.nan if one.temperature_c is None else one.temperature_c for one in readings]
    )


def _regressor(readings: Sequence[Observed], name: str) -> Floats:
    """A clock over its point's mean; a temperature as it is."""
    raw = _raw(readings, name)
    return _over_mean(readings, raw.tolist()) if name == CLOCK else raw


def _points(readings: Sequence[Observed]) -> list[NDArray[np.int64]]:
    places: dict[Hashable, list[int]] = {}
    for place, one in enumerate(readings):
        places.setdefault(one.point, []).append(place)
    return [np.array(own, dtype=np.int64) for own in places.values()]


def _over_mean(readings: Sequence[Observed], values: Sequence[float]) -> Floats:
    found = np.array(values, dtype=np.float64)
    for own in _points(readings):
        found[own] /= found[own].mean()
    return found


def _beside(readings: Sequence[Observed]) -> Floats:
    """A mean of each point, and a slope along its answers where they are read at several places."""
    columns = []
    positions = np.array([one.position for one in readings])
    for own in _points(readings):
        mean = np.zeros(len(readings))
        mean[own] = 1.0
        columns.append(mean)
        along = np.zeros(len(readings))
        along[own] = positions[own] - positions[own].mean()
        if (spread := float(np.abs(along).max())) > 0:
            columns.append(along / spread)
    return np.column_stack(columns)


def _without(beside: Floats, of: Floats) -> Floats:
    """What is left of columns beside others (Frisch, Waugh, Lovell)."""
    fitted, *_ = np.linalg.lstsq(beside, of, rcond=None)
    return np.asarray(of - beside @ fitted)


def _lag_one(readings: Sequence[Observed], left: Floats) -> float:
    """Correlation of residuals that follow one another in one run."""
    total = float(left @ left)
    if total <= 0:
        return 0.0
    pairs = 0
    product = 0.0
    for place in range(1, len(readings)):
        if readings[place].run == readings[place - 1].run:
            product += float(left[place] * left[place - 1])
            pairs += 1
    return product / pairs / (total / len(left)) if pairs else 0.0


def _too_few(n: int, free: float, correlation: float | None = None) -> str:
    along = "" if correlation is None else f", of which neighbours correlate by {correlation:.2f},"
    return (
        f"cannot tell: {n} readings{along} leave {free:.3g} degrees of freedom, and "
        f"{_LEAST_FREE:g} are needed"
    )

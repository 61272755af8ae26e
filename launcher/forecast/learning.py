"""Learning: what sealed runs say of one quantity, beside its formula.

A run's logarithm is taken for the formula's at unknown parameters, plus a part that it shares with
like runs and a part of its own, all normally distributed. The parameters that the runs make
likeliest are found by Gauss and Newton, and what the formula leaves of like runs is carried over
(Gaussian process regression; Rasmussen and Williams 2006, sections 2.2 and 2.7). Without runs it is
the formula with its constants, and as uncertain as they are.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from launcher.forecast.quantity import Quantity, evaluate, prior_logs, spreads
from launcher.forecast.workload import Workload

FloatArray = npt.NDArray[np.float64]

# Logarithms are near linear in the logarithms of parameters: a fifth round changes nothing.
_ROUNDS: Final = 4
# A difference that neither rounding nor curvature spoils.
_STEP: Final = 1e-4
# No parameter moves by more than a factor of e at a time.
_MOST_MOVED: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One sealed run as the forecast learns from it."""

    run_id: str
    """The run's name."""
    job: Workload
    """What it was."""
    amounts: Mapping[str, float]
    """What was measured, by `Quantity.name`; what was not is left out."""


@dataclass(frozen=True, kw_only=True)
class Belief:
    """What is expected of one amount: its logarithm is normally distributed."""

    log: float
    """Its mean."""
    sd: float
    """Its standard deviation."""

    @property
    def median(self) -> float:
        """The amount that is as likely exceeded as not."""
        return math.exp(self.log)


class Learned:
    """One quantity as some runs teach it; all of one kind of board.

    Args:
        quantity: what is learned.
        jobs: the runs.
        amounts: what each took, above 0; shape (runs,).
    """

    def __init__(
        self, quantity: Quantity, jobs: Sequence[Workload], amounts: Sequence[float]
    ) -> None:
        self._quantity = quantity
        self._jobs = tuple(jobs)
        self._logs: dict[str, dict[str, float]] = {}
        self._columns: dict[str, slice] = {}
        self._prior: list[float] = []
        spread: list[float] = []
        for job in jobs:
            block = quantity.block(job)
            if block not in self._columns:
                priors = quantity.parameters(job)
                first = len(self._prior)
                self._columns[block] = slice(first, first + len(priors))
                self._logs[block] = prior_logs(priors)
                self._prior += self._logs[block].values()
                spread += spreads(priors)
        self._variance: FloatArray = np.array(spread) ** 2
        self._alike = self._who_is_alike()
        self._fit(np.log(np.array(amounts, dtype=np.float64)))

    def _fit(self, logs: FloatArray) -> None:
        count = len(self._jobs)
        shared = np.array([self._shared(job) for job in self._jobs]).reshape(count, count)
        own = np.diag([self._quantity.scatter_of(job) ** 2 for job in self._jobs])
        prior = np.array(self._prior)
        for _ in range(_ROUNDS if count else 0):
            slopes, here = self._linear()
            now = np.array([value for block in self._logs.values() for value in block.values()])
            rest = logs - here - slopes @ (prior - now)
            covariance = (slopes * self._variance) @ slopes.T + shared + own
            self._inverse = np.linalg.inv(covariance)
            self._slopes, self._weights = slopes, self._inverse @ rest
            wanted = prior + self._variance * (slopes.T @ self._weights)
            moved = now + np.clip(wanted - now, -_MOST_MOVED, _MOST_MOVED)
            for block, columns in self._columns.items():
                values = moved[columns].tolist()
                self._logs[block] = dict(zip(self._logs[block], values, strict=True))

    def _linear(self) -> tuple[FloatArray, FloatArray]:
        """Slopes of all runs by all parameters, (runs, parameters), and the formula's (runs,)."""
        slopes = np.zeros((len(self._jobs), len(self._prior)))
        here = np.zeros(len(self._jobs))
        for row, job in enumerate(self._jobs):
            block = self._quantity.block(job)
            here[row], slopes[row, self._columns[block]] = self._slope(job, self._logs[block])
        return slopes, here

    def _slope(self, job: Workload, logs: dict[str, float]) -> tuple[float, list[float]]:
        here = evaluate(self._quantity, job, logs)
        return here, [
            (evaluate(self._quantity, job, {**logs, name: value + _STEP}) - here) / _STEP
            for name, value in logs.items()
        ]

    def _who_is_alike(self) -> dict[str, dict[Hashable, FloatArray]]:
        """By a name of likeness and its value: the spread of runs that share it, or 0; (runs,)."""
        found: dict[str, dict[Hashable, FloatArray]] = {}
        spreads_of = [self._quantity.alike_of(job) for job in self._jobs]
        for name in spreads_of[0] if self._jobs else ():
            values = [job.likeness[name] for job in self._jobs]
            own = np.array([spread[name] for spread in spreads_of])
            found[name] = {
                value: own * np.array([float(other == value) for other in values])
                for value in set(values) - {None}
            }
        return found

    def _shared(self, job: Workload) -> FloatArray:
        """The variance that a job shares with each run; shape (runs,)."""
        shared = np.zeros(len(self._jobs))
        # Of two engines on one host each shows the host by as much as it waits for it.
        own = self._quantity.alike_of(job)
        for name, runs in self._alike.items():
            if (found := runs.get(job.likeness[name])) is not None:
                shared += own[name] * found
        return shared

    def expect(self, job: Workload) -> Belief:
        """What is expected of a job of the same kind of board."""
        block = self._quantity.block(job)
        priors = self._quantity.parameters(job)
        logs = self._logs.get(block) or prior_logs(priors)
        here, slope = self._slope(job, logs)
        variance = sum(sd**2 for sd in self._quantity.alike_of(job).values())
        variance += self._quantity.scatter_of(job) ** 2
        variance += sum((one * sd) ** 2 for one, sd in zip(slope, spreads(priors), strict=True))
        if self._jobs:
            near = self._shared(job)
            here += float(near @ self._weights)
            if block in self._columns:
                columns = self._columns[block]
                near = near + self._slopes[:, columns] @ (self._variance[columns] * slope)
            variance -= float(near @ self._inverse @ near)
        # What is learned never makes two runs alike: rounding might.
        least = self._quantity.scatter_of(job) ** 2
        return Belief(log=here, sd=math.sqrt(max(variance, least)))

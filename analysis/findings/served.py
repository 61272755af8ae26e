"""Served: one run's requests, what they waited for and what they are charged."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from analysis.energy.uncertain import Uncertain
from analysis.findings.request_shares import (
    Requests,
    RequestShares,
    requests_and_shares,
)
from analysis.runs.series import FloatArray
from analysis.tables.measured import Measured
from telemetry.clock import US_PER_S

_TWO: Final = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Served:
    """One run of an engine that takes prompts one by one."""

    of: Measured
    """The run."""
    requests: Requests
    """When each came and went."""
    shares: RequestShares | str
    """What each is charged, or why that is not known."""

    @cached_property
    def latency_s(self) -> FloatArray:
        """From when each came to when the engine was done with it."""
        return np.asarray((self.requests.finished_us - self.requests.arrived_us) / US_PER_S)

    @cached_property
    def waited_s(self) -> FloatArray:
        """From when each came to when the engine was handed it."""
        return np.asarray((self.requests.sent_us - self.requests.arrived_us) / US_PER_S)

    @cached_property
    def first_s(self) -> FloatArray:
        """From when each came to its first token; of those that kept one."""
        kept = self.requests.first_us >= 0
        return np.asarray((self.requests.first_us - self.requests.arrived_us)[kept] / US_PER_S)

    @cached_property
    def between_s(self) -> FloatArray:
        """Mean time between the tokens of each that kept two."""
        told = self.requests.generated >= _TWO
        lasted_us = (self.requests.last_us - self.requests.first_us)[told]
        return np.asarray(lasted_us / US_PER_S / (self.requests.generated[told] - 1))

    @property
    def answered_per_s(self) -> float:
        """Requests answered over the window's length."""
        return len(self.requests.sent_us) / self.of.duration_s

    def charged(self, share: float) -> Uncertain:
        """A quantile of what requests are charged."""
        if isinstance(self.shares, str):
            return Uncertain.unknown(self.shares)
        return self.of_run(float(np.quantile(self.shares.charged_j, share)))

    @property
    def mean(self) -> Uncertain:
        """What a request is charged on average."""
        return self.in_flight.over(len(self.requests.sent_us))

    @property
    def in_flight(self) -> Uncertain:
        """Energy while requests were in flight."""
        if isinstance(self.shares, str):
            return Uncertain.unknown(self.shares)
        return self.of_run(self.shares.total_j - self.shares.idle_j)

    @property
    def idle(self) -> Uncertain:
        """Energy while none was."""
        if isinstance(self.shares, str):
            return Uncertain.unknown(self.shares)
        return self.of_run(self.shares.idle_j)

    def of_run(self, part_j: float) -> Uncertain:
        """A part of the run's energy, as far off as the whole is."""
        whole, width = self.of.energy.value, self.of.energy.plus_minus
        if not whole or width is None:
            return Uncertain.of(part_j)
        return Uncertain.of(part_j, abs(part_j / whole) * width)


@dataclass(frozen=True, kw_only=True, eq=False)
class ServedRequest:
    """One of them."""

    of: Served
    """The run."""
    at: int
    """Its place among the run's responses."""

    @property
    def charged(self) -> Uncertain:
        """What it is charged."""
        return self._of(lambda shares: shares.charged_j)

    @property
    def by_time(self) -> Uncertain:
        """What it would be by time alone."""
        return self._of(lambda shares: shares.by_time_j)

    @property
    def by_tokens(self) -> Uncertain:
        """What it would be by tokens alone."""
        return self._of(lambda shares: shares.by_tokens_j)

    def _of(self, way: Callable[[RequestShares], FloatArray]) -> Uncertain:
        shares = self.of.shares
        if isinstance(shares, str):
            return Uncertain.unknown(shares)
        return self.of.of_run(float(way(shares)[self.at]))

    def since(self, name: str) -> float | None:
        """Seconds from when it came to one of its moments; None where it has none."""
        came_us = int(self.of.requests.arrived_us[self.at])
        moment_us = int(getattr(self.of.requests, name)[self.at])
        return None if moment_us < 0 else (moment_us - came_us) / US_PER_S

    def response(self, name: str) -> int:
        """A number of its response."""
        return int(self.of.of.run.responses[name][self.at].as_py())


def served(one: Measured) -> Served | None:
    """A run's requests; None where it has none."""
    found = requests_and_shares(one)
    if isinstance(found, str) or not len(found[0].sent_us):
        return None
    return Served(of=one, requests=found[0], shares=found[1])

"""Served: how long a pass of a served load takes, and how much of it any request is in flight.

When prompts come is drawn from the spec, and so known. Each is then in flight for as long as a full
batch takes, as it is read beside the others and has as many steps, and waits while as many as may
be are in flight: where they come faster than that, a pass takes what its batches take.
"""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from telemetry.clock import US_PER_S
from telemetry.record.arrivals import arrivals_us
from telemetry.record.spec import RunSpec

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ServedPass:
    """One pass through the prompts, drawn; shape (draws,)."""

    seconds: FloatArray
    """From its begin to its last answer."""
    busy_s: FloatArray
    """Of them with a request in flight."""


def served_pass(spec: RunSpec, in_flight_s: FloatArray) -> ServedPass:
    """The first pass of a served load whose requests are each in flight for `in_flight_s`.

    Raises:
        ValueError: the spec's prompts do not come by themselves.
    """
    if spec.arrivals_per_s is None:
        raise ValueError("`arrivals_per_s` must be a rate, but is null instead")
    come_s = _come_s(spec.arrivals_per_s, spec.arrivals_drawn_by, spec.prompts)
    most, draws = spec.batch_size, len(in_flight_s)
    left_s = np.zeros((draws, most))
    seconds, busy_s = np.zeros(draws), np.zeros(draws)
    for first in range(0, len(come_s), most):
        coming = come_s[first : first + most]
        # First come, first served, each for equally long: who takes a place is who is most places
        # behind the one that leaves it.
        begun_s = np.maximum(coming, left_s[:, : len(coming)])
        left_s = begun_s + in_flight_s[:, None]
        before_s = np.concatenate((seconds[:, None], left_s[:, :-1]), axis=1)
        busy_s += np.minimum(in_flight_s[:, None], left_s - before_s).sum(axis=1)
        seconds = left_s[:, -1]
    return ServedPass(seconds=seconds, busy_s=busy_s)


@functools.lru_cache(maxsize=64)
def _come_s(rate_per_s: float, seed: int, count: int) -> FloatArray:
    """When each prompt of the first pass comes, in seconds since its begin; shape (count,)."""
    return np.array(arrivals_us(rate_per_s, seed, 0, count), dtype=np.float64) / US_PER_S

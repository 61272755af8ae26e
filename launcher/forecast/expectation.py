"""Expectation: a job's time and energy put together from what is believed of its parts.

Parts are drawn and put together as the job does it: prompts again as a whole until the window is
long enough, warm-up batches until they agree or the time runs out. The draws are quantiles in fixed
orders, so that the same beliefs always give the same figures.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from launcher.forecast.constants import (
    AGREEING_BATCHES,
    BETWEEN_BATCHES_S,
    COLD_KERNELS_S,
    ENDING_SHARE,
    MORE_WARMUP_CHANCE,
    WATCHED_START_SHARE,
)
from launcher.forecast.learning import Belief
from launcher.forecast.quantity import (
    LOAD,
    PREFILL,
    REST,
    START,
    STEP,
    WARMUP,
    WATTS,
)
from launcher.forecast.served import served_pass
from launcher.forecast.workload import Workload
from telemetry.record.foreseen import LEVEL, Expected
from telemetry.record.launch import LaunchConfig

FloatArray = npt.NDArray[np.float64]

# As many again move the ends of an interval by 1 or 2 % of its width.
_DRAWS: Final = 99
_PARTS: Final = (STEP.name, PREFILL.name, WARMUP.name, START.name, LOAD.name, WATTS.name, REST.name)
# six hosts: the two that start in less time load and step in less too.
_OF_HOST: Final = (START.name, LOAD.name)
_HOST_SHARE: Final = 0.8
# Places among the sorted draws.
_ENDS: Final = [round(share * (_DRAWS - 1)) for share in ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2)]


def _orders() -> dict[str, FloatArray]:
    """Standard normal quantiles, each part's in an order of its own; shape (draws,)."""
    quantiles = [NormalDist().inv_cdf((draw + 0.5) / _DRAWS) for draw in range(_DRAWS)]
    generator = np.random.default_rng(0)
    names = (*_PARTS, "ending", "more", "cold", "compiling")
    orders = {name: generator.permutation(np.array(quantiles)) for name in names}
    own = math.sqrt(1 - _HOST_SHARE**2)
    for name in _OF_HOST:
        places = np.argsort(np.argsort(_HOST_SHARE * orders[STEP.name] + own * orders[name]))
        orders[name] = np.array(quantiles)[places]
    return orders


_NORMAL: Final = _orders()
_LIKELY: Final = {
    name: np.array([NormalDist().cdf(one) for one in _NORMAL[name]]) for name in ("more", "cold")
}


@dataclass(frozen=True, kw_only=True)
class Beliefs:
    """What is believed of a point's parts."""

    full: Mapping[str, Belief]
    """By `Quantity.name`, of a full batch."""
    rest: Mapping[str, Belief]
    """The prefill and the step of the smaller batch; empty without one."""
    cold_chance: float
    """That kernels must be compiled first."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A job's four amounts, drawn; shape (draws,)."""

    time_s: FloatArray
    """The whole job."""
    energy_j: FloatArray
    """Its GPUs, while they are watched."""
    window_s: FloatArray
    """The measured window."""
    window_energy_j: FloatArray
    """Its GPUs in the window."""


def put_together(
    job: Workload, rest_job: Workload | None, beliefs: Beliefs, launch: LaunchConfig
) -> Parts:
    """The amounts of a point; `rest_job` is its smaller last batch, None without one."""
    spec = job.spec
    full_batches = spec.prompts // spec.batch_size
    batch_s = _batch_s(job, beliefs.full)
    pass_s = full_batches * (batch_s + BETWEEN_BATCHES_S)
    extra_s = np.zeros(_DRAWS)
    if rest_job is not None:
        rest_s = _batch_s(rest_job, beliefs.rest)
        pass_s = pass_s + rest_s + BETWEEN_BATCHES_S
        # A rank warms up for the smaller batch too, unless there is no other.
        extra_s = rest_s if full_batches else extra_s
        batch_s = batch_s if full_batches else rest_s
    busy_share = np.ones(_DRAWS)
    if spec.arrivals_per_s is not None:
        served = served_pass(spec, batch_s)
        pass_s = served.seconds + BETWEEN_BATCHES_S
        busy_share = served.busy_s / served.seconds
    passes = np.maximum(1.0, np.ceil(launch.min_window_s / pass_s))
    # The last batch's end is the window's.
    window_s = passes * pass_s - BETWEEN_BATCHES_S
    beyond_s = _drawn(WARMUP.name, beliefs.full)
    # Where logits are looked at, kernels are compiled while loading: the warm-up's time is kept.
    compiling_s = np.where(_LIKELY["cold"] < beliefs.cold_chance, _compiling_s(), 0.0)
    counted_s = beyond_s + extra_s + (0.0 if job.looks_at_logits else compiling_s)
    batches = _warmup_batches(job, launch, counted_s, batch_s)
    warm_s = batches * batch_s + extra_s
    beyond_s = np.where(batches > 0, beyond_s, 0.0) + compiling_s
    start_s, load_s = _drawn(START.name, beliefs.full), _drawn(LOAD.name, beliefs.full)
    time_s = start_s + launch.idle_s + load_s + beyond_s + warm_s + window_s
    window_w = _drawn(WATTS.name, beliefs.full)
    # A board holds its limit on the mean of seconds.
    window_w = np.minimum(window_w, job.limit_w)
    resting_s = WATCHED_START_SHARE * start_s + launch.idle_s + load_s + beyond_s
    rest_w = np.minimum(_drawn(REST.name, beliefs.full), window_w)
    # While nobody is in flight, the board rests.
    window_j = spec.gpus * window_s * (busy_share * window_w + (1 - busy_share) * rest_w)
    return Parts(
        time_s=time_s,
        energy_j=window_j + spec.gpus * (window_w * warm_s + rest_w * resting_s),
        window_s=window_s,
        window_energy_j=window_j,
    )


def summed_up(drawn: FloatArray) -> Expected:
    """The middle of the draws, and the interval of `LEVEL` about it."""
    low, middle, high = np.sort(drawn)[_ENDS].tolist()
    return Expected(value=middle, low=low, high=high)


def _batch_s(job: Workload, beliefs: Mapping[str, Belief]) -> FloatArray:
    steps = np.full(_DRAWS, job.work.steps)
    if job.may_end_early:
        ending = np.exp(ENDING_SHARE.spread * _NORMAL["ending"]) * ENDING_SHARE.median
        steps = steps * np.minimum(1.0, ending)
    return _drawn(PREFILL.name, beliefs) + steps * _drawn(STEP.name, beliefs)


def _compiling_s() -> FloatArray:
    return COLD_KERNELS_S.median * np.exp(COLD_KERNELS_S.spread * _NORMAL["compiling"])


def _warmup_batches(
    job: Workload, launch: LaunchConfig, before_s: FloatArray, batch_s: FloatArray
) -> FloatArray:
    """How many batches a warm-up takes: until rates agree, for as long as it may begin more."""
    least, most = launch.warmup_batches, launch.most_warmup_batches
    if least == 0:
        return np.zeros(_DRAWS)
    # The chance of one batch more is the same after each.
    more = np.floor(np.log(_LIKELY["more"]) / np.log(MORE_WARMUP_CHANCE[job.engine_class]))
    wanted = np.minimum(most, max(least, AGREEING_BATCHES) + more)
    in_time = np.ceil(np.maximum(0.0, launch.max_warmup_s - before_s) / batch_s)
    return np.clip(in_time, least, np.maximum(least, wanted))


def _drawn(name: str, beliefs: Mapping[str, Belief]) -> FloatArray:
    belief = beliefs[name]
    return np.exp(belief.log + belief.sd * _NORMAL[name])

"""Quantity: one thing of a job that a formula tells and sealed runs correct."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from launcher.forecast import constants
from launcher.forecast.constants import ON_CPU, Prior, Priors
from launcher.forecast.workload import Workload

_US: Final = 1e-6
_MS: Final = 1e-3
_GIGA: Final = 1e9
# Caches, cores that others use and libraries that choose by size: of two models on one CPU the
# formula tells less than on a GPU (make demo: three to four times as far off).
_CPU_TIMES: Final = 3.0
Formula = Callable[[Workload, Mapping[str, float]], float]
"""The amount of a job for such parameters, above 0."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A formula with what is believed of its parameters, and how runs differ beside it."""

    name: str
    """What a lesson calls what was measured of it."""
    priors: Mapping[str, Priors]
    """By engine, or by where the ranks compute."""
    formula: Formula
    """Seconds or watts."""
    of_engine: bool
    """True where each engine has parameters of its own."""
    of_lengths: bool
    """False where how long prompts and answers are changes nothing."""
    alike: Mapping[str, float]
    """By a name of `Workload.likeness`: how far the logarithms of jobs that differ in it lie apart,
    as a standard deviation; jobs that agree in it share that."""
    hosts: Mapping[str, float]
    """By `Workload.engine_class`: how far hosts lie apart, which no run of another host teaches."""
    scatter: float
    """The same of two runs that agree in all."""
    waiting_scatter: float
    """The same where each step waits for the host (`reference`), which others use too."""
    cpu_scatter: float
    """The same where the ranks compute on CPU, which others use too."""

    def block(self, job: Workload) -> str:
        """Whose parameters a job has; those of two blocks are learned apart."""
        if job.on_cpu:
            return ON_CPU
        return job.spec.engine if self.of_engine else constants.OTHER

    def parameters(self, job: Workload) -> Priors:
        """What is believed of a job's parameters before any run is read."""
        return self.priors[job.engine_class if self.of_engine else job.host_class]

    def alike_of(self, job: Workload) -> Mapping[str, float]:
        """How far jobs lie apart by what they differ in."""
        times = _CPU_TIMES if job.on_cpu else 1.0
        alike = {**self.alike, "host": self.hosts[job.engine_class]}
        return {name: sd * times for name, sd in alike.items()}

    def scatter_of(self, job: Workload) -> float:
        """How far two runs of a job lie apart."""
        if job.on_cpu:
            return self.cpu_scatter
        waits = job.engine_class == constants.REFERENCE
        return self.waiting_scatter if waits else self.scatter


def _quantized(job: Workload, given: Mapping[str, float]) -> float:
    return given.get(job.spec.quantization, 1.0)


def _step_s(job: Workload, given: Mapping[str, float]) -> float:
    """The host starts operators while the GPU works: the slower of the two, with a soft corner."""
    work = job.work
    host_s = work.layers * given["layer_us"] * _US
    join_us = given["join_us"] if work.joined else 0.0
    if job.spec.nodes > 1:
        join_us += given["node_us"]
    joins_s = work.layers * join_us * _US
    gpu_s = given["bound"] * _quantized(job, given) * work.step_s + joins_s
    return math.sqrt(math.hypot(host_s**2, gpu_s**2))


def _prefill_s(job: Workload, given: Mapping[str, float]) -> float:
    work = job.work
    least_s = max(work.prefill_flop_s, work.weights_s)
    ms_per_gb = given["sums_ms_per_gb"]
    if job.spec.nodes > 1:
        ms_per_gb += given["node_ms_per_gb"]
    sums_s = work.sums_bytes / _GIGA * ms_per_gb * _MS
    unpacking_s = 0.0
    if job.spec.quantization != "none":
        unpacking_s = _quantized(job, given) * work.whole_weights_s
    host_s = work.layers * given["layer_us"] * _US
    return given["bound"] * least_s + sums_s + unpacking_s + host_s


def _warmup_s(job: Workload, given: Mapping[str, float]) -> float:
    return given["after_logits_s" if job.looks_at_logits else "first_s"]


def _start_s(job: Workload, given: Mapping[str, float]) -> float:
    return given["alone_s"] + given["rank_s"] * job.spec.gpus_per_node


def _load_s(job: Workload, given: Mapping[str, float]) -> float:
    seconds = given["alone_s"]
    if job.looks_at_logits:
        times = given["int4"] if job.spec.quantization == "int4" else 1.0
        looking_s = given["logits_s"] + given["logits_s_per_gp"] * job.parameters_g
        seconds += times * looking_s
    if job.reads_checkpoint:
        return seconds + given["read_s_per_gb"] * job.rank_gb
    return seconds + given["draw_s_per_gp"] * job.parameters_g / job.spec.gpus


def _window_w(job: Workload, given: Mapping[str, float]) -> float:
    full = given["full"] * job.limit_w
    if job.on_cpu:
        return full
    # A prior's tail must not put rest above work.
    rest = min(given["rest"], 0.9 * given["full"]) * job.limit_w
    nearness = 0.5 if job.nearness is None else job.nearness
    return rest + (full - rest) * -math.expm1(-given["rise"] * nearness)


def _rest_w(job: Workload, given: Mapping[str, float]) -> float:
    return given["share"] * job.limit_w


def _hosts(*, fast: float, reference: float, cpu: float = 0.0) -> Mapping[str, float]:
    """A spread between hosts by engine class; an engine of another package may be like either."""
    return {
        constants.FAST: fast,
        constants.REFERENCE: reference,
        constants.OTHER: max(fast, reference),
        constants.ON_CPU: cpu,
    }


# recorded: what the formulas leave of 21 runs is 2 to 6 % by model and format and 1 to 3 % between
# like runs; a board that is busier or warmer than that one may show more.
_SPEED: Final = {
    "board": 0.05,
    "engine": 0.05,
    "format": 0.08,
    "model": 0.06,
    "shape": 0.05,
    "config": 0.05,
}

# six hosts: `fast` steps alike on all to 1 to 2 %; steps of `reference` take 0.8 to 1.4 ms a layer
# from host to host (7B on one GPU), and on one host 1.0 to 2.0 from run to run.
STEP: Final = Quantity(
    name="step_s",
    priors=constants.STEP,
    formula=_step_s,
    of_engine=True,
    of_lengths=True,
    alike=_SPEED,
    hosts=_hosts(fast=0.03, reference=0.3),
    scatter=0.03,
    waiting_scatter=0.08,
    cpu_scatter=0.2,
)
"""One decoding step."""
# six hosts: as STEP; a prefill of `reference` waits for the host by half as much.
PREFILL: Final = Quantity(
    name="prefill_s",
    priors=constants.PREFILL,
    formula=_prefill_s,
    of_engine=True,
    of_lengths=True,
    alike=_SPEED,
    hosts=_hosts(fast=0.03, reference=0.15),
    scatter=0.04,
    waiting_scatter=0.06,
    cpu_scatter=0.25,
)
"""The prefill of a batch."""
# six hosts: 0.05 to 6 s beyond the batches, within a host too.
WARMUP: Final = Quantity(
    name="warmup_s",
    priors=constants.WARMUP,
    formula=_warmup_s,
    of_engine=True,
    of_lengths=False,
    alike={"engine": 0.2, "batch": 0.2},
    hosts=_hosts(fast=0.5, reference=0.5, cpu=0.3),
    scatter=0.7,
    waiting_scatter=1.0,
    cpu_scatter=0.7,
)
"""The warm-up beyond its batches."""
# six hosts: medians of 5.8 to 9.6 s on one GPU; their logarithms spread by 0.22.
START: Final = Quantity(
    name="start_s",
    priors=constants.START,
    formula=_start_s,
    of_engine=False,
    of_lengths=False,
    alike={
        "board": 0.05,
    },
    hosts=_hosts(fast=0.26, reference=0.26, cpu=0.2),
    scatter=0.08,
    waiting_scatter=0.1,
    cpu_scatter=0.35,
)
"""Interpreters, meeting, watchers and goodbye."""
# six hosts: of 7B with logits and warm kernels 4.4 to 5.9 s in `fast`, 6.3 to 8.5 in `reference`;
# where nothing looked at logits there is one host, so the spread is wider than these.
LOAD: Final = Quantity(
    name="load_s",
    priors=constants.LOAD,
    formula=_load_s,
    of_engine=False,
    of_lengths=False,
    alike={"engine": 0.1, "format": 0.15, "model": 0.1, "batch": 0.2},
    hosts=_hosts(fast=0.35, reference=0.35, cpu=0.15),
    scatter=0.12,
    waiting_scatter=0.12,
    cpu_scatter=0.3,
)
"""Loading."""
# six hosts: within 2 % where the GPU is the slower one; `reference` draws 349 to 531 W with 7B.
WATTS: Final = Quantity(
    name="window_w",
    priors=constants.WATTS,
    formula=_window_w,
    of_engine=True,
    of_lengths=True,
    alike={
        "board": 0.02,
        "engine": 0.03,
        "format": 0.07,
        "model": 0.04,
        "shape": 0.04,
        "config": 0.05,
    },
    hosts=_hosts(fast=0.02, reference=0.06),
    scatter=0.02,
    waiting_scatter=0.03,
    cpu_scatter=0.06,
)
"""Mean power of a GPU in the window."""
# six hosts: means of 112 to 142 W.
REST: Final = Quantity(
    name="rest_w",
    priors=constants.REST,
    formula=_rest_w,
    of_engine=False,
    of_lengths=False,
    alike={"board": 0.04, "engine": 0.05, "model": 0.05},
    hosts=_hosts(fast=0.08, reference=0.08, cpu=0.05),
    scatter=0.05,
    waiting_scatter=0.06,
    cpu_scatter=0.15,
)
"""Mean power of a GPU beside the warm-up and the window."""

QUANTITIES: Final = (STEP, PREFILL, WARMUP, START, LOAD, WATTS, REST)
"""All that a job's time and energy are put together from."""

# No logarithm is of nothing, and no clock of batches is finer.
LEAST_S: Final = 0.05
"""A warm-up that took no longer than its batches is put down as this long beyond them."""


def evaluate(quantity: Quantity, job: Workload, logs: Mapping[str, float]) -> float:
    """The logarithm of the amount for the logarithms of the parameters."""
    return math.log(quantity.formula(job, {name: math.exp(value) for name, value in logs.items()}))


def prior_logs(priors: Priors) -> dict[str, float]:
    """The logarithms of the medians."""
    return {name: math.log(prior.median) for name, prior in priors.items()}


def spreads(priors: Mapping[str, Prior]) -> list[float]:
    """The standard deviations of the parameters' logarithms, in their order."""
    return [prior.spread for prior in priors.values()]

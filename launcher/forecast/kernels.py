"""Kernels: whether a job must compile its kernels first, as the runs of its host tell.

A host keeps what it compiled: a run after the same work finds it. Whether other work of a host
found its kernels is seen by how long it loaded and warmed up; runs of other hosts tell nothing.
"""

import math
from collections.abc import Collection, Sequence
from typing import Final

from launcher.forecast.constants import (
    COLD_KERNELS_AGAIN_CHANCE,
    COLD_KERNELS_CHANCE,
    COLD_KERNELS_S,
    COLD_KERNELS_WORTH,
)
from launcher.forecast.learning import Lesson
from launcher.forecast.quantity import LOAD, WARMUP, evaluate, prior_logs
from launcher.forecast.workload import Workload

# six hosts: those that compiled took 2.5 to 14 s more than usual, all others at most 0.9.
_SHARE: Final = 0.18


def compiled(lesson: Lesson) -> bool:
    """True where a run took so much longer before its batches that it must have compiled."""
    if not lesson.job.compiles or not {LOAD.name, WARMUP.name} <= set(lesson.amounts):
        return False
    usual_s = sum(
        math.exp(evaluate(one, lesson.job, prior_logs(one.parameters(lesson.job))))
        for one in (LOAD, WARMUP)
    )
    took_s = lesson.amounts[LOAD.name] + lesson.amounts[WARMUP.name]
    return took_s > usual_s + _SHARE * COLD_KERNELS_S.median


def cold_chance(job: Workload, lessons: Sequence[Lesson], cold: Collection[str]) -> float:
    """How likely a job compiles its kernels first; `cold` names the lessons that `compiled`."""
    if not job.compiles:
        return 0.0
    here = [
        one
        for one in lessons
        if job.host is not None
        and one.job.host == job.host
        and one.job.spec.engine == job.spec.engine
    ]
    if any(one.job.likeness["config"] == job.likeness["config"] for one in here):
        return COLD_KERNELS_AGAIN_CHANCE
    before = sum(one.run_id in cold for one in here)
    return (before + COLD_KERNELS_WORTH * COLD_KERNELS_CHANCE) / (len(here) + COLD_KERNELS_WORTH)

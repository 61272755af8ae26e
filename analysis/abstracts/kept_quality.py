"""Kept quality: whether answers to the same prompts are as good with a setting as without it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.claims.sample import Sample
from analysis.quality.scoring import NOT_MEASURED, Answered, answered, by_prompt
from analysis.runs.sealed_runs import Run
from analysis.runs.series import FloatArray
from analysis.statistics.resampled import bca_of_mean
from analysis.tables.point import RANDOM

NO_QUALITY: Final = "random weights: no quality"
"""Why a model that nobody trained shows nothing of answers."""
NO_TASK: Final = "the answers were not scored: the runs were asked as no task"
"""Why bare texts show nothing either."""
# The mean of one prompt has no interval.
_LEAST_PROMPTS: Final = 2


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What is known of answers with a setting against those without."""

    reason: str | None
    """Why they are not shown to be as good; None where they are."""
    worse: bool = False
    """Whether they are shown to be worse."""


class Qualities:
    """Scores of runs' answers, prompt by prompt, each worked out once."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._runs: Mapping[str, Run] = {run.run_id: run for run in runs}
        self._known: dict[str, dict[str, FloatArray] | str] = {}

    def kept(self, base: Sample, other: Sample, margin: float) -> Kept:
        """Whether `other`'s answers are less than `margin` worse, by every metric of the task.

        The same prompts are held against each other, so that what differs between prompts is no
        part of the 95 % interval.
        """
        if RANDOM in (base.conditions["weights"], other.conditions["weights"]):
            return Kept(reason=NO_QUALITY)
        without, having = self._of_sample(base), self._of_sample(other)
        if isinstance(without, str) or isinstance(having, str):
            return Kept(reason=without if isinstance(without, str) else str(having))
        if without.keys() != having.keys():
            return Kept(reason="the answers were scored by different metrics")
        found: list[str] = []
        for metric, scores in having.items():
            if len(scores) != len(without[metric]):
                return Kept(reason="the answers are of different prompts")
            differences = scores - without[metric]
            ends = bca_of_mean(differences) if len(scores) >= _LEAST_PROMPTS else None
            alike = ends is None and len(scores) >= _LEAST_PROMPTS
            low, high = (float(differences[0]),) * 2 if alike else ends or (-np.inf, np.inf)
            if high < -margin:
                told = f"answers are worse by {-high:.3g} of {metric} at least"
                return Kept(reason=told, worse=True)
            if low <= -margin:
                found.append(f"{metric} may be worse by {-low:.3g}")
        return Kept(
            reason=f"that answers are as good is not shown: {', '.join(found)}" if found else None
        )

    def _of_sample(self, sample: Sample) -> dict[str, FloatArray] | str:
        """Each metric's mean over the repeats, prompt by prompt; or why there is none."""
        every: dict[str, list[FloatArray]] = {}
        for name in sample.runs:
            if name not in self._known:
                self._known[name] = _of_run(self._runs[name])
            own = self._known[name]
            if isinstance(own, str):
                return own
            for metric, scores in own.items():
                every.setdefault(metric, []).append(scores)
        if any(
            len(each) < len(sample.runs) or len({len(one) for one in each}) > 1
            for each in every.values()
        ):
            return "repeats answered different prompts, or were scored by different metrics"
        return {metric: np.mean(np.stack(each), axis=0) for metric, each in every.items()}


def _of_run(run: Run) -> dict[str, FloatArray] | str:
    """Each prompt's mean score by every metric that a run has; or why there is none."""
    found = answered(run)
    if found is None:
        return NO_TASK
    try:
        return _scores(found)
    finally:
        # Responses of a campaign at once would be gigabytes.
        run.let_go()


def _scores(found: Answered) -> dict[str, FloatArray] | str:
    made: dict[str, FloatArray] = {}
    # Those that no run has stand in no way: they are in no table either.
    metrics = [one for one in found.task.metrics if one not in NOT_MEASURED]
    for metric in metrics or found.task.metrics:
        scores = found.scores(metric)
        if isinstance(scores, str):
            return scores
        made[metric] = by_prompt(found.prompts, scores)
    return made or NO_TASK

"""Quality table: what a run's answers are worth, beside what they took."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from analysis.energy.uncertain import Uncertain
from analysis.findings.settled import settled
from analysis.quality.scoring import EITHER, Answered, answered, by_prompt
from analysis.runs.series import FloatArray
from analysis.statistics.resampled import bca_of_mean
from analysis.tables.column import ColumnsOf
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.point import POINT_BY_NAME
from analysis.tables.table import TableKind
from telemetry.record.spec import SETTING_FIELDS


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """One run by one metric."""

    of: Measured
    """The run."""
    answered: Answered
    """Its answers, and its task."""
    metric: str
    """One of the task's."""

    @cached_property
    def scores(self) -> FloatArray | str:
        """Each response's; or why there is none."""
        return self.answered.scores(self.metric)

    @cached_property
    def by_prompt(self) -> FloatArray | None:
        """Each prompt's mean."""
        if isinstance(self.scores, str):
            return None
        return by_prompt(self.answered.prompts, self.scores)

    @property
    def value(self) -> float | None:
        """Mean over prompts."""
        return None if self.by_prompt is None else settled(float(np.mean(self.by_prompt)))

    @cached_property
    def ends(self) -> tuple[float, float] | None:
        """Its 95 % interval."""
        if self.by_prompt is None or len(self.by_prompt) < 2:  # noqa: PLR2004
            return None
        found = bca_of_mean(self.by_prompt)
        return None if found is None else (settled(found[0]), settled(found[1]))

    def end(self, place: int) -> float | None:
        """One end of it."""
        return None if self.ends is None else self.ends[place]

    @property
    def correct(self) -> int | None:
        """Answers that are right; None of a metric by which none is right or wrong."""
        if isinstance(self.scores, str) or self.metric not in EITHER:
            return None
        return int(np.count_nonzero(self.scores))

    @property
    def per_correct(self) -> Uncertain:
        """Energy of all answers over those that are right."""
        if isinstance(self.scores, str):
            return Uncertain.unknown(self.scores)
        if self.correct is None:
            return Uncertain.unknown(f"by {self.metric} no answer is right or wrong")
        if not self.correct:
            return Uncertain.unknown("no answer is right")
        return self.of.energy.over(self.correct)

    @property
    def reason(self) -> str | None:
        """Why there is no value."""
        return self.scores if isinstance(self.scores, str) else None

    @property
    def interval_reason(self) -> str | None:
        """Why there is no interval."""
        if self.reason is not None or self.ends is not None:
            return self.reason
        assert self.by_prompt is not None
        return "one prompt" if len(self.by_prompt) < 2 else "all prompts score alike"  # noqa: PLR2004


def _scored(one: Measured) -> Iterator[Scored]:
    found = answered(one.run)
    for metric in () if found is None else found.task.metrics:
        assert found is not None
        yield Scored(of=one, answered=found, metric=metric)


_OF: Final = ColumnsOf[Scored]()
_NAMED: Final = (
    *("model", "engine", "dtype", "quantization", "gpus", "gpus_per_node", "batch_size"),
    "kv_dtype",
    *SETTING_FIELDS,
    *("dataset", "max_prompt_len", "max_gen_len"),
)

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    *(
        replace(
            _OF.told(POINT_BY_NAME[name], lambda one: one.of.spec),
            shown=name in ("model", "quantization", "dataset"),
        )
        for name in _NAMED
    ),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    _OF.text(
        "task", "task", "What the data set asks, in a word.", lambda one: one.answered.task.kind
    ),
    _OF.text(
        "metric",
        "metric",
        "What an answer is scored by: docs/tasks.md.",
        lambda one: one.metric,
    ),
    _OF.number(
        "quality",
        "quality",
        "1",
        "Mean score over the prompts, 0 to 1, of `_diff` -1 to 1; a prompt that was answered in "
        "several passes counts once, with their mean.",
        lambda one: one.value,
        interval=("quality_low", "quality_high"),
        reason="reason",
    ),
    _OF.number(
        "quality_low",
        "quality from",
        "1",
        "Lower end of its 95 % interval: BCa bootstrap over the prompts.",
        lambda one: one.end(0),
        reason="interval_reason",
    ),
    _OF.number(
        "quality_high",
        "quality to",
        "1",
        "Upper end of it.",
        lambda one: one.end(1),
        reason="interval_reason",
    ),
    _OF.count(
        "n",
        "prompts",
        "Prompts that it rests on.",
        lambda one: None if one.by_prompt is None else len(one.by_prompt),
        reason="reason",
    ),
    _OF.count(
        "correct",
        "right",
        "Answers that are right, of all passes; empty for a metric of degrees.",
        lambda one: one.correct,
        reason="per_correct_reason",
    ),
    *_OF.uncertain(
        "energy_per_response_j",
        "J / response",
        "J",
        "Gross energy of the measured window over the responses, right or wrong.",
        lambda one: one.of.energy.over(one.of.responses),
        reason="energy_reason",
    ),
    *_OF.uncertain(
        "energy_per_correct_j",
        "J / right answer",
        "J",
        "The same energy over `correct`: the wrong answers' is charged to the right ones.",
        lambda one: one.per_correct,
        reason="per_correct_reason",
    ),
    _OF.why(
        "energy_reason",
        "J / response",
        "Why it is missing.",
        lambda one: one.of.energy.over(one.of.responses).reason,
    ),
    _OF.why(
        "per_correct_reason",
        "J / right answer",
        "Why it is missing.",
        lambda one: one.per_correct.reason,
    ),
    _OF.why("interval_reason", "interval", "Why it is missing.", lambda one: one.interval_reason),
    _OF.reason(lambda one: one.reason),
)

QUALITY: Final = TableKind(
    name="quality",
    title="What answers are worth, and what they took",
    columns=_COLUMNS,
    of_run=_scored,
    section="quality",
    text="Answers of runs that were asked as a task (docs/tasks.md), held to what the data set "
    "says is right. Weights that nobody trained have no quality, and nothing that was generated "
    "is executed.",
)
"""One row a run and metric of its task; of a run that was asked bare texts none."""

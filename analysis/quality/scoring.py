"""Scoring: what each answer of a run is worth by the metrics of its task."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa

from analysis.quality.answers import (
    best,
    choice_accuracy,
    exact_match,
    f1,
    number_flexible,
    number_strict,
)
from analysis.quality.overlap import NAMES, Score, held_to_wrong, overlap
from analysis.runs.labels import random_weights
from analysis.runs.sealed_runs import Run
from analysis.runs.series import FloatArray, IntArray
from analysis.runs.table_arrays import int_array
from telemetry.record.task import Task

RANDOM: Final = "random weights: no quality"
"""Why a run of weights that nobody trained has no score."""
NOT_MEASURED: Final[Mapping[str, str]] = {
    "pass_at_1": "nothing that was generated is executed, so no test of it can pass or fail",
    "acc_norm": "it is of the log-likelihoods of all endings, which generated text does not have; "
    "choice_accuracy is of the letter that was generated",
}
"""Metrics that a task is known by and no run has, and why."""
EITHER: Final = (
    *("exact_match", "choice_accuracy", "number_strict", "number_flexible"),
    *("rouge_l_acc", "bleu_acc"),
)
"""Metrics by which an answer is right or not: of these there are joules a right answer."""
_WORDS: Final[Mapping[str, Callable[[str, str], float]]] = {
    "exact_match": exact_match,
    "f1": f1,
    "choice_accuracy": choice_accuracy,
    "number_strict": number_strict,
    "number_flexible": number_flexible,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Answered:
    """A run's answers and what they are held to."""

    run: Run
    """The run."""
    task: Task
    """What it was asked as."""

    @cached_property
    def prompts(self) -> IntArray:
        """Which prompt each response answers."""
        return int_array(self.run.responses, "prompt")

    def scores(self, metric: str) -> FloatArray | str:
        """Each response's score; or why there is none."""
        if random_weights(self.run):
            return RANDOM
        if metric in NOT_MEASURED:
            return NOT_MEASURED[metric]
        if not self.run.responses.num_rows:
            return "nothing was answered"
        right = self._held("references")
        if isinstance(right, str):
            return right
        stem, _, how = metric.rpartition("_")
        if how in ("diff", "acc") and stem in NAMES:
            wrong = self._held("wrong_references")
            score = wrong if isinstance(wrong, str) else overlap(stem)
            if isinstance(wrong, str) or isinstance(score, str):
                return str(score)
            rows = zip(self._texts, right, wrong, strict=True)
            return _array(held_to_wrong(how, score, *row) for row in rows)
        own: Score | str = overlap(metric) if metric in NAMES else _WORDS[metric]
        if isinstance(own, str):
            return own
        said = zip(self._texts, right, strict=True)
        return _array(best(own, text, [self._said(one) for one in each]) for text, each in said)

    @cached_property
    def _texts(self) -> list[str]:
        """Each answer, up to where the task has it stop."""
        return [self._said(cut(str(text), self.task.stop)) for text in self._column("text")]

    def _said(self, text: str) -> str:
        """Nothing where the text says that there is no answer, as SQuAD 2.0 counts."""
        no_answer = self.task.no_answer
        if no_answer is None or not exact_match(text, no_answer):
            return text
        return ""

    def _held(self, name: str) -> list[list[str]] | str:
        held = [_texts(one) for one in self._column(name)]
        found = [one for one in held if one]
        return found if len(found) == len(held) else f"the record has no {name} of an answer"

    def _column(self, name: str) -> list[Any]:
        column: pa.ChunkedArray = self.run.responses[name]
        return list(column.to_pylist())


def answered(run: Run) -> Answered | None:
    """A run that was asked as a task; None of any other.

    Raises:
        ValueError: launch.json has a task that is none.
    """
    task = run.launch.get("task")
    return None if task is None else Answered(run=run, task=Task.from_mapping(task))


def cut(text: str, stop: Sequence[str]) -> str:
    """An answer up to the first of what it stops at, without the space before its first word."""
    text = text.lstrip()
    ends = [text.find(one) for one in stop]
    return text[: min((end for end in ends if end >= 0), default=len(text))].rstrip()


def by_prompt(prompts: IntArray, scores: FloatArray) -> FloatArray:
    """Mean score of each prompt: answers of one prompt in several passes are no more prompts."""
    _, place = np.unique(prompts, return_inverse=True)
    sums = np.bincount(place, weights=scores)
    return np.asarray(sums / np.bincount(place), dtype=np.float64)


def _texts(cell: Any) -> list[str]:
    """The texts of a JSON array; none of what is none."""
    try:
        found = json.loads(cell) if isinstance(cell, str) else None
    except (ValueError, RecursionError):
        return []
    whole = isinstance(found, list) and all(isinstance(one, str) for one in found)
    return list(found) if whole and found is not None else []


def _array(values: Any) -> FloatArray:
    return np.array(list(values), dtype=np.float64)

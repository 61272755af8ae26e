"""Latency: when a run's tokens were chosen, request by request and step by step.

Times are rank 0's: it writes the steps, and all ranks choose a token together. A request begins
when its batch's prefill does, or its encode before that, as no queue stands before a batch, or when
it came by itself.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow.compute as pc

from analysis.performance.roofline import RowWork
from analysis.runs.rank_spans import RankSpans
from analysis.runs.sealed_runs import Run
from analysis.runs.series import FloatArray, IntArray
from analysis.runs.table_arrays import int_array
from telemetry.clock import US_PER_S
from telemetry.record.schema import Phase

STEPS_NOT_RECORDED: Final = "not recorded: the run is from before steps were"
"""Why a run has no latency."""
STEPS_NOT_TOLD: Final = "not told: the engine does not say when it chooses tokens"
"""Why a run of an engine without a clock has none."""


def weighted_quantile(values: FloatArray, weights: IntArray, share: float) -> float | None:
    """The least value that at least `share` of all weight does not exceed; None without weight."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    if not len(reached) or reached[-1] <= 0:
        return None
    # What `share` of a whole number comes to is off by rounding.
    first = np.searchsorted(reached, share * reached[-1] * (1 - 1e-12), side="left")
    return float(values[order][first])


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """One batch's requests and steps."""

    number: int
    """Its `batch` in the responses, counted from 0."""
    begun_us: int
    """Begin of its first span on rank 0."""
    prompt: IntArray
    """Tokens of each row's prompt; shape (rows,)."""
    generated: IntArray
    """Ids kept; shape (rows,)."""
    ended: IntArray
    """1 where an end-of-sequence id cut the answer; shape (rows,)."""
    first_us: IntArray
    """When each row's first token was chosen; only rows that kept one."""
    kept: IntArray
    """Which rows those are."""
    came_us: IntArray
    """When each row's request came; the batch's begin where it came with it; shape (rows,)."""
    step_us: IntArray
    """When each step's tokens were chosen; shape (steps,)."""
    step_rows: IntArray
    """Rows that kept a token of each step; shape (steps,)."""

    @property
    def first_token_s(self) -> FloatArray:
        """From when its request came to the first token of each row that kept one."""
        return np.asarray((self.first_us - self.came_us[self.kept]) / US_PER_S)

    @cached_property
    def first_steps(self) -> IntArray:
        """The step that chose each row's first token; 0 for a row that kept none."""
        found = np.zeros(len(self.prompt), dtype=np.int64)
        at = np.searchsorted(self.step_us, self.first_us)
        if not len(self.step_us):
            return found
        known = at < len(self.step_us)
        known &= self.step_us[np.minimum(at, len(self.step_us) - 1)] == self.first_us
        found[self.kept[known]] = at[known]
        return found

    @property
    def intervals(self) -> tuple[FloatArray, IntArray]:
        """Seconds from each step to the next, and how many rows waited that long for a token.

        A row waits between two tokens of its own, so the one that begins at a step does not count
        there. The interval after prefill's token is the first.
        """
        begun = np.bincount(self.first_steps[self.kept], minlength=len(self.step_us))
        waited = self.step_rows - begun[: len(self.step_us)]
        return np.diff(self.step_us) / US_PER_S, np.maximum(0, waited[1:])

    @property
    def rows(self) -> RowWork:
        """What each prompt asked for and got, with what decoding had to read of the prompts."""
        return RowWork(
            prompt=self.prompt,
            generated=self.generated,
            ended=self.ended,
            first_step=self.first_steps,
        )


@dataclass(frozen=True, kw_only=True)
class Latency:
    """How long requests waited for tokens."""

    batches: tuple[Batch, ...]
    """Every measured batch, by number."""

    @cached_property
    def _first_token_s(self) -> FloatArray:
        return np.concatenate([batch.first_token_s for batch in self.batches])

    @cached_property
    def _intervals(self) -> tuple[FloatArray, IntArray]:
        parts = [batch.intervals for batch in self.batches]
        return (
            np.concatenate([seconds for seconds, _ in parts]),
            np.concatenate([rows for _, rows in parts]),
        )

    @property
    def first_token_mean_s(self) -> float | None:
        """Mean time to first token over all requests that kept one."""
        return float(self._first_token_s.mean()) if len(self._first_token_s) else None

    def first_token_s(self, share: float) -> float | None:
        """A quantile of it."""
        every = np.ones(len(self._first_token_s), dtype=np.int64)
        return weighted_quantile(self._first_token_s, every, share)

    def inter_token_s(self, share: float) -> float | None:
        """A quantile of the time between two tokens of one request."""
        return weighted_quantile(*self._intervals, share)

    @property
    def decoded_tokens(self) -> int:
        """Tokens chosen after prefill's step."""
        return int(sum(batch.step_rows[1:].sum() for batch in self.batches))

    @property
    def prefilled_tokens(self) -> int:
        """Tokens of prompts that prefill read: the rest was read one a step in decoding."""
        return sum(int(batch.rows.read.sum()) for batch in self.batches)


def no_steps_reason(rank: RankSpans) -> str:
    """Why a run has no steps; `rank` is its rank 0."""
    return STEPS_NOT_TOLD if len(rank.measured(Phase.ANSWER)) else STEPS_NOT_RECORDED


def read_latency(run: Run, rank: RankSpans) -> Latency | str:
    """The latencies of a run; `rank` is its rank 0. Why there are none in a record from before."""
    steps = run.steps
    if steps is None:
        return no_steps_reason(rank)
    starts = {
        rank.batch[index]: int(rank.start_us[index])
        # What comes before stands last: a batch begins with its encode where it has one.
        for phase in (Phase.PREFILL, Phase.ANSWER, Phase.ENCODE)
        for index in rank.measured(phase)
    }
    responses = run.responses.sort_by([("batch", "ascending"), ("row", "ascending")])
    numbers = responses["batch"].to_numpy()
    columns = {name: int_array(responses, name) for name in ("prompt_tokens", "generated_tokens")}
    columns["ended"] = pc.fill_null(responses["ended"], False).to_numpy().astype(np.int64)
    first_us = int_array(responses, "first_token_us", otherwise=-1)
    came_us = np.full(len(numbers), -1, dtype=np.int64)
    if "arrived_us" in responses.column_names:
        came_us = int_array(responses, "arrived_us", otherwise=-1)
    step_batch = steps["batch"].to_numpy()
    step_us, step_rows = int_array(steps, "t_us"), int_array(steps, "rows")
    batches = []
    for number in np.unique(numbers):
        if int(number) not in starts:
            return f"batch {number} has answers and no prefill"
        own = slice(*np.searchsorted(numbers, [number, number + 1]))
        its = slice(*np.searchsorted(step_batch, [number, number + 1]))
        kept = np.flatnonzero(first_us[own] >= 0)
        batches.append(
            Batch(
                number=int(number),
                begun_us=starts[int(number)],
                prompt=columns["prompt_tokens"][own],
                generated=columns["generated_tokens"][own],
                ended=columns["ended"][own],
                first_us=first_us[own][kept],
                kept=kept,
                came_us=np.where(came_us[own] < 0, starts[int(number)], came_us[own]),
                step_us=step_us[its],
                step_rows=step_rows[its],
            )
        )
    if not batches:
        return "no batch was answered"
    for batch in batches:
        if len(batch.kept) and not len(batch.step_us):
            return f"batch {batch.number} has tokens and no step"
    return Latency(batches=tuple(batches))

"""Goodput: what a joule gives where only answers in time count.

An answer is in time where its first token came within one bound of its batch's begin, or of when
its request came by itself, and the mean time between its own tokens keeps another. A rate over a
power is a count over an energy: tokens/s per watt are tokens per joule.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from analysis.energy.uncertain import Uncertain
from analysis.performance.latency import Latency
from analysis.runs.series import IntArray
from analysis.runs.table_arrays import int_array
from analysis.tables.column import ColumnsOf
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.point import POINT_BY_NAME
from analysis.tables.table import TableKind
from telemetry.clock import US_PER_S

FIRST_TOKEN_BOUNDS_S: Final = (0.5, 2.0)
"""Half a second, which a reader of a chat takes for at once, and what MLPerf Inference's server
scenario of Llama 2 70B allows (2 s)."""
INTER_TOKEN_BOUNDS_S: Final = (0.05, 0.2)
"""50 ms are faster than anybody reads; 200 ms are what the same rules of MLPerf allow."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Answers:
    """When each answer came."""

    first_s: np.ndarray[tuple[int], np.dtype[np.float64]]
    """From its batch's begin to its first token; infinite where it kept none."""
    between_s: np.ndarray[tuple[int], np.dtype[np.float64]]
    """Mean time between its tokens; 0 where there are not two."""
    tokens: IntArray
    """Ids kept."""


def _answers(one: Measured, latency: Latency) -> _Answers | str:
    responses = one.run.responses
    begun_us = {batch.number: batch.begun_us for batch in latency.batches}
    batch = responses["batch"].to_numpy()
    begin = np.array([begun_us[int(number)] for number in batch], dtype=np.int64)
    if "arrived_us" in responses.column_names:
        came_us = int_array(responses, "arrived_us", otherwise=-1)
        begin = np.where(came_us < 0, begin, came_us)
    first_us = int_array(responses, "first_token_us", otherwise=-1)
    last_us = int_array(responses, "last_token_us", otherwise=-1)
    tokens = int_array(responses, "generated_tokens")
    known = first_us >= 0
    first_s = np.where(known, (first_us - begin) / US_PER_S, np.inf)
    unknown = int((known & (tokens > 1) & (last_us < first_us)).sum())
    if unknown:
        return f"{unknown} of {len(tokens)} answers have no time of their last token"
    gaps = np.maximum(tokens - 1, 1)
    between_s = np.where(known & (tokens > 1), (last_us - first_us) / US_PER_S / gaps, 0.0)
    return _Answers(first_s=first_s, between_s=between_s, tokens=tokens)


@dataclass(frozen=True, kw_only=True)
class Goodput:
    """One run under one pair of bounds."""

    of: Measured
    """The run."""
    answers: _Answers | str
    """When each of its answers came, or why that is not known."""
    first_s: float
    """Bound of the time to the first token."""
    between_s: float
    """Bound of the mean time between tokens."""

    @cached_property
    def _in_time(self) -> tuple[int, int] | None:
        """Answers in time, and their tokens."""
        if isinstance(self.answers, str):
            return None
        kept = (self.answers.first_s <= self.first_s) & (self.answers.between_s <= self.between_s)
        return int(kept.sum()), int(self.answers.tokens[kept].sum())

    @property
    def responses(self) -> int | None:
        """Answers in time."""
        return None if self._in_time is None else self._in_time[0]

    @property
    def tokens(self) -> int | None:
        """Their tokens."""
        return None if self._in_time is None else self._in_time[1]

    @property
    def share(self) -> float | None:
        """Answers in time over all."""
        found = self.responses
        return None if found is None or not self.of.responses else found / self.of.responses

    @cached_property
    def tokens_per_joule(self) -> Uncertain:
        """Tokens of answers in time over the energy of all."""
        return self._per_joule(self.tokens)

    @cached_property
    def responses_per_joule(self) -> Uncertain:
        """Answers in time over the energy of all."""
        return self._per_joule(self.responses)

    def _per_joule(self, count: int | None) -> Uncertain:
        if isinstance(self.answers, str):
            return Uncertain.unknown(self.answers)
        assert count is not None
        energy = self.of.energy
        if energy.value is None:
            return energy
        if energy.value <= 0:
            return Uncertain.unknown(f"there is nothing to divide by: {energy.value:g} J")
        value = count / energy.value
        width = None if energy.plus_minus is None else value * energy.plus_minus / energy.value
        return Uncertain.of(value, width)

    @property
    def sentence(self) -> str | None:
        """The finding, for people."""
        rate = self.tokens_per_joule.value
        if rate is None or self.share is None:
            return None
        return (
            f"{self.share:.0%} of the answers began within {self.first_s:g} s and went on at "
            f"{self.between_s * 1000:g} ms a token: {rate:.3g} tokens per joule in time."
        )


def _rows(one: Measured) -> Iterator[Goodput]:
    latency = one.performance.latency
    answers = latency if isinstance(latency, str) else _answers(one, latency)
    for first_s in FIRST_TOKEN_BOUNDS_S:
        for between_s in INTER_TOKEN_BOUNDS_S:
            yield Goodput(of=one, answers=answers, first_s=first_s, between_s=between_s)


_OF: Final = ColumnsOf[Goodput]()
_NAMED: Final = (
    *("model", "engine", "gpu", "gpus", "batch_size", "quantization", "kv_dtype", "power_cap_w"),
)

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    # A run's name says most of it, and the page has its row of runs.
    *(
        replace(_OF.told(POINT_BY_NAME[name], lambda one: one.of.spec), shown=name == "engine")
        for name in _NAMED
    ),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    _OF.number(
        "first_token_limit_s",
        "first token within",
        "s",
        "Bound of the time from a batch's begin, or from when its request came by itself, to an "
        "answer's first token.",
        lambda one: one.first_s,
    ),
    _OF.number(
        "inter_token_limit_s",
        "next token within",
        "s",
        "Bound of the mean time between an answer's tokens: from its first to its last, over their "
        "number less 1. An answer of one token keeps it.",
        lambda one: one.between_s,
    ),
    _OF.count(
        "responses_in_time",
        "in time",
        "Responses that keep both bounds.",
        lambda one: one.responses,
        reason="reason",
    ),
    _OF.share(
        "in_time_share",
        "share in time",
        "responses_in_time over all responses.",
        lambda one: one.share,
        reason="reason",
    ),
    _OF.count(
        "tokens_in_time",
        "tokens in time",
        "Generated tokens of the responses in time.",
        lambda one: one.tokens,
        shown=False,
        reason="reason",
    ),
    *_OF.uncertain(
        "goodput_tokens_per_j",
        "tokens / J in time",
        "1/J",
        "tokens_in_time over energy_j of all responses: tokens a second per watt, of answers in "
        "time alone.",
        lambda one: one.tokens_per_joule,
        reason="reason",
    ),
    *_OF.uncertain(
        "goodput_responses_per_j",
        "responses / J in time",
        "1/J",
        "responses_in_time over energy_j of all responses.",
        lambda one: one.responses_per_joule,
        reason="reason",
        shown=False,
    ),
    _OF.text("sentence", "in words", "The finding as a sentence.", lambda one: one.sentence),
    _OF.reason(lambda one: one.tokens_per_joule.reason),
)

GOODPUT: Final = TableKind(
    name="goodput",
    title="Goodput per watt",
    columns=_COLUMNS,
    of_run=_rows,
    section="findings",
    heading="What a joule gives in time",
    text="Tokens and responses per joule, counting only responses that kept a bound of latency. "
    "All energy is charged to them.",
)
"""One row a run and pair of bounds."""

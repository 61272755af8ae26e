"""Batches: what each measured batch of a run was asked, answered and took, or several together.

A batch's energy is that of all working GPUs from the begin of its prefill to the end of its
decode. A run of more than `MOST_STRETCHES` batches has so many stretches: batches of like prompt
lengths, summed.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from analysis.energy.curves import COVERAGE_FACTOR, Curve
from analysis.energy.gpu_energy import Gpu
from analysis.energy.uncertain import Uncertain, total
from analysis.findings.prompt_texts import PromptTexts, entropy_bits, prompt_texts
from analysis.runs.series import FloatArray, IntArray
from analysis.runs.table_arrays import int_array
from analysis.tables.measured import Measured
from telemetry.clock import US_PER_S
from telemetry.record.schema import Phase

MOST_STRETCHES: Final = 16
"""Rows of a run at most: as many as tell a slope, and a campaign of hundreds stays readable."""
_PHASES: Final = (Phase.PREFILL, Phase.DECODE, Phase.ANSWER)


@dataclass(frozen=True, kw_only=True, eq=False)
class Batches:
    """All measured batches of a run; arrays of shape (batches,), by number."""

    of: Measured
    """The run."""
    numbers: IntArray
    """Their numbers."""
    responses: IntArray
    """Prompts answered in each."""
    prompt_tokens: IntArray
    """Tokens of their prompts."""
    generated_tokens: IntArray
    """Ids kept."""
    prompt_bytes: FloatArray | str
    """Bytes of their prompts' texts, or why these are not known."""
    prompt_bits: FloatArray | str
    """Mean of their prompts' entropies, in bits a byte, or why these are not known."""

    def stretches(self) -> Iterator["Stretch"]:
        """Batches one by one, or of like prompt lengths where there are many."""
        order = np.lexsort((self.numbers, self.prompt_tokens))
        count = min(MOST_STRETCHES, len(order))
        by_number = count == len(order)
        chosen = (
            [np.array([index]) for index in range(count)]
            if by_number
            else np.array_split(order, count)
        )
        for number, own in enumerate(chosen):
            yield Stretch(batches=self, number=number, chosen=np.sort(own))

    @cached_property
    def whole(self) -> tuple["RankWindows", ...]:
        """Of each rank with a GPU, each batch from begin to end."""
        return self._windows(_PHASES)

    @cached_property
    def prefill(self) -> tuple["RankWindows", ...]:
        """Of each, its batches' PREFILL."""
        return self._windows((Phase.PREFILL,))

    @cached_property
    def decode(self) -> tuple["RankWindows", ...]:
        """Of each, its batches' DECODE."""
        return self._windows((Phase.DECODE,))

    def _windows(self, phases: tuple[Phase, ...]) -> tuple["RankWindows", ...]:
        run_energy = self.of.run_energy
        found = []
        for rank in run_energy.ranks:
            if rank.gpu_uuid is None:
                continue
            start_us = np.full(len(self.numbers), -1, dtype=np.int64)
            end_us = np.full(len(self.numbers), -1, dtype=np.int64)
            for phase in phases:
                for index in rank.measured(phase):
                    at = int(np.searchsorted(self.numbers, rank.batch[index]))
                    if at < len(self.numbers) and self.numbers[at] == rank.batch[index]:
                        begun = int(rank.start_us[index])
                        start_us[at] = begun if start_us[at] < 0 else min(start_us[at], begun)
                        end_us[at] = max(end_us[at], int(rank.end_us[index]))
            gpu = run_energy.gpu_of(rank)
            attribution = run_energy.attribution
            curve: Curve | str = attribution.reason
            if gpu is None:
                curve = "the rank has no GPU"
            elif attribution.method is not None:
                curve = gpu.curve(attribution.method)
            found.append(
                RankWindows(
                    rank=rank.rank,
                    start_us=start_us,
                    end_us=end_us,
                    gpu=gpu,
                    method=attribution.method,
                    curve=curve,
                )
            )
        return tuple(found)


@dataclass(frozen=True, kw_only=True, eq=False)
class RankWindows:
    """When each batch was on one rank, and what its GPU took; arrays of shape (batches,)."""

    rank: int
    """Its number."""
    start_us: IntArray
    """When each began; -1 where it is not there."""
    end_us: IntArray
    """When each ended."""
    gpu: Gpu | None
    """Its GPU."""
    method: str | None
    """By what its phases are told apart."""
    curve: Curve | str
    """Its GPU's energy, or why there is none."""

    @cached_property
    def _each(self) -> tuple[FloatArray, ...]:
        assert isinstance(self.curve, Curve)
        return self.curve.each(self.start_us, self.end_us)

    def energy(self, chosen: IntArray) -> Uncertain:
        """Of some of the batches together, where the sensor can tell them."""
        if (self.start_us[chosen] < 0).any():
            return Uncertain.unknown("no such phase")
        if self.gpu is None or isinstance(self.curve, str):
            return Uncertain.unknown(str(self.curve))
        seconds: FloatArray = (self.end_us[chosen] - self.start_us[chosen]) / US_PER_S
        if not self.gpu.attributable(self.method, seconds):
            return Uncertain.unknown(self.gpu.shortness(self.method, seconds))
        energy_j, variance_j2, late_j = (part[chosen] for part in self._each)
        if np.isnan(energy_j).any():
            return Uncertain.unknown(f"{self.gpu.uuid}: readings do not reach over the batches")
        width_j = math.sqrt(float(variance_j2.sum()) + float(late_j.sum()) ** 2)
        return Uncertain.of(float(energy_j.sum()), COVERAGE_FACTOR * width_j)


def batches_of(one: Measured) -> Batches | None:
    """The measured batches of a run; None when it answered nothing."""
    responses = one.run.responses
    numbers, place = np.unique(responses["batch"].to_numpy(), return_inverse=True)
    if not len(numbers):
        return None

    def summed(values: IntArray | FloatArray) -> FloatArray:
        sums = np.bincount(place, weights=values, minlength=len(numbers))
        return np.asarray(sums, dtype=np.float64)

    counts = np.bincount(place, minlength=len(numbers))
    texts = prompt_texts(one.run)
    lines = int_array(responses, "prompt")
    told = _told(texts, lines)
    return Batches(
        of=one,
        numbers=np.asarray(numbers, dtype=np.int64),
        responses=counts,
        prompt_tokens=summed(int_array(responses, "prompt_tokens")).astype(np.int64),
        generated_tokens=summed(int_array(responses, "generated_tokens")).astype(np.int64),
        prompt_bytes=told if isinstance(told, str) else summed(told.bytes_of[lines]),
        prompt_bits=told if isinstance(told, str) else summed(told.bits_of[lines]) / counts,
    )


def _told(texts: PromptTexts | str, lines: IntArray) -> PromptTexts | str:
    if isinstance(texts, str):
        return texts
    if len(lines) and int(lines.max()) >= len(texts.bytes_of):
        return "the prompts file has fewer lines than prompts were answered"
    return texts


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch:
    """One batch, or several of like prompt lengths."""

    batches: Batches
    """All of the run's."""
    number: int
    """Its place among the run's stretches, from 0."""
    chosen: IntArray
    """Which of the batches, by their place."""

    @property
    def of(self) -> Measured:
        """The run."""
        return self.batches.of

    @property
    def count(self) -> int:
        """How many batches."""
        return len(self.chosen)

    @property
    def responses(self) -> int:
        """Prompts answered."""
        return int(self.batches.responses[self.chosen].sum())

    @property
    def prompt_tokens(self) -> int:
        """Tokens of their prompts."""
        return int(self.batches.prompt_tokens[self.chosen].sum())

    @property
    def generated_tokens(self) -> int:
        """Ids kept."""
        return int(self.batches.generated_tokens[self.chosen].sum())

    @property
    def prompt_bytes(self) -> float | None:
        """Bytes of the prompts' texts."""
        found = self.batches.prompt_bytes
        return None if isinstance(found, str) else float(found[self.chosen].sum())

    @property
    def prompt_bits(self) -> float | None:
        """Mean entropy of the prompts."""
        found = self.batches.prompt_bits
        if isinstance(found, str):
            return None
        weights = self.batches.responses[self.chosen]
        return float((found[self.chosen] * weights).sum() / weights.sum())

    @property
    def text_reason(self) -> str | None:
        """Why the prompts' texts are not known."""
        found = self.batches.prompt_bits
        return found if isinstance(found, str) else None

    @cached_property
    def answer_bits(self) -> float:
        """Entropy of all ids that were generated, in bits an id."""
        responses = self.of.run.responses
        own = np.isin(responses["batch"].to_numpy(), self.batches.numbers[self.chosen])
        ids = responses.filter(own)["generated_ids"].combine_chunks().flatten()
        return entropy_bits(np.asarray(ids.to_numpy(zero_copy_only=False), dtype=np.int64))

    @property
    def seconds(self) -> float:
        """From begin to end of each batch, summed: the mean over ranks."""
        sums = [
            float((own.end_us[self.chosen] - own.start_us[self.chosen]).sum()) / US_PER_S
            for own in self.batches.whole
        ]
        return sum(sums) / len(sums) if sums else 0.0

    @cached_property
    def energy(self) -> Uncertain:
        """Of all working GPUs from begin to end of each batch."""
        return self._energy(self.batches.whole)

    @cached_property
    def prefill(self) -> Uncertain:
        """Of all working GPUs in PREFILL of these batches."""
        return self._energy(self.batches.prefill)

    @cached_property
    def decode(self) -> Uncertain:
        """Of all working GPUs in DECODE of these batches."""
        return self._energy(self.batches.decode)

    def _energy(self, ranks: Sequence[RankWindows]) -> Uncertain:
        return total([own.energy(self.chosen) for own in ranks], nothing="no rank has a GPU")

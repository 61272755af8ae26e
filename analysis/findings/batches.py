"""Batches: what each measured batch of a run was asked, answered and took, or several together.

A batch's energy is that of all working GPUs from the begin of its prefill, or of its encode before
that, to the end of its decode. A run of more than `MOST_STRETCHES` batches has so many stretches:
batches of like prompt lengths, summed.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
_PHASES: Final = (Phase.ENCODE, Phase.PREFILL, Phase.DECODE, Phase.ANSWER)
# After all that any clock says.
_NEVER_US: Final = int(np.iinfo(np.int64).max)


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
    prompt_words: FloatArray | str
    """Words of their prompts' texts, or why these are not known."""
    prompt_readability: FloatArray | str
    """Mean of their prompts' automated readability indices, or why these are not known."""

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
    def encode(self) -> tuple["RankWindows", ...]:
        """Of each, its batches' ENCODE; begun nowhere where the model has no encoder."""
        return self._windows((Phase.ENCODE,))

    @cached_property
    def prefill(self) -> tuple["RankWindows", ...]:
        """Of each, its batches' PREFILL."""
        return self._windows((Phase.PREFILL,))

    @cached_property
    def decode(self) -> tuple["RankWindows", ...]:
        """Of each, its batches' DECODE."""
        return self._windows((Phase.DECODE,))

    @cached_property
    def _ids(self) -> tuple[IntArray, IntArray, IntArray]:
        """The ids of all answers, by batch, and where those of each batch begin and end."""
        responses = self.of.run.responses.select(["batch", "generated_ids"])
        numbers = responses["batch"].to_numpy()
        answers = responses["generated_ids"].combine_chunks()
        order = np.argsort(numbers, kind="stable")
        answers, numbers = answers.take(pa.array(order)), numbers[order]
        lengths = pc.fill_null(pc.list_value_length(answers), 0).to_numpy().astype(np.int64)
        ends = np.concatenate(([0], np.cumsum(lengths)))
        ids = np.asarray(answers.flatten().to_numpy(zero_copy_only=False), dtype=np.int64)
        return (
            ids,
            ends[np.searchsorted(numbers, self.numbers, side="left")],
            ends[np.searchsorted(numbers, self.numbers, side="right")],
        )

    def ids(self, chosen: IntArray) -> IntArray:
        """All ids that some of the batches, by their place, were answered with."""
        ids, begins, ends = self._ids
        parts = [ids[begins[at] : ends[at]] for at in chosen.tolist()]
        return np.concatenate(parts) if parts else ids[:0]

    def _windows(self, phases: tuple[Phase, ...]) -> tuple["RankWindows", ...]:
        run_energy = self.of.run_energy
        found = []
        for rank in run_energy.ranks:
            if rank.gpu_uuid is None:
                continue
            begun_us = np.full(len(self.numbers), _NEVER_US, dtype=np.int64)
            end_us = np.full(len(self.numbers), -1, dtype=np.int64)
            for phase in phases:
                own = rank.measured(phase)
                at = np.searchsorted(self.numbers, rank.batches(own))
                at = np.minimum(at, len(self.numbers) - 1)
                known = self.numbers[at] == rank.batches(own)
                own, at = own[known], at[known]
                np.minimum.at(begun_us, at, rank.start_us[own])
                np.maximum.at(end_us, at, rank.end_us[own])
            start_us = np.where(begun_us == _NEVER_US, -1, begun_us)
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
    readable = told if isinstance(told, str) else told.readability_of
    return Batches(
        of=one,
        numbers=np.asarray(numbers, dtype=np.int64),
        responses=counts,
        prompt_tokens=summed(int_array(responses, "prompt_tokens")).astype(np.int64),
        generated_tokens=summed(int_array(responses, "generated_tokens")).astype(np.int64),
        prompt_bytes=told if isinstance(told, str) else summed(told.bytes_of[lines]),
        prompt_bits=told if isinstance(told, str) else summed(told.bits_of[lines]) / counts,
        prompt_words=told if isinstance(told, str) else summed(told.words_of[lines]),
        prompt_readability=readable
        if isinstance(readable, str)
        else summed(readable[lines]) / counts,
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
        return self._mean(self.batches.prompt_bits)

    @property
    def prompt_words(self) -> int | None:
        """Words of the prompts' texts."""
        found = self.batches.prompt_words
        return None if isinstance(found, str) else int(found[self.chosen].sum())

    @property
    def prompt_readability(self) -> float | None:
        """Mean automated readability index of the prompts."""
        return self._mean(self.batches.prompt_readability)

    @property
    def readability_reason(self) -> str | None:
        """Why it is not known."""
        found = self.batches.prompt_readability
        return found if isinstance(found, str) else None

    def _mean(self, found: FloatArray | str) -> float | None:
        """Over the prompts, of what is a mean over those of each batch."""
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
        return entropy_bits(self.batches.ids(self.chosen))

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
    def encode(self) -> Uncertain:
        """Of all working GPUs in ENCODE of these batches."""
        if not self.of.performance.encodes:
            return self.of.encode
        return self._energy(self.batches.encode)

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

"""Complexity: what was asked and answered in each batch, and the energy that it took.

A batch's energy is that of all working GPUs from the begin of its prefill to the end of its
decode. All rows of a batch share every step, so that no joule belongs to one response: a response's
energy is its batch's over the responses, and nothing finer is told. A run of more than
`MOST_STRETCHES` batches has so many stretches: batches of like prompt lengths, summed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from analysis.energy.curves import Curve
from analysis.energy.gpu_energy import Gpu
from analysis.energy.uncertain import Uncertain, total
from analysis.findings.prompt_texts import PromptTexts, entropy_bits, prompt_texts
from analysis.findings.works import NOT_ON_RECORD
from analysis.runs.rank_spans import RankSpans
from analysis.runs.series import FloatArray, IntArray
from analysis.runs.table_arrays import int_array
from analysis.tables.column import ColumnsOf
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.point import POINT_BY_NAME
from analysis.tables.table import TableKind
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
    def spans(self) -> tuple[tuple[RankSpans, IntArray, IntArray], ...]:
        """Of each rank with a GPU when each batch began and ended; -1 where it did not."""
        found = []
        for rank in self.of.run_energy.ranks:
            if rank.gpu_uuid is None:
                continue
            start_us = np.full(len(self.numbers), -1, dtype=np.int64)
            end_us = np.full(len(self.numbers), -1, dtype=np.int64)
            for phase in _PHASES:
                for index in rank.measured(phase):
                    at = int(np.searchsorted(self.numbers, rank.batch[index]))
                    if at < len(self.numbers) and self.numbers[at] == rank.batch[index]:
                        begun = int(rank.start_us[index])
                        start_us[at] = begun if start_us[at] < 0 else min(start_us[at], begun)
                        end_us[at] = max(end_us[at], int(rank.end_us[index]))
            found.append((rank, start_us, end_us))
        return tuple(found)


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
            float((end_us[self.chosen] - start_us[self.chosen]).sum()) / US_PER_S
            for _, start_us, end_us in self.batches.spans
        ]
        return sum(sums) / len(sums) if sums else 0.0

    @cached_property
    def energy(self) -> Uncertain:
        """Of all working GPUs from begin to end of each batch."""
        parts = [self._of_rank(*own) for own in self.batches.spans]
        return total(parts, nothing="no rank has a GPU")

    @cached_property
    def prefill(self) -> Uncertain:
        """Of all working GPUs in PREFILL of these batches."""
        return self._phase(Phase.PREFILL)

    @cached_property
    def decode(self) -> Uncertain:
        """Of all working GPUs in DECODE of these batches."""
        return self._phase(Phase.DECODE)

    def _phase(self, phase: Phase) -> Uncertain:
        run_energy = self.of.run_energy
        own = set(self.batches.numbers[self.chosen].tolist())
        amounts = []
        for rank, _, _ in self.batches.spans:
            spans = [index for index in rank.measured(phase) if rank.batch[index] in own]
            amounts.append(
                run_energy.attribution.energy(
                    rank, run_energy.gpu_of(rank), np.array(spans, dtype=np.int64)
                )
            )
        return total(amounts, nothing="no rank has a GPU")

    def _of_rank(self, rank: RankSpans, starts: IntArray, ends: IntArray) -> Uncertain:
        start_us, end_us = starts[self.chosen], ends[self.chosen]
        if (start_us < 0).any():
            return Uncertain.unknown(f"rank {rank.rank} has no span of a batch")
        attribution = self.of.run_energy.attribution
        gpu: Gpu | None = self.of.run_energy.gpu_of(rank)
        if gpu is None:
            return Uncertain.unknown("the rank has no GPU")
        if attribution.method is None:
            return Uncertain.unknown(attribution.reason)
        seconds: FloatArray = (end_us - start_us) / US_PER_S
        if not gpu.attributable(attribution.method, seconds):
            return Uncertain.unknown(gpu.shortness(attribution.method, seconds))
        curve = gpu.curve(attribution.method)
        if not isinstance(curve, Curve):
            return Uncertain.unknown(f"{gpu.uuid}: {curve}")
        order = np.argsort(start_us, kind="stable")
        return curve.summed(start_us[order], end_us[order])


def _stretches(one: Measured) -> Iterator[Stretch]:
    found = batches_of(one)
    if found is not None:
        yield from found.stretches()


def _board(one: Stretch) -> str:
    names = sorted({gpu.name for gpu in one.of.run_energy.gpus})
    return " and ".join(names) or NOT_ON_RECORD


_OF: Final = ColumnsOf[Stretch]()
_NAMED: Final = (
    *("model", "engine", "dtype", "quantization", "gpus", "gpus_per_node", "batch_size"),
    *("power_cap_w", "sm_clock_mhz", "dataset", "max_prompt_len", "max_gen_len"),
)

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    _OF.count("stretch", "stretch", "Its place in the run, from 0.", lambda one: one.number),
    _OF.text("board", "board", "Product of the working GPUs.", _board, shown=False),
    # A run's name says most of it, and the page has its row of runs.
    *(
        replace(_OF.told(POINT_BY_NAME[name], lambda one: one.of.spec), shown=name == "engine")
        for name in _NAMED
    ),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    _OF.count(
        "batches",
        "batches",
        f"Batches in it: 1, or in a run of more than {MOST_STRETCHES} those of like prompt "
        "lengths.",
        lambda one: one.count,
    ),
    _OF.count("responses", "responses", "Prompts answered.", lambda one: one.responses),
    _OF.count(
        "prompt_tokens", "prompt tokens", "Of all of its prompts.", lambda one: one.prompt_tokens
    ),
    _OF.count("generated_tokens", "tokens", "Ids kept.", lambda one: one.generated_tokens),
    _OF.number(
        "prompt_bytes",
        "prompt bytes",
        "B",
        "Of its prompts' texts in UTF-8, cut or not.",
        lambda one: one.prompt_bytes,
        shown=False,
        reason="text_reason",
    ),
    _OF.number(
        "prompt_entropy_bits",
        "prompt entropy",
        "bit",
        "Shannon entropy of how often each byte occurs in a prompt's text, in bits a byte: mean "
        "over the prompts.",
        lambda one: one.prompt_bits,
        reason="text_reason",
    ),
    _OF.number(
        "answer_entropy_bits",
        "answer entropy",
        "bit",
        "The same of all ids that were generated, in bits an id. Of random weights it says "
        "nothing of quality.",
        lambda one: one.answer_bits,
        shown=False,
    ),
    _OF.number(
        "seconds",
        "time",
        "s",
        "From begin of prefill to end of decode, summed over batches, mean over ranks.",
        lambda one: one.seconds,
    ),
    *_OF.uncertain(
        "energy_j",
        "energy",
        "J",
        "Gross energy of all working GPUs in that time.",
        lambda one: one.energy,
        reason="energy_reason",
    ),
    *_OF.uncertain(
        "energy_per_response_j",
        "J / response",
        "J",
        "energy_j / responses: the rows of a batch share every step, so nothing finer is told.",
        lambda one: one.energy.over(one.responses),
        reason="energy_reason",
    ),
    *_OF.uncertain(
        "prefill_energy_j",
        "prefill",
        "J",
        "Gross energy in PREFILL of these batches.",
        lambda one: one.prefill,
        reason="prefill_reason",
        shown=False,
    ),
    *_OF.uncertain(
        "decode_energy_j",
        "decode",
        "J",
        "Gross energy in DECODE of these batches.",
        lambda one: one.decode,
        reason="decode_reason",
        shown=False,
    ),
    _OF.why("energy_reason", "energy", "Why it is missing.", lambda one: one.energy.reason),
    _OF.why(
        "prefill_reason",
        "prefill",
        "Why it is missing.",
        lambda one: one.prefill.reason,
    ),
    _OF.why("decode_reason", "decode", "Why it is missing.", lambda one: one.decode.reason),
    _OF.why("text_reason", "text", "Why what is of texts is missing.", lambda one: one.text_reason),
)

COMPLEXITY: Final = TableKind(
    name="complexity",
    title="What was asked, and what it took",
    columns=_COLUMNS,
    of_run=_stretches,
    section="complexity",
    heading="What was asked in each batch, and what it took",
    text="Lengths and entropy of prompts and answers beside the energy of the batches that "
    "answered them. Random weights answer with noise: the entropy of their answers says nothing "
    "of quality.",
)
"""One row a run and stretch of batches."""

"""Run lengths: how many tokens each prompt and answer of a run had, and what a response took of it.

Lengths are exact where every prompt has one number of tokens, every answer another, and every batch
as many rows: then the run is one point of a fit. Tokens are those of the record's responses: what
an engine pads a batch with is nobody's input.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow.compute as pc

from analysis.energy.uncertain import Uncertain, total
from analysis.runs.table_arrays import int_array
from analysis.tables.column import ColumnsOf
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.point import POINT_BY_NAME
from analysis.tables.table import TableKind
from telemetry.record.schema import Phase

# What batches are in, and read no prompt.
_NO_READING: Final = frozenset({Phase.DECODE, Phase.ANSWER, Phase.OVERHEAD})
_NAMED: Final = ("model", "engine", "dataset", "batch_size", "max_prompt_len", "max_gen_len")


@dataclass(frozen=True, kw_only=True, eq=False)
class RunLengths:
    """One run."""

    of: Measured
    """Its energies and counts."""

    @cached_property
    def input_ends(self) -> tuple[int, int]:
        """Least and most tokens of a prompt."""
        return self._ends("prompt_tokens")

    @cached_property
    def output_ends(self) -> tuple[int, int]:
        """Least and most tokens of an answer."""
        return self._ends("generated_tokens")

    def _ends(self, name: str) -> tuple[int, int]:
        found = int_array(self.of.run.responses, name)
        return int(found.min()), int(found.max())

    @cached_property
    def inexact(self) -> str | None:
        """Why its lengths are not exact; None where they are."""
        for what, (least, most) in (("prompts", self.input_ends), ("answers", self.output_ends)):
            if least < most:
                return f"{what} of {least} to {most} tokens"
            if not most:
                return f"{what} of no token"
        rows = np.unique(int_array(self.of.run.responses, "batch"), return_counts=True)[1]
        if rows.min() < rows.max():
            return f"batches of {rows.min()} to {rows.max()} rows"
        if (told := self._span_tokens) != self.of.prompt_tokens:
            return f"its spans count {told} prompt tokens, its responses {self.of.prompt_tokens}"
        return None

    @property
    def _span_tokens(self) -> int:
        spans = self.of.run.spans
        measured = pc.fill_null(pc.greater_equal(spans["batch"], 0), False)
        own = pc.and_(pc.equal(spans["rank"], 0), measured)
        return int(pc.sum(spans.filter(own)["prompt_tokens"]).as_py() or 0)

    @property
    def whole(self) -> Uncertain:
        """Energy of the window a response."""
        return self.of.energy.over(self.of.responses)

    @cached_property
    def _reading(self) -> tuple[str, ...]:
        """Phases in which its batches' prompts are read: PREFILL, and what an encoder does."""
        found = {
            phase
            for rank in self.of.run_energy.ranks
            for phase, batch in zip(rank.phase, rank.batch, strict=True)
            if batch is not None and batch >= 0
        }
        return tuple(sorted(found - _NO_READING)) or (Phase.PREFILL,)

    @cached_property
    def _read(self) -> Uncertain:
        parts = [self.of.run_energy.phase_energy(Phase(phase)) for phase in self._reading]
        return total(parts, nothing="no such phase")

    @property
    def prefill(self) -> Uncertain:
        """Energy of PREFILL, and of an encoder's pass, a response."""
        return self._read.over(self.of.responses)

    @property
    def decode(self) -> Uncertain:
        """Energy of DECODE a response."""
        return self.of.decode.over(self.of.responses)

    @cached_property
    def between(self) -> Uncertain:
        """Energy of the window in neither of them a response: waiting and bookkeeping."""
        method = self.of.run_energy.attribution.method
        if method is None:
            return Uncertain.unknown(self.of.run_energy.attribution.reason)
        less = [_negative(phase) for phase in (self._read, self.of.decode)]
        window = self.of.run_energy.energy_by(method)
        return total([window, *less], nothing="no energy").over(self.of.responses)

    @property
    def per_input(self) -> Uncertain:
        """Energy of PREFILL a token of a prompt that it read.

        Engine `reference` reads there no more of each prompt than the batch's shortest has.
        """
        read = self.of.performance.prefilled_tokens
        if read is None and self.inexact is not None:
            return Uncertain.unknown("no step says how many tokens of its prompts PREFILL read")
        # An encoder reads every prompt whole, and its decoder none.
        whole = read is None or self._reading != (Phase.PREFILL,)
        return self._read.over(self.of.prompt_tokens if whole or read is None else read)

    @property
    def per_output(self) -> Uncertain:
        """Energy of DECODE a token that was chosen in it."""
        return self.of.decode.over(self.of.performance.decoded_tokens)

    @property
    def per_generated(self) -> Uncertain:
        """Energy of the window a generated token."""
        return self.of.energy.over(self.of.tokens)

    @property
    def decode_share(self) -> float | None:
        """Share of the window's time in DECODE; None of an engine that tells no phases."""
        return self.of.seconds(Phase.DECODE) / self.of.duration_s if self.of.phased else None


def _negative(amount: Uncertain) -> Uncertain:
    if amount.value is None:
        return amount
    return Uncertain.of(-amount.value, amount.plus_minus)


_OF: Final = ColumnsOf[RunLengths]()

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    *(_OF.told(POINT_BY_NAME[name], lambda one: one.of.spec) for name in _NAMED),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    _OF.flag(
        "exact",
        "exact",
        "True where every prompt has one number of tokens, every answer one, and every batch as "
        "many rows: such runs alone are in the fits.",
        lambda one: one.inexact is None,
    ),
    _OF.text("inexact_reason", "not exact", "Why it is not.", lambda one: one.inexact),
    _OF.number(
        "input_tokens",
        "input",
        "1",
        "Tokens of a prompt, mean over responses; what a batch is padded with is not counted.",
        lambda one: one.of.prompt_tokens / one.of.responses,
    ),
    _OF.number(
        "output_tokens",
        "output",
        "1",
        "Tokens of an answer, mean over responses.",
        lambda one: one.of.tokens / one.of.responses,
    ),
    *_OF.uncertain(
        "energy_per_response_j",
        "J / response",
        "J",
        "Energy of the window over its responses.",
        lambda one: one.whole,
        reason="energy_reason",
    ),
    *_OF.uncertain(
        "prefill_energy_per_response_j",
        "prefill J / response",
        "J",
        "Energy in PREFILL, and in an encoder's pass, over the responses.",
        lambda one: one.prefill,
        reason="prefill_reason",
    ),
    *_OF.uncertain(
        "decode_energy_per_response_j",
        "decode J / response",
        "J",
        "Energy in DECODE over the responses.",
        lambda one: one.decode,
        reason="decode_reason",
    ),
    *_OF.uncertain(
        "between_energy_per_response_j",
        "between J / response",
        "J",
        "Energy of the window in neither, by the method that tells phases apart: waiting and "
        "bookkeeping, which no token is charged with.",
        lambda one: one.between,
        reason="between_reason",
    ),
    *_OF.uncertain(
        "energy_per_input_token_j",
        "J / input token",
        "J",
        "Energy in PREFILL over the tokens of prompts that it read; engine `reference` reads the "
        "rest of what is longer than a batch's shortest prompt in DECODE.",
        lambda one: one.per_input,
        reason="input_reason",
    ),
    *_OF.uncertain(
        "decode_energy_per_output_token_j",
        "decode J / output token",
        "J",
        "Energy in DECODE over the tokens that were chosen in it.",
        lambda one: one.per_output,
        reason="decode_reason",
    ),
    *_OF.uncertain(
        "energy_per_output_token_j",
        "J / output token",
        "J",
        "Energy of the window over all generated tokens.",
        lambda one: one.per_generated,
        reason="energy_reason",
    ),
    _OF.share(
        "decode_time_share",
        "decode's time",
        "Share of the window's time in DECODE.",
        lambda one: one.decode_share,
    ),
    _OF.why("energy_reason", "energy", "Why it is missing.", lambda one: one.per_generated.reason),
    _OF.why("prefill_reason", "prefill", "Why it is missing.", lambda one: one.prefill.reason),
    _OF.why("input_reason", "input token", "Why it is missing.", lambda one: one.per_input.reason),
    _OF.why("decode_reason", "decode", "Why it is missing.", lambda one: one.per_output.reason),
    _OF.why("between_reason", "between", "Why it is missing.", lambda one: one.between.reason),
)


def _runs(one: Measured) -> Iterator[RunLengths]:
    if one.responses:
        yield RunLengths(of=one)


SEQUENCE_RUNS: Final = TableKind(
    name="sequence_runs",
    title="Lengths of prompts and answers, and what a response took",
    columns=_COLUMNS,
    of_run=_runs,
    section="sequence",
    heading="How long prompts and answers were, run by run",
    text="Runs of exact lengths are the points of the fits above; of others the reason stands "
    "beside.",
)
"""One row a sealed run that answered anything."""

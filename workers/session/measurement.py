"""Measurement: the batches that a rank answers, thrown away until the machine is steady, then kept.

The prompts are answered as a whole, again and again until the order's time is measured: batch
numbers go on, and with them the seeds. Rank 0 decides, as ranks may see other times.
"""

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from telemetry.clock import US_PER_S
from telemetry.record.launch import LaunchConfig
from telemetry.record.schema import Phase
from telemetry.record.spec import RunSpec
from telemetry.shards.writer import ShardWriter
from workers.distributed.process_group import Mesh
from workers.engines.base.engine import Engine
from workers.engines.base.generation import Generation
from workers.prompts.tokenized import TokenizedPrompts
from workers.session.progress import RankProgress
from workers.session.responses import Responses
from workers.session.spans import NO_COUNTS, WARMUP_BATCH, Counts, SpanRecorder
from workers.session.warmup import WarmupRule, rate_of

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AnswerShards:
    """Where rank 0 writes what is answered."""

    responses: ShardWriter
    """Shard of what was generated, a row a prompt."""
    steps: ShardWriter
    """Shard of when tokens were chosen, a row a step."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One rank's part in answering a run's questions."""

    spec: RunSpec
    """The work: prompts a batch, tokens a prompt and the seed."""
    launch: LaunchConfig
    """How long to warm up and how long to measure."""
    questions: TokenizedPrompts
    """The run's prompts as token ids, in order."""
    mesh: Mesh
    """The joined ranks, which must agree on every token."""
    engine: Engine
    """This rank's part of the loaded model."""
    spans: SpanRecorder
    """Where it is written which phase began when."""
    progress: RankProgress | None
    """None on ranks other than 0."""

    def warm_up(self) -> dict[str, Any]:
        """Answer batches by the order's rule and throw them away; what the record says of it."""
        rule, started_s = WarmupRule.of(self.launch), time.monotonic()
        rates: list[float] = []
        if rule.least == 0:
            return rule.describe(rates, 0.0)
        self.spans.enter(Phase.WARMUP, batch=WARMUP_BATCH)
        if self.progress is not None:
            self.progress.enter(Phase.WARMUP)
        ids, size = self.questions.ids, self.spec.batch_size
        if len(ids) > size and (rest := len(ids) % size):
            # The last batch is smaller: an engine may have to make itself ready for that too.
            self._warm_with(ids[-rest:])
        goes_on = True
        while goes_on:
            rates.append(rate_of(self._warm_with(ids[:size])))
            if self.progress is not None:
                _LOG.info("warm-up batch %d: %.0f tokens/s", len(rates), rates[-1])
            goes_on = self._decide(rule.goes_on(rates, time.monotonic() - started_s))
        record = rule.describe(rates, time.monotonic() - started_s)
        if self.progress is not None:
            steady = "steady" if record["steady"] else f"not known to be steady: {record['reason']}"
            _LOG.info("warm-up: %d batches, %s", len(rates), steady)
        return record

    def answer(self, book: AnswerShards | None) -> dict[str, Any]:
        """Answer all prompts, in as many passes as fill the window; what the record says of it.

        Raises:
            RuntimeError: the ranks chose different tokens.
        """
        if self.progress is not None:
            self.progress.begin_batches()
        size = self.spec.batch_size
        batch, passes, seconds = 0, 0, 0.0
        began_us: int | None = None
        goes_on = True
        while goes_on:
            if passes and self.progress is not None:
                self.progress.begin_pass()
            for first in range(0, len(self.questions.ids), size):
                prompts = self.questions.ids[first : first + size]
                batch_began_us, ended_us = self._answer(batch, first, prompts, book)
                began_us = batch_began_us if began_us is None else began_us
                seconds = (ended_us - began_us) / US_PER_S
                batch += 1
            passes += 1
            goes_on = self._decide(seconds < self.launch.min_window_s)
        return {
            "min_window_s": self.launch.min_window_s,
            "passes": passes,
            "batches": batch,
            "seconds": seconds,
        }

    def _warm_with(self, prompts: Sequence[Sequence[int]]) -> Generation:
        with torch.inference_mode():
            self.engine.prefill(prompts, batch_seed(self.spec.seed, WARMUP_BATCH))
            return self.engine.decode()

    def _answer(
        self, batch: int, first: int, prompts: Sequence[Sequence[int]], book: AnswerShards | None
    ) -> tuple[int, int]:
        """Answer a batch; when its PREFILL began and its DECODE ended."""
        lens = [len(prompt) for prompt in prompts]
        # Rank 0 writes longer than the others: all wait here, so that no one's PREFILL does.
        self.mesh.barrier()
        begun = self.spans.enter(Phase.PREFILL, batch=batch)
        with torch.inference_mode():
            self.engine.prefill(prompts, batch_seed(self.spec.seed, batch))
            if self.progress is not None:
                # Now that the clock counts this batch's steps and no longer those of the last.
                self.progress.begin_batch(
                    batch,
                    len(prompts),
                    most_steps=max(lens) - min(lens) + self.spec.max_gen_len,
                    most_tokens=len(prompts) * self.spec.max_gen_len,
                    clock=self.engine.clock,
                )
            asked = Counts(prompts=len(prompts), prompt_tokens=sum(lens))
            counts = NO_COUNTS if book is None else asked
            self.spans.enter(Phase.DECODE, batch=batch, counts=counts)
            answers = self.engine.decode()
        decoded = self.spans.edge()
        answered = NO_COUNTS
        if book is not None:
            responses = Responses.decode(
                self.questions.tokenizer,
                batch=batch,
                first_prompt=first,
                prompts=prompts,
                answers=answers,
                begun_us=begun.t_us,
            )
            answered = Counts(
                generated_tokens=sum(responses.generated_tokens), words=sum(responses.words)
            )
            responses.write(book.responses, book.steps)
        self.spans.enter(Phase.OVERHEAD, batch=batch, counts=answered, at=decoded)
        if not self.mesh.agree(_digest(answers.ids)):
            raise RuntimeError(
                f"all ranks must choose the same tokens, but differ in batch {batch}"
            )
        if self.progress is not None:
            self.progress.count_batch(len(prompts), answered.generated_tokens)
        return begun.t_us, decoded.t_us

    def _decide(self, mine: bool) -> bool:
        """What rank 0 holds, on every rank."""
        return bool(self.mesh.first_says(int(mine)))


def batch_seed(seed: int, batch: int) -> int:
    """A seed of each batch's own, so that answers do not hang on the batches before."""
    digest = hashlib.sha256(f"{seed}/batch/{batch}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _digest(generated_ids: list[list[int]]) -> int:
    digest = hashlib.sha256(json.dumps(generated_ids).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1

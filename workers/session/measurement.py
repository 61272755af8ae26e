"""Measurement: the batches that a rank answers, thrown away until the machine is steady, then kept.

The prompts are answered as a whole, again and again until the launch's time is measured: batch
numbers go on, and with them the seeds. Rank 0 decides, as ranks may see other times.
"""

import functools
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from telemetry.clock import US_PER_S
from telemetry.record.arrivals import arrivals_us
from telemetry.record.launch import LaunchConfig
from telemetry.record.schema import Phase
from telemetry.record.spec import RunSpec
from telemetry.shards.writer import ShardWriter
from workers.distributed.process_group import Mesh
from workers.engines.base.engine import EncodingEngine, PhasedEngine, ServingEngine, WholeEngine
from workers.engines.base.generation import Generation
from workers.prompts.tokenized import TokenizedPrompts
from workers.session.phase_switching import PhaseSwitching
from workers.session.progress import Progress
from workers.session.responses import Responses
from workers.session.spans import NO_COUNTS, WARMUP_BATCH, Counts, Edge, SpanRecorder
from workers.session.warmup import WarmupRule, rate_of


@dataclass(frozen=True, kw_only=True)
class AnswerShards:
    """Where rank 0 writes what is answered."""

    responses: ShardWriter
    """Shard of what was generated, a row a prompt."""
    steps: ShardWriter | None
    """Shard of when tokens were chosen, a row a step; None when the engine has no clock."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One rank's part in answering a run's prompts."""

    spec: RunSpec
    """The work: prompts a batch, tokens a prompt and the seed."""
    launch: LaunchConfig
    """How long to warm up and how long to measure."""
    prompts: TokenizedPrompts
    """The run's prompts as token ids, in order."""
    mesh: Mesh
    """The joined ranks, which must agree on every token."""
    engine: PhasedEngine | WholeEngine
    """This rank's part of the loaded model."""
    spans: SpanRecorder
    """Where it is written which phase began when."""
    progress: Progress
    """Whom it is told how far the batches are."""
    phases: PhaseSwitching | None = None
    """Who has settings changed as phases begin; None where none has settings of its own."""

    def warm_up(self) -> dict[str, Any]:
        """Answer batches by the launch's rule and throw them away; what the record says of it."""
        rule, started_s = WarmupRule.of(self.launch), time.monotonic()
        rates: list[float] = []
        if rule.least == 0:
            return rule.describe(rates, 0.0)
        self.spans.enter(Phase.WARMUP, batch=WARMUP_BATCH)
        self.progress.enter(Phase.WARMUP)
        ids, size = self.prompts.ids, self.spec.batch_size
        if len(ids) > size and (rest := len(ids) % size):
            # The last batch is smaller: an engine may have to make itself ready for that too.
            self._warm_with(ids[-rest:])
        goes_on = True
        while goes_on:
            began_s = time.monotonic()
            answers = self._warm_with(ids[:size])
            rates.append(rate_of(answers, time.monotonic() - began_s))
            self.progress.say(f"warm-up batch {len(rates)}: {rates[-1]:.0f} tokens/s")
            goes_on = self._decide(rule.goes_on(rates, time.monotonic() - started_s))
        record = rule.describe(rates, time.monotonic() - started_s)
        steady = "steady" if record["steady"] else f"not known to be steady: {record['reason']}"
        self.progress.say(f"warm-up: {len(rates)} batches, {steady}")
        return record

    def prove_phases(self) -> None:
        """Have the delay of each phase's settings measured under load; often nothing.

        Raises:
            RuntimeError: the settings cannot be switched between this run's phases.
        """
        if self.phases is None:
            return
        if not isinstance(self.engine, PhasedEngine):
            raise RuntimeError(
                f"a phase has a cap or a clock of its own, but engine={self.spec.engine} answers "
                "a batch as a whole and tells of no phases"
            )
        self.spans.enter(Phase.WARMUP, batch=WARMUP_BATCH)
        self.progress.say("measuring how long caps and clocks take to change")
        self.phases.prove(functools.partial(self._timed_phases, self.engine))

    def answer(self, shards: AnswerShards | None) -> dict[str, Any]:
        """Answer all prompts, in as many passes as fill the window; what the record says of it.

        Raises:
            RuntimeError: the ranks chose different tokens.
        """
        self.progress.begin_batches()
        size = self.spec.batch_prompts
        batch, passes, seconds = 0, 0, 0.0
        began_us: int | None = None
        goes_on = True
        while goes_on:
            if passes:
                self.progress.begin_pass()
            for first in range(0, len(self.prompts.ids), size):
                prompts = self.prompts.ids[first : first + size]
                batch_began_us, ended_us = self._answer(batch, first, prompts, shards)
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
        seed = batch_seed(self.spec.seed, WARMUP_BATCH)
        with torch.inference_mode():
            if isinstance(self.engine, WholeEngine):
                return self.engine.answer(prompts, seed)
            if isinstance(self.engine, EncodingEngine):
                self.engine.encode(prompts)
            self.engine.prefill(prompts, seed)
            return self.engine.decode()

    def _timed_phases(self, engine: PhasedEngine) -> dict[str, int]:
        """Answer a batch of the smallest size that there is; how long each phase lasted, in us.

        The prefill's settings hold from an encoder's begin: both of them read the prompts.
        """
        ids, size = self.prompts.ids, self.spec.batch_size
        prompts = ids[-(len(ids) % size or min(size, len(ids))) :]
        began = self.spans.edge()
        with torch.inference_mode():
            if isinstance(engine, EncodingEngine):
                engine.encode(prompts)
            engine.prefill(prompts, batch_seed(self.spec.seed, WARMUP_BATCH))
            middle = self.spans.edge()
            engine.decode()
        ended = self.spans.edge()
        return {
            Phase.PREFILL.value: middle.t_us - began.t_us,
            Phase.DECODE.value: ended.t_us - middle.t_us,
        }

    def _answer(
        self,
        batch: int,
        first: int,
        prompts: Sequence[Sequence[int]],
        shards: AnswerShards | None,
    ) -> tuple[int, int]:
        """Answer a batch; when its first span began and its last ended."""
        lens = [len(prompt) for prompt in prompts]
        asked = NO_COUNTS
        if shards is not None:
            asked = Counts(prompts=len(prompts), prompt_tokens=sum(lens))
        tell_begun = functools.partial(
            self.progress.begin_batch,
            batch,
            len(prompts),
            most_steps=max(lens) - min(lens) + self.spec.max_gen_len,
            most_tokens=len(prompts) * self.spec.max_gen_len,
            clock=self.engine.clock,
        )
        # Rank 0 writes longer than the others: all wait here, so that no one's first span does.
        self.mesh.barrier()
        if isinstance(self.engine, WholeEngine):
            begun, answers = self._answer_whole(self.engine, batch, prompts, tell_begun)
            counts = asked
        else:
            begun, answers = self._answer_phased(self.engine, batch, prompts, tell_begun, asked)
            counts = NO_COUNTS
        ended = self.spans.edge()
        if shards is not None:
            responses = Responses.decode(
                self.prompts.tokenizer,
                batch=batch,
                first_prompt=first,
                prompts=prompts,
                answers=answers,
                begun_us=begun.t_us,
                asked=self.prompts.asked[first : first + len(prompts)],
            )
            tokens, words = sum(responses.generated_tokens), sum(responses.words)
            counts = replace(counts, generated_tokens=tokens, words=words)
            responses.write(shards.responses, shards.steps)
        self.spans.enter(Phase.OVERHEAD, batch=batch, counts=counts, at=ended)
        if self.phases is not None:
            self.phases.end_batch()
        if not self.mesh.agree(_digest(answers.ids)):
            raise RuntimeError(
                f"all ranks must choose the same tokens, but differ in batch {batch}"
            )
        self.progress.count_batch(len(prompts), counts.generated_tokens)
        return begun.t_us, ended.t_us

    def _answer_phased(
        self,
        engine: PhasedEngine,
        batch: int,
        prompts: Sequence[Sequence[int]],
        tell_begun: Callable[[], None],
        asked: Counts,
    ) -> tuple[Edge, Generation]:
        """Answer in PREFILL, whose begin is the edge and whose counts are `asked`, and DECODE.

        An encoder's ENCODE comes before: the edge is its begin then, and the counts are its.
        """
        encodes = isinstance(engine, EncodingEngine)
        begun = self.spans.enter(Phase.ENCODE if encodes else Phase.PREFILL, batch=batch)
        if self.phases is not None:
            self.phases.begin(Phase.PREFILL, batch, begun.t_us)
        with torch.inference_mode():
            if isinstance(engine, EncodingEngine):
                engine.encode(prompts)
                self.spans.enter(Phase.PREFILL, batch=batch, counts=asked)
                asked = NO_COUNTS
            engine.prefill(prompts, batch_seed(self.spec.seed, batch))
            # Now that the clock counts this batch's steps and no longer those of the last.
            tell_begun()
            between = self.spans.enter(Phase.DECODE, batch=batch, counts=asked)
            if self.phases is not None:
                self.phases.begin(Phase.DECODE, batch, between.t_us)
            return begun, engine.decode()

    def _answer_whole(
        self,
        engine: WholeEngine,
        batch: int,
        prompts: Sequence[Sequence[int]],
        tell_begun: Callable[[], None],
    ) -> tuple[Edge, Generation]:
        """Answer in one span ANSWER, whose begin is the edge."""
        tell_begun()
        begun = self.spans.enter(Phase.ANSWER, batch=batch)
        with torch.inference_mode():
            seed, rate = batch_seed(self.spec.seed, batch), self.spec.arrivals_per_s
            if rate is None:
                return begun, engine.answer(prompts, seed)
            if not isinstance(engine, ServingEngine):
                raise RuntimeError(f"engine={self.spec.engine} must serve, but cannot")
            come_us = arrivals_us(rate, self.spec.arrivals_drawn_by, batch, len(prompts))
            said = self.mesh.first_says if self.mesh.rank.world > 1 else _says_itself
            return begun, engine.serve(prompts, seed, come_us, said)

    def _decide(self, mine: bool) -> bool:
        """What rank 0 holds, on every rank."""
        return bool(self.mesh.first_says(int(mine)))


def batch_seed(seed: int, batch: int) -> int:
    """A seed of each batch's own, so that answers do not hang on the batches before."""
    digest = hashlib.sha256(f"{seed}/batch/{batch}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _says_itself(number: int) -> int:
    """What one rank alone says."""
    return number


def _digest(generated_ids: list[list[int]]) -> int:
    digest = hashlib.sha256(json.dumps(generated_ids).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1

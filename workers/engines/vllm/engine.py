"""Engine `vllm`: the library that centers serve with, driven step by step on every rank.

Prompts are requests of their own: the library reads some while it answers others, so a batch is one
span. A step's tokens are dated by the host, once the library has handed them over. All ranks run
the same library on the same requests: rank 0 says which have arrived, so that all take the same
steps. No prefix is kept from one request to another, as a second pass would find all of its own.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch

from workers.engines.base.context import EngineContext
from workers.engines.base.generation import Generation, RequestTimes
from workers.engines.base.sampling import Decoding, prompt_lens
from workers.engines.base.step_clock import StepClock
from workers.engines.vllm.library import (
    FULL,
    LIBRARY,
    STOPPED,
    Library,
    StepOutput,
    open_library,
)

_NS_PER_US: Final = 1000


def _says_itself(number: int) -> int:
    """What one rank alone says."""
    return number


@dataclass(kw_only=True)
class _Stream:
    """The requests of one batch as they come and go; times in microseconds since it began."""

    arrivals_us: Sequence[int]
    """When each comes, not falling."""
    began_ns: int
    """When the batch began, on the host's monotonic clock."""
    sent_us: list[int] = field(default_factory=list)
    """When each was handed over, of those that were."""
    ids: list[list[int]] = field(default_factory=list)
    """By row: the ids chosen so far."""
    steps: list[list[int]] = field(default_factory=list)
    """By row: the step of each."""
    finished: dict[int, int] = field(default_factory=dict)
    """By row that is done: the step that ended it."""

    @property
    def now_us(self) -> int:
        """Time since the batch began."""
        return (time.perf_counter_ns() - self.began_ns) // _NS_PER_US

    @property
    def due(self) -> int:
        """How many requests have come."""
        now_us = self.now_us
        return sum(1 for at_us in self.arrivals_us if at_us <= now_us)

    @property
    def in_flight(self) -> int:
        """How many were handed over and are not done."""
        return len(self.sent_us) - len(self.finished)

    def wait(self) -> None:
        """Sleep until the next one comes, where none is in flight."""
        left_us = self.arrivals_us[len(self.sent_us)] - self.now_us
        if left_us > 0:
            time.sleep(left_us / 1e6)


class VllmEngine:
    """Answers a batch as so many requests, all at once or each at its time."""

    model = None

    def __init__(
        self, library: Library, decoding: Decoding, *, max_len: int, most_in_flight: int
    ) -> None:
        self.clock = StepClock(torch.device("cpu"))
        self.weight_bytes = library.weight_bytes
        self._library = library
        self._decoding = decoding
        self._max_len = max_len
        self._most = most_in_flight
        self._batches = 0

    def answer(self, prompts: Sequence[Sequence[int]], seed: int) -> Generation:
        """Answer prompts that all come at once."""
        return self._answer(prompts, seed, None, _says_itself)

    def serve(
        self,
        prompts: Sequence[Sequence[int]],
        seed: int,
        arrivals_us: Sequence[int],
        first_says: Callable[[int], int],
    ) -> Generation:
        """Answer prompts that come at stated times after the batch began, whatever is in flight.

        One that comes while as many as may be are in flight waits here, and has come all the same.
        """
        return self._answer(prompts, seed, arrivals_us, first_says)

    def describe(self) -> dict[str, Any]:
        """How it works, for the record."""
        return {
            "name": "vllm",
            "library": self._library.version,
            "stops_early": not self._decoding.ignore_eos,
            "sampling": "the library's, drawn on from batch to batch",
            "times": "of the host, once a step's tokens were handed over",
            **self._library.settings,
            "cache": self._library.cache.describe(),
        }

    def close(self) -> None:
        """Let go of the model and of the library's groups of ranks."""
        self._library.close()

    def _answer(
        self,
        prompts: Sequence[Sequence[int]],
        seed: int,
        arrivals_us: Sequence[int] | None,
        first_says: Callable[[int], int],
    ) -> Generation:
        # A seed of each request's own makes the library choose row by row: it has one of its own.
        del seed
        prompt_lens(prompts, self._max_len)
        rows = len(prompts)
        self._batches += 1
        self.clock.start()
        stream = _Stream(
            arrivals_us=[0] * rows if arrivals_us is None else list(arrivals_us),
            began_ns=time.perf_counter_ns(),
            ids=[[] for _ in prompts],
            steps=[[] for _ in prompts],
        )
        step = 0
        while len(stream.finished) < rows:
            if not stream.in_flight:
                stream.wait()
            if len(stream.sent_us) < rows:
                self._send(stream, prompts, rows if arrivals_us is None else first_says(stream.due))
            if stream.in_flight and self._step(stream, step):
                step += 1
        step_us = self.clock.read_us()
        return self._generation(stream, step_us, told=arrivals_us is not None)

    def _send(self, stream: _Stream, prompts: Sequence[Sequence[int]], due: int) -> None:
        """Hand over those that have come, while the library takes them up at once."""
        due = min(due, len(stream.finished) + self._most)
        for row in range(len(stream.sent_us), due):
            stream.sent_us.append(stream.now_us)
            self._library.add(f"{self._batches}-{row}", prompts[row])

    def _step(self, stream: _Stream, step: int) -> bool:
        """One step of the library; whether any request got a token."""
        outputs = self._library.step()
        if not any(output.ids for output in outputs):
            for output in outputs:
                if output.finished:
                    raise RuntimeError(
                        f"request {output.name} must end with a token, but ended without"
                    )
            return False
        self.clock.mark()
        for output in outputs:
            row = int(output.name.partition("-")[2])
            if len(output.ids) > 1:
                raise RuntimeError(
                    f"a step of {LIBRARY} must choose one token a request, but chose "
                    f"{len(output.ids)} of request {output.name} instead"
                )
            if row in stream.finished:
                raise RuntimeError(
                    f"request {output.name} must end once, but {LIBRARY} gave a token behind its "
                    "end instead"
                )
            stream.ids[row].extend(output.ids)
            stream.steps[row].extend([step] * len(output.ids))
            if output.finished:
                stream.finished[row] = step
            if output.finished or len(stream.ids[row]) > self._decoding.max_gen_len:
                self._hold_end(output, stream.ids[row])
        return True

    def _hold_end(self, output: StepOutput, ids: Sequence[int]) -> None:
        """A request ended as it was asked to: at its last token, or at the id that ends one.

        Raises:
            RuntimeError: it did not, so that its tokens are not what was asked for.
        """
        asked = self._decoding
        ends = () if asked.ignore_eos else (asked.eos_id,)
        ended = bool(ids) and ids[-1] in ends
        fits = len(ids) <= asked.max_gen_len if ended else len(ids) == asked.max_gen_len
        wanted = STOPPED if ended else FULL
        if not fits or output.reason != wanted or any(one in ends for one in ids[:-1]):
            raise RuntimeError(
                f"request {output.name} must end at the id that ends one or at "
                f"{asked.max_gen_len} tokens, but {LIBRARY} ended it by {output.reason} at "
                f"{len(ids)} instead"
            )

    def _generation(self, stream: _Stream, step_us: list[int], *, told: bool) -> Generation:
        cut = [self._decoding.cut(ids) for ids in stream.ids]
        finished_us = [step_us[stream.finished[row]] for row in range(len(cut))]
        return Generation(
            ids=[ids for ids, _ in cut],
            ended=[ended for _, ended in cut],
            first_steps=[steps[0] for steps in stream.steps],
            step_us=step_us,
            row_steps=[
                steps[: len(ids)] for steps, (ids, _) in zip(stream.steps, cut, strict=True)
            ],
            requests=RequestTimes(
                arrived_us=list(stream.arrivals_us) if told else None,
                sent_us=stream.sent_us,
                finished_us=finished_us,
            ),
        )


def open_vllm(context: EngineContext) -> VllmEngine:
    """The engine with the library's model of the spec's shape, filled with the run's weights."""
    return VllmEngine(
        open_library(context),
        context.decoding,
        max_len=context.max_len,
        most_in_flight=context.spec.batch_size,
    )

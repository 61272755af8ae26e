"""Spans: what a rank was doing from when to when, without a hole between.

Counts stand where their work is: `prompts` and `prompt_tokens` on a batch's PREFILL, or on its
ENCODE where it has one, `generated_tokens` and `words` on its DECODE, all of them on an ANSWER. All
ranks work on the same tokens, so rank 0 alone carries counts: a sum over all spans of a run counts
each token once.

At an edge the rank reads the clock and goes on. A thread then reads the GPU's counter and writes
the span that ended: on an H200 a reading takes 3 ms and, rarely, 32 ms, which a phase of 15 ms must
not contain. So a reading is later than its edge, with the next phase already at work, and later
still where the thread waited for a disk or a core. How late it was at most stands beside it.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from telemetry.clock import HostClock
from telemetry.record.schema import SPANS, Phase
from telemetry.shards.chain import Binding
from telemetry.shards.writer import ShardWriter

WARMUP_BATCH: Final = -1
"""The `batch` of a warm-up span."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What was worked on in a span; all zero on ranks other than 0."""

    prompts: int = 0
    """Prompts of the batch, on its PREFILL, ENCODE or ANSWER."""
    prompt_tokens: int = 0
    """Their tokens, as cut to `max_prompt_len`, on its PREFILL, ENCODE or ANSWER."""
    generated_tokens: int = 0
    """Token ids chosen and kept, on its DECODE or ANSWER."""
    words: int = 0
    """Words of the generated text, split on white space, on its DECODE or ANSWER."""


@dataclass(frozen=True, kw_only=True)
class CounterReading:
    """A GPU's own energy counter at an edge."""

    energy_j: float | None
    """The running total; None when it could not be read."""
    late_us: int | None
    """It was read between the edge and this long after; None without a reading."""
    reason: str | None
    """Why `energy_j` is None."""


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A moment between two spans, with all work before it done."""

    t_us: int
    """On the host's clock."""
    reading: Future[CounterReading]
    """The GPU's own energy counter soon after, once the recorder's thread has read it."""


NO_COUNTS: Final = Counts()


class SpanRecorder:
    """The one writer of a rank's spans. A span is on disk soon after the next one begins.

    Raises:
        OSError: the disk is full or gone, found at the span after or at the end.
    """

    def __init__(
        self,
        folder: Path,
        metadata: Mapping[str, Any],
        *,
        clock: HostClock,
        host: str,
        rank: int,
        gpu_uuid: str | None,
        synchronize: Callable[[], None],
        read_energy_j: Callable[[], float] | None,
        energy_reason: str,
        start_us: int | None = None,
        binding: Binding | None = None,
    ) -> None:
        """Begin STARTUP, at `start_us` or now.

        `synchronize` returns when the device has done all it was given. `read_energy_j` raises
        RuntimeError when there is no reading; None stands for no counter at all, for
        `energy_reason`. `binding` is what the shard's chain stands on; None keeps none.
        """
        self._writer = ShardWriter(folder, SPANS, metadata, binding=binding)
        self._clock = clock
        self._who = {"host": host, "rank": rank, "gpu_uuid": gpu_uuid}
        self._synchronize = synchronize
        self._read_energy_j = read_energy_j
        self._energy_reason = energy_reason
        self._clerk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spans")
        self._written: Future[None] | None = None
        self._phase: Phase | None = Phase.STARTUP
        self._batch: int | None = None
        if start_us is None:
            self._begun = self.edge()
        else:
            reason = "the span began before the rank could read"
            if read_energy_j is None:
                reason = energy_reason
            self._begun = Edge(t_us=start_us, reading=_no_reading(reason))

    @property
    def phase(self) -> Phase | None:
        """The phase of the running span; None when they are closed."""
        return self._phase

    def edge(self) -> Edge:
        """This moment, with the device idle: where one span ends and the next begins."""
        self._synchronize()
        return self._stamp()

    def enter(
        self,
        phase: Phase,
        *,
        batch: int | None = None,
        counts: Counts = NO_COUNTS,
        at: Edge | None = None,
    ) -> Edge:
        """End the running span with its `counts` and begin the next at the same moment, returned.

        `at` is an earlier edge, for counts that take time to find; None takes this moment.
        """
        edge = self.edge() if at is None else at
        self._end(edge, counts)
        self._phase = phase
        self._batch = batch
        self._begun = edge
        return edge

    def close(self) -> None:
        """End the last span and turn the shard's stream into its file; more calls do nothing."""
        if self._phase is not None:
            self._close(self.edge())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        elif self._phase is not None:
            # A device that failed may never become idle, or fail again and hide why.
            self._close(self._stamp())

    def _stamp(self) -> Edge:
        t_us = self._clock.now_us()
        read = self._read_energy_j
        if read is None:
            return Edge(t_us=t_us, reading=_no_reading(self._energy_reason))
        return Edge(t_us=t_us, reading=self._clerk.submit(_read, read, self._clock, t_us))

    def _close(self, edge: Edge) -> None:
        self._end(edge, NO_COUNTS)
        self._phase = None
        self._clerk.shutdown(wait=True)
        try:
            self._require_written()
        finally:
            self._writer.close()

    def _end(self, edge: Edge, counts: Counts) -> None:
        if self._phase is None:
            raise RuntimeError("the spans must be open, but are closed instead")
        row: dict[str, Any] = {
            "t_start_us": self._begun.t_us,
            "t_end_us": edge.t_us,
            **self._who,
            "phase": self._phase.value,
            "batch": self._batch,
            "prompts": counts.prompts,
            "prompt_tokens": counts.prompt_tokens,
            "generated_tokens": counts.generated_tokens,
            "words": counts.words,
        }
        if self._written is not None and self._written.done():
            self._require_written()
        self._written = self._clerk.submit(self._write, row, self._begun, edge, self._written)

    def _write(
        self, row: dict[str, Any], begun: Edge, ended: Edge, before: Future[None] | None
    ) -> None:
        if before is not None:
            # One thread writes in order: it has ended, and what it failed for still stands.
            before.result()
        start, end = begun.reading.result(), ended.reading.result()
        row |= {
            "energy_start_j": start.energy_j,
            "energy_end_j": end.energy_j,
            "energy_reason": start.reason or end.reason,
            "energy_start_late_us": start.late_us,
            "energy_end_late_us": end.late_us,
        }
        self._writer.write({name: [value] for name, value in row.items()})

    def _require_written(self) -> None:
        if self._written is not None:
            self._written.result()


def _read(read_energy_j: Callable[[], float], clock: HostClock, edge_us: int) -> CounterReading:
    try:
        energy_j = read_energy_j()
    except RuntimeError as error:
        return CounterReading(energy_j=None, late_us=None, reason=str(error))
    # The clock is read after the call: the counter stood so at some moment since the edge.
    return CounterReading(energy_j=energy_j, late_us=clock.now_us() - edge_us, reason=None)


def _no_reading(reason: str) -> Future[CounterReading]:
    reading: Future[CounterReading] = Future()
    reading.set_result(CounterReading(energy_j=None, late_us=None, reason=reason))
    return reading

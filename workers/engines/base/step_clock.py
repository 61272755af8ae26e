"""Step clock: when each decoding step's tokens were there, without stopping the device to ask."""

import time
from typing import Final

import torch

# Asking an event costs about a microsecond; people look at progress more seldom than this.
_LOOK_S: Final = 0.5


class StepClock:
    """Marks moments in the device's own order of work; read once the work is done.

    On CUDA a mark is an event in the current stream (about 1 us of host time), so that steps go on
    being queued ahead; on CPU it is the host's monotonic clock.
    """

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._events: list[torch.cuda.Event] = []
        self._marks_ns: list[int] = []
        self._used = 0
        self._look_s = 0.0
        self.reached = 0
        """Steps since `start` that are known to be done; a plain number, for another thread."""

    def start(self) -> None:
        """Forget all marks and set the moment that marks are counted from."""
        self._used = 0
        self.reached = 0
        self._marks_ns.clear()
        self.mark()

    def mark(self) -> None:
        """Mark that all work given to the device so far is done; not while a graph is captured."""
        if not self._on_gpu:
            self._marks_ns.append(time.perf_counter_ns())
            self.reached = len(self._marks_ns) - 1
            return
        if self._used == len(self._events):
            self._events.append(torch.cuda.Event(enable_timing=True))  # type: ignore[no-untyped-call]
        self._events[self._used].record()
        self._used += 1
        # This thread asks, and no other: CUDA refuses questions while any thread captures a graph.
        if (now_s := time.monotonic()) >= self._look_s:
            self._look_s = now_s + _LOOK_S
            while self.reached + 1 < self._used:
                if not self._events[self.reached + 1].query():  # type: ignore[no-untyped-call]
                    break
                self.reached += 1

    def read_us(self) -> list[int]:
        """Microseconds from start to each mark; waits for the device to come to the last."""
        if not self._on_gpu:
            first_ns = self._marks_ns[0]
            return [(mark_ns - first_ns) // 1000 for mark_ns in self._marks_ns[1:]]
        marks = self._events[: self._used]
        # One by one, so that whoever follows `reached` sees the device catch up.
        for mark in marks[self.reached + 1 :]:
            mark.synchronize()
            self.reached += 1
        return [round(1000 * marks[0].elapsed_time(mark)) for mark in marks[1:]]

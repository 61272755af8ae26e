"""StepClock: when each decoding step's tokens were there, without stopping the device to ask."""

import time

import torch


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

    def start(self) -> None:
        """Forget all marks and set the moment that marks are counted from."""
        self._used = 0
        self._marks_ns.clear()
        self.mark()

    def mark(self) -> None:
        """Mark that all work given to the device so far is done."""
        if not self._on_gpu:
            self._marks_ns.append(time.perf_counter_ns())
            return
        if self._used == len(self._events):
            self._events.append(torch.cuda.Event(enable_timing=True))  # type: ignore[no-untyped-call]
        self._events[self._used].record()
        self._used += 1

    def read_us(self) -> list[int]:
        """Microseconds from start to each mark; waits for the device to come to the last."""
        if not self._on_gpu:
            first_ns = self._marks_ns[0]
            return [(mark_ns - first_ns) // 1000 for mark_ns in self._marks_ns[1:]]
        marks = self._events[: self._used]
        marks[-1].synchronize()
        return [round(1000 * marks[0].elapsed_time(mark)) for mark in marks[1:]]

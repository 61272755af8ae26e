"""Background: a slow sensor polled in a thread of its own, so that it holds no other reading up."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from telemetry.clock import US_PER_S, HostClock
from telemetry.sources.base import Reading


class BackgroundPoller:
    """Calls `poll` every `period_us` and keeps what it gives until it is fetched."""

    def __init__(
        self, name: str, clock: HostClock, period_us: int, poll: Callable[[], Sequence[Reading]]
    ) -> None:
        self._clock = clock
        self._period_us = period_us
        self._poll = poll
        # Appending to and popping from a deque is atomic.
        self._readings: deque[Reading] = deque()
        self._ending = threading.Event()
        # Nobody waits for it: a sensor that hangs must not keep the watcher from ending.
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def read(self) -> list[Reading]:
        """What was read since the last call."""
        readings = []
        while self._readings:
            readings.append(self._readings.popleft())
        return readings

    def close(self) -> None:
        """Poll no more."""
        self._ending.set()

    def _work(self) -> None:
        due_us = self._clock.now_us()
        while not self._ending.is_set():
            self._readings.extend(self._poll())
            # A poll that took longer than its period is not made up for.
            late_us = self._clock.now_us() - due_us
            due_us += (late_us // self._period_us + 1) * self._period_us
            self._ending.wait((due_us - self._clock.now_us()) / US_PER_S)

"""Liveness: whether an engine answers, and whether its answers hold anything new."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from telemetry.clock import US_PER_S
from telemetry.sources.dcgm.outbox import Outbox
from telemetry.sources.dcgm.values import Raw

# A drain of 8 GPUs x 20 fields takes 0.1 s; an engine that takes fifty times that hangs.
_HUNG_US: Final = 5 * US_PER_S

HUNG: Final = "nv-hostengine does not answer"
_SILENT: Final = "nv-hostengine answers, but gives no new readings"


class Liveness:
    """The thread that drains says when it asks and what it hears; the watcher's looks for hangs."""

    def __init__(self, outbox: Outbox, period_us: int) -> None:
        self._outbox = outbox
        self._period_us = period_us
        self.last_us = self._news_us = outbox.now_us()
        # When the engine was asked something that it has not answered yet.
        self._asked_us: int | None = None
        self._hung_since_us: int | None = None
        self._silent = False

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Within it the engine has not answered yet."""
        self._asked_us = self._outbox.now_us()
        try:
            yield
        finally:
            self._asked_us = None

    def look_for_hang(self) -> None:
        """Write down that an engine began to hang, or does no longer."""
        now_us, asked_us = self._outbox.now_us(), self._asked_us
        if self._hung_since_us is not None and asked_us != self._hung_since_us:
            silent_s = (now_us - self._hung_since_us) / US_PER_S
            self._outbox.note(now_us, "dcgm_hang_over", silent_s=silent_s)
            self._hung_since_us = None
        if self._hung_since_us is None and asked_us is not None and now_us - asked_us > _HUNG_US:
            self._hung_since_us = asked_us
            self._outbox.note(now_us, "dcgm_hangs", since_us=asked_us)
            self._outbox.put_nulls(now_us, HUNG)

    def hear(self, values: Sequence[tuple[int, str, Raw]]) -> None:
        """Write down that an engine fell silent, or speaks again."""
        now_us = self._outbox.now_us()
        if values:
            self.last_us = max(self.last_us, *(t_us for t_us, _, _ in values))
            if self._silent:
                self._outbox.note(now_us, "dcgm_speaks", since_us=self._news_us)
            self._silent, self._news_us = False, now_us
        elif not self._silent and now_us - self._news_us > max(_HUNG_US, 10 * self._period_us):
            self._silent = True
            self._outbox.note(now_us, "dcgm_silent", since_us=self._news_us)
            self._outbox.put_nulls(now_us, _SILENT)

    def start_anew(self, t_us: int) -> None:
        """An engine is there again: its silence counts from now on."""
        self._news_us = t_us

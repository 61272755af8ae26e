"""Time limit: what looks at a foreign record has so much processor time for it, and no more.

Sizes are bounded before anything is decoded; this is for what nobody thought of. It counts the
processor's time and not the clock's, so that a busy machine makes no failure of an honest record.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from telemetry.record.limits import BeyondLimitError, Limit

# Whoever catches the first error and goes on meets the next one.
_AGAIN_S: Final = 5.0


@contextmanager
def within(limit: Limit, where: str) -> Iterator[None]:
    """Raise in what is done within it once it has taken `limit` seconds of processor time.

    All threads' time counts. Only a process's first thread can be told so: in another there is no
    limit. One within another is not held to its own.

    Raises:
        BeyondLimitError: it took longer.
    """
    if threading.current_thread() is not threading.main_thread() or _is_held():
        yield
        return

    def stop(_: int, __: FrameType | None) -> None:
        raise BeyondLimitError(f"{where} must take at most {limit.most} {limit.what}")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, limit.most, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def _is_held() -> bool:
    return signal.getitimer(signal.ITIMER_PROF)[0] > 0

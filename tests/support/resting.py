"""Resting: ranks that stand still among their answers, and take no processor from tests beside."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator

from telemetry.clock import US_PER_S
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths


@contextlib.contextmanager
def resting(attempt: AttemptPaths, window_s: float) -> Iterator[None]:
    """Within it the ranks of an attempt that answers are stopped; their watchers work on.

    They go on when they have measured for `window_s`, which ends their answers.
    """
    pids = [read_json(path)["pid"] for path in attempt.ranks.glob("*.json")]
    assert pids
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
        # Written a second after the first answer began at most, by this machine's clock.
        told_us = int(read_json(attempt.progress)["t_us"])
        time.sleep(max(0.0, window_s - (time.time() - told_us / US_PER_S)))
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

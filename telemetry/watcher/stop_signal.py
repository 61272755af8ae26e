"""Stop signal: how a watcher learns that it is to end."""

import ctypes
import os
import selectors
import signal
from types import FrameType
from typing import Final

from telemetry.clock import US_PER_S, monotonic_us

HEEDED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
"""Signals that end a watcher, the last where its owner died."""
_STDIN: Final = 0
# linux/prctl.h
_PR_SET_PDEATHSIG: Final = 1


class StopSignal:
    """Why and when to stop: end of stdin, a signal, or the owner's death."""

    def __init__(self) -> None:
        self._reason: str | None = None
        self._owner = os.getppid()
        self._selector = selectors.DefaultSelector()
        # A pipe and a terminal tell their end; a file such as /dev/null is at its end already.
        try:
            self._selector.register(_STDIN, selectors.EVENT_READ)
        except OSError:
            self._reason = "stdin is no pipe: nobody holds this watcher"
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(wake_read, selectors.EVENT_READ)
        self._wake_read = wake_read
        signal.set_wakeup_fd(wake_write)
        for number in HEEDED:
            signal.signal(number, self._on_signal)
        # Slurm's warning before a time limit goes to every process of the step.
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        self._ask_for_owner_death()

    def wait(self, timeout_us: float) -> str | None:
        """Sleep up to `timeout_us`; the reason to stop, None to go on."""
        end_us = monotonic_us() + timeout_us
        while self._reason is None:
            left_us = end_us - monotonic_us()
            if left_us <= 0:
                return None
            for key, _ in self._selector.select(left_us / US_PER_S):
                data = os.read(key.fd, 4096)
                if key.fd != self._wake_read and not data:
                    self._reason = "the owner let go"
        return self._reason

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number != signal.SIGUSR1:
            self._reason = signal.Signals(number).name
        elif os.getppid() != self._owner:
            self._reason = "the owner died"

    def _ask_for_owner_death(self) -> None:
        """Have Linux signal the owner's death, since a forked child may hold the pipe open.

        The signal also comes when only the thread that started this process ends, so it is one
        of its own and its handler looks whether the owner is gone.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGUSR1), 0, 0, 0)

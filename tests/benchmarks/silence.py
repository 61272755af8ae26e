"""Silence: how long a command leaves whoever waits for it without a word.

    python -m tests.benchmarks.silence [--log] MODULE [WORD ...]

Runs `python -m MODULE WORD ...` at a terminal of its own, or, with --log, into a pipe, and prints
the longest time between two outputs, where it began and what was said before. A busy machine says
more: its load stands beside it.
"""

import os
import pty
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# What was said last, for people who look for the place.
_TAIL_BYTES: Final = 60
_READ_BYTES: Final = 65536


@dataclass(frozen=True, kw_only=True)
class Silence:
    """The longest time in which a command said nothing."""

    longest_s: float
    """Its length."""
    at_s: float
    """When it began, after the command's start."""
    after: bytes
    """The end of what was said before it."""
    took_s: float
    """How long the command took."""
    code: int
    """Its exit code."""


def silence_of(words: Sequence[str], *, log: bool) -> Silence:
    """Run a command, its output a pipe's or a terminal's, and time what it says."""
    ours, theirs = os.pipe() if log else pty.openpty()
    process = subprocess.Popen(
        words,
        stdout=theirs,
        stderr=theirs,
        stdin=subprocess.DEVNULL if log else theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    begin_s = last_s = time.monotonic()
    longest_s, at_s, after, said = 0.0, 0.0, b"", b""
    while True:
        try:
            data = os.read(ours, _READ_BYTES)
        except OSError:
            # A terminal whose other end is closed says so.
            data = b""
        now_s = time.monotonic()
        if now_s - last_s > longest_s:
            longest_s, at_s, after = now_s - last_s, last_s - begin_s, said[-_TAIL_BYTES:]
        last_s, said = now_s, (said + data)[-_TAIL_BYTES:]
        if not data:
            break
    os.close(ours)
    code = process.wait()
    return Silence(
        longest_s=longest_s, at_s=at_s, after=after, took_s=time.monotonic() - begin_s, code=code
    )


def main(arguments: Sequence[str]) -> int:
    """Print the longest silence of a command; 0."""
    log = arguments[:1] == ["--log"]
    words = [sys.executable, "-m", *arguments[log:]]
    told = silence_of(words, log=log)
    sys.stdout.write(
        f"longest silence {told.longest_s:.2f} s at {told.at_s:.2f} s, after {told.after!r}; "
        f"took {told.took_s:.2f} s, exit code {told.code}, load {os.getloadavg()[0]:.1f}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

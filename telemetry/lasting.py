"""Lasting: what a process loads stays to its end, so nobody looks through it for garbage."""

import atexit
import functools
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting() -> Iterator[None]:
    """Within it libraries are loaded: no pass for garbage looks at what they make.

    They leave next to none, and each pass walks all that came before.
    """
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looked:
            gc.enable()


@functools.cache
def leave_at_once() -> None:
    """Have this process end without a last look for garbage in all that it holds.

    What it holds goes back to the kernel anyway; that look takes a short command a quarter of its
    seconds, and a process with torch 0.3 s. What is to be done at its end is done all the same.
    """
    atexit.register(gc.freeze)

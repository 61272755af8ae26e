"""Examination: looks at a machine side by side, each bounded in time, in a process of its own.

A look may hang for ever: a file server that is gone, a driver or an engine that does not answer. A
thread in such a call cannot be ended, and a process that has one does not end either. So every look
is a child that is killed and left behind when its time is over; one that crashes in a library takes
nothing else along.
"""

import contextlib
import dataclasses
import json
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TextIO

from launcher.doctor.observation import Observation, missing, unseen

Look = Callable[[], Sequence[Observation]]
"""What a child does."""
Tell = Callable[[Sequence[str]], None]
"""Hears whom is waited for, at every change and twice a second; nobody at the end."""

# Most of them wait for others; torch alone computes.
_AT_ONCE: Final = 8
_TICK_S: Final = 0.5
# A child that has closed its pipe is gone within a scheduler's tick, unless a call holds it.
_REAP_S: Final = 0.5
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One look and how long it is waited for."""

    name: str
    """What is looked at, in one word; the observations have names of their own."""
    look: Look
    """What is done, in a child; it may raise OSError, RuntimeError and ValueError."""
    costs: str
    """What a measurement loses should what it looks at not be there, in one sentence."""
    patience_s: float = 20.0
    """After so many seconds it is given up."""
    silence_stops: str | None = None
    """What to do about it where not to answer is itself a fault that stops a measurement; None
    where nobody then knows more than before."""


@dataclass(kw_only=True)
class _Child:
    """A probe that is being looked at; it grows as it is read."""

    place: int
    """Its place in the list."""
    probe: Probe
    """What it does."""
    pid: int
    """Its process, the leader of a group of its own."""
    pipe: int
    """Where its answer comes from."""
    deadline_s: float
    """When it is given up, on the monotonic clock."""
    answer: bytearray = field(default_factory=bytearray)
    """What has come so far."""


def examine(probes: Sequence[Probe], tell: Tell | None = None) -> list[Observation]:
    """What all probes observe, in their order."""
    waiting = list(enumerate(probes))
    waiting.reverse()
    found: dict[int, Sequence[Observation]] = {}
    running: dict[int, _Child] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < _AT_ONCE:
                    child = _start(*waiting.pop())
                    running[child.pipe] = child
                    selector.register(child.pipe, selectors.EVENT_READ)
                if tell is not None:
                    tell([child.probe.name for child in running.values()])
                for child in _ended(selector, running):
                    selector.unregister(child.pipe)
                    del running[child.pipe]
                    found[child.place] = _close(child)
            if tell is not None:
                tell([])
        finally:
            for child in running.values():
                _close(child)
    return [one for place in sorted(found) for one in found[place]]


def _ended(selector: selectors.BaseSelector, running: dict[int, _Child]) -> Iterator[_Child]:
    """The children that have said all, or have had their time."""
    now_s = time.monotonic()
    until_s = min(child.deadline_s for child in running.values())
    for key, _ in selector.select(max(0.0, min(_TICK_S, until_s - now_s))):
        child = running[key.fd]
        piece = os.read(child.pipe, _CHUNK)
        child.answer += piece
        if not piece:
            yield child
    now_s = time.monotonic()
    yield from [child for child in running.values() if child.deadline_s <= now_s]


def _start(place: int, probe: Probe) -> _Child:
    reading, writing = os.pipe()
    # What is buffered would be written by the child once more.
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _work(probe, writing)
    os.close(writing)
    return _Child(
        place=place,
        probe=probe,
        pid=pid,
        pipe=reading,
        deadline_s=time.monotonic() + probe.patience_s,
    )


def _work(probe: Probe, writing: int) -> None:
    """The child's whole life; it does not come back."""
    seen: list[Observation] = []
    try:
        # A group of its own: what it starts is killed with it, and Ctrl-C is its parent's.
        os.setsid()
        with nowhere() as stream:
            sys.stdout = sys.stderr = stream
            for one in (0, 1, 2):
                os.dup2(stream.fileno(), one)
            seen = _looked(probe)
    finally:
        # Whatever else was raised is a slip of this program, and no reason to lose the others.
        error = sys.exc_info()[1]
        if error is not None:
            seen = [unseen(probe.name, f"{type(error).__name__}: {error}", costs=probe.costs)]
        text = json.dumps([dataclasses.asdict(one) for one in seen])
        with contextlib.suppress(OSError), os.fdopen(writing, "w") as pipe:
            pipe.write(text)
        os._exit(0)


def _looked(probe: Probe) -> list[Observation]:
    try:
        return list(probe.look())
    except ModuleNotFoundError as error:
        why = f"the package {error.name} is not installed"
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        why = str(error) or type(error).__name__
    return [unseen(probe.name, why, costs=probe.costs)]


@contextlib.contextmanager
def nowhere() -> Iterator[TextIO]:
    """A stream whose reader is nobody, readable and writable."""
    with open(os.devnull, "r+") as stream:  # noqa: PTH123 -- a device, no path of anybody's
        yield stream


def _close(child: _Child) -> Sequence[Observation]:
    """What the child said, or that it did not; nothing of it is left, or it cannot be ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    os.close(child.pipe)
    until_s = time.monotonic() + _REAP_S
    # One that hangs in the kernel is not waited for: it ends when the kernel lets go of it.
    while os.waitpid(child.pid, os.WNOHANG)[0] == 0 and time.monotonic() < until_s:
        time.sleep(0.005)
    probe = child.probe
    try:
        return [Observation.from_mapping(each) for each in json.loads(child.answer)]
    except ValueError:
        pass
    if time.monotonic() < child.deadline_s:
        return [unseen(probe.name, "the look at it crashed", costs=probe.costs)]
    silent = f"no answer within {probe.patience_s:g} s"
    if probe.silence_stops is None:
        return [unseen(probe.name, silent, costs=probe.costs)]
    return [missing(probe.name, silent, costs=probe.costs, remedy=probe.silence_stops, stops=True)]

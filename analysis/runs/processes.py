"""Processes: work on sealed runs spread over processes, of which only what is kept comes back.

Each process is a pool of one, so that it is known which run a process died of: the others go on in
a new process. All hold the end of one pipe: once the other end is closed, be it that whoever waits
pressed Ctrl-C or that the command itself was killed, they end at once.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final, TypeVar

import psutil
import pyarrow as pa

from telemetry.record.paths import RunPaths

Item = TypeVar("Item")
Result = TypeVar("Result")

# A process takes a second to start, in which one looks at some megabytes of tables.
_BYTES_A_PROCESS: Final = 4 << 20
# What a run of 32 GPUs and ten minutes takes at most, by tests/benchmarks/audit.py, and half again.
_MEMORY_BYTES: Final = 768 << 20
_S_PER_MIN: Final = 60


def jobs_for(runs: Sequence[RunPaths], asked: int | None = None) -> int:
    """How many processes look at `runs`; 1 is this one alone.

    Args:
        runs: what is to be looked at.
        asked: how many the user wants; None: as many as there are cores for, as the tables are
            worth, and as fit into the memory that is free.
    """
    if asked is not None:
        return max(1, min(asked, len(runs)))
    worth = sum(map(table_bytes, runs)) // _BYTES_A_PROCESS
    fit = psutil.virtual_memory().available // _MEMORY_BYTES
    return int(max(1, min(cores(), worth, fit, len(runs))))


@dataclass(kw_only=True)
class _Seat:
    """One process and what it is at."""

    pool: ProcessPoolExecutor
    """A pool of this one process."""
    index: int
    """Which item it works on."""


def spread(
    items: Sequence[Item], act: Callable[[Item], Result], jobs: int
) -> Iterator[tuple[int, Result | None]]:
    """What `act` makes of each item in one of `jobs` processes, with its number, as they are done.

    None stands for one of which its process died. What `act` raises is raised here.
    """
    waiting = iter(range(len(items)))
    seats: dict[Future[Result], _Seat] = {}
    # Forked, a process would have half of this one's threads, such as Arrow's.
    context = multiprocessing.get_context("spawn")
    ending, end = context.Pipe(duplex=False)

    def pool() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            max_workers=1, mp_context=context, initializer=_begin, initargs=(ending,)
        )

    def sit(process: ProcessPoolExecutor) -> None:
        """Give a process the next item, or let it go where there is none."""
        index = next(waiting, None)
        if index is None:
            process.shutdown(wait=False)
            return
        try:
            future = _submitted(process, act, items[index])
        except BrokenProcessPool:
            # It died of nothing that it was asked to do.
            process.shutdown(wait=False)
            process = pool()
            future = _submitted(process, act, items[index])
        seats[future] = _Seat(pool=process, index=index)

    try:
        for _ in range(jobs):
            sit(pool())
        while seats:
            done, _ = wait(seats, return_when=FIRST_COMPLETED)
            for future in done:
                seat = seats.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    seat.pool.shutdown(wait=False)
                    sit(pool())
                    yield seat.index, None
                else:
                    sit(seat.pool)
                    yield seat.index, result
    finally:
        # Where all is done they have gone already, or have nothing left to do.
        end.close()
        ending.close()


def _submitted(
    pool: ProcessPoolExecutor, act: Callable[[Item], Result], item: Item
) -> Future[Result]:
    """Hand an item to a process, which is started here where it is not yet.

    A terminal sends Ctrl-C to all: the process is born deaf to it, as who started it ends it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(act, item)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(ending: Connection) -> None:
    """Make a process one that works on one core, and is gone with who started it."""
    # There is a process for each core.
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    threading.Thread(target=_end_with, args=(ending,), daemon=True).start()


def _end_with(ending: Connection) -> None:
    """End this process, whatever it is at, once nobody waits for it."""
    with contextlib.suppress(EOFError, OSError):
        ending.recv_bytes()
    os._exit(1)


def cores() -> int:
    """Cores that this process may use; a system that does not say has all of its own."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def table_bytes(run: RunPaths) -> int:
    """Size of a run's tables; what cannot be read of it counts nothing."""
    total = 0
    for attempt in run.sealed_attempts():
        for kind in ("samples", "responses"):
            try:
                total += attempt.table(kind).stat().st_size
            except OSError:
                continue
    return total


def told_left(done: int, runs: int, lasted_s: float) -> str:
    """How many runs are done, and about how long the others take."""
    left_s = lasted_s / done * (runs - done)
    left = f"{left_s:.0f} s" if left_s < _S_PER_MIN else f"{left_s / _S_PER_MIN:.0f} min"
    return f"{done} of {runs} runs done, about {left} left"

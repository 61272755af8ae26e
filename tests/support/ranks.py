"""Gang: real processes that stand for the ranks of a run on this machine."""

import multiprocessing
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from workers.distributed.rank import Rank

_CONTEXT = multiprocessing.get_context("forkserver")
# The server imports these once; ranks are forked from it without a thread running yet.
_CONTEXT.set_forkserver_preload(["workers.session.lifecycle", "tests.support.ranks"])

permitted = True
"""Whether the test that runs may start ranks (tests/conftest.py)."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one rank's process ended."""

    value: Any
    """What its function returned; None when it raised or died."""
    error: str | None
    """Its traceback, or how it died."""
    seconds: float
    """From the gang's start to this rank's end."""


def make_rank(rank: int, world: int, host: str = "here") -> Rank:
    """A rank of a one-node run."""
    return Rank(
        rank=rank,
        world=world,
        local_rank=rank,
        local_world=world,
        node=0,
        nodes=1,
        host=host,
    )


def run_gang(
    world: int, work: Callable[..., Any], *args: Any, timeout_s: float = 60.0
) -> list[Outcome]:
    """Call `work(rank, *args)` in one process per rank; outcomes by rank.

    Only what can be imported can be called: `work` is a module's function.
    """
    assert permitted, "a test that starts ranks must be marked `ranks`"
    started = time.monotonic()
    gang = []
    for number in range(world):
        mine, theirs = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(
            target=_report, args=(theirs, work, make_rank(number, world), args), daemon=True
        )
        process.start()
        theirs.close()
        gang.append((process, mine))
    outcomes = []
    for process, mine in gang:
        value, error, ended = None, f"still at work after {timeout_s:g} s", time.monotonic()
        try:
            if mine.poll(max(0.0, started + timeout_s - time.monotonic())):
                value, error, ended = mine.recv()
        except EOFError:
            process.join()
            error = f"exit code {process.exitcode}"
            ended = time.monotonic()
        process.kill()
        process.join()
        outcomes.append(Outcome(value=value, error=error, seconds=ended - started))
    return outcomes


def values_of(outcomes: list[Outcome]) -> list[Any]:
    """What every rank returned; fails with the first traceback when one did not."""
    for number, outcome in enumerate(outcomes):
        assert outcome.error is None, f"rank {number}: {outcome.error}"
    return [outcome.value for outcome in outcomes]


def _report(pipe: Connection, work: Callable[..., Any], rank: Rank, args: tuple[Any, ...]) -> None:
    # Two cores serve many ranks: gloo's and BLAS' threads must not fight over them.
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch  # noqa: PLC0415 (after the environment is set)

    torch.set_num_threads(1)
    try:
        value, error = work(rank, *args), None
    except BaseException:  # noqa: BLE001 (whatever it was, the test reports it)
        value, error = None, traceback.format_exc()
    pipe.send((value, error, time.monotonic()))
    pipe.close()

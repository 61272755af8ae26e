"""Pace: what runs under the simulated library takes longer as its board's clock falls.

Work at clock f takes 1 - s + s x 1980 MHz / f of its time at 1980 MHz; s is the share of the time
that follows the clock, by phase and engine (`SHARES`). The work itself is real, on CPU; what it
takes longer is slept at the end of each step, so that steps, spans and energy all have it.

How long a CPU works at a step says nothing of a board, and on a busy machine nothing of itself:
where a step's time at 1980 MHz is stated (`step_s`), that is what is paced. A step that the
machine is late with is made good by those that follow.
"""

import ctypes
import time
from collections.abc import Callable
from typing import Any, Final

import torch

from workers.engines.base.step_clock import StepClock

PREFILL_SHARE: Final = 1.0
"""Reading a prompt is arithmetic, which the clock paces: assumed, as no record has a prefill at
several clocks."""
SHARES: Final = {"reference": 0.09, "fast": 0.0}
"""Of a step that chooses tokens, by engine. `reference`: table III of arXiv 2310.03003, whose loop
it is; `fast`: 0.00, at most 0.015, over all recorded runs on H200, though those of 65B with long
answers alone say 0.06. tests/benchmarks/clock_model.py fits both."""


class PacedClock(StepClock):
    """A step's clock that waits until the step would have ended at the board's clock.

    `pace` says how much longer work takes now, by the share of its time that follows the clock;
    `step_s` what a step takes at the highest clock, None as long as the work itself.
    """

    def __init__(
        self,
        pace: Callable[[float], float],
        share: float,
        *,
        step_s: float | None = None,
        now: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(torch.device("cpu"))
        self._pace = pace
        self._share = share
        self._step_s = step_s
        self._due_s = 0.0
        self._now = now
        self._wait = wait
        self._shares: list[float] = []
        self._last_s = 0.0

    def start(self) -> None:
        """Begin a batch: what is marked first is its prefill."""
        self._shares = []
        super().start()
        self._shares = [PREFILL_SHARE]

    def mark(self) -> None:
        """End a step, once it has taken as long as it would."""
        if self._shares:
            self._wait(self._left_s(self._pace(self._shares[0])))
            self._shares = [self._share]
        else:
            self._due_s = self._now()
        super().mark()
        self._last_s = self._now()

    def _left_s(self, longer: float) -> float:
        """What is left of a step that takes so much longer."""
        if self._step_s is None:
            return (self._now() - self._last_s) * (longer - 1.0)
        self._due_s += self._step_s * longer
        return max(0.0, self._due_s - self._now())


def pace_of(library: ctypes.CDLL, index: int) -> Callable[[float], float]:
    """How much longer work takes now on a simulated board, by the share that follows its clock."""
    library.fake_pace.restype = ctypes.c_double
    library.fake_pace.argtypes = (ctypes.c_uint, ctypes.c_double)
    return lambda share: float(library.fake_pace(index, share))


def pace_engines(registry: Any, library: ctypes.CDLL, *, step_s: float | None = None) -> None:
    """Let every engine that `workers.engines.registry` opens go at its rank's board's clock.

    The library must have been loaded and begun in this process, as a rank's own reading does.
    `step_s` is what a step takes at the highest clock; None: as long as its work on CPU.
    """
    open_engine = registry.open_engine

    def open_paced(context: Any) -> Any:
        engine = open_engine(context)
        if engine.clock is not None:
            pace = pace_of(library, context.rank.local_rank)
            share = SHARES.get(context.spec.engine, 0.0)
            engine.clock = PacedClock(pace, share, step_s=step_s)
        return engine

    registry.open_engine = open_paced

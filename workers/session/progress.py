"""Progress: how far a run is, for the people who wait for it; no result depends on it.

A thread of rank 0 looks once a second and does the writing, so that no batch waits for a disk. How
far a batch is it reads off the engine's step clock, a plain number: it asks no device anything.
"""

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from telemetry.clock import HostClock
from telemetry.record.files import write_json
from telemetry.record.schema import Phase
from workers.engines.base.step_clock import StepClock

_LOG: Final = logging.getLogger(__name__)

# Status and the launcher's display look less often; a file system of many jobs feels every write.
_PERIOD_S: Final = 1.0
# A batch that takes longer says how far it is.
_LINE_S: Final = 5.0
# Long enough to span several batches of a fast run, short enough to follow a clock that throttles.
_RECENT_S: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """A batch that is being answered."""

    number: int
    """Its number in the run, counted from 0."""
    prompts: int
    """Prompts that are answered together in it."""
    most_steps: int
    """Steps that it takes at most; at least 1."""
    most_tokens: int
    """Tokens that it generates at most."""
    clock: StepClock | None
    """The engine's, which knows how many of its steps are done; None when it has none."""

    @property
    def step(self) -> int | None:
        """How many of its steps are done; None when nobody knows."""
        return None if self.clock is None else self.clock.reached

    @property
    def share(self) -> float:
        """How much of it is done at least."""
        return min(1.0, (self.step or 0) / self.most_steps)


@dataclass(frozen=True, kw_only=True)
class _Moment:
    """Where the run stands; replaced whole, so that the thread sees no half of it."""

    phase: Phase
    """What rank 0 is doing."""
    passes: int = 1
    """Which pass over the prompts it is, counted from 1."""
    prompts: int = 0
    """Prompts answered in this pass."""
    prompts_before: int = 0
    """Prompts answered in the passes before."""
    tokens: int = 0
    """Tokens generated in all batches that are answered."""
    begun_s: float | None = None
    """When measured batches began, by `time.monotonic`; None before."""
    batch: _Batch | None = None
    """The batch under way; None outside batches."""


class Progress:
    """What is told of a rank's way: this one keeps silent, on all ranks but 0."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def enter(self, phase: Phase) -> None:
        """Tell that a phase outside batches begins."""

    def begin_batches(self) -> None:
        """Count speed from here on."""

    def begin_pass(self) -> None:
        """Tell that the prompts are answered once more."""

    def begin_batch(
        self,
        number: int,
        prompts: int,
        *,
        most_steps: int,
        most_tokens: int,
        clock: StepClock | None,
    ) -> None:
        """Tell that a batch begins, of at most so many steps on that clock and so many tokens."""

    def count_batch(self, prompts: int, generated_tokens: int) -> None:
        """Tell that a batch is answered."""

    def say(self, line: str) -> None:
        """Put a line into the log."""


class RankProgress(Progress):
    """Writes `progress.json` and the log's lines while its block runs; on rank 0."""

    def __init__(
        self, path: Path, clock: HostClock, prompts_total: int, min_window_s: float = 0.0
    ) -> None:
        self._path = path
        self._clock = clock
        self._total = prompts_total
        self._min_window_s = min_window_s
        self._now = _Moment(phase=Phase.STARTUP)
        self._said: tuple[Any, ...] | None = None
        self._said_s = 0.0
        self._recent: deque[tuple[float, float]] = deque()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def enter(self, phase: Phase) -> None:
        """As `Progress.enter`."""
        self._now = replace(self._now, phase=phase, batch=None)

    def begin_batches(self) -> None:
        """As `Progress.begin_batches`."""
        self._now = replace(self._now, begun_s=time.monotonic())

    def begin_pass(self) -> None:
        """As `Progress.begin_pass`."""
        now = self._now
        before = now.prompts_before + now.prompts
        self._now = replace(now, passes=now.passes + 1, prompts=0, prompts_before=before)

    def begin_batch(
        self,
        number: int,
        prompts: int,
        *,
        most_steps: int,
        most_tokens: int,
        clock: StepClock | None,
    ) -> None:
        """As `Progress.begin_batch`."""
        batch = _Batch(
            number=number,
            prompts=prompts,
            most_steps=max(1, most_steps),
            most_tokens=most_tokens,
            clock=clock,
        )
        self._now = replace(self._now, phase=Phase.DECODE, batch=batch)

    def count_batch(self, prompts: int, generated_tokens: int) -> None:
        """As `Progress.count_batch`.

        Raises:
            RuntimeError: `begin_batches` was never called.
        """
        now = self._now
        if now.begun_s is None:
            raise RuntimeError("batches must begin before one is counted, but have not")
        self._now = replace(
            now,
            prompts=now.prompts + prompts,
            tokens=now.tokens + generated_tokens,
            batch=None,
        )

    def say(self, line: str) -> None:
        """As `Progress.say`."""
        _LOG.info(line)

    def _follow(self) -> None:
        while not self._over.wait(_PERIOD_S):
            self._look()

    def _look(self) -> None:
        """Write down where the run stands if that is news, and log it if it is time."""
        now, seen_s = self._now, time.monotonic()
        content = self._content(now, seen_s)
        step = content["step"]
        news = (now.phase, now.passes, now.prompts, now.batch and now.batch.number, step)
        if news == self._said:
            return
        answered = self._said is None or self._said[:3] != news[:3]
        self._said = news
        try:
            write_json(self._path, content)
        except OSError as error:
            # A full disk stops the run where it writes results; this is advice to people alone.
            _LOG.warning("progress is not written: %s", error)
        if now.begun_s is not None and (answered or seen_s - self._said_s >= _LINE_S):
            self._said_s = seen_s
            _LOG.info(line_of(content))

    def _content(self, now: _Moment, seen_s: float) -> dict[str, Any]:
        batch = now.batch
        share = 0.0 if batch is None else batch.share
        begun = 0 if batch is None else batch.prompts
        answered = now.prompts_before + now.prompts
        tokens = float(now.tokens)
        if batch is not None:
            # Nobody knows yet what of a batch under way is kept: as much as of those before it.
            per_prompt = now.tokens / answered if answered else batch.most_tokens / batch.prompts
            tokens += share * batch.prompts * per_prompt
        rate = recent = eta_s = None
        if now.begun_s is not None:
            elapsed_s = seen_s - now.begun_s
            done = now.prompts + share * begun
            if elapsed_s > 0.0 and tokens:
                rate = tokens / elapsed_s
                recent = self._recent_rate(seen_s, tokens)
            if now.prompts_before + done:
                eta_s = elapsed_s / (now.prompts_before + done) * (self._total - done)
                # A pass that ends too early is followed by another.
                if now.prompts < self._total:
                    eta_s = max(eta_s, self._min_window_s - elapsed_s)
        return {
            "phase": now.phase.value,
            "pass": now.passes,
            "prompts_done": now.prompts,
            "prompts_total": self._total,
            "batch": None if batch is None else batch.number,
            "step": None if batch is None else batch.step,
            "most_steps": None if batch is None else batch.most_steps,
            "generated_tokens": now.tokens,
            "tokens_per_s": rate,
            "recent_tokens_per_s": recent,
            "eta_s": eta_s,
            "t_us": self._clock.now_us(),
        }

    def _recent_rate(self, seen_s: float, tokens: float) -> float | None:
        self._recent.append((seen_s, tokens))
        while len(self._recent) > 1 and seen_s - self._recent[1][0] >= _RECENT_S:
            self._recent.popleft()
        then_s, before = self._recent[0]
        # A batch that kept fewer tokens than were taken for granted may leave less than before.
        if seen_s <= then_s or tokens <= before:
            return None
        return (tokens - before) / (seen_s - then_s)


def line_of(content: dict[str, Any]) -> str:
    """The log's line about what stands in `progress.json`."""
    words = [f"prompts {content['prompts_done']}/{content['prompts_total']}"]
    if content["pass"] > 1:
        words[0] += f" of pass {content['pass']}"
    if content["batch"] is not None and content["step"]:
        steps = f"step {content['step']} of at most {content['most_steps']}"
        words.append(f"batch {content['batch']}: {steps}")
    if content["tokens_per_s"] is not None:
        words.append(f"{content['tokens_per_s']:.0f} tokens/s")
    if content["recent_tokens_per_s"] is not None:
        words.append(f"{content['recent_tokens_per_s']:.0f} of late")
    if content["eta_s"] is not None:
        words.append(f"{content['eta_s']:.0f} s left")
    return ", ".join(words)

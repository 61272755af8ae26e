"""Progress: how far a run is, for the people who wait for it; no result depends on it."""

import logging
import math
import time
from pathlib import Path
from typing import Final

from telemetry.clock import HostClock
from telemetry.record import write_json
from telemetry.schema import Phase

_LOG: Final = logging.getLogger(__name__)

# Every write waits for the disk while the GPUs rest: at most two a second.
_PERIOD_S: Final = 0.5


class Progress:
    """Writes `progress.json` between batches and logs a line for each, on rank 0."""

    def __init__(self, path: Path, clock: HostClock, prompts_total: int) -> None:
        self._path = path
        self._clock = clock
        self._total = prompts_total
        self._done = 0
        self._tokens = 0
        self._begun_s: float | None = None
        self._written_s = -math.inf

    def enter(self, phase: Phase) -> None:
        """Tell that a phase outside batches begins."""
        self._write(phase, None, None)

    def begin_batches(self) -> None:
        """Count speed from here on."""
        self._begun_s = time.monotonic()

    def count_batch(self, prompts: int, generated_tokens: int) -> None:
        """Tell that a batch is answered.

        Raises:
            RuntimeError: `begin_batches` was never called.
        """
        if self._begun_s is None:
            raise RuntimeError("batches must begin before one is counted, but have not")
        self._done += prompts
        self._tokens += generated_tokens
        elapsed_s = time.monotonic() - self._begun_s
        tokens_per_s = self._tokens / elapsed_s if elapsed_s else 0.0
        eta_s = elapsed_s / self._done * (self._total - self._done)
        _LOG.info(
            "prompts %d/%d, %.0f tokens/s, %.0f s left",
            self._done,
            self._total,
            tokens_per_s,
            eta_s,
        )
        self._write(Phase.DECODE, tokens_per_s, eta_s)

    def _write(self, phase: Phase, tokens_per_s: float | None, eta_s: float | None) -> None:
        now_s = time.monotonic()
        last = self._done == self._total
        if now_s - self._written_s < _PERIOD_S and not last:
            return
        self._written_s = now_s
        write_json(
            self._path,
            {
                "phase": phase.value,
                "prompts_done": self._done,
                "prompts_total": self._total,
                "generated_tokens": self._tokens,
                "tokens_per_s": tokens_per_s,
                "eta_s": eta_s,
                "t_us": self._clock.now_us(),
            },
        )

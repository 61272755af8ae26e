"""Time left: how long a campaign's open points will still take, as far as anything tells.

A point takes what the sealed runs of its shape took in this results folder, else what it was
foreseen to take; where there is neither nobody knows, and that is said instead of a guess. How long
a batch system lets it wait is in no record.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final, Self

from launcher.forecast.totals import time_text
from telemetry.clock import US_PER_S
from telemetry.record.differing import SPEC_FIELDS
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, list_runs

# Of these a job's time does not depend: repeats differ in the one, order of prompts in the other.
_NO_SHAPE: Final = frozenset({"repeat", "seed"})


def work_of(spec: Mapping[str, Any], launch: Mapping[str, Any]) -> str:
    """What runs of equal length agree in, as one text; either mapping may hold more."""
    work = [spec.get(name) for name in SPEC_FIELDS if name not in _NO_SHAPE]
    measured = [launch.get(name) for name in ("min_window_s", "idle_s", "device")]
    return json.dumps([work, measured], default=str)


def began_us(attempt: AttemptPaths) -> int | None:
    """When an attempt's rank 0 was born; None before, and where nothing says."""
    return _stamp(attempt.started, "pid_created_us")


def took_s(attempt: AttemptPaths) -> float | None:
    """From the birth of an attempt's rank 0 to its recorded end; None where a stamp lacks."""
    start_us, end_us = began_us(attempt), _stamp(attempt.ended, "t_us")
    if start_us is None or end_us is None:
        return None
    return max((end_us - start_us) / US_PER_S, 0.0)


def _stamp(path: Path, name: str) -> int | None:
    try:
        t_us = read_json(path).get(name)
    except (OSError, ValueError):
        return None
    return t_us if isinstance(t_us, int) and not isinstance(t_us, bool) else None


@dataclass(frozen=True, kw_only=True)
class TimeLeft:
    """How long the open points of a campaign will take, one after another."""

    known_s: float
    """Of those of which it is known, seconds of jobs."""
    known: int
    """How many those are."""
    unknown: int
    """How many others there are: of no sealed run's shape, and not foreseen."""
    late: int = 0
    """How many of the known run for longer than that already."""

    @property
    def words(self) -> str:
        """The same for people."""
        if not self.known + self.unknown:
            return "nothing left"
        if not self.known:
            return "time left unknown yet"
        about = f"about {whole_time(self.known_s)} left"
        if self.late and round(self.known_s) == 0:
            # Nobody knows how late: 0 s would be a promise that it breaks every second.
            about = "later than was expected"
        return f"{about} for {self.known}, of {self.unknown} unknown yet" if self.unknown else about


@dataclass(kw_only=True)
class Durations:
    """What the sealed runs of each shape took."""

    by_work: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of each sealed run, by `work_of`."""

    @classmethod
    def of(cls, results: Path) -> Self:
        """Those of a results folder; a run whose record cannot be read tells none."""
        durations = cls()
        for run in list_runs(results):
            try:
                if (sealed := run.sealed()) is not None:
                    work = work_of(read_json(run.spec), read_json(sealed.launch))
                    durations.add(work, took_s(sealed))
            except (OSError, ValueError):
                continue
        return durations

    def add(self, work: str, seconds: float | None) -> None:
        """Take a sealed run into account, if its time is on record."""
        if seconds is not None:
            self.by_work.setdefault(work, []).append(seconds)

    def expected_s(self, work: str, foreseen: float | None) -> float | None:
        """What one of that shape will take: the median of its like, else what was foreseen."""
        seconds = self.by_work.get(work)
        return median(seconds) if seconds else foreseen

    def left(self, points: Sequence[tuple[str, float | None, float]]) -> TimeLeft:
        """What open points will take, each its shape, what was foreseen, and seconds it runs."""
        expected = [
            (self.expected_s(work, foreseen), running_s) for work, foreseen, running_s in points
        ]
        left = [seconds - ran_s for seconds, ran_s in expected if seconds is not None]
        return TimeLeft(
            known_s=sum(max(seconds, 0.0) for seconds in left),
            known=len(left),
            unknown=len(expected) - len(left),
            late=sum(seconds < 0 for seconds in left),
        )


def whole_time(seconds: float) -> str:
    """A time that is no finer than the clock that people watch: whole seconds."""
    return time_text(float(round(seconds)))

"""Left: how long a started campaign still takes, by what was foreseen and how far each job is."""

from collections.abc import Iterable, Sequence

from launcher.forecast.totals import summed
from launcher.plan.grid import PlannedPoint
from telemetry.clock import US_PER_S, wall_us
from telemetry.record.files import read_json
from telemetry.record.foreseen import Foreseen
from telemetry.record.paths import AttemptPaths


def foreseen_of(attempt: AttemptPaths) -> Foreseen | None:
    """What an attempt is expected to take; None where its record does not say, or not whole."""
    try:
        return Foreseen.read(attempt.foreseen)
    except (OSError, ValueError):
        return None


def job_left_s(attempt: AttemptPaths, now_us: int | None = None) -> float | None:
    """Seconds until a queued or running job ends, the queue left out; None where nothing says.

    What it was expected to take, less what it has run; never less than its own ranks foresee.
    """
    own_s = _own_s(attempt)
    seen = foreseen_of(attempt)
    if seen is None:
        return own_s
    try:
        begun_us = int(read_json(attempt.started)["t_us"])
    except (OSError, ValueError, KeyError, TypeError):
        return seen.time_s.value
    elapsed_s = ((wall_us() if now_us is None else now_us) - begun_us) / US_PER_S
    if elapsed_s > seen.time_s.value:
        # It is late: nobody knows more than its ranks.
        return own_s
    return max(seen.time_s.value - elapsed_s, own_s or 0.0)


def _own_s(attempt: AttemptPaths) -> float | None:
    try:
        told = read_json(attempt.progress).get("eta_s")
    except (OSError, ValueError):
        return None
    return float(told) if isinstance(told, int | float) else None


def campaign_left_s(
    waiting: Iterable[PlannedPoint], running: Sequence[AttemptPaths] = ()
) -> float | None:
    """Seconds until the points of a campaign on this machine have ended, one after the other.

    None where one of those that wait was not foreseen.
    """
    seen = [point.foreseen for point in waiting]
    known = [one.time_s for one in seen if one is not None]
    if len(known) < len(seen):
        return None
    left = [job_left_s(attempt) for attempt in running]
    return summed(known).value + sum(one for one in left if one is not None)

"""Run folder: whose folder it is that somebody names: all runs', one run's or one attempt's."""

import os
from pathlib import Path

from telemetry.record.paths import AttemptPaths, RunPaths


def run_of(folder: Path) -> RunPaths | None:
    """The run whose folder, or whose attempt's folder, it is; None for a results folder."""
    # Not resolved: the names of a run count as they are given, links and all.
    place = Path(os.path.abspath(folder))  # noqa: PTH100
    if _is_attempt(place):
        parent = RunPaths(results=place.parent.parent, run_id=place.parent.name)
        if parent.spec.is_file() or (place / "launch.json").is_file():
            return parent
    run = RunPaths(results=place.parent, run_id=place.name)
    return run if run.spec.is_file() or run.attempts() else None


def _is_attempt(place: Path) -> bool:
    try:
        return AttemptPaths(folder=place).number > 0
    except ValueError:
        return False

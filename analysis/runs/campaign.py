"""Campaign: which call of the launcher made a run, and which sealed run it says it reproduces."""

from pathlib import Path

from analysis.runs.sealed_runs import Run
from analysis.runs.unreadable import UNREADABLE
from telemetry.record.reproduces import KEY, Reproduces


def campaign_of(run: Run) -> str | None:
    """The name of the campaign that a run was made in; None in a record that does not say."""
    if not run.attempt.submitted.is_file():
        return None
    try:
        submitted = run.files.json(run.attempt.submitted)
    except UNREADABLE:
        return None
    named = submitted.get("campaign")
    if isinstance(named, str):
        return named
    # On this machine the jobs' folder tells it: campaigns/NAME/jobs.
    folder = submitted.get("folder")
    return Path(folder).parent.name if isinstance(folder, str) else None


def reproduces(run: Run) -> Reproduces | None:
    """Which sealed run it was made after; None for a run that was not made after another.

    Raises:
        ValueError: what the record says of it is malformed.
    """
    config = run.provenance.get("config")
    told = config.get(KEY) if isinstance(config, dict) else None
    return None if told is None else Reproduces.from_mapping(told)

"""Earlier: what the record of a point's earlier attempts makes of it now."""

from typing import Final

from launcher.plan.cluster import Cluster
from launcher.plan.grid import Retry, Verdict
from launcher.slurm.view import SlurmView
from telemetry.record.attempt_state import QUEUED
from telemetry.record.differing import MEASUREMENT_FIELDS, differing, told
from telemetry.record.files import read_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import EndState

_FAULTS: Final[dict[str, str]] = {
    EndState.FAILED: "failed",
    EndState.TIMEOUT: "ran out of time",
}


def sealed_verdict(sealed: AttemptPaths, asked: LaunchConfig) -> tuple[Verdict, str]:
    """A sealed point is kept; where it was measured otherwise than is asked now, that is told.

    A run's name is a hash of the GPUs' work. How long and how often it is measured is no part of
    it, so the same name may ask for another measurement; a sealed record is never edited.
    """
    try:
        before = read_json(sealed.launch)
    except (OSError, ValueError):
        return Verdict.SEALED, "done before; with which settings cannot be read"
    now = dict(asked.to_mapping())
    names = differing([before, now], MEASUREMENT_FIELDS)
    if not names:
        return Verdict.SEALED, "done before"
    return Verdict.OTHERWISE, (
        f"done before, measured with {told(before, names)}, asked for now: {told(now, names)}; "
        "kept, as what is sealed is not measured again: results=ANOTHER_FOLDER measures it so"
    )


def open_verdict(
    attempt: AttemptPaths, cluster: Cluster, known: SlurmView, retry: Retry | None
) -> tuple[Verdict, str] | None:
    """What the last attempt makes of an unsealed point; None when it is to be tried again."""
    last = known.state(attempt)
    if last.state == EndState.COMPLETED:
        if attempt.folder in known.closing:
            return Verdict.RUNNING, "done; a job of its own merges and seals it"
        if attempt.folder in known.jobs:
            return Verdict.RUNNING, "done; its job is just ending"
        return Verdict.MERGE, "done before, not sealed yet"
    if not last.ended:
        verdict = Verdict.QUEUED if last.state == QUEUED else Verdict.RUNNING
        doubt = known.unknown.get(attempt.folder)
        return verdict, doubt or f"attempt {attempt.number} is {last.state}"
    if attempt.folder in known.jobs:
        said = f"attempt {attempt.number} {last.state}: {last.reason}"
        return Verdict.RUNNING, f"{said}; its job is just ending, Slurm's word is to come"
    # On this machine a failed point is seen at once and mended; on a cluster it would burn
    # hours of many GPUs again, so it is asked for.
    own = Retry.FAILED if cluster.executor == "local" else Retry.INTERRUPTED
    if last.state in _FAULTS and (retry or own) is not Retry.FAILED:
        return Verdict.FAILED, (
            f"attempt {attempt.number} {_FAULTS[last.state]}: {last.reason}; "
            "retry=failed tries it again"
        )
    return None

"""Attempt books: what kept answers say of one attempt's job, the latest that has it first."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telemetry.accounting.answer import Answer, latest_first
from telemetry.accounting.job import AccountedJob, RecordedJob, find_job


@dataclass(frozen=True, kw_only=True)
class AttemptBooks:
    """One attempt's job by the center's books."""

    recorded: RecordedJob
    """What the attempt says of its job."""
    job: AccountedJob | None
    """The job; None where no answer has it."""
    reason: str | None
    """Why none has it, by the latest; None where one has."""
    answer: Answer
    """The answer that this is from."""
    others: tuple[AccountedJob, ...] = ()
    """The same job by earlier answers."""


def attempt_books(
    results: Path, submitted: Mapping[str, Any], started: Mapping[str, Any]
) -> AttemptBooks | str:
    """What the books say of an attempt, or why they say nothing: no answer, or no job of Slurm's.

    Raises:
        OSError, ValueError: an answer cannot be read, or is not as it was kept.
    """
    answers = latest_first(results)
    if not answers:
        return "no answer of accounting is kept beside the runs"
    recorded = RecordedJob.of(submitted, started)
    if recorded is None:
        return "the run was no job of Slurm's"
    found = [(answer, find_job(recorded, answer.rows())) for answer in answers]
    known = [(answer, job) for answer, job in found if isinstance(job, AccountedJob)]
    if not known:
        return AttemptBooks(recorded=recorded, job=None, reason=str(found[0][1]), answer=answers[0])
    (answer, job), *others = known
    return AttemptBooks(
        recorded=recorded,
        job=job,
        reason=None,
        answer=answer,
        others=tuple(other for _, other in others),
    )

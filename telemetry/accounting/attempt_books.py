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
    reasons: list[str] = []
    for answer in answers:
        found = find_job(recorded, answer.rows())
        if isinstance(found, AccountedJob):
            return AttemptBooks(recorded=recorded, job=found, reason=None, answer=answer)
        reasons.append(found)
    return AttemptBooks(recorded=recorded, job=None, reason=reasons[0], answer=answers[0])

"""Accounting checks: do the center's own books know the job, and was it this one?

The answer is no part of the seal. Who writes a record does not write a center's books.
"""

from collections.abc import Sequence
from typing import Any, Final

from analysis.audit.check import Case, Check, Finding, Severity, judged, skipped, unseen
from telemetry.accounting.attempt_books import AttemptBooks, attempt_books
from telemetry.accounting.job import CLOCKS_US, AccountedJob
from telemetry.clock import US_PER_S
from telemetry.record.files import read_json

# Slurm's words of a job that has not ended.
_OPEN: Final = frozenset({"RUNNING", "PENDING", "COMPLETING", "CONFIGURING", "STAGE_OUT"})
_COMPLETED: Final = "COMPLETED"


def books_agree(case: Case) -> Finding:
    """The job is in the books, and its life, nodes, user, end and GPUs are the record's."""
    attempt = case.attempt
    submitted, ended, provenance = (
        read_json(path) if path.is_file() else {}
        for path in (attempt.submitted, attempt.ended, attempt.provenance)
    )
    books = attempt_books(case.paths.results, submitted, case.started)
    if isinstance(books, str):
        return skipped(books)
    job = books.job
    if job is None:
        return unseen(str(books.reason))
    if job.first.state in _OPEN or job.end_us is None or job.start_us is None:
        return unseen(f"the job was {job.first.state} when accounting was asked: ask again")
    faults = [
        *_life(job, case.started.get("t_us"), ended.get("t_us")),
        *_nodes(case, job),
        *_user(job, provenance.get("user")),
        *_end(job, ended.get("state")),
        *_gpus(case, job),
        *_others(job, books.others),
    ]
    return judged(faults, _words(books, job))


def _life(job: AccountedJob, began_us: Any, ended_us: Any) -> list[str]:
    assert job.start_us is not None
    assert job.end_us is not None
    if not isinstance(began_us, int) or not isinstance(ended_us, int):
        return ["no start or end of the attempt is on record"]
    faults = []
    if began_us < job.start_us - CLOCKS_US:
        faults.append(
            f"the attempt began {(job.start_us - began_us) / US_PER_S:.1f} s before its job did by "
            f"the books, most {CLOCKS_US / US_PER_S:g} s"
        )
    if ended_us > job.end_us + CLOCKS_US:
        faults.append(
            f"the attempt ended {(ended_us - job.end_us) / US_PER_S:.1f} s after its job did by "
            f"the books, most {CLOCKS_US / US_PER_S:g} s"
        )
    return faults


def _nodes(case: Case, job: AccountedJob) -> list[str]:
    slurm = case.attempt.folder / "slurm.json"
    told = read_json(slurm).get("nodes") if slurm.is_file() else None
    # A node's name in Slurm need not be its host's: its own list stands before.
    ours = {str(name) for name in told} if isinstance(told, list) else set(case.run.hosts)
    short = {name.partition(".")[0] for name in ours}
    books = {name.partition(".")[0] for name in job.nodes}
    if short == books:
        return []
    return [f"the job had {_listed(books)} by the books, but {_listed(short)} by the record"]


def _user(job: AccountedJob, user: Any) -> list[str]:
    if not job.first.user or not isinstance(user, str) or user == job.first.user:
        return []
    return [f"the job is {job.first.user}'s by the books, but {user}'s by the record"]


def _end(job: AccountedJob, state: Any) -> list[str]:
    if (job.first.state == _COMPLETED) == (state == "completed"):
        return []
    return [f"the job is {job.first.state} by the books, but {state} by the record"]


def _gpus(case: Case, job: AccountedJob) -> list[str]:
    watched = sum(len(host.get("gpus", [])) for host in case.run.hosts.values())
    # Simulated ones stand in for those that a job was given, or for none.
    if job.gpus is None or case.run.simulated or job.gpus == watched:
        return []
    return [f"the job was given {job.gpus} GPUs by the books, but {watched} were watched"]


def _others(job: AccountedJob, others: Sequence[AccountedJob]) -> list[str]:
    # One that was asked while the job ran knew less.
    if any(one.end_us is not None and one.told != job.told for one in others):
        return ["two answers of accounting tell the job otherwise"]
    return []


def _words(books: AttemptBooks, job: AccountedJob) -> str:
    gpus = "GPUs not in the books" if job.gpus is None else f"{job.gpus} GPUs"
    again = f", start {job.starts}" if job.starts > 1 else ""
    return (
        f"job {books.recorded.job_id} of {job.first.cluster}: {job.wall_s:.0f} s on "
        f"{_listed(job.nodes)}, {gpus}, {job.first.user or 'user not in the books'}{again}; by "
        f"{books.answer.source}"
    )


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "no node"


ACCOUNTING_CHECKS: Final = (
    Check(
        name="accounting",
        claim="the center's books have the job as the record has it",
        look=books_agree,
        severity=Severity.WRONG,
        rule="by cluster, number and time of submission: the attempt lies in the job's life, on "
        "its nodes, by its user, with its end and as many GPUs as were watched",
        tolerance="5 s between the books' times and the nodes'",
        reason="the books are of whole seconds and of the controller's clock",
        rules_out="a run that was no job of the center's, or another one, as far as the answer is "
        "the center's",
    ),
)
"""The check of a job against accounting."""

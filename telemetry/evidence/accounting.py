"""Accounting: a root lodged in Slurm's books, as the comment of the jobs that made the runs.

Only an administrator writes `admincomment`, and a job's user cannot: it rules out the user. Where
that is refused the job's own `comment` takes it, which its user may write again. Both by sacctmgr,
for jobs that are over: what `scontrol update` says of a running one is kept only where a site
stores comments. The books turn every letter into a small one. What somebody else wrote there stays.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from telemetry.evidence.git_notes import MARK, ROOT
from telemetry.evidence.program import NoAnswerError, asked

FIELDS: Final = ("admincomment", "comment")
"""Of a job's record, the one that its user cannot write first."""
_ASKED: Final = ("JobID", "JobIDRaw", "AdminComment", "Comment")
# Comments may hold any sign that is printed: not this one.
_BETWEEN: Final = "\x1f"
# What a job's comment begins with that wished for a cap or a clock: docs/power_broker.md.
_WISH: Final = "joulegrid-power:"
_JOB: Final = re.compile(r"[0-9]{1,10}(_[0-9]{1,10})?")
_CLUSTER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True, kw_only=True, order=True)
class BookedJob:
    """A job in a cluster's books."""

    cluster: str
    """The cluster's name, as Slurm has it."""
    job_id: str
    """The job's number, with an element's for an array: `12` or `12_3`.

    The last element of an array has the array's own number: all elements would be written by it.
    """

    def __post_init__(self) -> None:
        # They come from a record and become words of a command.
        if not _JOB.fullmatch(self.job_id) or not _CLUSTER.fullmatch(self.cluster):
            raise ValueError(
                "`job_id` and `cluster` must be a job's number and a cluster's name, "
                f"but are {self.job_id!r} and {self.cluster!r} instead"
            )

    @classmethod
    def of(cls, started: object) -> Self | None:
        """The job that an attempt's started.json names; None where it ran in none.

        Raises:
            ValueError: what it names is no job.
        """
        slurm = started.get("slurm") if isinstance(started, dict) else None
        if not isinstance(slurm, dict):
            return None
        array_id, element = slurm.get("array_job_id"), slurm.get("array_task_id")
        job_id = slurm.get("job_id") if None in (array_id, element) else f"{array_id}_{element}"
        return cls(cluster=str(slurm.get("cluster")), job_id=str(job_id))

    def __str__(self) -> str:
        return f"job {self.job_id} of {self.cluster}"


@dataclass(frozen=True, kw_only=True)
class Comments:
    """What the books say of a job."""

    admincomment: str
    """What an administrator wrote; empty where none did."""
    comment: str
    """What its user wrote; empty where none did."""

    def roots(self) -> Iterator[tuple[str, str]]:
        """Each root that is lodged there, and in which field."""
        for name in FIELDS:
            for match in ROOT.finditer(getattr(self, name)):
                yield match[1], name


def comments(job: BookedJob) -> Comments:
    """What the books say of a job.

    Raises:
        NoAnswerError: there is no sacct, no such job, or it may not be seen.
    """
    words = ["sacct", "-n", "-X", "-P", f"--delimiter={_BETWEEN}", "-M", job.cluster]
    told = asked([*words, "-j", job.job_id, "-o", ",".join(_ASKED)])
    for line in told.decode(errors="replace").splitlines():
        fields = line.split(_BETWEEN, maxsplit=len(_ASKED) - 1)
        # Comments may hold the ends of lines, too. Records of before have an element's own number.
        if len(fields) == len(_ASKED) and job.job_id in fields[:2]:
            return Comments(admincomment=fields[2], comment=fields[3])
    raise NoAnswerError(f"sacct knows no {job}, or does not show it")


def lodge(job: BookedJob, root: str) -> str:
    """Put a root into a job's books; the field that holds it now.

    Raises:
        NoAnswerError: neither field may be written, or others' words stand in them.
    """
    before = comments(job)
    refused: list[str] = []
    for name in FIELDS:
        there = getattr(before, name)
        ours = [f"{MARK}{each}" for each in ROOT.findall(there)]
        if f"{MARK}{root}" in ours:
            return name
        if there and " ".join(ours) != there:
            refused.append(_others(name, there))
            continue
        try:
            _write(job, name, [*ours, f"{MARK}{root}"])
        except NoAnswerError as error:
            refused.append(f"{name}: {error}")
            continue
        # What the books say now, whatever sacctmgr says.
        if (root, name) in comments(job).roots():
            return name
        refused.append(f"{name} does not hold it afterwards")
    raise NoAnswerError(f"{job}: {'; '.join(refused)}")


def _others(name: str, there: str) -> str:
    """Why a field is left as it is."""
    if there.lower().startswith(_WISH):
        return (
            f"{name} carries the job's wish for power ({_WISH}…), which stays: admincomment must "
            "take the root, which an administrator writes, or git"
        )
    return f"{name} holds what is not ours"


def _write(job: BookedJob, name: str, words: Sequence[str]) -> None:
    which = [f"jobid={job.job_id}", f"cluster={job.cluster}"]
    asked(["sacctmgr", "-i", "modify", "job", "where", *which, "set", f"{name}={' '.join(words)}"])

"""Lodging: a root is put where the folder's owner cannot edit it, and what came of it is told."""

from collections.abc import Iterator

from telemetry.evidence import accounting, git_notes
from telemetry.evidence.lodged import Lodging
from telemetry.evidence.lodging_place import LodgingPlace
from telemetry.evidence.program import NoAnswerError
from telemetry.record.files import read_json
from telemetry.record.roots import Root, list_roots
from telemetry.record.when import told_us
from telemetry.sign.signing import Sealed


def lodge(place: LodgingPlace, root: Root, sealed: Sealed) -> Iterator[Lodging]:
    """Put a root there; a try for each job of Slurm's, one for a repository. It never raises."""
    if place.repository is None:
        yield from _in_the_books(root, sealed)
        return
    told = f"of {len(root.seals)} seals, {told_us(root.taken_us)}"
    line = git_notes.line_of(root.sha256, told, _before(root, sealed))
    try:
        commit = git_notes.commit_of(place.repository, _commit_of_all(sealed))
        note = git_notes.lodge(place.repository, commit, line)
    except NoAnswerError as error:
        yield Lodging.now(str(place), str(error), kept=False)
        return
    yield Lodging.now(str(place), f"{git_notes.REF} {note[:12]}, on commit {commit}", kept=True)


def _in_the_books(root: Root, sealed: Sealed) -> Iterator[Lodging]:
    jobs: set[accounting.BookedJob] = set()
    faults: list[str] = []
    for run, attempt in sealed:
        try:
            job = accounting.BookedJob.of(read_json(attempt.started))
        except (OSError, ValueError) as error:
            faults.append(f"{run.run_id}: {error}")
            continue
        if job is not None:
            jobs.add(job)
    for fault in faults:
        yield Lodging.now("slurm", fault, kept=False)
    if not jobs and not faults:
        yield Lodging.now("slurm", "no run is a job of Slurm's", kept=False)
    for job in sorted(jobs):
        try:
            name = accounting.lodge(job, root.sha256)
        except NoAnswerError as error:
            yield Lodging.now("slurm", str(error), kept=False)
            continue
        yield Lodging.now("slurm", f"{name} of {job}", kept=True)


def _before(root: Root, sealed: Sealed) -> str | None:
    """The last root that was taken of the folder before this one; None for the first.

    Who later takes it away together with what was under it alone leaves a gap.
    """
    earlier: list[Root] = []
    for path in list_roots(sealed[0][0].results) if sealed else ():
        try:
            earlier.append(Root.read(path))
        except (OSError, ValueError):
            # The audit says of it what is to be said.
            continue
    others = [one for one in earlier if one.sha256 != root.sha256]
    return max(others, key=lambda one: one.taken_us).sha256 if others else None


def _commit_of_all(sealed: Sealed) -> str | None:
    """The commit that every run was made from; None where they differ or do not tell."""
    commits: set[object] = set()
    for _, attempt in sealed:
        try:
            git = read_json(attempt.provenance).get("git")
        except (OSError, ValueError):
            return None
        commits.add(git.get("commit") if isinstance(git, dict) else None)
    one = next(iter(commits)) if len(commits) == 1 else None
    return one if isinstance(one, str) else None

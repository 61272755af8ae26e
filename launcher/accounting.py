"""Accounting: what the center's books say of the jobs of a results folder, kept beside the runs.

    python -m launcher.accounting RESULTS
    python -m launcher.accounting RESULTS --file sacct.txt --zone Europe/Berlin

Asks sacct for every job that the folder knows of, each start of a requeued one too, or takes the
center's own export in: the answer is kept whole with its digest, outside of every seal. Tables and
audit hold it against the record by cluster, number and time of submission.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from launcher.slurm.queue import SlurmError, ask_slurm
from telemetry.accounting.answer import MOST_BYTES, Answer
from telemetry.accounting.job import AccountedJob, RecordedJob, find_job
from telemetry.accounting.row import FIELDS, asking
from telemetry.command import CommandError, CommandParser, ExitCode, command, complain
from telemetry.named_paths import named_path
from telemetry.nearest import told_count
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.files import read_json, read_plain
from telemetry.record.paths import AttemptPaths, list_runs
from telemetry.record.place import named_place, shown
from telemetry.waiting import waiting

_WHO: Final = "accounting"
_MODULE: Final = "launcher.accounting"
# A command line of some ten thousand characters is one that every system takes.
_JOBS_A_CALL: Final = 500
_EXITS: Final = {
    ExitCode.DONE: "what accounting says is kept, and how many jobs it knows told",
    ExitCode.FAILED: "accounting does not answer, or the machine failed",
    ExitCode.BAD_INPUT: "the command, the folder or the file will not do; nothing was kept",
    ExitCode.NOTHING_DONE: "no attempt of the folder was a job of Slurm's",
}


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Keep what accounting says of a results folder's jobs; the exit code."""
    parser = CommandParser(module=_MODULE, description=__doc__, exits=_EXITS)
    parser.add_argument("results", help="the results folder")
    parser.add_argument("--file", help="the center's own export in place of asking sacct")
    parser.add_argument(
        "--zone", help="zone of the file's written times: UTC, +02:00, Europe/Berlin"
    )
    words = list(sys.argv[1:] if arguments is None else arguments)
    given = parser.parse_args(arguments)

    def line(folder: str) -> str:
        return typed(_MODULE, *(folder if word == given.results else word for word in words))

    place = named_place(given.results, _MODULE, line=line)
    if place.run is not None:
        raise CommandError(
            f"`results` must be a results folder, but {place.folder} is of one: "
            f"{line(shown(place.results))}"
        )
    if given.zone is not None and given.file is None:
        raise CommandError("`--zone` must stand beside --file: sacct is asked for UTC")
    jobs = dict(recorded_jobs(place.results))
    if not jobs:
        complain(_WHO, f"{place.results} holds no attempt that was a job of Slurm's")
        return ExitCode.NOTHING_DONE
    try:
        with waiting("asking accounting"):
            answers = (
                [_from_file(given.file, given.zone)]
                if given.file is not None
                else list(_asked(list(jobs.values())))
            )
        rows = [row for answer in answers for row in answer.rows()]
    except SlurmError as error:
        complain(_WHO, str(error))
        return ExitCode.FAILED
    except ValueError as error:
        raise CommandError(str(error)) from error
    found = {attempt: find_job(job, rows) for attempt, job in jobs.items()}
    known = [one for one in found.values() if isinstance(one, AccountedJob)]
    if given.file is not None and not known:
        raise CommandError(
            f"`--file` must have a job of {place.results}, but has none: "
            f"{next(str(one) for one in found.values())}; "
            f"{asking(sorted({job.job_id.partition('_')[0] for job in jobs.values()}))}"
        )
    paths = [answer.keep(place.results) for answer in answers]
    _tell(place.results, paths, found, known)
    return ExitCode.DONE


def recorded_jobs(results: Path) -> Iterator[tuple[AttemptPaths, RecordedJob]]:
    """Every attempt that was a job of Slurm's, with what it says of it."""
    for run in list_runs(results):
        for attempt in run.attempts():
            job = RecordedJob.of(_read(attempt.submitted), _read(attempt.started))
            if job is not None:
                yield attempt, job


def _read(path: Path) -> dict[str, object]:
    try:
        return read_json(path)
    except (FileNotFoundError, ValueError):
        # A damaged one is the audit's to tell.
        return {}


def _from_file(given: str, zone: str | None) -> Answer:
    path = named_path("--file", given, "a file")
    if not path.is_file():
        raise ValueError(f"`--file` must be a file, but {given} is not")
    return Answer.taken(read_plain(path, most_bytes=MOST_BYTES), source=path.name, zone=zone)


def _asked(jobs: Sequence[RecordedJob]) -> Iterator[Answer]:
    """One answer for each cluster and some hundred jobs."""
    by_cluster: dict[str | None, dict[str, None]] = {}
    for job in jobs:
        by_cluster.setdefault(job.cluster, {})[job.job_id.partition("_")[0]] = None
    for cluster, numbers in sorted(by_cluster.items(), key=lambda one: one[0] or ""):
        ids = list(numbers)
        for first in range(0, len(ids), _JOBS_A_CALL):
            words = (
                *("sacct", "--parsable2", "--duplicates"),
                *(() if cluster is None else (f"--clusters={cluster}",)),
                f"--jobs={','.join(ids[first : first + _JOBS_A_CALL])}",
                f"--format={','.join(FIELDS)}",
            )
            text = ask_slurm(words, time_format="%s")
            yield Answer.taken(text.encode(), source="sacct", command=words, zone="UTC")


def _tell(
    results: Path,
    paths: Sequence[Path],
    found: Mapping[AttemptPaths, AccountedJob | str],
    known: Sequence[AccountedJob],
) -> None:
    out = Output()
    energies = [one for one in known if one.energy.energy_j is not None]
    out.say(
        f"{len(known)} of {told_count(len(found), 'job')} in accounting, "
        f"{len(energies)} with an energy"
    )
    if known and not energies:
        out.note(str(known[0].energy.reason))
    for attempt, one in found.items():
        if isinstance(one, str):
            out.say(f"{attempt.folder.parent.name}, {attempt.folder.name}: {one}")
    for path in paths:
        out.exact(f"wrote {path}")
    out.next(typed("analysis", shown(results)))


if __name__ == "__main__":
    sys.exit(main())

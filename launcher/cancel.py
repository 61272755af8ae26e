"""Cancel: `python -m launcher.cancel RESULTS`: stop what is queued or running, from any shell.

Jobs are found by the record, and cancelled only if Slurm's queue has them by number and by name.
What they measured so far is kept, merged and labelled.

Exit status: 0 all have ended, 1 some have not, 2 the command is wrong, 3 no point can be read.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from telemetry.command import (
    CommandError,
    CommandParser,
    ExitCode,
    command,
    complain,
    needs_extra,
)
from telemetry.document import due
from telemetry.nearest import did_you_mean
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.waiting import at, waiting

with needs_extra("cancel", "launch"):
    import psutil

    from launcher.campaign.point_status import campaign_points, campaigns, point_statuses
    from launcher.slurm.job_arrays import list_arrays
    from launcher.slurm.queue import SlurmError, ask_slurm
    from launcher.slurm.reconcile import reconcile
    from launcher.slurm.view import SlurmView
    from launcher.status import nothing_read, require_campaign
    from telemetry.damage import DamagedError, damage_told
    from telemetry.record.attempt_state import is_alive, record_end, this_host
    from telemetry.record.disk import disk_trouble
    from telemetry.record.files import read_json
    from telemetry.record.paths import AttemptPaths, campaigns_folder, list_runs
    from telemetry.record.place import named_place, shown
    from telemetry.record.schema import EndState

# KillWait, 30 s by default, lies between SIGTERM and the end of a job, and accounting is behind.
_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.5
# A command line holds a few thousand numbers; this leaves room for any environment.
_AT_ONCE: Final = 500


@command("cancel")
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = CommandParser(
        module="launcher.cancel",
        description="Stop what is queued or running.",
        exits={
            ExitCode.DONE: "all have ended",
            ExitCode.FAILED: "some have not",
            ExitCode.BAD_INPUT: "the command or the folder will not do",
            ExitCode.NOTHING_DONE: "no point is there or can be read",
        },
    )
    parser.add_argument(
        "results", help="the results folder, or the folder of one run or attempt in it"
    )
    parser.add_argument("points", nargs="*", metavar="RUN_ID", help="only these points")
    parser.add_argument("--campaign", help="only this call of the launcher")
    parser.add_json("which attempts were told to stop, and which did")
    given = parser.parse_args(arguments)
    place = named_place(given.results, "launcher.cancel")
    results = place.results
    require_campaign(results, given.campaign)
    points = set(given.points) | ({place.run.run_id} if place.run is not None else set())
    _require_known(results, given.campaign, points)
    notes: list[str] = []
    try:
        with waiting("telling the jobs to stop"):
            asked = cancel(results, given.campaign, points, notes)
    except SlurmError as error:
        complain("cancel", str(error))
        return ExitCode.FAILED
    except OSError as error:
        trouble = disk_trouble(error) or f"cannot be written ({error.strerror})"
        complain("cancel", f"{results} {trouble}; the jobs were told, the record was not")
        return ExitCode.FAILED
    with waiting("waiting for the jobs to end"):
        left, doubts = _wait(results, asked)
    out = Output()
    out.say(f"{len(asked) - len(left)} of {len(asked)} attempts stopped")
    for attempt in left:
        out.say(f"still going: {attempt.folder.parent.name} attempt {attempt.number}", indent=2)
    for note in (*notes, *doubts):
        out.note(note)
    out.next(typed("launcher.status", results))
    if (document := due()) is not None:
        document.fill("cancel", _document(results, asked, left))
    if left:
        return ExitCode.FAILED
    if not asked and not campaigns(results):
        statuses = point_statuses(results, SlurmView())
        if nothing_read([one for one in statuses if not points or one.run_id in points]):
            complain("cancel", f"no point of {shown(results)} can be read")
            return ExitCode.NOTHING_DONE
    return ExitCode.DONE


def _document(
    results: Path, asked: Sequence[AttemptPaths], left: Sequence[AttemptPaths]
) -> dict[str, Any]:
    return {
        "results": str(results),
        "asked": len(asked),
        "stopped": len(asked) - len(left),
        "attempts": [
            {
                "run_id": attempt.folder.parent.name,
                "attempt": attempt.number,
                "stopped": attempt not in left,
            }
            for attempt in asked
        ],
    }


def _require_known(results: Path, campaign: str | None, points: set[str]) -> None:
    """Check that the runs that somebody named are runs of the campaign, or of the folder.

    Raises:
        CommandError: one is none.
    """
    known = _known(results, campaign)
    if unknown := sorted(points - known):
        where = shown(results) if campaign is None else f"campaign {campaign}"
        raise CommandError(
            f"`RUN_ID` must be a run of {where}, which has {len(known)}, "
            f"but is {unknown[0]!r} instead{did_you_mean(unknown[0], known)}"
        )


def cancel(
    results: Path, campaign: str | None, points: set[str], notes: list[str]
) -> list[AttemptPaths]:
    """Ask the jobs of open attempts to end; those attempts.

    Args:
        results: the results folder.
        campaign: only this one's launcher is told to stop; None tells all.
        points: only these runs; empty means all, of the campaign where one is given.
        notes: is told of each record that cannot be read.

    Raises:
        SlurmError: scancel fails.
        OSError: the disk is full or gone; all that were meant were told to stop.
    """
    known = reconcile(results)
    if not points:
        _stop_launchers(results, campaign, notes)
    meant = points or _known(results, campaign)
    open_attempts = [
        attempt
        for run in list_runs(results)
        if run.run_id in meant
        for attempt in run.attempts()[-1:]
        if _is_open(known, attempt, notes)
    ]
    elements: dict[str, set[str]] = {}
    for attempt in open_attempts:
        if (job := known.jobs.get(attempt.folder)) is not None:
            # A whole array is one number: Slurm cancels its elements in one go. A campaign's point
            # may wait in an array of another's.
            alone = points or campaign is not None
            number = job.job_id if alone else job.job_id.partition("_")[0]
            elements.setdefault(job.name, set()).add(number)
    for name, numbers in sorted(elements.items()):
        jobs = sorted(numbers)
        for start in range(0, len(jobs), _AT_ONCE):
            # By name too: a number may be somebody else's by now.
            ask_slurm(["scancel", f"--name={name}", *jobs[start : start + _AT_ONCE]])
    refused: OSError | None = None
    for attempt in open_attempts:
        if attempt.folder not in known.jobs:
            try:
                _stop_local(attempt)
            except OSError as error:
                # The disk took no record of the first: the others are to be stopped all the same.
                refused = error
    if refused is not None:
        raise refused
    return open_attempts


def _is_open(known: SlurmView, attempt: AttemptPaths, notes: list[str]) -> bool:
    try:
        with damage_told(attempt.folder, "an attempt's record"):
            return not known.state(attempt).ended
    except (DamagedError, OSError) as error:
        # What cannot be read cannot be stopped; it keeps no other from being.
        notes.append(str(error))
        return False


def _known(results: Path, campaign: str | None) -> set[str]:
    """The runs of a campaign, or of the whole folder."""
    if campaign is not None:
        return set(campaign_points(results, campaign))
    return {run.run_id for run in list_runs(results)}


def _stop_launchers(results: Path, campaign: str | None, notes: list[str]) -> None:
    """Tell launchers of this machine that run local jobs to stop: they label what they end."""
    batch = {array.campaign for array in list_arrays(results, doubts=[])}
    for name in campaigns(results) if campaign is None else [campaign]:
        if name in batch:
            continue
        path = campaigns_folder(results) / name / "campaign.json"
        try:
            with damage_told(path, "the record of a campaign"):
                _terminate(dict(read_json(path).get("launcher", {})))
        except (DamagedError, OSError) as error:
            notes.append(str(error))


def _stop_local(attempt: AttemptPaths) -> None:
    """Stop a local job whose launcher is gone, and say so in its record."""
    if not attempt.submitted.is_file():
        return
    with damage_told(attempt.submitted, "the record of a job"):
        submitted = read_json(attempt.submitted)
    if submitted.get("executor") == "local" and _terminate(submitted):
        record_end(attempt, EndState.CANCELLED, "stopped by launcher.cancel", "launcher")


def _terminate(identity: dict[str, object]) -> bool:
    """SIGTERM to a process of this machine and its children, if it is the one that is meant."""
    host, pid, created_us = (identity.get(key) for key in ("host", "pid", "pid_created_us"))
    if host not in this_host() or not isinstance(pid, int) or not isinstance(created_us, int):
        return False
    if not is_alive(pid, created_us):
        return False
    try:
        process = psutil.Process(pid)
        children = process.children(recursive=True) if "executor" in identity else []
        for each in [process, *children]:
            each.terminate()
    except psutil.NoSuchProcess:
        return True
    return True


def _wait(results: Path, asked: Sequence[AttemptPaths]) -> tuple[list[AttemptPaths], list[str]]:
    """Wait for the attempts' ends to be known; those that are not, and what there is to say."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        known = reconcile(results)
        left = [attempt for attempt in asked if not known.state(attempt).ended]
        at(f"{len(asked) - len(left)} of {len(asked)} attempts stopped")
        if not left or time.monotonic() > deadline_s:
            return left, known.doubts
        time.sleep(_POLL_S)


if __name__ == "__main__":
    sys.exit(main())

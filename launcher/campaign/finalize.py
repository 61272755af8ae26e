"""Finalize: an attempt that ended is merged and, when it completed, sealed.

    python -m launcher.campaign.finalize RESULTS --campaign NAME --array NUMBER

is what Slurm runs after each job array. It records the end of attempts that left none, keeps what
accounting says of each job, merges all and seals the completed ones. It may be run again by hand,
and without an array's name it does so for whatever has ended and nobody is at.

Exit status: 0 all are merged, 1 some could not be, 2 the command is wrong, 74 the disk is full.
"""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from launcher.jobs.permissions import close_to_others
from launcher.slurm.ends import DISK_EXIT_CODE
from launcher.slurm.job_arrays import JobArray, list_arrays
from launcher.slurm.reconcile import LAG_US, reconcile
from launcher.slurm.record import record_accounting
from launcher.slurm.view import SlurmView
from telemetry.clock import US_PER_S
from telemetry.command import CommandError, CommandParser, ExitCode, command, complain
from telemetry.damage import DamagedError, damage_told
from telemetry.merge.attempt import merge_attempt
from telemetry.named_paths import named_path
from telemetry.nearest import told_count
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.attempt_state import attempt_state, record_end
from telemetry.record.disk import disk_trouble
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, RunPaths, list_runs
from telemetry.record.schema import EndState
from telemetry.record.seal import SEALED, seal_attempt
from telemetry.record.signature import sign_as_launched
from telemetry.record.way_on import WayOn
from telemetry.waiting import waiting

_WHO: Final = "closing"
_MODULE: Final = "launcher.campaign.finalize"
_POLL_S: Final = 2.0
_NOTHING: Final = "nothing was left behind"
# Slurm's accounting is behind its queue by seconds; what it does not know then is lost.
_PATIENCE_S: Final = LAG_US / US_PER_S + 30.0


def close_attempt(run: RunPaths, attempt: AttemptPaths) -> tuple[str, str | None]:
    """Merge and, when it completed, seal an attempt; `sealed` or its state, and what is amiss.

    Raises:
        OSError: the disk is full or gone.
    """
    state = attempt_state(attempt)
    try:
        merge_attempt(run, attempt)
        if state.state == EndState.COMPLETED:
            seal_attempt(run, attempt)
            return SEALED, sign_as_launched(attempt)
    except ValueError as error:
        return "not sealed", str(error)
    return state.state, state.reason


def close_array(array: JobArray) -> int:
    """Close every attempt of an array whose jobs have ended; how many could not be merged.

    Raises:
        OSError: the disk is full or gone.
    """
    _say(f"closing {array.name}: {told_count(len(array.members), 'point')}")
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        known = reconcile(array.results, array.campaign)
        waiting = [
            attempt
            for attempt in array.attempts()
            if not known.state(attempt).ended or attempt.folder in known.unsettled
        ]
        if not waiting or time.monotonic() > deadline_s:
            break
        time.sleep(_POLL_S)
    for doubt in known.doubts:
        # That nobody is at it is no news here.
        if array.name not in doubt:
            _say(doubt)
    record_accounting(array)
    failed = 0
    for (run_id, number), attempt in zip(array.members, array.attempts(), strict=True):
        run = RunPaths(results=array.results, run_id=run_id)
        if attempt.seal.is_file():
            continue
        if not attempt.folder.is_dir():
            _say(f"{run_id} attempt {number}: its folder is gone")
            failed += 1
            continue
        state, reason = close_attempt(run, attempt)
        failed += state in {"not sealed", "queued", "running"}
        _say(f"{run_id} attempt {number}: {state}" + (f": {reason}" if reason else ""))
    return failed


def close_stranded(results: Path, known: SlurmView) -> Iterator[str]:
    """Merge what died with shards and what ended without a closing job; a line for each.

    The attempts of this machine whose launcher was killed are among them. What completed is left to
    whoever seals it, unless its array's closing job is gone.

    Raises:
        OSError: the disk is full or gone.
    """
    # What is damaged was told by who reconciled before.
    arrays = {array.name: array for array in list_arrays(results, doubts=[])}
    kept: set[str] = set()
    for run in list_runs(results):
        for attempt in run.attempts():
            try:
                with damage_told(attempt.folder, f"attempt {attempt.number} of {run.run_id}"):
                    if not _is_stranded(attempt, known):
                        continue
                    there = attempt.submitted.is_file()
                    submitted = read_json(attempt.submitted) if there else {}
                    array = arrays.get(str(submitted.get("job_name")))
                    state = known.state(attempt)
            except DamagedError as error:
                yield f"not merged: {error}"
                continue
            if array is None:
                if state.state == EndState.COMPLETED:
                    continue
                record_end(attempt, EndState(state.state), state.reason, "launcher")
            elif not attempt.ended.is_file():
                continue
            elif array.name not in kept:
                kept.add(array.name)
                record_accounting(array)
            ended, reason = close_attempt(run, attempt)
            because = f": {reason}" if reason else ""
            yield f"{run.run_id} attempt {attempt.number}: merged, {ended}{because}"


def _is_stranded(attempt: AttemptPaths, known: SlurmView) -> bool:
    """True when an attempt ended with shards, is not merged as it ended, and nobody is at it."""
    if attempt.seal.is_file() or not (attempt.folder / "shards").is_dir():
        return False
    if attempt.folder in (known.closing | known.jobs.keys() | known.unknown.keys()):
        return False
    if not (state := known.state(attempt)).ended:
        return False
    # A rank's word that Slurm's books corrected afterwards stands in the older manifest.
    return not attempt.manifest.is_file() or read_json(attempt.manifest)["state"] != state.state


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = CommandParser(
        module=_MODULE,
        description="Merge and seal what a job array left, or all that nobody is at.",
        epilog="exit status: 0 all are merged, 1 some could not be, 2 the command is wrong, 74 the "
        "disk is full",
    )
    parser.add_argument("results", help="the results folder")
    parser.add_argument("--campaign", help="a folder of RESULTS/campaigns")
    parser.add_argument("--array", type=int, help="the array's number in it")
    given = parser.parse_args(arguments)
    try:
        results = named_path("RESULTS", given.results, "a results folder")
    except ValueError as error:
        raise CommandError(str(error)) from error
    if not results.is_dir():
        raise CommandError(f"`RESULTS` must be a results folder, but {results} is none")
    if (given.campaign is None) != (given.array is None):
        raise CommandError("`--campaign` and `--array` must be given together, or neither")
    close_to_others()
    try:
        if given.campaign is None:
            return _close_all(results)
        return _close_one(results, given.campaign, given.array)
    except OSError as error:
        trouble = disk_trouble(error) or f"cannot be written ({error.strerror})"
        # A log on the same disk may not take it either.
        with contextlib.suppress(OSError):
            complain(
                _WHO,
                f"{results} {trouble}; what was sealed is whole, the same command goes on from "
                "there",
            )
        return DISK_EXIT_CODE if disk_trouble(error) else ExitCode.FAILED


def _close_all(results: Path) -> int:
    """Close what nobody is at; the exit status."""
    with waiting("merging what nobody is at"):
        known = reconcile(results)
        lines = list(close_stranded(results, known))
        doubts = reconcile(results).doubts
    out = Output()
    out.say(f"{told_count(len(lines), 'attempt')} left behind and closed" if lines else _NOTHING)
    for line in lines:
        out.say(line)
    for doubt in doubts:
        out.note(doubt)
    way = WayOn.of(results)
    out.next(way.next if way.sealed else typed("launcher.status", results))
    if way.sealed and way.next is None:
        out.exact(f"report: {way.page}")
    return ExitCode.FAILED if known.unwritten else ExitCode.DONE


def _close_one(results: Path, campaign: str, number: int) -> int:
    """Close an array, which Slurm's log tells line by line; the exit status."""
    arrays = [array for array in list_arrays(results, campaign) if array.number == number]
    if not arrays:
        raise CommandError(f"`--array` must be one of {campaign}'s, but is {number}")
    failed = close_array(arrays[0])
    Output().next(typed("launcher.status", results))
    return ExitCode.FAILED if failed else ExitCode.DONE


def _say(line: str) -> None:
    Output().say(line)


if __name__ == "__main__":
    sys.exit(main())

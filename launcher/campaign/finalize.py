"""Finalize: an attempt that ended is merged and, when it completed, sealed.

    python -m launcher.campaign.finalize RESULTS --campaign NAME --array NUMBER

is what Slurm runs after each job array. It records the end of attempts that left none, keeps what
accounting says of each job, merges all and seals the completed ones. It may be run again by hand.

Exit status: 0 all are merged, 1 some could not be.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from launcher.slurm.job_arrays import JobArray, list_arrays
from launcher.slurm.reconcile import LAG_US, reconcile
from launcher.slurm.record import record_accounting
from telemetry.clock import US_PER_S
from telemetry.merge.attempt import merge_attempt
from telemetry.record.attempt_state import attempt_state
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.schema import EndState
from telemetry.record.seal import seal_attempt

_POLL_S: Final = 2.0
# Slurm's accounting is behind its queue by seconds; what it does not know then is lost.
_PATIENCE_S: Final = LAG_US / US_PER_S + 30.0


def close_attempt(run: RunPaths, attempt: AttemptPaths) -> tuple[str, str | None]:
    """Merge and, when it completed, seal an attempt; `sealed` or its state, and why not.

    Raises:
        OSError: the disk is full or gone.
    """
    state = attempt_state(attempt)
    try:
        merge_attempt(run, attempt)
        if state.state == EndState.COMPLETED:
            seal_attempt(run, attempt)
            return "sealed", None
    except ValueError as error:
        return "not sealed", str(error)
    return state.state, state.reason


def close_array(array: JobArray) -> int:
    """Close every attempt of an array whose jobs have ended; how many could not be merged."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        known = reconcile(array.results, array.campaign)
        waiting = [attempt for attempt in array.attempts() if not attempt.ended.is_file()]
        if not waiting or time.monotonic() > deadline_s:
            break
        time.sleep(_POLL_S)
    for doubt in known.doubts:
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m launcher.campaign.finalize",
        description="Merge and seal what a job array left.",
    )
    parser.add_argument("results", type=Path, help="the results folder")
    parser.add_argument("--campaign", required=True, help="a folder of RESULTS/campaigns")
    parser.add_argument("--array", type=int, required=True, help="the array's number in it")
    given = parser.parse_args(arguments)
    results: Path = given.results.absolute()
    arrays = [a for a in list_arrays(results, given.campaign) if a.number == given.array]
    if not arrays:
        sys.stderr.write(f"closing: `--array` must be one of {given.campaign}'s, but is none\n")
        return 2
    return 1 if close_array(arrays[0]) else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""Merge: an attempt's shards become its tables and manifest, and a completed attempt is sealed.

    python -m telemetry.merge RESULTS

Merging again says the same, to the byte; a sealed attempt is not touched. Of a run's or an
attempt's own folder that one is merged.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.command import CommandParser, ExitCode, command, complain
from telemetry.document import due
from telemetry.merge.attempt import MergeOutcome, merge_results
from telemetry.nearest import told_count
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.place import named_place, shown
from telemetry.record.way_on import WayOn
from telemetry.waiting import at, waiting

_WHO: Final = "merge"
_MODULE: Final = "telemetry.merge"
_EXITS: Final = {
    ExitCode.DONE: "merged, or sealed already",
    ExitCode.FAILED: "an attempt could not be merged; the others were",
    ExitCode.BAD_INPUT: "the command or the folder will not do",
    ExitCode.NOTHING_DONE: "nothing could be merged or read",
}


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Merge a results folder, or one run or attempt of it; the exit code."""
    parser = CommandParser(module=_MODULE, description=__doc__, exits=_EXITS)
    parser.add_argument(
        "results", help="the results folder, or the folder of one run or attempt in it"
    )
    parser.add_json("what became of each attempt")
    place = named_place(parser.parse_args(arguments).results, _MODULE)
    results = place.results
    outcomes: list[MergeOutcome] = []
    try:
        with waiting("merging"):
            for outcome in merge_results(
                results, _at_row, only_run=place.run, only_attempt=place.attempt
            ):
                outcomes.append(outcome)
                at(f"{told_count(len(outcomes), 'attempt')} done")
    finally:
        # Also of a merge that was stopped: what was merged and sealed is.
        _tell(results, outcomes)
    failed = sum(outcome.failed for outcome in outcomes)
    # Of a run that cannot be read nobody knows whether it has any.
    outcomes = [outcome for outcome in outcomes if not outcome.closed]
    if not outcomes:
        complain(_WHO, f"{shown(place.folder)} holds no attempt to merge")
        return ExitCode.NOTHING_DONE
    if failed:
        complain(_WHO, f"{failed} of {len(outcomes)} attempts could not be merged")
        unread = sum(outcome.unread for outcome in outcomes)
        return ExitCode.NOTHING_DONE if unread == len(outcomes) else ExitCode.FAILED
    way = WayOn.of(results)
    # Of attempts that died there is nothing to analyse.
    Output().next(way.next if way.sealed else typed("launcher.status", results))
    if way.sealed and way.next is None:
        Output().exact(f"report: {way.page}")
    return ExitCode.DONE


def _at_row(done: int, total: int) -> None:
    at(f"row {done} of {total} of an attempt")


def _tell(results: Path, outcomes: Sequence[MergeOutcome]) -> None:
    """One line of all, then one of each attempt."""
    if not outcomes:
        return
    out = Output()
    failed = sum(outcome.failed for outcome in outcomes)
    closed = sum(outcome.closed for outcome in outcomes)
    told = f", {failed} not merged" if failed else ""
    told += f", {told_count(closed, 'run')} could not be read" if closed else ""
    out.say(f"{told_count(len(outcomes) - closed, 'attempt')} looked at{told}")
    for outcome in outcomes:
        which = "" if outcome.attempt is None else f" attempt {outcome.attempt}"
        out.say(f"{outcome.run_id}{which}: {outcome.text}")
    if (document := due()) is not None:
        attempts = [dataclasses.asdict(outcome) for outcome in outcomes]
        document.fill("merge", {"results": str(results), "attempts": attempts})


if __name__ == "__main__":
    sys.exit(main())

"""Merge: an attempt's shards become its tables and manifest, and a completed attempt is sealed.

    python -m telemetry.merge RESULTS

Merging again says the same, to the byte; a sealed attempt is not touched. Of a run's or an
attempt's own folder that one is merged.
"""

import sys
from collections.abc import Sequence
from typing import Final

from telemetry.command import CommandParser, ExitCode, command, complain
from telemetry.merge.attempt import merge_results
from telemetry.merge.progress_bar import ProgressBar
from telemetry.next_line import typed
from telemetry.record.paths import list_runs
from telemetry.record.place import named_place, shown
from telemetry.terminal import printable

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
    place = named_place(parser.parse_args(arguments).results, _MODULE)
    results = place.results
    failed = merged = unread = 0
    with ProgressBar() as bar:
        for outcome in merge_results(
            results, bar.show, only_run=place.run, only_attempt=place.attempt
        ):
            failed += outcome.failed
            unread += outcome.unread
            merged += not outcome.failed
            bar.line(printable(f"{outcome.run_id} attempt {outcome.attempt}: {outcome.text}"))
    if not failed + merged:
        complain(_WHO, f"{shown(place.folder)} holds no attempt to merge")
        return ExitCode.NOTHING_DONE
    if failed:
        complain(_WHO, f"{failed} of {failed + merged} attempts could not be merged")
        return ExitCode.NOTHING_DONE if unread == failed + merged else ExitCode.FAILED
    # Of attempts that died there is nothing to analyse.
    sealed = any(attempt.seal.is_file() for run in list_runs(results) for attempt in run.attempts())
    module = "analysis" if sealed else "launcher.status"
    sys.stdout.write(f"next: {printable(typed(module, results))}\n")
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())

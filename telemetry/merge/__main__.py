"""Merge: an attempt's shards become its tables and manifest, and a completed attempt is sealed.

    python -m telemetry.merge RESULTS

Merging again says the same, to the byte; a sealed attempt is not touched. Ends with 0, 1 where an
attempt could not be merged (the others were), 2 where there is nothing to merge.
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from telemetry.command import CommandParser, ExitCode, command, complain
from telemetry.merge.attempt import merge_results
from telemetry.merge.progress_bar import ProgressBar
from telemetry.named_paths import named_path
from telemetry.record.paths import RunPaths, list_runs
from telemetry.terminal import printable

_WHO = "merge"


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Merge a results folder; the exit code."""
    parser = CommandParser(module="telemetry.merge", description=__doc__)
    parser.add_argument("results", help="the results folder")
    try:
        results = named_path("results", parser.parse_args(arguments).results)
    except ValueError as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT
    if not results.is_dir():
        complain(_WHO, f"`results` must be a folder, but {results} is not")
        return ExitCode.BAD_INPUT
    failed = merged = 0
    with ProgressBar() as bar:
        for outcome in merge_results(results, bar.show):
            failed += outcome.failed
            merged += not outcome.failed
            bar.line(printable(f"{outcome.run_id} attempt {outcome.attempt}: {outcome.text}"))
    if not failed + merged:
        complain(_WHO, f"{results} holds no attempt to merge{_perhaps(results)}")
        return ExitCode.BAD_INPUT
    if failed:
        complain(_WHO, f"{failed} of {failed + merged} attempts could not be merged")
        return ExitCode.FAILED
    # Of attempts that died there is nothing to analyse.
    sealed = any(attempt.seal.is_file() for run in list_runs(results) for attempt in run.attempts())
    module = "analysis" if sealed else "launcher.status"
    sys.stdout.write(f"next: python -m {module} {printable(shlex.quote(str(results)))}\n")
    return ExitCode.DONE


def _perhaps(folder: Path) -> str:
    """Where a results folder is that somebody may have meant."""
    for run in (folder, folder.parent):
        if RunPaths(results=run.parent, run_id=run.name).spec.is_file():
            return f"; {run.resolve().name} is a run of {run.resolve().parent}"
    return "; a results folder has a folder with a spec.json for each run"


if __name__ == "__main__":
    sys.exit(main())

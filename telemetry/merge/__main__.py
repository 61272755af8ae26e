"""Merge: an attempt's shards become its tables and manifest, and a completed attempt is sealed.

    python -m telemetry.merge RESULTS

Merging again says the same, to the byte; a sealed attempt is not touched.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.merge.attempt import merge_results
from telemetry.merge.progress_bar import ProgressBar

EXIT_INCOMPLETE: Final = 1
"""An attempt could not be merged; the others were."""
EXIT_NO_RESULTS: Final = 2
"""There is no such folder."""


def main(argv: Sequence[str] | None = None) -> int:
    """Merge a results folder; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m telemetry.merge", description=__doc__)
    parser.add_argument("results", type=Path, help="the results folder")
    results: Path = parser.parse_args(argv).results
    if not results.is_dir():
        sys.stderr.write(f"merge: `results` must be a folder, but {results} is not\n")
        return EXIT_NO_RESULTS
    failed = merged = 0
    with ProgressBar() as bar:
        for outcome in merge_results(results, bar.show):
            failed += outcome.failed
            merged += not outcome.failed
            bar.line(f"{outcome.run_id} attempt {outcome.attempt}: {outcome.text}")
    if not failed + merged:
        sys.stdout.write(f"{results} holds no attempt\n")
    if failed:
        sys.stderr.write(f"merge: {failed} of {failed + merged} attempts could not be merged\n")
        return EXIT_INCOMPLETE
    sys.stdout.write(f"next: python -m analysis {results}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

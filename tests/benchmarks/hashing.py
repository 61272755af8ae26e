"""What it costs a report that every byte of its runs is hashed; needs no GPU.

    python -m tests.benchmarks.hashing RESULTS [--rounds 5]

Bound, written before: 1.2 of the CPU's time without, as SHA-256 runs at more than 1 GB/s where the
CPU has its instructions, and tables and figures are made at a tenth of that.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from analysis.report.page import write_report
from analysis.runs.sealed_runs import Loaded, load, open_run
from telemetry.record.paths import list_runs


def main() -> int:
    """Print the CPU seconds of a report with and without, the median of each, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    hashed: list[float] = []
    trusted: list[float] = []
    _seconds(given.results, hashing=False)
    for _ in range(given.rounds):
        trusted.append(_seconds(given.results, hashing=False))
        hashed.append(_seconds(given.results, hashing=True))
    ratios = [one / other for one, other in zip(hashed, trusted, strict=True)]
    sys.stdout.write(
        f"hashed {median(hashed):.3f} s, as they lie {median(trusted):.3f} s\n"
        f"ratio {median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}\n"
    )
    return 0


def _seconds(results: Path, *, hashing: bool) -> float:
    with tempfile.TemporaryDirectory() as out:
        begin = time.process_time()
        write_report(load(results) if hashing else _as_they_lie(results), Path(out))
        return time.process_time() - begin


def _as_they_lie(results: Path) -> Loaded:
    runs = [run for paths in list_runs(results) if (run := open_run(paths)) is not None]
    return Loaded(results=results, runs=tuple(runs), not_counted=())


if __name__ == "__main__":
    raise SystemExit(main())

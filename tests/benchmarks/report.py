"""What it takes to report a campaign: seconds, memory of all processes together, bytes of the page.

    python -m tests.benchmarks.report --runs 10 [--folder FOLDER] [--out OUT]

Makes runs in FOLDER where they are not there yet: up to 500 as tests/benchmarks/audit.py does, of
32 GPUs and ten minutes; more are small records of one GPU and some seconds. Then reports them twice
as a user does, the second time with the rows that the first kept beside its page. `--out` writes
the report elsewhere, so that FOLDER is left alone. Bound and prediction stand in NOTES.md.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from telemetry.record.paths import list_runs
from tests.benchmarks.audit import POLL_S, generate
from tests.benchmarks.audit import _together_bytes as together_bytes
from tests.support.records import Plan, build_run

# More would be tens of gigabytes.
MOST_LARGE: Final = 500


def make(results: Path, runs: int) -> None:
    """As many sealed runs in `results`, of which those that are there are kept."""
    if runs <= MOST_LARGE:
        generate(results, runs)
        return
    results.mkdir(parents=True, exist_ok=True)
    for seed in range(len(list(list_runs(results))), runs):
        build_run(results, Plan(spec={"seed": seed, "gpu": "a100"}, chains=False))
        if not seed % 50:
            sys.stderr.write(f"\rmade run {seed} of {runs}")
    sys.stderr.write("\n")


def measure(results: Path, out: Path) -> dict[str, Any]:
    """One report in a process of its own."""
    command = [sys.executable, "-m", "analysis", str(results), "--out", str(out)]
    load = os.getloadavg()[0]
    begin_s, before = time.perf_counter(), os.times()
    with tempfile.TemporaryFile("w+") as told:
        child = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT)
        peak_bytes = 0
        while child.poll() is None:
            peak_bytes = max(peak_bytes, together_bytes(child.pid))
            time.sleep(POLL_S)
    after = os.times()
    return {
        "wall_s": round(time.perf_counter() - begin_s, 1),
        "cpu_s": round(sum(after[2:4]) - sum(before[2:4]), 1),
        "peak_mib": round(peak_bytes / 2**20),
        "page_mb": round((out / "index.html").stat().st_size / 1e6, 2),
        "load_before": round(load, 1),
        "load_after": round(os.getloadavg()[0], 1),
        "exit": child.returncode,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Make the campaign, report it twice, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="where the runs are, or are to be kept")
    parser.add_argument("--out", type=Path, help="where the report is written")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        folder: Path = given.folder or Path(scratch) / "results"
        make(folder, given.runs)
        out: Path = given.out or Path(scratch) / "report"
        shutil.rmtree(out, ignore_errors=True)
        for which in ("first", "second"):
            said = {"runs": given.runs, "report": which, **measure(folder, out)}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

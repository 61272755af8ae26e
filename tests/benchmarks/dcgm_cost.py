"""What reading a DCGM engine takes of a core, and whether a sample is lost.

    python -m tests.benchmarks.dcgm_cost --bindings DIR [--address HOST:PORT] [--seconds 30]

Bound, written before: with the watcher's own cost 1 % of a core for 8 GPUs x 20 fields at 10 Hz,
and no sample lost: between two neighbours never more than one and a half periods, unless the
engine itself was late, which its own stamps tell. An embedded engine's cost is counted too.
"""

import argparse
import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import psutil

from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from tests.doubles.dcgm.station import Watched

_SETTLE_S = 2.0
_POLL_S = 0.1
_LATE_PERIODS = 1.5


def main() -> int:
    """Watch an engine for a while; print rows, the share of a core and the largest gap."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bindings", required=True)
    parser.add_argument("--address")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--period-ms", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        watch = Watched(
            Path(name),
            RunSpec.from_mapping(SPEC),
            bindings=given.bindings,
            address=given.address,
            period_ms=given.period_ms,
        )
        watch.look(_SETTLE_S)
        watch.readings.clear()
        before = psutil.Process().cpu_times()
        start_s = time.monotonic()
        while time.monotonic() - start_s < given.seconds:
            watch.readings += watch.source.read()
            time.sleep(_POLL_S)
        elapsed_s = time.monotonic() - start_s
        after = psutil.Process().cpu_times()
        rows = len(watch.readings)
        watch.end()
    description = watch.source.describe()
    gaps_us: list[int] = []
    for gpu in description.gpus:
        times = [reading.t_us for reading in watch.of("sm_clock_mhz", str(gpu["uuid"]))]
        gaps_us += [later - earlier for earlier, later in pairwise(times)]
    late = sum(gap_us > _LATE_PERIODS * given.period_ms * 1_000 for gap_us in gaps_us)
    share = (after.user - before.user + after.system - before.system) / elapsed_s
    sys.stdout.write(
        f"libdcgm {description.identity['libdcgm']}, {description.identity['engine']}: "
        f"{len(description.gpus)} GPUs x {len(description.periods_us)} fields, "
        f"{rows / elapsed_s:.0f} rows/s, {100 * share:.2f} % of a core; largest gap "
        f"{max(gaps_us, default=0) / 1e3:.1f} ms, {late} of {len(gaps_us)} late; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the watcher takes of a core: GPUs at 10 Hz and their 50 Hz power samples.

    python -m tests.benchmarks.watcher_cost [--gpus 8] [--seconds 30] [--period-ms 100] [--real]

Bound, written before: 1 % of a core for 8 GPUs x 20 fields at 10 Hz and 50 Hz power. The simulated
library's calls cost about a microsecond; the real driver's own cost is in `--real` alone.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from telemetry.shards import list_parts, read_stream
from telemetry.watch import Watch
from tests.nvml.library import World, build
from tests.telemetry_record import make_attempt

_BOUND = 0.01
# Imports and the probe are over, and the first part is open.
_SETTLE_S = 3.0


def main() -> int:
    """Watch for a while and print the share of a core that it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--period-ms", type=int, default=100)
    parser.add_argument("--telemetry", default="nvml")
    parser.add_argument("--real", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not given.real:
            library = build(folder)
            world = World(folder / "world", gpus=given.gpus, energy_call_us=3000)
            os.environ |= {**world.environment, "LD_LIBRARY_PATH": str(library.parent)}
        order = {"telemetry": given.telemetry, "period_ms": given.period_ms}
        run, attempt = make_attempt(folder, order=order)
        with Watch(folder, run.run_id, 1, "n1") as watch:
            watch.wait_ready(60)
            time.sleep(_SETTLE_S)
            process = psutil.Process(watch.pid)
            before, start_s = process.cpu_times(), time.monotonic()
            rows_before = _rows(attempt.samples_shard("n1"))
            read_s = time.monotonic() - start_s
            time.sleep(given.seconds - read_s)
            after, elapsed_s = process.cpu_times(), time.monotonic() - start_s
            rows = _rows(attempt.samples_shard("n1")) - rows_before
            resident_mb = process.memory_info().rss / 1e6
    user = (after.user - before.user) / elapsed_s
    system = (after.system - before.system) / elapsed_s
    sys.stdout.write(
        f"{given.telemetry}, {given.gpus if not given.real else 'real'} GPUs, "
        f"{rows / elapsed_s:.0f} rows/s: {100 * (user + system):.2f} % of a core "
        f"({100 * user:.2f} user, {100 * system:.2f} system), {resident_mb:.0f} MB resident; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
    )
    return 0 if user + system <= _BOUND else 1


def _rows(folder: Path) -> int:
    tables: list[pa.Table] = [
        pq.read_table(part.path) if part.closed else read_stream(part.path).table
        for part in list_parts(folder)
    ]
    return sum(table.num_rows for table in tables)


if __name__ == "__main__":
    sys.exit(main())

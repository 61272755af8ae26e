"""What the watcher takes of a core, what of its rows is there, and how soon it is on disk.

    python -m tests.benchmarks.watcher_cost [--gpus 8] [--seconds 30] [--period-ms 100] [--real]

Bound, written before: 1 % of a core for 8 GPUs and their 50 Hz power samples. The simulated
library's calls cost about a microsecond; the real driver's own cost is in `--real` alone.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telemetry.boards.sensor_timing import POWER_SAMPLE
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths
from telemetry.shards.writer import list_parts, read_stream, shard_metadata
from telemetry.watcher.process import WatcherProcess
from tests.doubles.nvml.library import World, build
from tests.support.watched_attempts import make_attempt

_BOUND = 0.01
# Imports and the probe are over, and the first part is open.
_SETTLE_S = 3.0
# How long rows are waited for on disk, and how often: what is told is late by as much at most.
_DISK_S = 5.0
_DISK_POLL_S = 0.02
# A whole board's share of the goal for eight.
_BOARDS = 8


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
        launch = {"telemetry": given.telemetry, "period_ms": given.period_ms}
        run, attempt = make_attempt(folder, launch=launch)
        with WatcherProcess(folder, run.run_id, 1, "n1") as watch:
            watch.wait_ready(60)
            time.sleep(_SETTLE_S)
            process = psutil.Process(watch.pid)
            before, start_s = process.cpu_times(), time.monotonic()
            time.sleep(given.seconds)
            after, elapsed_s = process.cpu_times(), time.monotonic() - start_s
            resident_mb = process.memory_info().rss / 1e6
            to_disk_s = _to_disk_s(attempt)
        table = _samples(attempt)
        record = read_json(attempt.host("n1"))
        periods_us = shard_metadata(table.schema)["periods_us"]
    gpus = len(record["gpus"])
    user = (after.user - before.user) / elapsed_s
    system = (after.system - before.system) / elapsed_s
    out = sys.stdout.write
    out(f"{'all GPUs':27} {'period ms':>9} {'expected':>8} {'got':>6} {'gap ms':>8}\n")
    lost = _tell_coverage(table, periods_us)
    rows_s = table.num_rows / (pc.max(table["t_us"]).as_py() - pc.min(table["t_us"]).as_py()) * 1e6
    out(
        f"{given.telemetry}, {gpus} {'real' if given.real else 'simulated'} GPUs, "
        f"{rows_s:.0f} rows/s, {lost} power samples lost, on disk after "
        f"{np.median(to_disk_s):.2f} s (median), {max(to_disk_s):.2f} s (longest)\n"
        f"{100 * (user + system):.2f} % of a core ({100 * user:.2f} user, "
        f"{100 * system:.2f} system), {100 * (user + system) / gpus:.3f} % a GPU, "
        f"{resident_mb:.0f} MB resident; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
    )
    return 0 if user + system <= _BOUND * max(1.0, gpus / _BOARDS) and not lost else 1


def _to_disk_s(attempt: AttemptPaths) -> list[float]:
    """How long each row that comes to disk from now on took from its stamp, in seconds."""
    offset_us = read_json(attempt.host("n1"))["clock_offset_us"]
    seen = _samples(attempt).num_rows
    found: list[float] = []
    end_s = time.monotonic() + _DISK_S
    while time.monotonic() < end_s:
        time.sleep(_DISK_POLL_S)
        table = _samples(attempt)
        now_us = time.monotonic_ns() // 1_000 + offset_us
        found += [(now_us - t_us) / 1e6 for t_us in table["t_us"].slice(seen).to_pylist()]
        seen = table.num_rows
    return found


def _tell_coverage(table: pa.Table, periods_us: dict[str, int]) -> int:
    """A line for each reading of all GPUs; how many power samples are missing of those expected."""
    lost = 0
    rows = table.filter(
        pc.and_(pc.is_valid(table["value"]), pc.starts_with(table["device"], "GPU-"))
    )
    window_us = pc.max(rows["t_us"]).as_py() - pc.min(rows["t_us"]).as_py()
    for field in sorted(pc.unique(rows["field"]).to_pylist()):
        of_field = rows.filter(pc.equal(rows["field"], field))
        period_us = periods_us.get(field)
        expected, gap_us = 0, 0
        devices = pc.unique(of_field["device"]).to_pylist()
        for device in devices:
            t_us = np.sort(of_field.filter(pc.equal(of_field["device"], device))["t_us"].to_numpy())
            steps_us = np.diff(t_us)
            gap_us = max(gap_us, int(steps_us.max(initial=0)))
            if period_us is None:
                continue
            if field == POWER_SAMPLE:
                # The driver's samples begin with the watch and end with the last drain. A hole of
                # a period and a half is one sample that never came.
                lost += int((np.round(steps_us / period_us) - 1).clip(min=0).sum())
                expected += int(t_us[-1] - t_us[0]) // period_us + 1
            else:
                expected += window_us // period_us + 1
        sys.stdout.write(
            f"{field:27} {(period_us or 0) / 1e3:9.0f} {expected:8} {of_field.num_rows:6} "
            f"{gap_us / 1e3:8.0f}\n"
        )
    return lost


def _samples(attempt: AttemptPaths) -> pa.Table:
    """All rows on disk."""
    return pa.concat_tables(
        pq.read_table(part.path) if part.closed else read_stream(part.path).table
        for part in list_parts(attempt.samples_shard("n1"))
    )


if __name__ == "__main__":
    sys.exit(main())

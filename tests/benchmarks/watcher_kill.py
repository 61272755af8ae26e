"""kill -9 of the watcher at random moments: what is lost of each field.

    python -m tests.benchmarks.watcher_kill [--kills 20] [--gpus 1] [--real] [--seed 1]

Bounds, written before: nothing of what the driver keeps in a buffer, 2 s of everything else.
`--real` watches this machine's own GPUs; without it they are simulated.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths
from telemetry.shards.writer import list_parts, read_stream
from telemetry.watcher.process import WatcherProcess
from tests.doubles.nvml.library import World, build
from tests.support.watched_attempts import make_attempt

# A kill in every second or third on average hits each moment of the drains' and flushes' cycle.
_BETWEEN_S = (1.2, 3.2)
_PERIODS_SLACK = 2.0


def samples(attempt: AttemptPaths) -> pa.Table:
    """All rows on disk."""
    parts = list_parts(attempt.samples_shard("n1"))
    return pa.concat_tables(
        pq.read_table(part.path) if part.closed else read_stream(part.path).table for part in parts
    )


def main() -> int:
    """Kill, wait, and print a table of losses; the exit code says whether the bounds held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real", action="store_true")
    given = parser.parse_args()
    moments = random.Random(given.seed)  # noqa: S311 - moments of a kill, not secrets
    out = sys.stdout.write
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not given.real:
            library = build(folder)
            world = World(folder / "world", gpus=given.gpus)
            os.environ |= {**world.environment, "LD_LIBRARY_PATH": str(library.parent)}
        run, attempt = make_attempt(folder, launch={"telemetry": "nvml", "period_ms": 100})
        followed_s = []
        with WatcherProcess(folder, run.run_id, 1, "n1", max_restarts=given.kills) as watch:
            watch.wait_ready(60)
            for _ in range(given.kills):
                time.sleep(moments.uniform(*_BETWEEN_S))
                before, start_s = watch.pid, time.monotonic()
                os.kill(before, signal.SIGKILL)
                while read_json(attempt.host("n1"))["pid"] == before:
                    time.sleep(0.005)
                followed_s.append(time.monotonic() - start_s)
            time.sleep(2.0)
        log = read_json(attempt.watchers / "n1.json")
        table = samples(attempt)
        paces = read_json(attempt.host("n1"))["source"]["nvml"]
        held = _report(table, paces["buffered"], list(log["events"]))
    out(
        f"\nfollowed after {statistics.median(followed_s):.2f} s (median), "
        f"{max(followed_s):.2f} s (longest), load {os.getloadavg()[0]:.1f} "
        f"on {os.cpu_count()} cores\n"
    )
    return 0 if held else 1


def _report(table: pa.Table, buffered: list[str], events: list[dict[str, object]]) -> bool:
    out = sys.stdout.write
    times_us: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for device, field, t_us, value in zip(
        *(table[name].to_pylist() for name in ("device", "field", "t_us", "value")), strict=True
    ):
        if value is not None:
            times_us[device, field].append(t_us)
    restarts = [event for event in events if event["what"] == "restarted"]
    out(f"{len(restarts)} kills, {table.num_rows} rows\n")
    out(f"{'field':28} {'period ms':>9} {'gaps':>5} {'lost s, each':>40} {'worst':>6}\n")
    held = True
    for field in sorted({field for _, field in times_us} - {"xid"}):
        # Of all GPUs: the readings of one are as far apart as those of another.
        periods_us, lost_s = [], []
        for stamps in (sorted(times_us[key]) for key in times_us if key[1] == field):
            if len(stamps) < len(restarts):
                continue
            steps_us = [after - before for before, after in pairwise(stamps)]
            period_us = statistics.median(steps_us)
            periods_us.append(period_us)
            lost_s += [
                (step - period_us) / 1e6 for step in steps_us if step > _PERIODS_SLACK * period_us
            ]
        if not periods_us:
            continue
        worst_s = max(lost_s, default=0.0)
        bound_s = 0.0 if field in buffered else 2.0
        held &= worst_s <= bound_s
        each = " ".join(f"{lost:.2f}" for lost in sorted(lost_s, reverse=True)[:8])
        mark = "" if worst_s <= bound_s else "  beyond the bound"
        period_ms = statistics.median(periods_us) / 1e3
        out(f"{field:28} {period_ms:9.0f} {len(lost_s):5} {each:>40} {worst_s:6.2f}{mark}\n")
    return held


if __name__ == "__main__":
    sys.exit(main())

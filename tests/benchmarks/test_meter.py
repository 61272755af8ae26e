"""The benchmark's meter tells the energy that a simulated driver's own counter tells."""

import os
import subprocess
import sys
from pathlib import Path

from tests.doubles.nvml.library import World, build

# Two seconds of two boards, by their samples and by their counters.
METERED = """
import time, pynvml
from tests.benchmarks.meter import Meter
pynvml.nvmlInit()
handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(2)]
meter = Meter([pynvml.nvmlDeviceGetUUID(handle) for handle in handles])
time.sleep(0.3)
def counted():
    asked_us = time.monotonic_ns() // 1000
    return asked_us, meter.counter_j(), time.monotonic_ns() // 1000
start_us, before_j, started_us = counted()
time.sleep(2)
end_us, after_j, ended_us = counted()
# A counter that moves every 100 ms was read somewhere between two stamps, and is behind.
least_j = meter.energy_j([(started_us, end_us - 100_000)])
most_j = meter.energy_j([(start_us - 100_000, ended_us)])
print(least_j, after_j - before_j, most_j)
print(meter.energy_j([(start_us - 60_000_000, start_us)]))
meter.close()
"""


def test_samples_and_counters_agree_and_a_window_without_samples_has_no_energy(
    tmp_path: Path,
) -> None:
    library, world = build(tmp_path), World(tmp_path / "world", gpus=2)
    environment = {**os.environ, **world.environment, "LD_LIBRARY_PATH": str(library.parent)}
    done = subprocess.run(
        [sys.executable, "-c", METERED],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told, missing = done.stdout.splitlines()
    least_j, counted_j, most_j = (float(word) for word in told.split())
    # Samples 20 ms apart place a step of 400 W, of two boards, 10 ms wrong at most: four steps and
    # the two ends.
    slack_j = 6 * 2 * 410 * 0.01
    assert least_j - slack_j <= counted_j <= most_j + slack_j
    assert missing == "None"

"""The benchmark's meter tells the energy that a simulated driver's own counter tells."""

import os
import subprocess
import sys
from pathlib import Path

from tests.nvml.library import World, build

# Two seconds of two boards, by their samples and by their counters.
METERED = """
import time, pynvml
from tests.benchmarks.meter import Meter
pynvml.nvmlInit()
handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(2)]
meter = Meter([pynvml.nvmlDeviceGetUUID(handle) for handle in handles])
time.sleep(0.3)
start_us, before_j = time.monotonic_ns() // 1000, meter.counter_j()
time.sleep(2)
end_us, after_j = time.monotonic_ns() // 1000, meter.counter_j()
print(meter.energy_j([(start_us, end_us)]), after_j - before_j)
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
    both, missing = done.stdout.splitlines()
    sampled_j, counted_j = (float(word) for word in both.split())
    # A counter that moves every 100 ms is up to 5 % of two seconds behind at either end.
    assert abs(sampled_j / counted_j - 1) < 0.1
    assert missing == "None"

"""What each of the driver's calls costs its caller in CPU time; needs a GPU.

    python -m tests.benchmarks.nvml_calls [--rounds 12] [--apart-ms 110]

Each call stands alone, `--apart-ms` after the one before: longer than the 100 ms for which the
driver keeps most answers, so that none is had for nothing. The order changes each round.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from ctypes import byref, c_uint, c_ulonglong
from functools import partial
from itertools import pairwise
from typing import Any

import pynvml

from telemetry.sources.nvml.gpm import METRICS, Gpm
from telemetry.sources.nvml.library import Driver, ask_nvml
from telemetry.sources.nvml.queries import CALLS
from telemetry.sources.schedule import cadence_us

# Ids of nvml.h. Those of one kind may share one question to the board; the sum would show it.
_IDS = {
    "instant": [186],
    "average, instant": [185, 186],
    "average, instant, memory temperature": [185, 186, 82],
    "memory temperature": [82],
    "energy (83)": [83],
    "energy (191)": [191],
    "limits (190, 192)": [190, 192],
    "enforced limit (190)": [190],
    "requested limit (192)": [192],
    "throttle counters (74-81)": list(range(74, 82)),
    "event counters (269-271)": [269, 270, 271],
    "NVLink KiB (138, 139)": [138, 139],
    "PCIe bytes (197, 198)": [197, 198],
    "power, temperature, limits, throttle counters": [185, 186, 82, 190, 192, *range(74, 82)],
}
_BUFFERS = {
    "power_sample_w": pynvml.NVML_TOTAL_POWER_SAMPLES,
    "gpu_utilization": pynvml.NVML_GPU_UTILIZATION_SAMPLES,
    "memory_copy_utilization": pynvml.NVML_MEMORY_UTILIZATION_SAMPLES,
    "sm_clock_mhz": pynvml.NVML_PROCESSOR_CLK_SAMPLES,
    "memory_clock_mhz": pynvml.NVML_MEMORY_CLK_SAMPLES,
}

# A reading, the call that gives it (with others of its pace), and how often a second it was asked
# for when everything was polled at 10 Hz.
_ASKED = {
    "power_sample_w": ("buffer: power_sample_w, samples alone", 2.0),
    "energy_j": ("energy counter", 1.0),
    "power_instant_w": ("fields: average, instant, memory temperature", 10.0),
    "gpu_utilization": ("gpu_utilization, memory_copy_utilization", 0.0),
    "sm_clock_mhz": ("sm_clock_mhz", 10.0),
    "memory_clock_mhz": ("memory_clock_mhz", 10.0),
    "gpu_temperature_c": ("gpu_temperature_c", 10.0),
    "power_limit_w": ("power_limit_w", 10.0),
    "power_limit_requested_w": ("power_limit_requested_w", 10.0),
    "throttle_reasons": ("throttle_reasons", 10.0),
    "gpu_memory_used_bytes": ("gpu_memory_used_bytes", 10.0),
    "graphics_active": ("monitors: all of ours", 2.0),
    "xid": ("events", 2.0),
}
# Utilization came from two buffers of the driver's, each drained twice a second.
_GONE = {"buffer: gpu_utilization, as nvidia-ml-py": 2.0}
_GONE["buffer: memory_copy_utilization, as nvidia-ml-py"] = 2.0


def main() -> int:
    """Print a line for each call: CPU and wall milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--apart-ms", type=float, default=110.0)
    given = parser.parse_args()
    with Driver() as driver:
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        out = sys.stdout.write
        name, boards = pynvml.nvmlDeviceGetName(handle), driver.count()
        out(f"{name}, driver {driver.version()}, {boards} GPUs\n")
        _tell_buffers(handle)
        calls = _calls(handle)
        cpu_ms: dict[str, list[float]] = {name: [] for name in calls}
        wall_ms: dict[str, list[float]] = {name: [] for name in calls}
        failed: dict[str, str] = {}
        shuffle = random.Random(1).shuffle  # noqa: S311 - an order, not a secret
        for _ in range(given.rounds):
            names = list(calls)
            shuffle(names)
            for name in names:
                time.sleep(given.apart_ms / 1e3)
                start_cpu_s, start_s = time.thread_time(), time.perf_counter()
                try:
                    calls[name]()
                except pynvml.NVMLError as error:
                    failed[name] = str(error)
                cpu_ms[name].append(1e3 * (time.thread_time() - start_cpu_s))
                wall_ms[name].append(1e3 * (time.perf_counter() - start_s))
    out(f"{'call':58} {'cpu ms: mean':>12} {'median':>8} {'least':>8} {'wall ms':>8}\n")
    for name in calls:
        mine = cpu_ms[name]
        out(
            f"{name:58} {statistics.fmean(mine):12.3f} {statistics.median(mine):8.3f} "
            f"{min(mine):8.3f} {statistics.median(wall_ms[name]):8.3f}  {failed.get(name, '')}\n"
        )
    _tell_shares({name: statistics.fmean(taken) for name, taken in cpu_ms.items()})
    return 0


def _tell_shares(cost_ms: dict[str, float]) -> None:
    """What a second of one board costs by `telemetry.sources.schedule`, and what it did before."""
    out = sys.stdout.write
    out(f"\n{'ms of CPU a second and board':58} {'before':>8} {'now':>8}\n")
    sums = [0.0, 0.0]
    for name, (call, before_s) in _ASKED.items():
        now_s = 1e6 / cadence_us(name, 100_000, sampled=True)
        # Before, each drain of a buffer asked for the number of samples as well.
        before_call = call.replace("samples alone", "as nvidia-ml-py")
        shares = (cost_ms[before_call] * before_s, cost_ms[call] * now_s)
        sums = [total + share for total, share in zip(sums, shares, strict=True)]
        out(f"{call:58} {shares[0]:8.3f} {shares[1]:8.3f}\n")
    for call, before_s in _GONE.items():
        sums[0] += cost_ms[call] * before_s
        out(f"{call:58} {cost_ms[call] * before_s:8.3f} {0:8.3f}\n")
    out(f"{'all':58} {sums[0]:8.3f} {sums[1]:8.3f}\n")
    out(f"{'% of a core for 8 boards':58} {sums[0] * 0.8:8.3f} {sums[1] * 0.8:8.3f}\n")


def _calls(handle: Any) -> dict[str, Callable[[], Any]]:
    calls: dict[str, Callable[[], Any]] = {
        ", ".join(call.names): partial(call.read, handle) for call in CALLS
    }
    calls["energy counter"] = partial(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle)
    calls["power (GetPowerUsage)"] = partial(pynvml.nvmlDeviceGetPowerUsage, handle)
    for name, ids in _IDS.items():
        calls[f"fields: {name}"] = partial(_field_values, handle, ids)
    for name, kind in _BUFFERS.items():
        as_shipped = partial(pynvml.nvmlDeviceGetSamples, handle, kind, 0)
        calls[f"buffer: {name}, as nvidia-ml-py"] = as_shipped
        calls[f"buffer: {name}, size alone"] = partial(_samples, handle, kind, 0)
        calls[f"buffer: {name}, samples alone"] = partial(_samples, handle, kind, 1000)
    calls["monitors: all of ours"] = Gpm(handle, METRICS).read
    events = pynvml.nvmlEventSetCreate()
    pynvml.nvmlDeviceRegisterEvents(handle, pynvml.nvmlEventTypeXidCriticalError, events)
    calls["events"] = partial(_wait, events)
    calls["nothing"] = lambda: None
    return calls


def _tell_buffers(handle: Any) -> None:
    """How much of each reading the driver keeps."""
    for name, kind in _BUFFERS.items():
        answer, reason = ask_nvml(pynvml.nvmlDeviceGetSamples, handle, kind, 0)
        if reason is not None:
            sys.stdout.write(f"buffer of {name}: {reason}\n")
            continue
        stamps = sorted(sample.timeStamp for sample in answer[1] if sample.timeStamp)
        if not stamps:
            sys.stdout.write(f"buffer of {name}: {len(answer[1])} places, all empty\n")
            continue
        steps_ms = [(after - before) / 1e3 for before, after in pairwise(stamps)]
        sys.stdout.write(
            f"buffer of {name}: {len(stamps)} samples over {(stamps[-1] - stamps[0]) / 1e6:.2f} s, "
            f"{statistics.median(steps_ms or [0]):.1f} ms apart, the newest "
            f"{time.time() - stamps[-1] / 1e6:.3f} s old\n"
        )


def _field_values(handle: Any, ids: list[int]) -> None:
    for one in pynvml.nvmlDeviceGetFieldValues(handle, [(number, 0) for number in ids]):
        if one.nvmlReturn != pynvml.NVML_SUCCESS:
            raise pynvml.NVMLError(one.nvmlReturn)


def _samples(handle: Any, kind: int, room: int) -> None:
    """One call of the library's: with room 0 it answers how many there may be."""
    count, value_type = c_uint(room), c_uint(0)
    places = (pynvml.c_nvmlSample_t * room)() if room else None
    code = pynvml.nvmlLib.nvmlDeviceGetSamples(
        handle, c_uint(kind), c_ulonglong(0), byref(value_type), byref(count), places
    )
    if code != pynvml.NVML_SUCCESS:
        raise pynvml.NVMLError(code)


def _wait(events: Any) -> None:
    try:
        pynvml.nvmlEventSetWait_v2(events, 0)
    except pynvml.NVMLError as error:
        if error.value != pynvml.NVML_ERROR_TIMEOUT:
            raise


if __name__ == "__main__":
    sys.exit(main())

"""What a card's memory and its matrix unit draw, each alone and for seconds: rate, watts, clock.

    python -m tests.benchmarks.draw [--seconds 3] [--settle 1] [--device cuda]

The floors under every engine's joules: no step costs less than reading its bytes, no prefill less
than its products. An engine near its bound of bytes may so be held by the card's power limit
instead (`docs/performance.md`). Before the clock is read the work runs for --settle seconds, as a
cool card is quicker and draws more than it can go on with; what its first call took stands beside.

Written before: an H200 reads 4.4 to 4.5 TB/s at less than its 700 W, and large products are held
by the limit at 650 TFLOP/s. Found (with the same loops in a script that is not kept): reading took
703 to 712 W, products 645 TFLOP/s.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pynvml
import torch

from tests.benchmarks.meter import Meter

# Far beyond any cache, and a third of a small card.
_BYTES: Final = {"cuda": 1 << 31, "cpu": 1 << 24}
# Rows, outputs and inputs: 7B's gates and ups for 64 prompts of 128 tokens.
_PRODUCT: Final = {"cuda": (8192, 22016, 4096), "cpu": (64, 128, 256)}
# The host queues so long a stretch at a time, and asks for the clock after each.
_STRETCH_S: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Work:
    """Something that a card does again and again."""

    name: str
    do: Callable[[], object]
    amount: float
    """Bytes or operations of one call."""
    unit: str
    """What `amount` counts: byte or FLOP."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What it came to."""

    first_s: float
    """Of a call before many: once all is loaded, and before the card has settled."""
    call_s: float
    """Mean of a call afterwards."""
    power_w: float | None
    """None where no driver tells, or a sample of its is missing."""
    sm_clock_mhz: float | None

    def lines(self, work: Work) -> str:
        """For people."""
        rate = work.amount / self.call_s / 1e12
        cool = work.amount / self.first_s / 1e12
        told = f"{work.name:8} {rate:9.3f} T{work.unit}/s (first call {cool:.3f})"
        if self.power_w is None or self.sm_clock_mhz is None:
            return f"{told}, power not told"
        per = self.power_w * self.call_s / work.amount * 1e12
        scale, unit = (8, "bit") if work.unit == "byte" else (1, work.unit)
        return (
            f"{told}, {self.power_w:.0f} W, SM clock {self.sm_clock_mhz:.0f} MHz, "
            f"{per / scale:.2f} pJ a {unit}"
        )


def works(device: str) -> list[Work]:
    """Reading, copying and multiplying; numbers as random as weights are."""
    count = _BYTES[device] // 4
    source = torch.randn(count, device=device)
    target = torch.empty_like(source)
    rows, outputs, inputs = _PRODUCT[device]
    kind = torch.float16 if device == "cuda" else torch.float32
    x = torch.randn(rows, inputs, device=device, dtype=kind)
    weight = torch.randn(outputs, inputs, device=device, dtype=kind) * 0.02
    flops = 2.0 * rows * outputs * inputs
    return [
        Work(name="read", do=source.sum, amount=4.0 * count, unit="byte"),
        Work(name="copy", do=lambda: target.copy_(source), amount=8.0 * count, unit="byte"),
        Work(name="product", do=lambda: torch.mm(x, weight.t()), amount=flops, unit="FLOP"),
    ]


def measure(work: Work, device: str, *, settle_s: float, seconds: float) -> Drawn:
    """Let it run, then count, time and meter."""
    wait: Callable[[], None] = torch.cuda.synchronize if device == "cuda" else lambda: None
    work.do()
    wait()
    start_s = time.monotonic()
    work.do()
    wait()
    first_s = time.monotonic() - start_s
    calls = max(1, int(_STRETCH_S / first_s))
    handle, meter = _board(device)
    clocks: list[int] = []

    def stretch() -> None:
        for _ in range(calls):
            work.do()
        if handle is not None:
            # PromptRow while the card is at work.
            clocks.append(int(pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)))
        wait()

    try:
        _go_on(stretch, settle_s)
        clocks.clear()
        start_us = time.monotonic_ns() // 1000
        done = calls * _go_on(stretch, seconds)
        end_us = time.monotonic_ns() // 1000
        energy_j = meter.energy_j([(start_us, end_us)]) if meter else None
    finally:
        if meter:
            meter.close()
    taken_s = (end_us - start_us) / 1e6
    return Drawn(
        first_s=first_s,
        call_s=taken_s / done,
        power_w=None if energy_j is None else energy_j / taken_s,
        sm_clock_mhz=sum(clocks) / len(clocks) if clocks else None,
    )


def _go_on(stretch: Callable[[], None], seconds: float) -> int:
    """Stretch after stretch for so long; how many."""
    done = 0
    end_s = time.monotonic() + seconds
    while done == 0 or time.monotonic() < end_s:
        stretch()
        done += 1
    return done


def _board(device: str) -> tuple[Any, Meter | None]:
    if device != "cuda":
        return None, None
    uuid = f"GPU-{str(torch.cuda.get_device_properties(0).uuid).removeprefix('GPU-')}"
    meter = Meter([uuid])
    return pynvml.nvmlDeviceGetHandleByUUID(uuid), meter


def main(words: Sequence[str] | None = None) -> int:
    """Measure all and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--settle", type=float, default=1.0)
    parser.add_argument("--device", choices=sorted(_BYTES), default="cuda")
    given = parser.parse_args(words)
    if given.device == "cuda" and not torch.cuda.is_available():
        sys.stderr.write("draw: `--device` must be cpu here, as CUDA sees no GPU\n")
        return 2
    for work in works(given.device):
        drawn = measure(work, given.device, settle_s=given.settle, seconds=given.seconds)
        sys.stdout.write(drawn.lines(work) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

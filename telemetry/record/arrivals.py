"""Arrivals: when the prompts of a served load come, drawn from the spec alone.

A Poisson process: the times between two arrivals are independent and exponential, so what comes
does not wait for what is answered. Whoever has the spec draws the same moments again.
"""

import math
import random

from telemetry.clock import US_PER_S


def arrivals_us(rate_per_s: float, seed: int, batch: int, count: int) -> list[int]:
    """Microseconds from a batch's begin to each of its `count` prompts; they do not fall.

    The first comes after an interval of its own. Each batch, which is a pass, has its own draw.
    """
    # Python's own generator gives the same floats for the same seed in every release (`random`).
    draw = random.Random(f"{seed}/arrivals/{batch}")  # noqa: S311 (a load, no secret)
    moments, at_s = [], 0.0
    for _ in range(count):
        at_s -= math.log(1.0 - draw.random()) / rate_per_s
        moments.append(round(at_s * US_PER_S))
    return moments

"""How often intervals of 95 % hold the truth, by simulation with a fixed seed.

    python -m tests.benchmarks.intervals [--times 2000]

Of a mean's interval by Student's t and by BCa, for several numbers of repeats whose scatter is
normal or leans to one side; of the ratio of pairs whose boards' gain is unknown; of a part of a
scatter; of an effect of the mixed model. The shares are of `--times` draws, those of the last two
of a tenth of them, as each is a fit: with 2,000 they hold to one in a hundred, and to three (two
standard errors).
"""

import argparse
import math
import sys
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from analysis.statistics.components import NestedReading, components
from analysis.statistics.intervals import interval_95
from analysis.statistics.mixed_model import Term, mixed_model
from analysis.statistics.ratio import Repeats, ratio_of_pairs
from analysis.statistics.resampled import bca_of_mean

_SEED: Final = 7
_GAIN: Final = 0.05


def of_means(times: int) -> Iterator[tuple[str, float]]:
    """Of a mean, by number of repeats, scatter and method."""
    for n in (3, 5, 10, 20, 30):
        for scatter in ("normal", "exponential"):
            draw = np.random.default_rng(_SEED)
            by_t = by_bca = 0
            for _ in range(times):
                drawn = draw.normal(0.0, 1.0, n)
                if scatter == "exponential":
                    drawn = draw.exponential(1.0, n) - 1.0
                values = 100.0 + drawn
                found = interval_95([float(value) for value in values])
                assert found.low is not None
                assert found.high is not None
                by_t += found.low <= 100.0 <= found.high
                ends = bca_of_mean(values)
                by_bca += ends is not None and ends[0] <= 100.0 <= ends[1]
            yield f"mean of {n} {scatter} repeats, t", by_t / times
            yield f"mean of {n} {scatter} repeats, BCa", by_bca / times


def of_pairs(times: int) -> Iterator[tuple[str, float]]:
    """Of the ratio of pairs on two boards whose gain is anywhere within its limit."""
    for n in (2, 3, 8):
        for scatter in (0.005, 0.05, 0.2):
            draw = np.random.default_rng(_SEED)
            held = 0
            for _ in range(times):
                gains = draw.uniform(-_GAIN, _GAIN, 2)
                base, other = (np.exp(draw.normal(gain, scatter, n)) for gain in gains)
                sides = (
                    Repeats(values=tuple(map(float, side)), sensor=0.0, gain=_GAIN)
                    for side in (base, other)
                )
                found = ratio_of_pairs(*sides, margin=0.05)
                assert found.low is not None
                assert found.high is not None
                held += found.low <= 1.0 <= found.high
            yield f"ratio of {n} pairs, scatter {scatter:g}, gain {_GAIN:g} a board", held / times


def of_parts(times: int) -> Iterator[tuple[str, float]]:
    """Of the share of a scatter that is between runs: 3 repeats of 4 points on 4 GPUs."""
    for share in (0.1, 0.5, 0.9):
        draw = np.random.default_rng(_SEED)
        held = 0
        for _ in range(times):
            readings = [
                NestedReading(
                    point=f"{point}", run=f"{run}", node="", value=of_run + draw.normal(0.0, 1.0)
                )
                for point in range(4)
                for run in range(3)
                for of_run in [draw.normal(0.0, math.sqrt(share / (1 - share)))]
                for _ in range(4)
            ]
            runs = components(readings)[0]
            assert runs.share_low is not None
            assert runs.share_high is not None
            held += runs.share_low <= share <= runs.share_high
        yield f"share {share:g} between 12 runs of 4 GPUs", held / times


def of_effects(times: int) -> Iterator[tuple[str, float]]:
    """Of an engine's multiplier: 2 engines x 3 batches, 3 repeats, and points have their own."""
    for own in (0.0, 0.02):
        draw = np.random.default_rng(_SEED)
        held = 0
        for _ in range(times):
            logs: list[float] = []
            points: list[str] = []
            columns: list[tuple[float, float]] = []
            for engine in (0, 1):
                for batch in (0, 1, 2):
                    of_point = draw.normal(0.0, own)
                    logs += [float(of_point + draw.normal(0.0, 0.01)) for _ in range(3)]
                    points += [f"{engine} {batch}"] * 3
                    columns += [(float(engine), float(batch))] * 3
            terms = [
                Term(factor=name, label=name, values=values)
                for name, values in zip(
                    ("engine", "batch"), zip(*columns, strict=True), strict=True
                )
            ]
            found: Any = mixed_model(logs, points, terms).effects[0]
            held += found.low <= 1.0 <= found.high
        yield f"engine's multiplier, points' own {own:g}", held / times


def main() -> int:
    """Print each share."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.intervals")
    parser.add_argument("--times", type=int, default=2000)
    times = parser.parse_args().times
    fits = max(1, times // 10)
    for simulate, draws in (
        (of_means, times),
        (of_pairs, times),
        (of_parts, fits),
        (of_effects, fits),
    ):
        for name, share in simulate(draws):
            sys.stdout.write(f"{share:6.1%}  {name}\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

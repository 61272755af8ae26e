"""How often the interval that ends repeats=auto holds the mean, by the level of each look.

    python -m tests.benchmarks.repeats [--series 40000]

Repeats are normal around 1; a series ends at the first look whose interval is as narrow as asked.
Printed is for each least number of repeats and each level the smallest share that held, over 24
scatters from a tenth of the width to four times it and up to 20 or 100 repeats.
"""

import argparse
import sys
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import special

from launcher.repeats.stopping import LOOK_LEVEL

FloatArray = npt.NDArray[np.float64]

_LEAST: Final = (3, 4, 5, 8)
_LEVELS: Final = (0.95, 0.97, 0.975, LOOK_LEVEL, 0.985)
_MOST: Final = (20, 100)
_SCATTERS: Final = np.geomspace(0.1, 4.0, 24)
# Small beside the mean, as a share's own ends are then the width's.
_WIDTH: Final = 1e-3


def held(values: FloatArray, *, least: int, level: float) -> float:
    """Share of series whose last interval holds the mean, which is 1; shape (series, repeats)."""
    series, most = values.shape
    counts = np.arange(1, most + 1)
    means = np.cumsum(values, axis=1) / counts
    # About 1, as squares of numbers near 1 would lose the digits.
    squares = np.cumsum((values - 1) ** 2, axis=1) - counts * (means - 1) ** 2
    quantiles = special.stdtrit(counts[1:] - 1, (1 + level) / 2)
    halves = np.full((series, most), np.inf)
    variances = np.maximum(squares[:, 1:], 0) / (counts[1:] - 1)
    halves[:, 1:] = quantiles * np.sqrt(variances / counts[1:]) / means[:, 1:]
    ended = (halves <= _WIDTH) & (counts >= least)
    last = np.where(ended.any(axis=1), ended.argmax(axis=1), most - 1)
    rows = np.arange(series)
    ends = means[rows, last]
    return float((np.abs(ends - 1) <= halves[rows, last] * ends).mean())


def least_held(least: int, level: float, series: int) -> float:
    """The same of the scatter and the most repeats of which least hold it."""
    shares = []
    for most in _MOST:
        for seed, scatter in enumerate(_SCATTERS):
            random = np.random.default_rng(seed)
            values = 1 + _WIDTH * scatter * random.standard_normal((series, most))
            shares.append(held(values, least=least, level=level))
    return min(shares)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=40_000)
    series = parser.parse_args().series
    lines = ["least  " + "".join(f"{level:>9.1%}" for level in _LEVELS)]
    for least in _LEAST:
        shares = [least_held(least, level, series) for level in _LEVELS]
        lines.append(f"{least:>5}  " + "".join(f"{share:>9.2%}" for share in shares))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

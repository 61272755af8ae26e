"""Clock model: what the simulated boards' power and speed rest on, fitted, with what is left.

    python -m tests.benchmarks.clock_model

The model: at clock x (a share of the highest) a board at work draws s + (1 - s) x^a of what it
draws at x = 1, and work takes 1 - b + b / x of its time. The recorded runs determine what a held
board draws, what one draws at rest, and how a step of `fast` goes with the clock; no board of
theirs was set, so they tell neither s nor a, and of `reference` no clock but 1980 MHz. Those are
taken from table III of arXiv 2310.03003, which is of the reference's loop on A100.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from analysis.paper.published import published
from analysis.power.observed import observed
from analysis.power.regression import CLOCK, ObservedSlope, curve_of
from analysis.statistics.intervals import t_quantile_95
from analysis.tables.column import Row

_CAPS_W: Final = (175.0, 150.0)
# Any in the valley of equal residuals does; these are near it.
_START: Final = (0.35, 0.1, 0.6, 0.4)
_PERCENT: Final = 100.0
EXPONENTS: Final = (1.0, 1.5, 2.0, 3.0)
"""Of the clock in power: table III fits all of them equally well."""
EXPONENT: Final = 1.0
"""The one taken. arXiv 2605.11999: H200 at 1590 instead of 1980 MHz draws 7 to 13 % less in decode
of 137 to 300 W; above 120.5 W at rest, proportional to the clock, that is 2 to 13 %."""


@dataclass(frozen=True, kw_only=True)
class TableThreeFit:
    """What table III says of power and time at a clock that it does not tell."""

    exponent: float
    """a, given."""
    still_share: float
    """s: of the power, what does not follow the clock."""
    still_half: float
    """Half of its 95 % interval."""
    time_share: float
    """b: of the time, what follows the clock."""
    time_half: float
    """Half of its 95 % interval."""
    clocks: tuple[float, ...]
    """x at 175 and 150 W."""
    left: float
    """Standard deviation of what is left, of time and of energy over those at 250 W."""
    most_left: float
    """The largest of it."""


def fit_table_three(exponent: float = EXPONENT) -> TableThreeFit:
    """Least squares over time and energy of the two caps and three lengths: twelve numbers."""
    told = _table_three()

    def left(found: NDArray[np.float64]) -> NDArray[np.float64]:
        still, share = float(found[0]), float(found[1])
        parts = []
        for cap, time, energy in told:
            clock = float(found[2 + _CAPS_W.index(cap)])
            longer = 1.0 - share + share / clock
            power = still + (1.0 - still) * clock**exponent
            parts += [longer - time, power * longer - energy]
        return np.array(parts)

    found = least_squares(left, _START)
    free = 2 * len(told) - len(found.x)
    variance = 2.0 * float(found.cost) / free
    half = t_quantile_95(free) * np.sqrt(np.diag(np.linalg.inv(found.jac.T @ found.jac)) * variance)
    return TableThreeFit(
        exponent=exponent,
        still_share=float(found.x[0]),
        still_half=float(half[0]),
        time_share=float(found.x[1]),
        time_half=float(half[1]),
        clocks=tuple(float(clock) for clock in found.x[2:]),
        left=float(np.sqrt(variance)),
        most_left=float(np.abs(found.fun).max()),
    )


def _table_three() -> list[tuple[float, float, float]]:
    """Cap, time and energy over those at 250 W, of each length."""
    cells: dict[tuple[float, int], dict[str, float]] = {}
    for one in published():
        if one.source == "table III" and len(one.max_gen_lens) == 1 and one.power_cap_w in _CAPS_W:
            place = one.power_cap_w, one.max_gen_lens[0]
            cells.setdefault(place, {})[one.metric] = 1.0 + one.value / _PERCENT
    return [(cap, cell["duration_s"], cell["energy_j"]) for (cap, _), cell in cells.items()]


def step_slope(readings: Sequence[Row], board: str, engine: str) -> ObservedSlope | None:
    """Per cent of a step's time by one per cent of clock, observed, not set: -b of the model."""
    own = [row for row in readings if (row["board"], row["engine"]) == (board, engine)]
    return curve_of(observed(own, "step_s")).slopes.get(CLOCK)


def main() -> None:
    """Print the fits of table III, and of the recorded runs that are unpacked in a folder."""
    for exponent in EXPONENTS:
        fit = fit_table_three(exponent)
        clocks = ", ".join(f"{clock:.2f}" for clock in fit.clocks)
        sys.stdout.write(
            f"table III, a = {exponent:g}: s = {fit.still_share:.3f} +- {fit.still_half:.3f}, "
            f"b = {fit.time_share:.3f} +- {fit.time_half:.3f}, clocks {clocks}; left "
            f"{fit.left:.2%} (s.d.), {fit.most_left:.2%} at most\n"
        )
    for board, engine, slope in _recorded():
        told = (
            "cannot tell"
            if slope is None
            else (f"{slope.value:+.4f} ({slope.low:+.4f} to {slope.high:+.4f})")
        )
        sys.stdout.write(f"recorded, {board}, {engine}: % of a step's time by % of clock: {told}\n")


def _recorded() -> list[tuple[str, str, Any]]:
    """Every board and engine of the recorded runs, with its slope."""
    import tempfile  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from analysis.power.clock_readings import CLOCK_READINGS  # noqa: PLC0415
    from analysis.runs.sealed_runs import load  # noqa: PLC0415
    from analysis.workbook.build import build_tables  # noqa: PLC0415
    from tests.support.recordings import FOLDER, recorded, unpack  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        for folder in (FOLDER, FOLDER / "gsm8k", FOLDER / "paper"):
            for archive in recorded(folder):
                unpack(archive, Path(name))
        tables = build_tables(load(Path(name)), kinds=(CLOCK_READINGS,))
    rows = list(tables.clock_readings.rows)
    pairs = sorted({(str(row["board"]), str(row["engine"])) for row in rows})
    return [(*pair, step_slope(rows, *pair)) for pair in pairs]


if __name__ == "__main__":
    main()

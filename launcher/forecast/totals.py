"""Totals: what a grid costs in all, and how that and a point's part of it are said."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from launcher.plan.grid import Grid, PlannedPoint, Verdict
from telemetry.record.foreseen import Expected, Foreseen, scaled

_J_PER_KWH: Final = 3.6e6
_S_PER_H: Final = 3600.0
_S_PER_MIN: Final = 60.0
# Two digits say as much as a forecast knows.
_MOST_IN_SMALLER: Final = 100
_MOST_BASES: Final = 3
NOTHING: Final = Expected(value=0.0, low=0.0, high=0.0)
"""What no point takes."""


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What points that are to run take in all.

    Ends of intervals are summed: what a forecast is wrong by, it is wrong by in all points alike.
    """

    points: int
    """How many they are."""
    jobs_s: Expected
    """All jobs, one after the other."""
    gpu_hours: Expected
    """What they hold of GPUs, real or simulated."""
    energy_j: Expected
    """Of real GPUs; 0 where none takes part."""
    simulated_energy_j: Expected
    """Of simulated ones: a power model's."""
    wall_s: Expected
    """From the first start to the last end, were all nodes free: on this machine one job runs at a
    time, on a batch system as many of a shape as `array_parallelism` lets."""

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


def totals(points: Iterable[PlannedPoint]) -> Totals:
    """What those of `points` that are to run take; what is sealed costs nothing."""
    running = [
        (point, point.foreseen)
        for point in points
        if point.verdict is Verdict.RUN and point.foreseen is not None
    ]
    return Totals(
        points=len(running),
        jobs_s=summed(seen.time_s for _, seen in running),
        gpu_hours=summed(seen.gpu_hours(point.spec.gpus) for point, seen in running),
        energy_j=summed(_energies(running, simulated=False)),
        simulated_energy_j=summed(_energies(running, simulated=True)),
        wall_s=_wall_s(running),
    )


def _energies(
    running: Sequence[tuple[PlannedPoint, Foreseen]], *, simulated: bool
) -> Iterable[Expected]:
    return (
        seen.energy_j
        for _, seen in running
        if seen.energy_j is not None and seen.simulated == simulated
    )


def _wall_s(running: Sequence[tuple[PlannedPoint, Foreseen]]) -> Expected:
    here = summed(seen.time_s for point, seen in running if point.cluster.slurm is None)
    shapes: dict[tuple[object, ...], list[Expected]] = {}
    at_once: dict[tuple[object, ...], int] = {}
    for point, seen in running:
        if point.cluster.slurm is not None:
            shape = (point.cluster.name, point.spec.gpus_per_node, point.spec.nodes)
            shapes.setdefault(shape, []).append(seen.time_s)
            at_once[shape] = point.cluster.slurm.array_parallelism
    ends = [_array_s(times, at_once[shape]) for shape, times in shapes.items()]
    return Expected(
        value=max([here.value, *(end.value for end in ends)]),
        low=max([here.low, *(end.low for end in ends)]),
        high=max([here.high, *(end.high for end in ends)]),
    )


def _array_s(times: Sequence[Expected], at_once: int) -> Expected:
    """An array's jobs, so many at once: the longest, or all of them shared out."""
    lanes = min(at_once, len(times))
    shared = scaled(summed(times), 1 / lanes)
    longest = max(times, key=lambda time: time.value)
    return Expected(
        value=max(shared.value, longest.value),
        low=max(shared.low, longest.low),
        high=max(shared.high, longest.high),
    )


def summed(amounts: Iterable[Expected]) -> Expected:
    """The sum, its ends summed too."""
    value = low = high = 0.0
    for amount in amounts:
        value, low, high = value + amount.value, low + amount.low, high + amount.high
    return Expected(value=value, low=low, high=high)


def time_text(seconds: float) -> str:
    """A time in the largest unit that leaves it at least two digits."""
    for size, unit in ((1.0, "s"), (_S_PER_MIN, "min")):
        if seconds / size < _MOST_IN_SMALLER:
            return f"{_rounded(seconds / size)} {unit}"
    return f"{_rounded(seconds / _S_PER_H)} h"


def spanned_time(seconds: Expected) -> str:
    """A time with its interval."""
    return _spanned(seconds, time_text)


def time_cell(points: Sequence[PlannedPoint]) -> str:
    """What the jobs of a row take together; a dash where they do not run."""
    seen = [point.foreseen.time_s for point in points if point.foreseen is not None]
    return time_text(summed(seen).value) if seen else "-"


def energy_cell(points: Sequence[PlannedPoint]) -> str:
    """What the GPUs of a row take together, in kWh; a dash where none takes part."""
    seen = [
        point.foreseen.energy_j
        for point in points
        if point.foreseen is not None and point.foreseen.energy_j is not None
    ]
    return _rounded(summed(seen).value / _J_PER_KWH) if seen else "-"


def cost_lines(points: Sequence[PlannedPoint]) -> list[str]:
    """What the grid costs in all and what that is known from; nothing where nothing is to run."""
    cost = totals(points)
    if not cost.points:
        return []
    parts = [
        f"{spanned_time(cost.jobs_s)} of jobs",
        f"{_spanned(cost.gpu_hours, _rounded)} GPU hours",
    ]
    for energy, word in ((cost.energy_j, "GPUs"), (cost.simulated_energy_j, "simulated GPUs")):
        if energy.value > 0:
            parts.append(f"{_spanned(scaled(energy, 1 / _J_PER_KWH), _rounded)} kWh of {word}")
    line = f"expected: {', '.join(parts)}"
    if any(point.cluster.slurm is not None for point in points):
        line += f"; {spanned_time(cost.wall_s)} from first to last were all nodes free"
    return [line, *_basis_lines(points)]


def most_totals(grid: Grid) -> Totals | None:
    """What the points that are to run take if each is repeated as often as its rule allows.

    None where repeats are counted.
    """
    if grid.auto is None:
        return None
    series: dict[str, list[PlannedPoint]] = {}
    for point in grid.points:
        series.setdefault(dataclasses.replace(point.spec, repeat=0).run_id, []).append(point)
    points = [
        point
        for each in series.values()
        if (open_ := [one for one in each if one.verdict is Verdict.RUN])
        for point in (*open_, *open_[-1:] * max(0, grid.auto.most - len(each)))
    ]
    return totals(points)


def most_line(grid: Grid) -> str | None:
    """What repeats=auto takes from its least to its most; None where repeats are counted."""
    most, auto = most_totals(grid), grid.auto
    if most is None or auto is None or not most.points:
        return None
    least = totals(grid.points)
    parts = [
        f"{time_text(least.jobs_s.value)} to {time_text(most.jobs_s.value)} of jobs",
        f"{_rounded(least.gpu_hours.value)} to {_rounded(most.gpu_hours.value)} GPU hours",
    ]
    for low, high, word in (
        (least.energy_j, most.energy_j, "GPUs"),
        (least.simulated_energy_j, most.simulated_energy_j, "simulated GPUs"),
    ):
        if high.value > 0:
            ends = (_rounded(each.value / _J_PER_KWH) for each in (low, high))
            parts.append(f"{' to '.join(ends)} kWh of {word}")
    budgets = ((auto.gpu_hours, "GPU hours"), (auto.kwh, "kWh"))
    bounds = [f"{value:g} {unit}" for value, unit in budgets if value is not None]
    end = f"; no round beyond {' or '.join(bounds)}" if bounds else ""
    return f"repeats=auto, from this round to {auto.most} of each: {', '.join(parts)}{end}"


def _basis_lines(points: Sequence[PlannedPoint]) -> list[str]:
    counts: dict[str, int] = {}
    for point in points:
        if point.verdict is Verdict.RUN and point.foreseen is not None:
            counts[point.foreseen.told] = counts.get(point.foreseen.told, 0) + 1
    often = sorted(counts.items(), key=lambda item: -item[1])
    lines = [f"{told} ({_points(count)})" for told, count in often[:_MOST_BASES]]
    if more := often[_MOST_BASES:]:
        lines.append(f"from {len(more)} more ({_points(sum(count for _, count in more))})")
    return lines


def late_notes(points: Sequence[PlannedPoint]) -> list[str]:
    """Which points are expected to outlast their time limit; nothing when none is."""
    late = [
        (point, point.foreseen)
        for point in points
        if point.verdict is Verdict.RUN
        and point.foreseen is not None
        and point.foreseen.time_s.value > point.cluster.timeout_min * _S_PER_MIN
    ]
    if not late:
        return []
    point, seen = max(late, key=lambda one: one[1].time_s.value)
    who = f"{_points(len(late))} {'are' if len(late) > 1 else 'is'}"
    return [
        f"{who} expected to outlast cluster.timeout_min={point.cluster.timeout_min}, such as "
        f"{point.spec.run_id}: {spanned_time(seen.time_s)}"
    ]


def _points(count: int) -> str:
    return f"{count} point{'s' if count > 1 else ''}"


def _spanned(amount: Expected, text: Callable[[float], str]) -> str:
    return f"{text(amount.value)} ({text(amount.low)} to {text(amount.high)})"


def _rounded(number: float) -> str:
    """Two digits, and no more digits than it has."""
    return f"{number:.2g}" if abs(number) < _MOST_IN_SMALLER else f"{float(f'{number:.2g}'):.0f}"

"""Smallest: the least difference that the planned repeats can show, told before the run.

By the scatter of sealed repeats: those of the same model, engine and board in the results folder
and in `history`, else of any, simulated boards apart from real ones.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import variance
from typing import Final

from launcher.plan.grid import Grid, Verdict
from launcher.repeats.measured import measure
from launcher.repeats.series import by_series, series_key
from telemetry.command import lacks
from telemetry.nearest import told_count
from telemetry.record.differing import MEASUREMENT_FIELDS
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, RunPaths, list_runs
from telemetry.record.spec import RunSpec
from telemetry.waiting import waiting

# A second's worth: more narrow no scatter by much.
_MOST_RUNS: Final = 48
_SCATTERS: Final = 2
_COUNTS: Final = (Verdict.RUN, Verdict.MERGE, Verdict.SEALED, Verdict.QUEUED, Verdict.RUNNING)
_UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError)


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """How repeats of one point scatter."""

    share: float
    """Standard deviation of the logarithms of J/token, pooled over points: a share of the mean."""
    repeats: int
    """Sealed repeats that tell it."""
    of: str
    """What they are of."""


def smallest_notes(grid: Grid) -> list[str]:
    """What the repeats of a plan can show, in a line or none; nothing where nothing is to run."""
    if not grid.having(Verdict.RUN):
        return []
    counts = [
        sum(point.verdict in _COUNTS for point in points)
        for points in by_series(grid.points).values()
        if any(point.verdict is Verdict.RUN for point in points)
    ]
    least, most = min(counts), max(counts)
    if grid.auto is not None:
        least, most = min(least, grid.auto.least), grid.auto.most
    if most < _SCATTERS:
        return ["one repeat of a point shows no difference: no interval (repeats=3 has one)"]
    try:
        return [_line(least, most, grid)]
    except ModuleNotFoundError as error:
        return [f"what repeats can show is not told: {lacks(error.name or 'scipy', 'analysis')}"]


def _line(least: int, most: int, grid: Grid) -> str:
    from analysis.statistics.design import smallest_effect  # noqa: PLC0415

    many = f"{least} repeats" if least == most else f"{least} to {most} repeats"
    scatter = known_scatter(grid)
    if scatter is None:
        return (
            f"what {many} of a point can show: scatter not known, as no point has two sealed "
            f"repeats; after {max(least, _SCATTERS)} repeats it is"
        )
    shown = [
        smallest_effect(number, number, scatter.share) for number in dict.fromkeys((least, most))
    ]
    words = " to ".join("nothing" if each is None else _percent(each) for each in shown)
    return (
        f"{many} of a point show a difference of {words} between two points, in 4 of 5 cases at "
        f"5 %: scatter {_percent(scatter.share)} in {told_count(scatter.repeats, 'sealed repeat')} "
        f"of {scatter.of}"
    )


@waiting("looking how repeats scatter")
def known_scatter(grid: Grid) -> Scatter | None:
    """The scatter of the sealed repeats that are nearest to a plan; None where there are no two.

    Raises:
        ModuleNotFoundError: what reads a record is not installed.
    """
    planned = [point.spec for point in grid.having(Verdict.RUN)]
    works = {_work(spec) for spec in planned}
    folders = [grid.results, *(() if grid.history is None else (grid.history,))]
    found = _repeated(folders, simulated={spec.simulated for spec in planned})
    same = {key: runs for key, runs in found.items() if _work(runs[0][0]) in works}
    values = _values(same)
    if not values:
        same = {}
        values = _values(found)
    if not values:
        return None
    degrees = sum(len(logs) - 1 for logs in values)
    pooled = math.fsum((len(logs) - 1) * variance(logs) for logs in values) / degrees
    names = sorted({_name(runs[0][0]) for runs in (same or found).values()})
    of = " and ".join(names) if len(names) <= _SCATTERS else f"{len(names)} models and engines"
    return Scatter(
        share=math.sqrt(pooled),
        repeats=sum(map(len, values)),
        of=of if same else f"{of}, as none is of this work",
    )


def _repeated(
    folders: Sequence[Path], *, simulated: set[bool]
) -> dict[str, list[tuple[RunSpec, RunPaths]]]:
    """The sealed runs of points that have several, measured alike."""
    found: dict[str, dict[str, tuple[RunSpec, RunPaths]]] = {}
    for folder in folders:
        for run in list_runs(folder):
            try:
                spec = RunSpec.read(run.spec)
                if spec.simulated in simulated and (sealed := run.sealed()) is not None:
                    key = f"{series_key(spec)} {_measurement(sealed)}"
                    # Of one run in two folders the first is taken: they are copies.
                    found.setdefault(key, {}).setdefault(run.run_id, (spec, run))
            except _UNREADABLE:
                continue
    return {key: list(runs.values()) for key, runs in found.items() if len(runs) >= _SCATTERS}


def _measurement(sealed: AttemptPaths) -> str:
    launch = read_json(sealed.launch)
    return json.dumps([launch.get(name) for name in MEASUREMENT_FIELDS])


def _values(found: Mapping[str, Sequence[tuple[RunSpec, RunPaths]]]) -> list[list[float]]:
    """Logarithms of J/token of each point's repeats, of as many points as are read in a second."""
    values: list[list[float]] = []
    count = 0
    for runs in found.values():
        if count >= _MOST_RUNS:
            break
        count += len(runs)
        read = (measure(run).j_per_token for _, run in runs[:_MOST_RUNS])
        logs = [math.log(each) for each in read if each is not None]
        if len(logs) >= _SCATTERS:
            values.append(logs)
    return values


def _work(spec: RunSpec) -> tuple[str, str, str, str]:
    return spec.model, spec.engine, spec.quantization, spec.gpu


def _name(spec: RunSpec) -> str:
    bits = "" if spec.quantization == "none" else f" {spec.quantization}"
    return f"{spec.model} {spec.engine}{bits} on {spec.gpu}"


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %"

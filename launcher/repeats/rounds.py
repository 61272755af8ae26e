"""Rounds: the repeats of a grid that come next, by what those before them measured.

A round is one repeat of every point that is not done, so that what drifts with the room falls on
all points alike; the first is `repeats_least` of them at once, as nothing is decided before. All
that is decided is decided from the sealed runs of the results folder: whoever calls again, after
whatever ended the call before, decides the same.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from launcher.config.errors import BadInputError
from launcher.config.hydra_plugins import Point
from launcher.forecast.totals import totals
from launcher.plan.auto_repeats import AutoRepeats
from launcher.plan.check import check
from launcher.plan.checkpoints import Tell
from launcher.plan.grid import Grid, PlannedPoint, Verdict
from launcher.plan.hub_reach import HubReach
from launcher.plan.places import results_folder
from launcher.repeats.drift import drift
from launcher.repeats.look import RoundsLook
from launcher.repeats.measured import MeasuredRepeat, held_s, measure
from launcher.repeats.series import (
    RepeatSeries,
    RepeatStanding,
    added,
    by_series,
    series_key,
    series_of,
)
from launcher.slurm.view import SlurmView
from telemetry.command import lacks
from telemetry.record.paths import RunPaths
from telemetry.record.spec import RunSpec

_S_PER_H = 3600.0
_J_PER_KWH = 3.6e6


class Rounds:
    """Decides round by round how many repeats of each point there are."""

    def __init__(self, points: Sequence[Point], rule: AutoRepeats) -> None:
        self.rule = rule
        """What was asked."""
        self._points = points
        self._results = Path()
        self._wanted: dict[str, int] = {}
        self._failed: set[str] = set()
        self._read: dict[str, MeasuredRepeat] = {}

    def next(self, known: SlurmView, tell: Tell, hub: HubReach | None) -> tuple[Grid, RoundsLook]:
        """The grid with the repeats of the next round, and the look that decided on it.

        Nothing of it is to run where the round before is not over, or no point goes on.

        Raises:
            BadInputError: a value is not allowed, or what reads a record is not installed.
        """
        self._results = results_folder(self._points[0].config)
        grid = self._check(known, tell, hub)
        try:
            look = self._look(grid, tell)
        except ModuleNotFoundError as error:
            raise BadInputError(
                f"`repeats` must be a number here: {lacks(error.name or 'scipy', 'analysis')}"
            ) from error
        if look.having(RepeatStanding.OPEN) or not (going := look.having(RepeatStanding.ON)):
            return grid, look
        self._wanted |= {each.first: each.rounds + 1 for each in going}
        return self._check(known, tell, hub), look

    def give_up(self, run_ids: Iterable[str]) -> None:
        """Try these no more: they failed in this call, and the points beside them go on."""
        self._failed |= set(run_ids)

    def require_budget(self, grid: Grid) -> None:
        """Refuse a budget that the least repeats are expected to go beyond, before any of them.

        Raises:
            BadInputError: it is so small.
        """
        if grid.having(Verdict.SEALED, Verdict.OTHERWISE):
            return
        cost = totals(grid.points)
        energy_kwh = (cost.energy_j.value + cost.simulated_energy_j.value) / _J_PER_KWH
        for name, expected, unit in (
            ("gpu_hours", cost.gpu_hours.value, "GPU hours"),
            ("kwh", energy_kwh, "kWh"),
        ):
            budget = getattr(self.rule, name)
            if budget is not None and expected > budget:
                raise BadInputError(
                    f"`repeats_{name}` must be at least what `repeats_least`={self.rule.least} "
                    f"repeats are expected to take, {expected:.2g} {unit}, but is {budget:g} "
                    "instead"
                )

    def _check(self, known: SlurmView, tell: Tell, hub: HubReach | None) -> Grid:
        grid = check(self._points, known, tell, hub, self._count)
        points = (
            dataclasses.replace(point, verdict=Verdict.FAILED, reason="it failed in this call")
            if point.spec.run_id in self._failed
            else point
            for point in grid.points
        )
        return dataclasses.replace(grid, points=tuple(points))

    def _count(self, spec: RunSpec) -> int:
        """How many repeats of a spec are in the grid: those that lie there and those wanted."""
        laid = 0
        while RunPaths(results=self._results, run_id=_repeat_of(spec, laid)).folder.is_dir():
            laid += 1
        return max(self.rule.least, laid, self._wanted.get(series_key(spec), 0))

    def _look(self, grid: Grid, tell: Tell) -> RoundsLook:
        for point in grid.having(Verdict.SEALED):
            run_id = point.spec.run_id
            if run_id not in self._read:
                tell(f"looking at what {run_id} measured")
                self._read[run_id] = measure(RunPaths(results=grid.results, run_id=run_id))
        series = [
            series_of(first, points, self._read, self.rule)
            for first, points in by_series(grid.points).items()
        ]
        lost = [_lost_gpu_hours(grid.results, point) for point in grid.points]
        gpu_hours = added((*(each.gpu_hours for each in series), *lost))
        kwh = added(each.kwh for each in series)
        stop, why = self._ended(series, gpu_hours, kwh)
        if stop:
            series = [
                each.stopped(RepeatStanding.BUDGET, why)
                if each.standing is RepeatStanding.ON
                else each
                for each in series
            ]
        return RoundsLook(
            rule=self.rule,
            series=tuple(series),
            gpu_hours=gpu_hours,
            kwh=kwh,
            drift=drift([each.by_round for each in series]),
        )

    def _ended(
        self, series: Sequence[RepeatSeries], gpu_hours: float | None, kwh: float | None
    ) -> tuple[bool, str | None]:
        """Whether a budget ends the series, and why where it is not that it is spent.

        It does where one more round, at what a repeat of each took on average, is not in it, and
        where nobody knows what is spent of it.
        """
        going = [each for each in series if each.standing is RepeatStanding.ON and each.sealed]
        for name, spent in (("gpu_hours", gpu_hours), ("kwh", kwh)):
            budget = getattr(self.rule, name)
            if budget is None:
                continue
            if spent is None:
                return True, self._unknown(name)
            more = sum(getattr(each, name) / each.sealed for each in going)
            if spent + more > budget:
                return True, None
        return False, None

    def _unknown(self, name: str) -> str:
        """Why nobody knows what is spent of a budget."""
        lacking = [one for one in self._read.values() if getattr(one, name) is None]
        unit = {"gpu_hours": "GPU hours", "kwh": "kWh"}[name]
        said = f": {lacking[0].reason}" if lacking and lacking[0].reason else ""
        of = lacking[0].run_id if lacking else "an attempt that failed"
        return f"nobody knows what is spent of the {unit}, as those of {of} are not on record{said}"


def _repeat_of(spec: RunSpec, repeat: int) -> str:
    return dataclasses.replace(spec, repeat=repeat).run_id


def _lost_gpu_hours(results: Path, point: PlannedPoint) -> float | None:
    """What the attempts of a point that are not sealed held of GPUs; None where nobody knows.

    One that never began held nothing; of one that began and has no end counts what was foreseen.
    """
    run = RunPaths(results=results, run_id=point.spec.run_id)
    tried = run.attempts() if point.attempts else []
    lost = (held_s(attempt) for attempt in tried if not attempt.seal.is_file())
    seconds = added(lost)
    return None if seconds is None else seconds * point.spec.gpus / _S_PER_H

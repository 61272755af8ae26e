"""Sealed repeats of planned points, and the rounds that are decided from them."""

import functools
from collections.abc import Mapping
from pathlib import Path

from launcher.config.command_line import read_points
from launcher.config.hydra_plugins import Point
from launcher.plan.check import check
from launcher.plan.checkpoints import tell_nobody
from launcher.plan.grid import Grid, PlannedPoint, Verdict
from launcher.plan.repeats_asked import rule_of
from launcher.repeats.look import RoundsLook
from launcher.repeats.rounds import Rounds
from launcher.repeats.series import RepeatStanding
from launcher.slurm.view import SlurmView
from tests.support.records import Plan, build_run

WORDS = (
    *("cluster=local", "gpu=simulated-a100", "model=nano", "dataset.source=sample", "prompts=2"),
    *("batch_size=2", "max_prompt_len=8", "max_gen_len=4", "allow_dirty=true", "dtype=fp32"),
)
QUIET = {1: (1.5, 1.5, 1.5)}
NOISY = {2: (1.5, 2.5, 1.0)}
"""Seconds of decoding of each repeat by seed: what its J/token goes with."""


@functools.cache
def composed(*words: str) -> tuple[Point, ...]:
    """The points of these words; Hydra takes half a second."""
    return tuple(read_points([*WORDS, *words]))


def points_of(results: Path, seeds: str, keys: Mapping[str, object]) -> list[Point]:
    """A point a seed, for a results folder, with these values of keys."""
    return [
        Point({**point.config, "results": str(results), **keys}, point.overrides)
        for point in composed(f"seed={seeds}")
    ]


def grid_of(results: Path, seeds: str = "1", **keys: object) -> Grid:
    """The same, checked."""
    return check(points_of(results, seeds, keys))


def rounds_of(
    results: Path, seeds: str = "1", more: Mapping[str, object] | None = None, **keys: object
) -> Rounds:
    """What decides of their repeats, to ± 5 % and up to six of each where nothing else is said."""
    rule_keys = {"repeats": "auto", "repeats_width": 0.05, "repeats_most": 6}
    points = points_of(results, seeds, {**rule_keys, **keys, **(more or {})})
    rule = rule_of(points)
    assert rule is not None
    return Rounds(points, rule)


def seal(point: PlannedPoint, results: Path, decode_s: float, *, watched: bool) -> None:
    """A sealed run of a planned point, measured as it asks for."""
    launch = {**point.launch.to_mapping()}
    del launch["prompts_sha256"]
    plan = Plan(
        spec=point.spec.to_mapping(),
        launch=launch,
        decode_s=decode_s,
        sample=lambda row: row if watched else None,
    )
    build_run(results, plan)


def look(rounds: Rounds) -> tuple[Grid, RoundsLook]:
    return rounds.next(SlurmView(), tell_nobody, None)


def to_run(grid: Grid) -> list[tuple[int, int]]:
    return [(point.spec.seed, point.spec.repeat) for point in grid.having(Verdict.RUN)]


def standings(found: RoundsLook) -> list[RepeatStanding]:
    return [each.standing for each in found.series]

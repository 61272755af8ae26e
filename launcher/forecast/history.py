"""History: the sealed runs that a forecast learns from: which are read, and by which rule.

A run teaches where its results folder has it sealed and every file of the seal lies there as it was
sealed: what failed, was cut off, is still unsealed or was changed since teaches nothing. A run that
throttled teaches like any other: the next one in that room will throttle too. One whose energy
could not be read teaches time alone. A simulated board teaches that simulated board alone, a CPU's
run teaches on its own host alone, a real board's wherever such a board is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from analysis.runs.sealed_runs import load
from analysis.runs.unreadable import UNREADABLE
from launcher.forecast.learning import Lesson
from launcher.forecast.lesson import lesson
from launcher.forecast.work import Host
from launcher.plan.checkpoints import Tell, tell_nobody
from telemetry.record.paths import RunPaths, list_runs
from telemetry.record.spec import RunSpec

MOST_RUNS: Final = 48
"""Runs read for each kind of board: each takes some 20 ms, and more narrow no interval."""
# A second's worth.
_TOLD_EVERY: Final = 24


@dataclass(frozen=True, kw_only=True)
class History:
    """What was found."""

    lessons: Mapping[str, Sequence[Lesson]]
    """By kind of board, `RunSpec.gpu`."""
    notes: tuple[str, ...]
    """What a reader of the plan should know of runs that were left out."""


def read_history(
    folders: Sequence[Path],
    wanted: Iterable[RunSpec],
    hosts: Mapping[str, Host],
    tell: Tell = tell_nobody,
) -> History:
    """The sealed runs of these results folders that are likest to what is planned.

    `hosts` has by kind of board what stands in for its peaks; `tell` hears how far it is.
    """
    specs = list(wanted)
    kinds = {spec.gpu for spec in specs}
    left_out: list[str] = []
    found: dict[str, dict[str, tuple[RunPaths, RunSpec]]] = {kind: {} for kind in kinds}
    for folder in folders:
        for paths in list_runs(folder):
            # What a folder's name tells is cheaper than what is in it.
            if not any(f"-{kind}-" in paths.run_id for kind in kinds):
                continue
            try:
                spec = RunSpec.read(paths.spec)
                if spec.gpu in kinds and paths.sealed() is not None:
                    # Of one run in two folders the first is taken: they are copies.
                    found[spec.gpu].setdefault(paths.run_id, (paths, spec))
            except UNREADABLE:
                left_out.append(paths.run_id)
    lessons: dict[str, list[Lesson]] = {}
    for kind, runs in found.items():
        likest = _likest([spec for spec in specs if spec.gpu == kind], list(runs.values()))
        lessons[kind] = []
        for number, paths in enumerate(likest[:MOST_RUNS]):
            if number and number % _TOLD_EVERY == 0:
                tell(f"reading what {kind} took before: {number} of {len(runs)} sealed runs")
            taught = _lesson(paths, hosts.get(kind, Host()))
            if taught is None:
                left_out.append(paths.run_id)
            else:
                lessons[kind].append(taught)
    return History(lessons=lessons, notes=_notes(left_out))


def _notes(left_out: Sequence[str]) -> tuple[str, ...]:
    if not left_out:
        return ()
    runs = f"{len(left_out)} runs are" if len(left_out) > 1 else "1 run is"
    return (
        f"{runs} not as sealed or cannot be read, such as {left_out[0]}: "
        "nothing is learned from what is damaged",
    )


def _lesson(paths: RunPaths, host: Host) -> Lesson | None:
    try:
        loaded = load(paths.results, only=paths)
        return lesson(loaded.runs[0], host) if loaded.runs else None
    except UNREADABLE:
        return None


def _likest(wanted: Sequence[RunSpec], there: Sequence[tuple[RunPaths, RunSpec]]) -> list[RunPaths]:
    """The runs there are, those first that are like most of what is planned."""
    names = ("engine", "quantization", "model", "gpus", "batch_size", "max_gen_len")
    values = [{getattr(spec, name) for spec in wanted} for name in names]

    def unlike(run: tuple[RunPaths, RunSpec]) -> tuple[int, str]:
        misses = [
            getattr(run[1], name) not in value for name, value in zip(names, values, strict=True)
        ]
        # The earlier names weigh more than all later ones together.
        return int("".join(str(int(miss)) for miss in misses), 2), run[0].run_id

    return [paths for paths, _ in sorted(there, key=unlike)]

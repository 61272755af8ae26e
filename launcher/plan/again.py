"""Again: a sealed campaign as a checked grid of this place, and what of it cannot be."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launcher.config.errors import BadInputError
from launcher.config.hydra_plugins import Point
from launcher.plan.auto_cluster import ClusterChooser
from launcher.plan.check import check
from launcher.plan.checkpoints import Tell, tell_nobody
from launcher.plan.grid import Grid, PlannedPoint, Verdict
from launcher.plan.hub_reach import HubReach
from launcher.plan.originals import LeftOut, Original, Originals, read_originals
from launcher.plan.places import results_folder
from launcher.plan.rebuild import given_keys, other_work, rebuilt
from launcher.slurm.view import SlurmView
from telemetry.command import CommandError, ExitCode
from telemetry.named_paths import named_path
from telemetry.record.reproduces import KEY
from telemetry.record.ssh_signature import require_allowed
from workers.prompts import selection as prompts
from workers.prompts.prompts_file import rows_sha256

WORD: Final = "reproduce="
"""What begins the word that names the original."""
SIGNERS: Final = "allowed_signers="
"""What begins the word that names whose signatures count."""
_DIGITS: Final = 12
_CHOSEN_BY: Final = ("model", "gpu", "gpus")
_ENDING: Final = "-reproduced"

Choose = Callable[[Mapping[str, Sequence[str]]], str]
Compose = Callable[[Sequence[str], Choose], list[Point]]
"""Composes words to grid points; what it is given settles a cluster that is left open."""


@dataclass(frozen=True, kw_only=True)
class Again:
    """What is to be made again, before it is checked."""

    originals: Originals
    """What the path holds."""
    points: tuple[Point, ...]
    """One for each original that this place can try."""
    left_out: tuple[LeftOut, ...]
    """Every other run of it, with why."""

    @property
    def by_id(self) -> dict[str, Original]:
        """The originals by the names of their runs."""
        return {one.spec.run_id: one for one in self.originals.runs}

    def check(self, known: SlurmView, tell: Tell, hub: HubReach | None) -> "tuple[Grid, Again]":
        """The checked grid, and what is left out of it now.

        A point that would be other work here is in the grid with that reason; one of which a value
        is not allowed here is left out with it, and takes no other with it.

        Raises:
            CommandError: no point is left.
            BadInputError: the call as a whole will not do.
        """
        points, left = list(self.points), list(self.left_out)
        try:
            grid = check(points, known, tell, hub)
        except BadInputError:
            points = [point for point in points if not self._refused(point, known, left)]
            self.require(points, left)
            grid = check(points, known, tell, hub)
        planned = tuple(self._told(point) for point in grid.points)
        return (
            dataclasses.replace(grid, points=planned),
            dataclasses.replace(self, points=tuple(points), left_out=tuple(left)),
        )

    def require(self, points: Sequence[Point], left: Sequence[LeftOut]) -> None:
        """Refuse to go on without a point.

        Raises:
            CommandError: there is none, with the reason of each.
        """
        if not points:
            raise CommandError(
                f"no run of {self.originals.path} can be made again here",
                ExitCode.NOTHING_DONE,
                reasons=[f"{one.run_id}: {one.reason}" for one in left],
            )

    def _refused(self, point: Point, known: SlurmView, left: list[LeftOut]) -> bool:
        try:
            check([point], known, tell_nobody)
        except BadInputError as error:
            run_id = str(point.config[KEY]["run_id"])
            left.append(LeftOut(run_id=run_id, reason=" ".join(str(error).split())))
            return True
        return False

    def _told(self, point: PlannedPoint) -> PlannedPoint:
        original = self.by_id[str(point.config[KEY]["run_id"])]
        reason = other_work(original.spec, point.spec)
        if reason is None and original.prompts_lost and point.verdict is Verdict.RUN:
            reason = _other_prompts(point, original.launch.prompts_sha256)
        if reason is None:
            return point
        return dataclasses.replace(point, verdict=Verdict.UNSUPPORTED, reason=reason)


def named_original(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The path behind `reproduce=`, and the other words; None where there is no such word.

    Raises:
        BadInputError: it is given twice, or is empty.
    """
    named = [word.removeprefix(WORD) for word in arguments if word.startswith(WORD)]
    if len(named) > 1:
        raise BadInputError(
            f"`reproduce` must be given once, but is given as {' and '.join(named)}"
        )
    if named and not named[0]:
        raise BadInputError("`reproduce` must be a results folder or a run, but is empty")
    return (named[0] if named else None), [w for w in arguments if not w.startswith(WORD)]


def named_signers(words: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The file behind `allowed_signers=`, and the other words; None where there is no such word.

    Raises:
        BadInputError: it is given twice, or is no file.
    """
    named = [word.removeprefix(SIGNERS) for word in words if word.startswith(SIGNERS)]
    if len(named) > 1:
        raise BadInputError(
            f"`allowed_signers` must be given once, but is given as {' and '.join(named)}"
        )
    kept = [word for word in words if not word.startswith(SIGNERS)]
    if not named:
        return None, kept
    try:
        path = named_path("allowed_signers", named[0], "a file")
        require_allowed("allowed_signers", path)
    except ValueError as error:
        raise BadInputError(str(error)) from error
    return path, kept


def read_again(
    given: str,
    words: Sequence[str],
    compose: Compose,
    tell: Tell = tell_nobody,
    chooser: ClusterChooser | None = None,
) -> Again:
    """What is to be made again of the campaign that `given` names.

    Args:
        given: the path of a results folder, a campaign's folder, a run or an attempt.
        words: what was typed beside it: this place's keys, and `allowed_signers=`.
        compose: composes words to grid points.
        tell: hears how far the hashing of the originals is.
        chooser: settles a cluster that is left open by what the originals need, and keeps why.

    Raises:
        CommandError: the path is nothing that can be made again, or nothing of it can.
        BadInputError: a word will not do.
    """
    allowed, words = named_signers(words)
    keys = given_keys(words)
    originals = read_originals(given, tell, allowed)
    needs = _needs(originals.runs)
    chooser = chooser or ClusterChooser()
    bases = compose(words, lambda typed: chooser.choose({**needs, **typed}))
    if len(bases) != 1:
        raise BadInputError(
            "`KEY=VALUE` beside reproduce must be one value each, as the original is the grid, "
            f"but they make {len(bases)} points"
        )
    base = bases[0]
    if "results" not in keys:
        beside = originals.results.parent
        if not os.access(beside, os.W_OK):
            raise BadInputError(
                f"`results` must be given, as {beside}, where it would go beside the original, is "
                "not yours to write in: results=FOLDER"
            )
        base.config["results"] = str(
            originals.results.with_name(f"{originals.results.name}{_ENDING}")
        )
    results = results_folder(base.config)
    if _real(results) == _real(originals.results):
        raise BadInputError(
            f"`results` must be another folder than the original's, but is {results}"
        )
    points, left = rebuilt(originals.runs, base, keys)
    again = Again(originals=originals, points=tuple(points), left_out=(*originals.left_out, *left))
    again.require(points, again.left_out)
    return again


def _needs(runs: Sequence[Original]) -> dict[str, list[str]]:
    """The keys of which the originals have values that a cluster is chosen by."""
    values = {name: {str(getattr(run.spec, name)) for run in runs} for name in _CHOSEN_BY}
    return {name: sorted(found) for name, found in values.items() if found}


def _other_prompts(point: PlannedPoint, sha256: str) -> str | None:
    """Why the data set gives no prompts of that SHA-256; None when it does."""
    try:
        chosen = prompts.select(point.source, prompts=point.spec.prompts, seed=point.spec.seed)
    except (ValueError, RuntimeError, OSError) as error:
        return f"its prompts' file is lost, and they cannot be drawn anew: {error}"
    found = rows_sha256((one.source_row, one.asked) for one in chosen.prompts)
    if found == sha256:
        return None
    return (
        f"its prompts' file is lost, and {point.source.dataset} gives others here: "
        f"SHA-256 {found[:_DIGITS]} instead of {sha256[:_DIGITS]}"
    )


def _real(path: Path) -> str:
    return os.path.realpath(path)

"""Differences: what is not as it was where a campaign was made, told before it is made again."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from launcher.campaign.provenance import packages, source_state
from launcher.config.listing import project_folder
from launcher.plan.again import Again
from launcher.plan.boards import gpus_here
from launcher.plan.grid import Grid, PlannedPoint
from launcher.plan.originals import Original
from telemetry.output import Output
from telemetry.record.differing import differing, field_value, short_text
from telemetry.record.reproduces import KEY, Reproduces

_NOT_ON_RECORD: Final = "not on record"
_NOT_HERE: Final = "not installed here"
_COMMIT_DIGITS: Final = 12
# What the numbers hang on; of all other packages the count is told.
_PACKAGES: Final = ("torch", "triton", "fairscale", "numpy", "sentencepiece", "nvidia-ml-py")
_CUDA: Final = "nvidia-cuda-runtime"
_PLAN_FIELDS: Final = ("gpu", "gpus_per_node", "weights", "tokenizer", "dataset")
_MOST: Final = 12


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing, there and here."""

    name: str
    """What it is."""
    there: str
    """Its values in the sealed runs."""
    here: str
    """What it is here, or why that is not known yet."""

    @property
    def same(self) -> bool:
        """True where nothing of it is different."""
        return self.there == self.here


def print_again(again: Again, grid: Grid, out: Output) -> None:
    """Say what is made again, what is different here, and what is left out."""
    runs = [again.by_id[str(point.config[KEY]["run_id"])] for point in grid.points]
    made_in = sorted({one.seal.campaign for one in runs if one.seal.campaign})
    said = (
        f" of {len(made_in)} campaigns"
        if len(made_in) > 1
        else "".join(f" of {n}" for n in made_in)
    )
    out.say(
        f"made again: {len(runs)} sealed run{'' if len(runs) == 1 else 's'}{said} in "
        f"{again.originals.path}, each whole by its seal, with the same bytes of prompts"
    )
    found = differences(runs, grid)
    apart = [one for one in found if not one.same]
    rows = [("", "there", "here"), *((one.name, one.there, one.here) for one in apart)]
    if apart:
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        out.say("different here:")
        for row in rows:
            line = f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip()
            out.say(line, indent=2, hang=widths[0] + 2)
    alike = ", ".join(f"{one.name} {one.here}" for one in found if one.same)
    out.say(f"the same here: {alike or 'nothing that is on record'}")
    for one in again.left_out[:_MOST]:
        out.say(f"not made again: {one.run_id}: {one.reason}")
    if len(again.left_out) > _MOST:
        out.say(f"and {len(again.left_out) - _MOST} runs more are not")


def again_document(again: Again, grid: Grid) -> dict[str, Any]:
    """The same for a program: the part of the plan's document that only a second making has."""
    runs = [again.by_id[str(point.config[KEY]["run_id"])] for point in grid.points]
    return {
        KEY: Reproduces.of_all([run.seal for run in runs]),
        "differences": [
            {"name": one.name, "there": one.there, "here": one.here, "same": one.same}
            for one in differences(runs, grid)
        ],
        "left_out": [{"run_id": one.run_id, "reason": one.reason} for one in again.left_out],
    }


def differences(runs: Sequence[Original], grid: Grid) -> list[Difference]:
    """All that is looked at, what is the same too."""
    return [*_boards(runs, grid), *_software(runs), *_planned(runs, grid.points)]


def _boards(runs: Sequence[Original], grid: Grid) -> Iterator[Difference]:
    there = [gpu for run in runs for gpu in run.gpus]
    clusters = {point.cluster.executor for point in grid.points}
    simulated = all(point.spec.simulated for point in grid.points)
    for name, key in (("board", "name"), ("driver", "driver")):
        was = _values(str(gpu[key]) for gpu in there if gpu.get(key))
        if simulated:
            here = was
        elif clusters == {"local"}:
            here = _values(str(gpu[key]) for gpu in gpus_here(os.environ) if gpu.get(key))
        else:
            here = "known once a job runs"
        yield Difference(name=name, there=was, here=here)


def _software(runs: Sequence[Original]) -> Iterator[Difference]:
    told = [run.provenance for run in runs]
    gits = [one["git"] for one in told if isinstance(one.get("git"), dict)]
    source = source_state(project_folder())
    commit = source.get("commit")
    yield Difference(
        name="commit",
        there=_values(str(git["commit"])[:_COMMIT_DIGITS] for git in gits if git.get("commit")),
        here=str(commit)[:_COMMIT_DIGITS] if commit else str(source.get("reason")),
    )
    yield Difference(
        name="changes without a commit",
        there=_values(_yes(git.get("dirty")) for git in gits),
        here=_yes(source.get("dirty")),
    )
    yield Difference(
        name="Python",
        there=_values(str(one["python"]) for one in told if one.get("python")),
        here=platform.python_version(),
    )
    yield from _versions([one["packages"] for one in told if isinstance(one.get("packages"), dict)])


def _versions(there: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    here = packages()
    cuda = {name for each in (*there, here) for name in each if name.startswith(_CUDA)}
    for name in (*_PACKAGES, *sorted(cuda)):
        was = _values(str(each[name]) for each in there if name in each)
        is_here = here.get(name, _NOT_HERE)
        # What neither has is no difference, and no package that either worked with.
        if was != _NOT_ON_RECORD or name in here:
            yield Difference(name=name, there=was, here=is_here)
    others = {name for each in there for name in each} | set(here)
    others -= {*_PACKAGES, *cuda}
    apart = sum(any(each.get(name) != here.get(name) for each in there) for name in others)
    if there:
        same = "as there" if not apart else f"{apart} of {len(others)} in other versions"
        yield Difference(name="other packages", there="as there", here=same)


def _planned(runs: Sequence[Original], points: Sequence[PlannedPoint]) -> Iterator[Difference]:
    """What the plan makes of the specs, and how they are measured."""
    specs = [run.spec.to_mapping() for run in runs]
    planned = [point.spec.to_mapping() for point in points]
    for name in _PLAN_FIELDS:
        yield _of(name, specs, planned)
    launches = [dict(run.launch.to_mapping()) for run in runs]
    mine = [dict(point.launch.to_mapping()) for point in points]
    for name in ("telemetry", "period_ms", "threads"):
        if differing([*launches, *mine], (name,)):
            yield _of(name, launches, mine)


def _of(
    name: str, there: Sequence[Mapping[str, Any]], here: Sequence[Mapping[str, Any]]
) -> Difference:
    was, now = (
        _values(short_text(field_value(row, name)) for row in rows) for rows in (there, here)
    )
    return Difference(name=name, there=was, here=now)


def _values(found: Iterator[str]) -> str:
    return ", ".join(sorted(set(found))) or _NOT_ON_RECORD


def _yes(value: object) -> str:
    return "yes" if value else "no"

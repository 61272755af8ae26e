"""Differences: what is not as it was where a campaign was made, told before it is made again."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from launcher.campaign.provenance import packages, source_state
from launcher.config.listing import project_folder
from launcher.jobs.job import process_identity
from launcher.plan.again import Again
from launcher.plan.boards import gpus_here
from launcher.plan.grid import Grid, PlannedPoint
from launcher.plan.originals import Original, named_cluster
from launcher.slurm.queue import cluster_name
from telemetry.nearest import told_count
from telemetry.output import Output
from telemetry.record.differing import differing, field_value, short_text
from telemetry.record.reproduces import KEY, Reproduces

_NOT_ON_RECORD: Final = "not on record"
_NOT_HERE: Final = "not installed here"
_COMMIT_DIGITS: Final = 12
# What the numbers hang on; of all other packages the count is told.
_PACKAGES: Final = ("torch", "triton", "fairscale", "numpy", "sentencepiece", "nvidia-ml-py")
_CUDA: Final = "nvidia-cuda-runtime"
# What the watchers found of a board, by its key in their inventory.
_OF_A_BOARD: Final = (
    ("board", "name"),
    ("driver", "driver"),
    ("VBIOS", "vbios"),
    ("power limit", "power_limit_w"),
)
_PLAN_FIELDS: Final = ("gpu", "gpus_per_node", "weights", "tokenizer", "dataset")
_MOST: Final = 12
# What else may be so in the numbers where a thing is another here, and no more than may be: a
# reader of the comparison is told before anything is measured where to look.
_MAY_CHANGE: Final[Mapping[str, str]] = {
    "board": "energy, power and speed: those of another board are no reproduction of its own",
    "driver": "clocks, power management, and what its sensors average over",
    "VBIOS": "clocks at one power and the limits that are in force",
    "power limit": "power, and speed wherever the limit is reached",
    "cluster": "who else is on a node, cooling and network: power and speed",
    "commit": "how the work is done and measured: every number",
    "changes without a commit": "every number, and nobody can say which code made it",
    "Python": "the host's part: time between batches",
    "torch": "kernels and their choice: speed, energy and the last digits of logits",
    "triton": "the fast engine's kernels: speed and energy",
    "fairscale": "the reference engine's layers: speed and energy",
    "numpy": "the analysis' last digits",
    "sentencepiece": "how texts are cut into tokens: their numbers",
    "nvidia-ml-py": "which readings are found",
    "other packages": "the host's part, if anything",
    "gpu": "energy, power and speed: it is another board on purpose",
    "gpus_per_node": "traffic between nodes: speed and energy of several GPUs",
    "weights": "the work itself: it does not run",
    "tokenizer": "the work itself: it does not run",
    "dataset": "the work itself: it does not run",
    "prompts (SHA-256)": "the work itself: it does not run",
    "telemetry": "which sensors are read: energy by another method",
    "period_ms": "how finely short phases are told",
    "threads": "the host's part: time between batches, and all of it on CPU",
}
_CUDA_CHANGES: Final = "libraries of kernels: speed and energy"


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
    def may_change(self) -> str:
        """What may be so in the numbers because of it."""
        return _MAY_CHANGE.get(self.name, _CUDA_CHANGES)

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
        f"made again: {told_count(len(runs), 'sealed run')}{said} in "
        f"{again.originals.path}, each whole by its seal, with the same bytes of prompts"
    )
    out.say(f"the original is signed by {again.originals.signed_by}")
    for doubt in again.originals.doubts:
        out.say(f"of the original: {doubt}")
    found = differences(runs, grid)
    apart = [one for one in found if not one.same]
    rows = [("", "there", "here"), *((one.name, one.there, one.here) for one in apart)]
    if apart:
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        out.say("different here:")
        for row in rows:
            line = f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip()
            out.say(line, indent=2, hang=widths[0] + 2)
        out.say("which may change:")
        for one in apart:
            out.say(f"{one.name:<{widths[0]}}  {one.may_change}", indent=2, hang=widths[0] + 2)
    alike = ", ".join(f"{one.name} {one.here}" for one in found if one.same)
    out.say(f"the same here: {alike or 'nothing that is on record'}")
    for left in again.left_out[:_MOST]:
        out.say(f"not made again: {left.run_id}: {left.reason}")
    if len(again.left_out) > _MOST:
        more = len(again.left_out) - _MOST
        out.say(f"and {told_count(more, 'run')} more {'is' if more == 1 else 'are'} not")


def again_document(again: Again, grid: Grid) -> dict[str, Any]:
    """The same for a program: the part of the plan's document that only a second making has."""
    runs = [again.by_id[str(point.config[KEY]["run_id"])] for point in grid.points]
    return {
        KEY: Reproduces.of_all([run.seal for run in runs]),
        "signed_by": again.originals.signed_by,
        "doubts": list(again.originals.doubts),
        "differences": [
            {
                "name": one.name,
                "there": one.there,
                "here": one.here,
                "same": one.same,
                "may_change": None if one.same else one.may_change,
            }
            for one in differences(runs, grid)
        ],
        "left_out": [{"run_id": one.run_id, "reason": one.reason} for one in again.left_out],
    }


def differences(runs: Sequence[Original], grid: Grid) -> list[Difference]:
    """All that is looked at, what is the same too."""
    return [
        *_boards(runs, grid),
        *_places(runs, grid),
        *_software(runs),
        *_planned(runs, grid.points),
    ]


def _boards(runs: Sequence[Original], grid: Grid) -> Iterator[Difference]:
    there = [gpu for run in runs for gpu in run.gpus]
    clusters = {point.cluster.executor for point in grid.points}
    simulated = all(point.spec.simulated for point in grid.points)
    local = [] if simulated or clusters != {"local"} else gpus_here(os.environ)
    for name, key in _OF_A_BOARD:
        was = _values(_told(gpu, key) for gpu in there if gpu.get(key))
        if simulated:
            here = was
        elif clusters == {"local"}:
            here = _values(_told(gpu, key) for gpu in local if gpu.get(key))
        else:
            here = "known once a job runs"
        # What is on record of neither is no difference.
        if (was, here) != (_NOT_ON_RECORD, _NOT_ON_RECORD) or key in ("name", "driver"):
            yield Difference(name=name, there=was, here=here)


def _told(gpu: Mapping[str, Any], key: str) -> str:
    value = gpu[key]
    return f"{value:g} W" if key.endswith("_w") and isinstance(value, int | float) else str(value)


def _cluster_here(point: PlannedPoint) -> str | None:
    slurm = None if point.cluster.slurm is None else cluster_name()
    return named_cluster(slurm, point.cluster.name, process_identity()["host"])


def _places(runs: Sequence[Original], grid: Grid) -> Iterator[Difference]:
    """Where it ran, and by which texts."""
    yield Difference(
        name="cluster",
        there=_values(run.cluster for run in runs if run.cluster),
        here=_values(filter(None, map(_cluster_here, grid.points))),
    )
    there = _values(run.launch.prompts_sha256[:_COMMIT_DIGITS] for run in runs)
    lost = sum(run.prompts_lost for run in runs)
    # Their file is read as it lies there; it was hashed against the seal. Drawn anew they must be
    # the same, or the point does not run.
    here = f"drawn anew for {told_count(lost, 'run')}: the same, or it does not run"
    yield Difference(name="prompts (SHA-256)", there=there, here=here if lost else there)


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

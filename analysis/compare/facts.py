"""Facts: what runs were made of and under, and what a reader has to know of two sides of a cell."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from analysis.compare.cells import Cell
from analysis.compare.machine import center_of, drivers_of, gpus_of
from analysis.compare.sides import Member
from analysis.runs.sealed_runs import Run
from analysis.tables.launched import launch_of
from analysis.tables.point import RANDOM
from telemetry.record.differing import short_text

_COMMIT_DIGITS: Final = 12
_NOT_ON_RECORD: Final = "not on record"
# Held back in fewer readings than one in a hundred: no number that is shown would move.
_LEAST_HELD: Final = 0.01
_PERCENT: Final = 100.0

# What launch.json sets and a plan lays out by itself: no other way of measuring.
_FOLLOWS: Final = frozenset({"prompts_digest", "device"})


def uuids_of(members: Iterable[Member]) -> frozenset[str]:
    """The GPUs that the ranks of these runs worked on, one by one."""
    return frozenset(
        str(rank["gpu_uuid"])
        for member in members
        for rank in member.run.manifest["ranks"]
        if rank.get("gpu_uuid")
    )


def _boards(run: Run) -> set[str]:
    return {str(gpu["name"]) for gpu in gpus_of(run) if gpu.get("name")}


def _limits(run: Run) -> set[str]:
    return {f"{gpu['power_limit_w']:g} W" for gpu in gpus_of(run) if _is_number(gpu)}


def _is_number(gpu: Mapping[str, Any]) -> bool:
    return type(gpu.get("power_limit_w")) in (int, float)


def _git(run: Run) -> Mapping[str, Any]:
    git = run.provenance.get("git")
    return git if isinstance(git, dict) else {}


def _commit(run: Run) -> set[str]:
    commit = _git(run).get("commit")
    return {commit[:_COMMIT_DIGITS]} if isinstance(commit, str) else set()


def _package(name: str) -> Callable[[Run], set[str]]:
    def version(run: Run) -> set[str]:
        packages = run.provenance.get("packages")
        found = packages.get(name) if isinstance(packages, dict) else None
        return {str(found)} if found else set()

    return version


def _python(run: Run) -> set[str]:
    return {str(run.provenance["python"])} if run.provenance.get("python") else set()


def _center(run: Run) -> set[str]:
    center = center_of(run)
    return set() if center is None else {center}


def _nodes(run: Run) -> set[str]:
    return set(map(str, run.hosts))


def _user(run: Run) -> set[str]:
    return {str(run.provenance["user"])} if run.provenance.get("user") else set()


FACTS: Final[Mapping[str, Callable[[Run], set[str]]]] = {
    "board": _boards,
    "driver": drivers_of,
    "power limit": _limits,
    "center": _center,
    "nodes": _nodes,
    "user": _user,
    "commit": _commit,
    "Python": _python,
    "torch": _package("torch"),
    "fairscale": _package("fairscale"),
}
"""What a side is told by, from the sealed record; each run's values."""
# Who ran it where is told, and is no reason to read a number otherwise.
_TOLD_ALONE: Final = ("center", "nodes", "user", "Python", "fairscale")


def fact_text(runs: Iterable[Run], name: str) -> str:
    """A fact of several runs in words."""
    found = sorted({value for run in runs for value in FACTS[name](run)})
    return ", ".join(found) or _NOT_ON_RECORD


def labels_of(cell: Cell) -> tuple[str, ...]:
    """What has to stand beside a cell's numbers, the gravest first."""
    return tuple(filter(None, (label(cell) for label in _LABELS)))


def _simulated(cell: Cell) -> str:
    base, other = cell.simulated
    if base and other:
        return "SIMULATED: no measurement of a GPU"
    if base or other:
        letter = cell.base.letter if base else cell.other.letter
        return f"{letter} IS SIMULATED and the other measured: no comparison of GPUs"
    return ""


def _random(cell: Cell) -> str:
    random = [_any(members, "weights", RANDOM) for members in _sides(cell)]
    return f"random weights in {_letters(cell, random)}: no trained model" if any(random) else ""


def _dirty(cell: Cell) -> str:
    dirty = [any(_git(m.run).get("dirty") for m in members) for members in _sides(cell)]
    return (
        f"changes without a commit in the source tree of {_letters(cell, dirty)}"
        if any(dirty)
        else ""
    )


def _throttled(cell: Cell) -> str:
    shares = [
        max((float(m.row["held_share"] or 0.0) for m in members), default=0.0)
        for members in _sides(cell)
    ]
    if max(shares) < _LEAST_HELD:
        return ""
    told = ", ".join(
        f"{share * _PERCENT:.0f} % of {side.letter}'s readings"
        for share, side in zip(shares, (cell.base, cell.other), strict=True)
    )
    return f"clock held down in up to {told}"


def _differing(name: str) -> Callable[[Cell], str]:
    def label(cell: Cell) -> str:
        texts = [fact_text((m.run for m in members), name) for members in _sides(cell)]
        return f"other {name}: {' | '.join(texts)}" if texts[0] != texts[1] else ""

    return label


def _measured_otherwise(cell: Cell) -> str:
    rows = [launch_of(members[0].run) for members in _sides(cell)]
    names = [name for name in rows[0] if name not in _FOLLOWS and rows[0][name] != rows[1][name]]
    told = ", ".join(
        f"{name} {' | '.join(short_text(row[name]) for row in rows)}" for name in names
    )
    return f"measured otherwise: {told}" if names else ""


def _method(cell: Cell) -> str:
    methods = [
        ", ".join(sorted({str(m.row["energy_method"]) for m in members}))
        for members in _sides(cell)
    ]
    return f"energy from {' | '.join(methods)}" if methods[0] != methods[1] else ""


_LABELS: Final[tuple[Callable[[Cell], str], ...]] = (
    *(_simulated, _random, _throttled, _dirty),
    *(_differing(name) for name in FACTS if name not in _TOLD_ALONE),
    *(_measured_otherwise, _method),
)


def _sides(cell: Cell) -> tuple[Sequence[Member], Sequence[Member]]:
    return cell.base_members, cell.other_members


def _any(members: Sequence[Member], name: str, value: str) -> bool:
    return any(member.row[name] == value for member in members)


def _letters(cell: Cell, which: Sequence[bool]) -> str:
    letters = [
        side.letter for side, is_so in zip((cell.base, cell.other), which, strict=True) if is_so
    ]
    return " and ".join(letters)

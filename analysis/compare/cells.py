"""Cells: points of two sides that are the same work, and why another has no counterpart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.compare.axes import Axes
from analysis.compare.sides import Member, Side
from analysis.figures.labels import names_of
from analysis.tables.launched import launch_key, launch_of
from analysis.tables.point import point_key
from telemetry.record.differing import SPEC_FIELDS, differing, short_text, told

# A point that differs in more is no counterpart that somebody meant.
_NEAR: Final = 3
_POINT_FIELDS: Final = tuple(name for name in SPEC_FIELDS if name != "repeat")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The same work on two sides."""

    base: Side
    """What the other is held against."""
    other: Side
    """What is held against it."""
    base_members: tuple[Member, ...]
    """The base's repeats of it, by repeat, at least one."""
    other_members: tuple[Member, ...]
    """The other's."""

    @property
    def simulated(self) -> tuple[bool, bool]:
        """Whether each side's runs are simulated, any of them."""
        return tuple(
            any(member.run.simulated for member in members)
            for members in (self.base_members, self.other_members)
        )  # type: ignore[return-value]


@dataclass(frozen=True, kw_only=True)
class NotCompared:
    """A point of a side that is in no comparison."""

    letter: str
    """The side that has it; both where the two were not held against each other."""
    point: str
    """What it is, by its spec."""
    runs: int
    """Sealed runs of it."""
    reason: str
    """Why it is not compared."""


@dataclass(frozen=True, kw_only=True)
class _Point:
    members: tuple[Member, ...]
    """Its repeats, in the order of the side."""

    @property
    def spec(self) -> dict[str, object]:
        return self.members[0].run.spec.to_mapping()

    def key(self, but: Iterable[str] = ()) -> str:
        return point_key(self.members[0].run, but)


def match(
    base: Side, other: Side, axes: Axes, *, mixed: bool
) -> tuple[list[Cell], list[NotCompared]]:
    """The cells of two sides, in the order of the base, and what is left of both.

    Points whose specs are the same belong together; then those that are the same but for what
    differs on purpose, where each side has one. `mixed` lets simulated runs stand against real
    ones.
    """
    points, others = _points(base), _points(other)
    alike = [key for key in points if key in others]
    pairs = [(points.pop(key), others.pop(key)) for key in alike]
    specs, other_specs = _specs(base), _specs(other)
    apart = [
        name
        for name in differing([*specs, *other_specs], _POINT_FIELDS)
        if name != "model" and name not in axes.free
    ]
    left: list[NotCompared] = []
    rest, other_rest = _by(points.values(), axes.free), _by(others.values(), axes.free)
    for key, own in rest.items():
        theirs = other_rest.pop(key, [])
        if len(own) == len(theirs) == 1:
            pairs.append((own[0], theirs[0]))
            continue
        for side, mine, opposite, there in (
            (base, own, other, theirs),
            (other, theirs, base, own),
        ):
            left += [
                _left(side, point, apart, _why(point, opposite, there, axes)) for point in mine
            ]
    for theirs in other_rest.values():
        left += [_left(other, point, apart, _why(point, base, [], axes)) for point in theirs]
    cells: list[Cell] = []
    for one, two in sorted(pairs, key=lambda pair: _order(base, pair[0])):
        made = _cell(base, other, one, two, mixed=mixed)
        if isinstance(made, Cell):
            cells.append(made)
        else:
            letters = f"{base.letter}, {other.letter}"
            runs = len(one.members) + len(two.members)
            left.append(
                NotCompared(letter=letters, point=_told(one.spec, apart), runs=runs, reason=made)
            )
    return cells, left


def cell_names(cells: Sequence[Cell], axes: Axes) -> list[str]:
    """What each cell is called: its model, and all in which the cells differ."""
    rows = [cell.base_members[0].row for cell in cells]
    names = names_of(rows, but=("model", *axes.free), per=("model", *axes.free))
    return [
        ", ".join(filter(None, (str(row["model"]), name)))
        for row, name in zip(rows, names, strict=True)
    ]


def _points(side: Side) -> dict[str, _Point]:
    found: dict[str, list[Member]] = {}
    for member in side.members:
        found.setdefault(point_key(member.run), []).append(member)
    return {key: _Point(members=tuple(members)) for key, members in found.items()}


def _by(points: Iterable[_Point], free: Sequence[str]) -> dict[str, list[_Point]]:
    found: dict[str, list[_Point]] = {}
    for point in points:
        found.setdefault(point.key(free), []).append(point)
    return found


def _specs(side: Side) -> list[dict[str, object]]:
    return [point.spec for point in _points(side).values()]


def _cell(base: Side, other: Side, one: _Point, two: _Point, *, mixed: bool) -> Cell | str:
    """The two points as a cell, or why they are none."""
    ways, other_ways = _ways(one), _ways(two)
    both = [key for key in ways if key in other_ways]
    for side, found in ((base, ways), (other, other_ways)):
        if len(found) > 1 and len(both) != 1:
            rows = [launch_of(members[0].run) for members in found.values()]
            return f"{side.letter} has measured it in {len(found)} ways: {_settings(rows)}"
    key = both[0] if len(both) == 1 else next(iter(ways))
    members = ways[key]
    opposite = other_ways[key if key in other_ways else next(iter(other_ways))]
    digests = [launch_of(each[0].run)["prompts_digest"] for each in (members, opposite)]
    if None not in digests and digests[0] != digests[1]:
        return f"other prompts: the SHA-256 of the file begins {digests[0]} and {digests[1]}"
    cell = Cell(
        base=base,
        other=other,
        base_members=_by_repeat(members),
        other_members=_by_repeat(opposite),
    )
    if len(set(cell.simulated)) > 1 and not mixed:
        real, simulated = (base, other) if cell.simulated[1] else (other, base)
        return (
            f"{real.letter} is measured and {simulated.letter} simulated: no comparison "
            "(--simulated-too makes one, labelled)"
        )
    return cell


def _ways(point: _Point) -> dict[str, list[Member]]:
    """The repeats of a point by the settings that they were measured under."""
    found: dict[str, list[Member]] = {}
    for member in point.members:
        found.setdefault(launch_key(member.run), []).append(member)
    return found


def _by_repeat(members: Iterable[Member]) -> tuple[Member, ...]:
    return tuple(sorted(members, key=lambda member: member.run.spec.repeat))


def _settings(rows: Sequence[Mapping[str, object]]) -> str:
    names = differing(rows, rows[0])
    return "; ".join(
        f"{name} {' | '.join(short_text(row[name]) for row in rows)}" for name in names
    )


def _why(point: _Point, opposite: Side, there: Sequence[_Point], axes: Axes) -> str:
    others = _specs(opposite)
    if there:
        names = differing([each.spec for each in there], axes.free)
        if len(there) > 1:
            return (
                f"{opposite.letter} has {len(there)} points that fit, which differ in "
                f"{', '.join(names)}: --by must name what tells the sides apart"
            )
        return f"more than one point of its side fits the one of {opposite.letter}"
    near = min(
        (differing([point.spec, each], _POINT_FIELDS) for each in others), key=len, default=()
    )
    names = tuple(name for name in near if name not in axes.free)
    if not others or not names or len(names) > _NEAR:
        return f"{opposite.letter} has no such point"
    nearest = next(each for each in others if differing([point.spec, each], _POINT_FIELDS) == near)
    return f"{opposite.letter} has no such point; the nearest has {told(nearest, names)}"


def _left(side: Side, point: _Point, apart: Sequence[str], reason: str) -> NotCompared:
    return NotCompared(
        letter=side.letter, point=_told(point.spec, apart), runs=len(point.members), reason=reason
    )


def _told(spec: dict[str, object], apart: Sequence[str]) -> str:
    """A point by its model and the fields in which any two points of both sides differ."""
    return ", ".join(filter(None, (str(spec["model"]), told(spec, apart))))


def _order(base: Side, point: _Point) -> int:
    return base.members.index(point.members[0])

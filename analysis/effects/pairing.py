"""Pairing: grid points that differ in one factor alone, two by two.

Points stand together when their specs are the same but for the factor, and all their repeats were
measured or all simulated. Where two levels were measured under several settings of the launch, only
points under the same settings are pairs; where there are none such, those under others are, and are
counted as measured apart.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from analysis.effects.factor import Factor
from analysis.tables.column import Cell, Row
from analysis.tables.contrast import families
from analysis.tables.gpus import GPUS
from analysis.tables.groups import GROUPS, HEADLINE
from analysis.tables.launched import LAUNCH_SETTINGS
from analysis.tables.runs import RUNS
from analysis.tables.table import Results


@dataclass(frozen=True, kw_only=True)
class PairedPoint:
    """A grid point with what its repeats had."""

    row: Row
    """As the groups have it."""
    values: tuple[float, ...]
    """Joules a token of each repeat, in the order of the tables; empty where one has none."""
    boards: frozenset[str]
    """UUIDs of all GPUs that its runs worked on."""

    @property
    def simulated(self) -> bool:
        """Whether any of its runs is."""
        return bool(self.row["simulated"])

    @property
    def logarithm(self) -> float:
        """Mean of the logarithms of its repeats."""
        return math.fsum(map(math.log, self.values)) / len(self.values)

    @property
    def sensor(self) -> float | None:
        """Expanded uncertainty of its mean by the sensors alone, as a share; None: not known."""
        return self._share(f"{HEADLINE}_sensor")

    @property
    def gain(self) -> float | None:
        """The most that its boards' gain may come to, as a share; None: not known."""
        return self._share(f"{HEADLINE}_gain")

    def _share(self, name: str) -> float | None:
        part, mean = self.row[name], self.row[f"{HEADLINE}_mean"]
        if not isinstance(part, float) or not isinstance(mean, float) or mean <= 0:
            return None
        return part / mean


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two points that are the same but for a factor."""

    base: PairedPoint
    """Of the level that stands first."""
    other: PairedPoint
    """Of the other level."""
    apart: tuple[str, ...]
    """Settings of the launch in which they differ, beyond those that the factor decides."""

    @property
    def same_boards(self) -> bool:
        """Whether both worked on the very same GPUs, so that their gain cancels."""
        return bool(self.base.boards) and self.base.boards == self.other.boards


class Points:
    """All grid points of a results folder, to be paired by any factor."""

    def __init__(self, results: Results) -> None:
        self._results = results

    @cached_property
    def _by_runs(self) -> Mapping[str, PairedPoint]:
        values = {str(row["run_id"]): row[HEADLINE] for row in self._results.rows(RUNS)}
        boards: dict[str, set[str]] = defaultdict(set)
        for row in self._results.rows(GPUS):
            if row["rank"] is not None and row["gpu_uuid"] is not None:
                boards[str(row["run_id"])].add(str(row["gpu_uuid"]))
        return {str(row["runs"]): _point(row, values, boards) for row in self._results.rows(GROUPS)}

    def all(self) -> list[PairedPoint]:
        """Every grid point, in the order of the groups."""
        return list(self._by_runs.values())

    def pairs(self, factor: Factor) -> Iterator[Pair]:
        """Every two points that differ in that factor alone."""
        for family in families(self._results, factor.fields):
            points = [self._by_runs[str(row["runs"])] for row in family]
            for simulated in (False, True):
                alike = [one for one in points if one.simulated is simulated and one.values]
                yield from _paired(alike, factor)


def _point(row: Row, values: Mapping[str, Cell], boards: Mapping[str, set[str]]) -> PairedPoint:
    runs = str(row["runs"]).split()
    known = [values[run] for run in runs]
    numbers = tuple(value for value in known if isinstance(value, float) and value > 0)
    return PairedPoint(
        row=row,
        values=numbers if len(numbers) == len(known) else (),
        boards=frozenset(uuid for run in runs for uuid in boards.get(run, ())),
    )


def _paired(points: list[PairedPoint], factor: Factor) -> Iterator[Pair]:
    by_level: dict[str, list[PairedPoint]] = {}
    for point in sorted(points, key=lambda one: factor.order(one.row)):
        by_level.setdefault(factor.level(point.row), []).append(point)
    for bases, others in combinations(by_level.values(), 2):
        pairs = [
            Pair(base=base, other=other, apart=_apart(base.row, other.row, factor))
            for base in bases
            for other in others
        ]
        yield from _each_once([pair for pair in pairs if not pair.apart] or pairs)


def _each_once(pairs: list[Pair]) -> Iterator[Pair]:
    """Pairs that share no point, the most alike first: two that do are no two measurements."""
    taken: list[PairedPoint] = []
    for pair in sorted(pairs, key=lambda one: len(one.apart)):
        if not any(one is pair.base or one is pair.other for one in taken):
            taken += [pair.base, pair.other]
            yield pair


def _apart(base: Row, other: Row, factor: Factor) -> tuple[str, ...]:
    return tuple(
        name for name in LAUNCH_SETTINGS if name not in factor.decides and base[name] != other[name]
    )

"""Format crossovers: at how many rows side by side a format of weights stops saving."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.findings.format_points import points_by_curve
from analysis.findings.format_twins import DOES_NOT, SAVES, FormatTwins, format_twins
from analysis.findings.point_columns import choice_columns
from analysis.tables.column import ColumnsOf
from analysis.tables.launched import LAUNCH_SETTINGS
from analysis.tables.point import rounded_part
from analysis.tables.table import Results, TableKind

# It names the prompts, which there are as many of as rows.
_ALONG: Final = "prompts_digest"


@dataclass(frozen=True, kw_only=True, eq=False)
class FormatCrossover:
    """One format of weights on one curve, point by point."""

    points: tuple[FormatTwins, ...]
    """By rows, at least one; twins or none."""

    @property
    def first(self) -> FormatTwins:
        """The point of the fewest rows."""
        return self.points[0]

    @property
    def told(self) -> list[FormatTwins]:
        """Those of which it is told whether they save."""
        return [one for one in self.points if one.verdict in (SAVES, DOES_NOT)]

    @cached_property
    def bracket(self) -> tuple[FormatTwins, FormatTwins] | str:
        """The last that saves and the first after it that does not, or why there is no such."""
        rows = [one.of.rows for one in self.points]
        twice = next((each for each in rows if rows.count(each) > 1), None)
        if twice is not None:
            prompts = [str(one.of.group["prompts"]) for one in self.points if one.of.rows == twice]
            return f"several points answer {twice} rows: of {' and of '.join(prompts)} prompts"
        told = self.told
        if not told:
            reason = next(filter(None, (one.reason for one in self.points)), "no point is told")
            return f"it is told at no number of rows: {reason}"
        words = [one.verdict for one in told]
        if DOES_NOT not in words:
            return f"it saves at every number of rows that is told: {_rows(told)}"
        if SAVES not in words:
            return f"it saves at no number of rows that is told: {_rows(told)}"
        stops = words.index(DOES_NOT)
        if SAVES in words[stops:]:
            saves = [one for one in told if one.verdict == SAVES]
            return f"it does not stop once: it saves at {_rows(saves)} of {_rows(told)} rows told"
        return told[stops - 1], told[stops]

    @property
    def ends(self) -> tuple[int, int] | None:
        """Rows at which it still saves, and no more."""
        if isinstance(self.bracket, str):
            return None
        saves, stops = self.bracket
        return saves.of.rows, stops.of.rows

    @property
    def rows(self) -> float | None:
        """Where the ratio of joules is 1 between both, on logarithms of rows and ratio."""
        if isinstance(self.bracket, str):
            return None
        saves, stops = self.bracket
        assert saves.energy_ratio is not None
        assert stops.energy_ratio is not None
        low, high = (math.log(one.energy_ratio.value) for one in (saves, stops) if one.energy_ratio)
        near, far = math.log(saves.of.rows), math.log(stops.of.rows)
        return math.exp(near + (far - near) * -low / (high - low))

    @property
    def reason(self) -> str | None:
        """Why there is no crossover; None where there is one."""
        return self.bracket if isinstance(self.bracket, str) else None

    @property
    def sentence(self) -> str:
        """The finding, for people."""
        row = self.first.of.group
        bits = row["quantization"]
        simulated = ", simulated" if self.first.of.point.simulated else ""
        what = (
            f"{bits} {rounded_part(bits)}, {row['model']} on {row['gpus']} x "
            f"{self.first.of.point.board}, {row['engine']}{simulated}"
        )
        if self.ends is None:
            return f"{what}: no crossover: {self.reason}."
        return f"{what}: saves no more between {self.ends[0]} and {self.ends[1]} rows."


def _rows(points: Sequence[FormatTwins]) -> str:
    return ", ".join(str(one.of.rows) for one in points)


_OF: Final = ColumnsOf[FormatCrossover]()

_COLUMNS: Final = (
    *(
        column
        for column in choice_columns(
            _OF,
            lambda one: one.first.of.work,
            lambda one: one.first.of.point,
            lambda one: [
                each.point
                for twins in one.points
                for each in (twins.of, twins.base)
                if each is not None
            ],
        )
        # Rows are what it is told along.
        if column.name not in ("work", "batch_size", "prompts", _ALONG, "n")
    ),
    _OF.count("points", "points", "Numbers of rows that were run.", lambda one: len(one.points)),
    _OF.count(
        "points_told",
        "told",
        "Those of which it is told whether the format saves.",
        lambda one: len(one.told),
    ),
    _OF.number(
        "crossover_rows",
        "stops saving at",
        "1",
        "Rows side by side at which energy_ratio of format_savings is 1, between the last point "
        "that is told to save and the next told that does not: a straight line on logarithms of "
        "both.",
        lambda one: one.rows,
        interval=("saves_at_rows", "stops_at_rows"),
        reason="reason",
    ),
    _OF.count(
        "saves_at_rows",
        "still saves at",
        "The most rows at which it is told to save, before the first at which it does not.",
        lambda one: None if one.ends is None else one.ends[0],
        reason="reason",
    ),
    _OF.count(
        "stops_at_rows",
        "no more at",
        "The fewest rows beyond at which it is told not to save.",
        lambda one: None if one.ends is None else one.ends[1],
        reason="reason",
    ),
    _OF.text("sentence", "in words", "The finding as a sentence.", lambda one: one.sentence),
    _OF.reason(lambda one: one.reason),
    _OF.text(
        "runs",
        "runs",
        "The runs of all its points.",
        lambda one: " ".join(str(each.of.group["runs"]) for each in one.points),
        shown=False,
    ),
)


def format_crossovers(results: Results) -> Iterator[FormatCrossover]:
    """Each format of weights of each curve, measured under one set of settings."""
    found: dict[tuple[object, ...], list[FormatTwins]] = {}
    for twins in format_twins(points_by_curve(results)):
        row = twins.of.group
        launch = tuple(row[name] for name in LAUNCH_SETTINGS if name != _ALONG)
        key = (*twins.of.curve, row["quantization"], *launch)
        found.setdefault(key, []).append(twins)
    for own in found.values():
        if len({one.of.rows for one in own}) > 1:
            yield FormatCrossover(points=tuple(sorted(own, key=lambda one: one.of.rows)))


FORMAT_CROSSOVERS: Final = TableKind(
    name="format_crossovers",
    title="Where fewer bits of weight stop saving",
    columns=_COLUMNS,
    of_results=format_crossovers,
    section="contrasts",
    heading="At how many rows fewer bits of weight stop saving",
)
"""One row a format of weights and curve of several numbers of rows."""

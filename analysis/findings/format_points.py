"""Format points: grid points with what tells why a format of weights saves, or does not.

Each has its repeats' rows of runs, speed and conditions, and of what its window moved. Points of
one curve differ in the rows that are answered side by side, and in how many prompts there are for
them, alone; its formats of weights lie beside one another.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.energy.uncertain import Uncertain
from analysis.findings.estimate import Ranged
from analysis.findings.joule_work import JOULE_WORK, WINDOW
from analysis.findings.works import (
    SEVERAL,
    Work,
    WorkPoint,
    energy_per_token_j,
    energy_per_token_width_j,
    no_width,
    real,
    works,
)
from analysis.performance.logit_error import LogitError
from analysis.statistics.intervals import width_of_mean
from analysis.tables.column import Row
from analysis.tables.conditions import CONDITIONS
from analysis.tables.groups import GROUPS
from analysis.tables.performance import PERFORMANCE
from analysis.tables.point import POINT_BY_NAME, UNQUANTIZED, format_order
from analysis.tables.runs import RUNS
from analysis.tables.table import Results

ROWS: Final = "batch_size"
"""The setting along which a curve runs."""
# What goes with the rows: one batch has as many prompts.
_ALONG: Final = (ROWS, "prompts")
# What stands between a phase's name and the unit, of its energy and of that one's uncertainty.
_PARTS: Final = ("", "_uncertainty")
_CURVE: Final = tuple(name for name in POINT_BY_NAME if name not in (*_ALONG, "quantization"))


def _tokens_per_s(row: Row) -> float | None:
    return real(row["tokens_per_s"])


@dataclass(frozen=True, kw_only=True, eq=False)
class FormatPoint:
    """One grid point of a curve over its repeats."""

    work: Work
    """The work that it did."""
    point: WorkPoint
    """The point."""
    repeats: tuple[Row, ...]
    """Of each repeat its rows of the window's work, conditions, speed and runs, in one."""
    logits: LogitError
    """What its runs say of their logits."""

    @property
    def group(self) -> Row:
        """Its row of groups."""
        return self.point.group

    @property
    def rows(self) -> int:
        """Rows side by side."""
        return int(self.group[ROWS] or 0)

    @property
    def quantized(self) -> bool:
        """Whether its weights are rounded to fewer bits."""
        return self.group["quantization"] != UNQUANTIZED

    @property
    def curve(self) -> tuple[object, ...]:
        """Equal for points that stand on the same curves, of whatever format of weights."""
        settings = tuple(self.group[name] for name in _CURVE)
        return (*settings, self.point.board, self.point.simulated, self.group["device"])

    @cached_property
    def energy(self) -> Ranged | None:
        """Joules a token by the repeats and the sensors, without the boards' gain."""
        values = energy_per_token_j, energy_per_token_width_j
        return self.work.of(self.point, *values, energy=False)

    def phase_energy(self, phase: str) -> Uncertain:
        """Joules of a phase a generated token, as the sensors tell them: mean over the repeats."""
        found = []
        for row in self.point.rows:
            energy_j, width_j = (real(row[f"{phase}_energy{part}_j"]) for part in _PARTS)
            tokens = real(row["generated_tokens"])
            if energy_j is None or not tokens:
                return Uncertain.unknown(str(row[f"{phase}_reason"] or "a run generated no token"))
            found.append(Uncertain.of(energy_j, width_j).over(tokens))
        mean_j = math.fsum(one.value or 0.0 for one in found) / len(found)
        widths = [one.plus_minus for one in found if one.plus_minus is not None]
        return Uncertain.of(mean_j, width_of_mean(widths) if len(widths) == len(found) else None)

    @property
    def prefill_per_batch_s(self) -> float | None:
        """Seconds that prefill takes of a batch; None where a run tells no prefill."""
        found = [_prefill_per_batch_s(row) for row in self.point.rows]
        known = [value for value in found if value is not None]
        return math.fsum(known) / len(known) if known and len(known) == len(found) else None

    @cached_property
    def rate(self) -> Ranged | None:
        """Generated tokens a second of the window."""
        return self.work.of(self.point, _tokens_per_s, no_width, energy=False)

    def mean(self, name: str) -> float | None:
        """Mean of a number over the repeats; None where one lacks it."""
        found = [real(row[name]) for row in self.repeats]
        known = [value for value in found if value is not None]
        return math.fsum(known) / len(known) if known and len(known) == len(found) else None

    def reason(self, *names: str) -> str | None:
        """The first reason that a repeat has in one of these columns."""
        told = (row[name] for row in self.repeats for name in names)
        return next((str(each) for each in told if each), None)

    @property
    def weight_share(self) -> float | None:
        """Weights' share of the bytes that the window moves; None where these are not known."""
        weights, others = self.mean("weight_bytes"), self.mean("kv_bytes")
        if weights is None or others is None or weights + others <= 0:
            return None
        return weights / (weights + others)

    @property
    def beyond_bound_s(self) -> float | None:
        """Seconds a token beyond the roofline's by the stated peaks; None without a bound."""
        bound, rate = self.mean("bound_tokens_per_s"), self.rate
        return 1.0 / rate.value - 1.0 / bound if bound and rate is not None else None

    @cached_property
    def limits_w(self) -> frozenset[float]:
        """Power limits of its GPUs as their driver named them; empty where it did not."""
        return frozenset(
            float(entry["power_limit_w"])
            for run in self.point.runs
            for host in run.hosts.values()
            for entry in host.get("gpus", [])
            if entry.get("uuid") in self.point.gpu_uuids
            and isinstance(entry.get("power_limit_w"), int | float)
        )


def _prefill_per_batch_s(row: Row) -> float | None:
    seconds, responses, prompts, rows = (
        real(row[name]) for name in ("prefill_s", "responses", "prompts", ROWS)
    )
    if seconds is None or not responses or not prompts or not rows:
        return None
    # Each pass answers the prompts in so many batches.
    return seconds / (responses / prompts * math.ceil(prompts / rows))


def curve_points(results: Results) -> list[FormatPoint]:
    """Every grid point of a curve that was run in several formats of weights, curve by curve."""
    found: dict[tuple[object, ...], list[FormatPoint]] = {}
    for one in points_by_curve(results):
        found.setdefault(one.curve, []).append(one)
    return [
        one
        for own in found.values()
        if len({one.group["quantization"] for one in own}) >= SEVERAL
        for one in own
    ]


def points_by_curve(results: Results) -> list[FormatPoint]:
    """Every grid point: the curves in the order of the groups, in each the formats by rows.

    Nothing where no point is quantized: there is no format to tell of.
    """
    # Most campaigns are unquantized, and the largest have thousands of points.
    if all(row["quantization"] == UNQUANTIZED for row in results.rows(GROUPS)):
        return []
    found: dict[tuple[object, ...], list[FormatPoint]] = {}
    for one in _all_points(results):
        found.setdefault(one.curve, []).append(one)
    return [one for own in found.values() for one in sorted(own, key=_along)]


def _along(one: FormatPoint) -> tuple[object, ...]:
    row = one.group
    return (*format_order(str(row["quantization"]), str(row["dtype"])), one.rows)


def _all_points(results: Results) -> Iterator[FormatPoint]:
    rows: dict[str, Row] = {}
    windows = [row for row in results.rows(JOULE_WORK) if row["phase"] == WINDOW]
    speeds, conditions = results.rows(PERFORMANCE), results.rows(CONDITIONS)
    for each in (windows, conditions, speeds, results.rows(RUNS)):
        for row in each:
            rows[str(row["run_id"])] = {**rows.get(str(row["run_id"]), {}), **row}
    for work in works(results):
        for point in work.points:
            yield FormatPoint(
                work=work,
                point=point,
                repeats=tuple(rows[run.run_id] for run in point.runs),
                logits=LogitError.of(point.runs),
            )

"""Family: grid points that are the same but for prompts and lengths, and what they say together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.findings.estimate import Ranged
from analysis.findings.works import Scatters, Value, Work, WorkPoint, all_points, real
from analysis.lengths.length_fit import ExactRun, LengthFit, fit_lengths
from analysis.lengths.run_lengths import SEQUENCE_RUNS
from analysis.tables.column import Cell, Row
from analysis.tables.table import Results
from telemetry.record.spec import SETTING_FIELDS

SAME: Final = (
    *("model", "weights", "engine", "dtype", "quantization", "gpus", "gpus_per_node", "nodes"),
    *("batch_size", *SETTING_FIELDS, "temperature", "top_p", "device", "simulated"),
)
"""What points of one family agree in, beside their boards."""
WHOLE: Final = "whole"
"""The whole measured window."""
OUTCOMES: Final[Mapping[str, str]] = {
    WHOLE: "energy_per_response_j",
    "prefill": "prefill_energy_per_response_j",
    "decode": "decode_energy_per_response_j",
    "between": "between_energy_per_response_j",
}
"""What is explained, and its column of sequence_runs: window, both phases, and the rest of it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LengthFamily:
    """Points of one model, engine, board, batch, format and setting."""

    work: Work
    """Its points."""
    lengths: Mapping[str, Row]
    """Row of sequence_runs of each run that answered anything, by its name."""
    values: Mapping[str, tuple[Value, Value]]
    """By column of sequence_runs: its number of a run, and what that is uncertain by."""

    @property
    def first(self) -> Row:
        """A row of groups, for what all have in common."""
        return self.work.points[0].group

    @property
    def board(self) -> str:
        """Product of the working GPUs, as the record names it."""
        return self.work.points[0].board

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Its runs' rows of sequence_runs."""
        names = (run.run_id for point in self.work.points for run in point.runs)
        return tuple(self.lengths[name] for name in names if name in self.lengths)

    @cached_property
    def exact(self) -> tuple[Row, ...]:
        """Those of exact lengths."""
        return tuple(row for row in self.rows if row["exact"])

    @cached_property
    def fits(self) -> Mapping[str, LengthFit]:
        """What their lengths say of each outcome."""
        return {name: self._fit(column) for name, column in OUTCOMES.items()}

    def _fit(self, column: str) -> LengthFit:
        points = []
        for row in self.exact:
            energy = real(row[column])
            # What is 0 or less of `between` is a difference of two readings: nothing was there.
            if energy is not None and energy > 0:
                points.append(
                    ExactRun(
                        run_id=str(row["run_id"]),
                        input_tokens=_number(row, "input_tokens"),
                        output_tokens=_number(row, "output_tokens"),
                        energy_j=energy,
                    )
                )
        return fit_lengths(points)

    def without(self, outcome: str) -> str | None:
        """How many runs of it are in no fit, and why the first is not; None: all are in it."""
        column = OUTCOMES[outcome]
        why = column.removesuffix("_per_response_j").removesuffix("_energy") + "_reason"
        left = [
            str(row["inexact_reason"] or row[why] or "no energy above 0")
            for row in self.rows
            if not row["exact"] or (real(row[column]) or 0.0) <= 0
        ]
        if not left:
            return None
        return f"{len(left)} of {len(self.rows)} runs are in no fit: {left[0]}"

    def of(self, point: WorkPoint, column: str) -> Ranged | None:
        """A number of a point's runs with its interval; None where one lacks it."""
        value, width = self.values[column]
        return self.work.of(point, value, width, energy=True)

    def lengths_of(self, point: WorkPoint) -> tuple[Row, ...]:
        """Rows of sequence_runs of a point's runs."""
        return tuple(self.lengths[run.run_id] for run in point.runs if run.run_id in self.lengths)


def length_families(results: Results) -> list[LengthFamily]:
    """Every family, in the order of the groups."""
    lengths = {str(row["run_id"]): row for row in results.rows(SEQUENCE_RUNS)}
    values = {name: (_of(lengths, name), _of(lengths, _width(name))) for name in _TOLD}
    points = [
        point for point in all_points(results) if all(run.run_id in lengths for run in point.runs)
    ]
    scatters = Scatters(points)
    found: dict[tuple[Cell, ...], list[WorkPoint]] = {}
    for point in points:
        key = (point.board, *(point.group[name] for name in SAME))
        found.setdefault(key, []).append(point)
    return [
        LengthFamily(
            work=Work(points=tuple(own), scatters=scatters), lengths=lengths, values=values
        )
        for own in found.values()
    ]


PER_TOKEN: Final = (
    *("energy_per_input_token_j", "decode_energy_per_output_token_j"),
    "energy_per_output_token_j",
)
"""Columns of sequence_runs that are of a token."""
_TOLD: Final = (*OUTCOMES.values(), *PER_TOKEN)


def _width(name: str) -> str:
    return f"{name.removesuffix('_j')}_uncertainty_j"


def _of(lengths: Mapping[str, Row], name: str) -> Callable[[Row], float | None]:
    def found(row: Row) -> float | None:
        return real(lengths[str(row["run_id"])][name])

    return found


def _number(row: Row, name: str) -> float:
    value = real(row[name])
    assert value is not None
    return value

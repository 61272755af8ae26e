"""Point lengths: energy of a token of a prompt, of a token of an answer, and by phase."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from analysis.findings.estimate import Ranged
from analysis.findings.point_columns import choice_columns, interval_columns
from analysis.findings.works import WorkPoint, real
from analysis.lengths.family import LengthFamily, length_families
from analysis.tables.column import Column, ColumnsOf
from analysis.tables.table import Results, TableKind


@dataclass(frozen=True, kw_only=True)
class PointLengths:
    """One grid point."""

    family: LengthFamily
    """Points that differ in prompts and lengths alone."""
    point: WorkPoint
    """The point."""

    def mean(self, name: str) -> float | None:
        """A number of its runs' lengths, their mean."""
        values = [real(row[name]) for row in self.family.lengths_of(self.point)]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known and len(known) == len(values) else None

    @property
    def exact(self) -> bool:
        """Whether all of its runs have exact lengths."""
        return all(row["exact"] for row in self.family.lengths_of(self.point))

    @property
    def inexact(self) -> str | None:
        """Why not; None where they have."""
        rows = self.family.lengths_of(self.point)
        return next((str(row["inexact_reason"]) for row in rows if not row["exact"]), None)

    def of(self, column: str) -> Ranged | None:
        """A number with its interval."""
        return self.family.of(self.point, column)

    def missing(self, reason: str) -> str:
        """Why a number is missing."""
        rows = self.family.lengths_of(self.point)
        told = next((str(row[reason]) for row in rows if row[reason]), "")
        return told or "a run of it has none above 0"


_OF: Final = ColumnsOf[PointLengths]()


def _ranged(column: str, label: str, reason: str, meaning: str) -> tuple[Column[PointLengths], ...]:
    return interval_columns(
        _OF,
        column,
        label,
        "J",
        meaning=meaning,
        value=lambda one: one.of(column),
        missing=lambda one: one.missing(reason),
    )


_COLUMNS: Final = (
    *choice_columns(_OF, lambda one: one.family.work, lambda one: one.point),
    _OF.number(
        "input_tokens",
        "input",
        "1",
        "Tokens of a prompt, mean over responses and repeats.",
        lambda one: one.mean("input_tokens"),
    ),
    _OF.number(
        "output_tokens",
        "output",
        "1",
        "Tokens of an answer, mean over them.",
        lambda one: one.mean("output_tokens"),
    ),
    _OF.flag(
        "exact",
        "exact",
        "True where each run of it has exact lengths (sequence_runs).",
        lambda one: one.exact,
    ),
    *_ranged(
        "energy_per_input_token_j",
        "J / input token",
        "input_reason",
        "Energy in PREFILL over the tokens of prompts that it read: mean over repeats.",
    ),
    *_ranged(
        "decode_energy_per_output_token_j",
        "decode J / output token",
        "decode_reason",
        "Energy in DECODE over the tokens that were chosen in it: mean over repeats.",
    ),
    *_ranged(
        "energy_per_output_token_j",
        "J / output token",
        "energy_reason",
        "Energy of the window over all generated tokens: mean over repeats.",
    ),
    *_ranged(
        "energy_per_response_j",
        "J / response",
        "energy_reason",
        "Energy of the window over its responses: mean over repeats.",
    ),
    *_ranged(
        "prefill_energy_per_response_j",
        "prefill J / response",
        "prefill_reason",
        "Energy in PREFILL over the responses: mean over repeats.",
    ),
    *_ranged(
        "decode_energy_per_response_j",
        "decode J / response",
        "decode_reason",
        "Energy in DECODE over the responses: mean over repeats.",
    ),
    *_ranged(
        "between_energy_per_response_j",
        "between J / response",
        "between_reason",
        "Energy of the window in neither phase over the responses: mean over repeats.",
    ),
    _OF.share(
        "decode_time_share",
        "decode's time",
        "Share of the window's time in DECODE, mean over repeats.",
        lambda one: one.mean("decode_time_share"),
    ),
    _OF.text("inexact_reason", "not exact", "Why it is in no fit.", lambda one: one.inexact),
)


def _rows(results: Results) -> Iterator[PointLengths]:
    for family in length_families(results):
        for point in family.work.points:
            yield PointLengths(family=family, point=point)


SEQUENCE_LENGTHS: Final = TableKind(
    name="sequence_lengths",
    title="Energy by length of prompt and answer",
    columns=_COLUMNS,
    of_results=_rows,
    section="sequence",
    heading="What tokens of prompts and answers take, by length",
    text="Energy of a token of a prompt (PREFILL), of a token of an answer (DECODE, and of the "
    "whole window), and of a response by phase. What is in neither phase stands by itself and is "
    "charged to no token.",
)
"""One row a grid point."""

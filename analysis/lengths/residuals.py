"""Residuals: what the formula of both lengths leaves of each run."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from analysis.findings.settled import settled
from analysis.lengths.family import LengthFamily, length_families
from analysis.lengths.length_fit import ExactRun
from analysis.lengths.models import family_columns
from analysis.tables.column import ColumnsOf
from analysis.tables.table import Results, TableKind


@dataclass(frozen=True, kw_only=True)
class RunResidual:
    """One run by one fit."""

    family: LengthFamily
    """Whose run it is."""
    outcome: str
    """What is explained."""
    point: ExactRun
    """The run."""
    fitted_j: float
    """Energy of a response by the formula."""

    @property
    def left_j(self) -> float:
        """Energy that the formula does not reach; below 0 where it reaches too far."""
        return settled(self.point.energy_j - self.fitted_j)


_OF: Final = ColumnsOf[RunResidual]()

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.point.run_id),
    *family_columns(_OF),
    _OF.text("outcome", "explained", "As in sequence_models.", lambda one: one.outcome),
    _OF.number(
        "input_tokens", "input", "1", "Tokens of each prompt.", lambda one: one.point.input_tokens
    ),
    _OF.number(
        "output_tokens",
        "output",
        "1",
        "Tokens of each answer.",
        lambda one: one.point.output_tokens,
    ),
    _OF.number(
        "measured_j", "measured", "J", "Energy of a response.", lambda one: one.point.energy_j
    ),
    _OF.number("fitted_j", "fitted", "J", "The same by the formula.", lambda one: one.fitted_j),
    _OF.number("residual_j", "left", "J", "measured_j - fitted_j.", lambda one: one.left_j),
    _OF.share(
        "residual_share",
        "left",
        "residual_j / measured_j.",
        lambda one: settled(one.left_j / one.point.energy_j),
    ),
)


def _rows(results: Results) -> Iterator[RunResidual]:
    for family in length_families(results):
        for outcome, fit in family.fits.items():
            for point, fitted in zip(fit.points, fit.fitted_j, strict=False):
                yield RunResidual(family=family, outcome=outcome, point=point, fitted_j=fitted)


SEQUENCE_RESIDUALS: Final = TableKind(
    name="sequence_residuals",
    title="What the formula of both lengths leaves",
    columns=_COLUMNS,
    of_results=_rows,
    section="sequence",
    heading="What the formula leaves of each run",
    text="Runs of the fits above: measured, by the formula, and what is left.",
)
"""One row a run and a fit that it is in."""

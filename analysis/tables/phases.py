"""Phases: the table with one row a rank and phase, and one a GPU that was left idle."""

from dataclasses import dataclass
from typing import Final

from analysis.energy.methods import POLLED_COUNTER
from analysis.energy.phase_energy import PhaseEnergy
from analysis.energy.run_energy import RunEnergy
from analysis.tables.column import ColumnsOf, Row
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.table import TableKind


@dataclass(frozen=True, kw_only=True)
class _RankPhase:
    of: Measured
    """The run that it is of."""
    phase: PhaseEnergy
    """One phase of one rank, or an idle GPU's whole job."""


_OF: Final = ColumnsOf[_RankPhase]()

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    _OF.count(
        "rank",
        "rank",
        "Model-parallel rank; empty for a GPU that no rank worked on.",
        lambda one: one.phase.rank,
    ),
    _OF.text("host", "host", "Node the rank ran on.", lambda one: one.phase.host),
    _OF.text("gpu_uuid", "GPU", "The rank's GPU.", lambda one: one.phase.gpu_uuid),
    _OF.text(
        "phase",
        "phase",
        "What the rank was doing; `too short` pools the phases that are not attributable, so that "
        "a rank's numbers sum to its total; `allocated, no rank` is a GPU that was left idle.",
        lambda one: one.phase.phase,
    ),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    _OF.count("spans", "spans", "How often it did so.", lambda one: one.phase.spans),
    _OF.number("seconds", "time", "s", "Sum of the spans.", lambda one: one.phase.seconds),
    *_OF.uncertain(
        "energy_j",
        "energy",
        "J",
        "Gross energy of the rank's GPU in those spans; not attributable when most of it lies in "
        "spans shorter than 2 sensor periods.",
        lambda one: one.phase.energy,
        reason="reason",
    ),
    *_OF.uncertain(
        "power_w",
        "power",
        "W",
        "energy_j / seconds.",
        lambda one: one.phase.energy.over(one.phase.seconds),
        told=False,
        reason="reason",
    ),
    *_OF.uncertain(
        "net_energy_j",
        "net energy",
        "J",
        "energy_j - the GPU's idle power x seconds.",
        lambda one: one.phase.net,
    ),
    _OF.text(
        "energy_method",
        "energy from",
        "How the phases' energy was had: phase_energy_method of runs.",
        lambda one: (
            one.of.run_energy.phase_method_text if one.phase.rank is not None else POLLED_COUNTER
        ),
    ),
    _OF.reason(lambda one: one.phase.energy.reason or one.phase.net.reason),
)


def _phases(one: Measured) -> list[_RankPhase]:
    return [_RankPhase(of=one, phase=phase) for phase in one.run_energy.phases]


PHASES: Final = TableKind(
    name="phases",
    title="Phases",
    columns=_COLUMNS,
    of_run=_phases,
    section="phases",
    label="Energy by rank and phase",
)
"""One row a rank and phase over the rank's whole life, and one a GPU that was left idle."""


def phase_rows(run_energy: RunEnergy) -> list[Row]:
    """The rows of one run."""
    return PHASES.rows(_phases(Measured(run_energy)))

"""Phases: the table with one row a rank and phase, and one a GPU that was left idle."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from analysis.energy.methods import POLLED_COUNTER
from analysis.energy.phase_energy import PhaseEnergy
from analysis.energy.phase_state import PhaseState, own_labels, phase_state
from analysis.energy.run_energy import RunEnergy
from analysis.runs.labels import words_of
from analysis.tables.column import ColumnsOf, Row
from analysis.tables.labels import WORDS, label_columns
from analysis.tables.measured import Measured
from analysis.tables.table import TableKind


@dataclass(frozen=True, kw_only=True)
class _RankPhase:
    of: Measured
    """The run that it is of."""
    phase: PhaseEnergy
    """One phase of one rank, or an idle GPU's whole job."""

    @cached_property
    def state(self) -> PhaseState | None:
        """What its GPU was asked and read in it; None outside the window's phases."""
        run_energy = self.of.run_energy
        for gpu in run_energy.gpus:
            if (gpu.host, gpu.uuid) == (self.phase.host, self.phase.gpu_uuid):
                return phase_state(run_energy, gpu, self.phase.phase)
        return None

    @property
    def asked_cap_w(self) -> float | None:
        return None if self.state is None else self.state.wish.power_cap_w

    @property
    def asked_clock_mhz(self) -> int | None:
        return None if self.state is None else self.state.wish.sm_clock_mhz

    @property
    def clock_mhz(self) -> float | None:
        return None if self.state is None else self.state.sm_clock_mean.value

    @property
    def bound_share(self) -> float | None:
        return None if self.state is None else self.state.cap_bound_share.value


_OF: Final = ColumnsOf[_RankPhase]()
_NO_PHASE: Final = "what is asked of a GPU is looked at in prefill and decode"

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
    *(
        column
        if column.name != WORDS
        else replace(
            column,
            meaning=f"{column.meaning} Of prefill and decode those of cap and clock are the "
            "phase's own, on its GPU, by what the phase asks.",
            value=lambda one: words_of(own_labels(one.of.labels, one.state)),
        )
        for column in label_columns(_OF, lambda one: one.of)
    ),
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
    _OF.number(
        "power_cap_w",
        "cap",
        "W",
        "Cap that was asked for in prefill or decode: the phase's own, else the run's.",
        lambda one: one.asked_cap_w,
        shown_with="power_cap_w",
    ),
    _OF.number(
        "sm_clock_mhz",
        "clock",
        "MHz",
        "Clock lock that was asked for there.",
        lambda one: one.asked_clock_mhz,
        shown_with="sm_clock_mhz",
    ),
    _OF.number(
        "sm_clock_mean_mhz",
        "clock read",
        "MHz",
        "Mean clock over the readings in the phase; a setting's delay is left out at both edges "
        "where phases have settings of their own.",
        lambda one: one.clock_mhz,
        shown=False,
        reason="conditions_reason",
    ),
    _OF.share(
        "cap_bound_share",
        "limit bound",
        "Share of the readings in the phase at which a power limit held the clock down.",
        lambda one: one.bound_share,
        shown=False,
        reason="conditions_reason",
    ),
    _OF.text(
        "conditions_reason",
        "clock: why not",
        "Why clock or share is missing.",
        lambda one: _NO_PHASE if one.state is None else one.state.reason,
        shown=False,
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

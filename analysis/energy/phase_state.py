"""Phase state: what each phase asks of a GPU, what was read of it there, and its own labels.

A run's labels say of its window what one phase of it may not bear out: a cap that binds while
prompts are read may never bind while tokens are chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.energy.gpu_energy import Gpu
from analysis.energy.gpu_state import POWER_CAP, SM_CLOCK, THROTTLE
from analysis.energy.held import cap_bound_in, clock_held_in, enough_in
from analysis.energy.phase_spans import OwnPhase, told_phases
from analysis.energy.run_energy import RunEnergy
from analysis.energy.uncertain import Uncertain
from analysis.runs.labels import Label, in_order
from telemetry.power.phases import PHASES
from telemetry.power.wish import Wish

BY_PHASE: Final = (
    Label.CAP_NEVER_BOUND,
    Label.CLOCK_NOT_HELD,
    Label.CAP_UNKNOWN,
    Label.CLOCK_UNKNOWN,
)
"""Labels that a phase has of its own."""
_NO_DELAY: Final = "nobody knows how long the phase's settings took to act"
_FEW: Final = "too few readings lie in the phase"


@dataclass(frozen=True, kw_only=True)
class PhaseState:
    """One phase on one GPU."""

    wish: Wish
    """What it asks."""
    sm_clock_mean: Uncertain
    """MHz, over the readings in it."""
    cap_bound_share: Uncertain
    """Share of them at which a power limit held the clock down."""
    labels: tuple[Label, ...]
    """Of `BY_PHASE` those that are true of it."""

    @property
    def reason(self) -> str | None:
        """Why clock or share is not known; None where both are."""
        return self.sm_clock_mean.reason or self.cap_bound_share.reason


def phase_state(run_energy: RunEnergy, gpu: Gpu, phase: str) -> PhaseState | None:
    """What a GPU was asked and read in a phase of the window; None of a phase that has no own."""
    if phase not in PHASES:
        return None
    wish = Wish.of(run_energy.run.spec, phase)
    phases = told_phases(run_energy, gpu)
    if phases is None:
        unknown = Uncertain.unknown(_NO_DELAY)
        return PhaseState(
            wish=wish,
            sm_clock_mean=unknown,
            cap_bound_share=unknown,
            labels=_labels(
                None if wish.power_cap_w is not None else True,
                None if wish.sm_clock_mhz is not None else True,
            ),
        )
    (own,) = (one for one in phases if one.phase == phase)
    return PhaseState(
        wish=wish,
        sm_clock_mean=_mean(run_energy, gpu, own, SM_CLOCK),
        cap_bound_share=_mean(run_energy, gpu, own, THROTTLE, bit=POWER_CAP),
        labels=_labels(cap_bound_in(run_energy, gpu, own), clock_held_in(run_energy, gpu, own)),
    )


def own_labels(of_run: Sequence[Label], state: PhaseState | None) -> tuple[Label, ...]:
    """A run's labels with a phase's own in the place of those that it decides itself."""
    if state is None:
        return tuple(of_run)
    return in_order([*(one for one in of_run if one not in BY_PHASE), *state.labels])


def _mean(
    run_energy: RunEnergy, gpu: Gpu, own: OwnPhase, field: str, bit: int | None = None
) -> Uncertain:
    """Mean of a field's readings in a phase; with a `bit` the share of those that have it."""
    if not enough_in(run_energy, gpu, own, field):
        series = run_energy.series(gpu.host, gpu.uuid, field)
        return Uncertain.unknown((series.null_reason if not len(series) else None) or _FEW)
    values = own.values(run_energy, gpu, field)
    if bit is not None:
        values = (values.astype(np.int64) & bit) != 0
    return Uncertain.of(float(values.mean()))


def _labels(bound: bool | None, kept: bool | None) -> tuple[Label, ...]:
    found = []
    if bound is not True:
        found.append(Label.CAP_UNKNOWN if bound is None else Label.CAP_NEVER_BOUND)
    if kept is not True:
        found.append(Label.CLOCK_UNKNOWN if kept is None else Label.CLOCK_NOT_HELD)
    return in_order(found)

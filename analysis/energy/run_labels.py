"""Run labels: every honest label of a run, of its record and of its readings."""

from collections.abc import Iterator
from typing import Final

from analysis.energy.held import cap_bound, clock_held, throttled
from analysis.energy.run_energy import RunEnergy
from analysis.runs.labels import Label, in_order, recorded_labels
from telemetry.record.schema import Phase

# What an energy that no sensor tells apart is null for (`analysis/energy/gpu_energy.py`).
_NOT_ATTRIBUTABLE: Final = "not attributable"


def labels_of(run_energy: RunEnergy) -> tuple[Label, ...]:
    """Every label of a run, each once, in the enumeration's order."""
    return in_order([*recorded_labels(run_energy.run), *_read_labels(run_energy)])


def _read_labels(run_energy: RunEnergy) -> Iterator[Label]:
    """Those that its readings decide."""
    if run_energy.impossible_readings:
        yield Label.PARTIAL
    held, bound = throttled(run_energy), cap_bound(run_energy)
    if held is not False:
        yield Label.THROTTLING_UNKNOWN if held is None else Label.THROTTLED
    if bound is not True:
        yield Label.CAP_UNKNOWN if bound is None else Label.CAP_NEVER_BOUND
    kept = clock_held(run_energy)
    if kept is not True:
        yield Label.CLOCK_UNKNOWN if kept is None else Label.CLOCK_NOT_HELD
    phases = [Phase.PREFILL, Phase.DECODE]
    if any(len(rank.measured(Phase.ENCODE)) for rank in run_energy.ranks):
        phases.append(Phase.ENCODE)
    reasons = (run_energy.phase_energy(phase).reason for phase in phases)
    if any(reason is not None and _NOT_ATTRIBUTABLE in reason for reason in reasons):
        yield Label.NOT_ATTRIBUTABLE

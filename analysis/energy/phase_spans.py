"""Phase spans: when each phase's own settings stood on a GPU, the switch's delay left out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.energy.gpu_energy import Gpu
from analysis.energy.run_energy import RunEnergy
from analysis.runs.rank_spans import rank_spans
from analysis.runs.sealed_runs import Run
from analysis.runs.series import FloatArray
from telemetry.power.phases import PHASES, NodePhases
from telemetry.power.record import NodePower
from telemetry.power.wish import Wish, switches


@dataclass(frozen=True, kw_only=True)
class OwnPhase:
    """One phase of a run whose phases have settings of their own, on one GPU."""

    phase: str
    """`prefill` or `decode`."""
    wish: Wish
    """What it asks of the GPU."""
    windows_us: tuple[tuple[int, int], ...]
    """A span each, the prefill's with its encoder's, the switch's delay left out at both ends: the
    first rank of a node asks for the next phase's settings while another may be at its last kernel.
    None where it was shorter."""
    short: int
    """Spans of which nothing is left."""

    def values(self, run_energy: RunEnergy, gpu: Gpu, field: str) -> FloatArray:
        """The readings of a field that lie in it, one of its periods after the switch acted."""
        series = run_energy.series(gpu.host, gpu.uuid, field)
        period_us = run_energy.sampling_us(gpu.host, gpu.uuid, field)
        found = [
            series.between(start_us + period_us, end_us).value
            for start_us, end_us in self.windows_us
            if end_us > start_us + period_us
        ]
        return np.concatenate(found) if found else np.empty(0)


def own_phases(run_energy: RunEnergy, gpu: Gpu) -> tuple[OwnPhase, ...] | None:
    """The phases of a GPU that have settings of their own; none where no phase has.

    None: nobody knows how long the settings took to act.
    """
    run = run_energy.run
    if not switches(run.spec):
        return ()
    told = _phases_of(run, gpu.host)
    delay_us = None if told is None else told.delay_us
    if told is None or delay_us is None:
        return None
    # A switch that took longer than any that was tried is left out as long as it took.
    took_us = {(one.phase, one.batch): one.took_us or 0 for one in told.switches}
    return _phases(run, gpu, delay_us, took_us)


def told_phases(run_energy: RunEnergy, gpu: Gpu) -> tuple[OwnPhase, ...] | None:
    """Both phases of a GPU, each with what is asked there: where nothing switches, of the run.

    None: nobody knows how long the settings took to act.
    """
    if switches(run_energy.run.spec):
        return own_phases(run_energy, gpu)
    return _phases(run_energy.run, gpu, 0, {})


def _phases(
    run: Run, gpu: Gpu, delay_us: int, took_us: Mapping[tuple[str, int], int]
) -> tuple[OwnPhase, ...]:
    found = []
    for phase in PHASES:
        windows, short = [], 0
        for rank in rank_spans(run):
            if (rank.host, rank.gpu_uuid) != (gpu.host, gpu.uuid):
                continue
            for batch, start_us, end_us in rank.setting_spans(phase):
                first_us = start_us + max(delay_us, took_us.get((phase, batch), 0))
                if end_us - delay_us > first_us:
                    windows.append((first_us, end_us - delay_us))
                else:
                    short += 1
        wish = Wish.of(run.spec, phase)
        found.append(OwnPhase(phase=phase, wish=wish, windows_us=tuple(windows), short=short))
    return tuple(found)


def _phases_of(run: Run, host: str) -> NodePhases | None:
    """How a host says that its phases were switched; None where it does not tell."""
    path = run.attempt.host_power(host)
    if not path.is_file():
        return None
    try:
        return NodePower.read(path).phases
    except (OSError, ValueError):
        # The audit says what is wrong with it.
        return None

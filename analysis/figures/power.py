"""Power: the power of a run's GPUs over time, shaded by what rank 0 was doing."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from analysis.energy.run_energy import RunEnergy
from analysis.figures.canvas import (
    INK,
    PALETTE,
    DrawnFigure,
    new_figure,
    nothing,
    plain,
    to_svg,
    watermark,
)
from analysis.figures.labels import weights_note
from analysis.figures.phases import PHASES
from analysis.runs.sealed_runs import Loaded, Run
from analysis.runs.series import FloatArray, IntArray
from analysis.runs.unreadable import UNREADABLE
from analysis.tables.table import Tables
from telemetry.clock import US_PER_S

# More points than a laptop has pixels across say nothing more.
_MOST_POINTS: Final = 1200
# More lines than the GPUs of one node cannot be told apart.
_MOST_LINES: Final = 8


def power_over_time(loaded: Loaded, _tables: Tables) -> DrawnFigure:
    """Watts over time of the run with the most GPUs."""
    key, title = "power-over-time", "GPU power over time"
    for run in sorted(loaded.runs, key=lambda run: (-run.spec.gpus, run.run_id)):
        try:
            run_energy = RunEnergy(run)
            curves = [
                (gpu.uuid, *run_energy.power_series(gpu.host, gpu.uuid)) for gpu in run_energy.gpus
            ]
        except UNREADABLE:
            continue
        curves = [curve for curve in curves if len(curve[2])]
        if curves:
            return _power_of(run, run_energy, curves)
    return nothing(key, title, "no run has a reading of GPU power")


def _power_of(
    run: Run, run_energy: RunEnergy, curves: Sequence[tuple[str, str, Any]]
) -> DrawnFigure:
    key, title = "power-over-time", "GPU power over time"
    figure, (panel,) = new_figure(1, 3.6)
    rank = run_energy.ranks[0]
    zero_us = int(rank.start_us[0])
    shades: dict[str, str] = {}
    for phase, start_us, end_us in zip(rank.phase, rank.start_us, rank.end_us, strict=True):
        colour = PALETTE[PHASES.index(phase) % len(PALETTE)] if phase in PHASES else PALETTE[-1]
        panel.axvspan(
            (start_us - zero_us) / US_PER_S,
            (end_us - zero_us) / US_PER_S,
            color=colour,
            alpha=0.18,
            linewidth=0,
            label=None if phase in shades else plain(phase),
        )
        shades.setdefault(phase, colour)
    if len(curves) <= _MOST_LINES:
        lines = "one line a GPU"
        for index, (uuid, _, series) in enumerate(curves):
            t_us, value = thinned(series.t_us, series.value)
            panel.plot(
                (t_us - zero_us) / US_PER_S,
                value,
                color=PALETTE[index % len(PALETTE)],
                linestyle=("-", "--")[index // len(PALETTE)],
                linewidth=1.6,
                label=plain(uuid),
            )
    else:
        lines = f"the mean of {len(curves)} GPUs and the band from the least to the greatest"
        grid_us = np.linspace(*run_energy.life_us, _MOST_POINTS)
        powers = np.array([np.interp(grid_us, one.t_us, one.value) for _, _, one in curves])
        seconds = (grid_us - zero_us) / US_PER_S
        panel.fill_between(
            seconds, powers.min(axis=0), powers.max(axis=0), color=INK, alpha=0.2, linewidth=0
        )
        panel.plot(seconds, powers.mean(axis=0), color=INK, linewidth=1.2, label="mean")
    panel.set_ylim(bottom=0)
    panel.set_xlabel("time since rank 0 began [s]")
    panel.set_ylabel("power of one GPU [W]")
    panel.set_title(title)
    panel.margins(x=0.0)
    if run.simulated:
        watermark(panel)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return DrawnFigure(
        key=key,
        title=title,
        caption=f"Run {run.run_id}: {lines}, by {curves[0][1]}; shaded by what rank 0 was doing. "
        f"{weights_note([run.spec.weights])}".strip(),
        svg=to_svg(figure, key),
        reason=None,
        simulated=run.simulated,
    )


def thinned(t_us: IntArray, value: FloatArray) -> tuple[IntArray, FloatArray]:
    """At most about 1200 points: the least and the greatest of each stretch, so no peak is lost."""
    if len(value) <= _MOST_POINTS:
        return t_us, value
    keep: set[int] = {0, len(value) - 1}
    for stretch in np.array_split(np.arange(len(value)), _MOST_POINTS // 2):
        keep.add(int(stretch[np.argmin(value[stretch])]))
        keep.add(int(stretch[np.argmax(value[stretch])]))
    chosen = np.array(sorted(keep))
    return t_us[chosen], value[chosen]

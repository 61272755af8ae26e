"""Phases: the energy of each run, phase by phase."""

from typing import Final

import numpy as np
from matplotlib.ticker import EngFormatter

from analysis.energy.phase_energy import NO_RANK, SHORT_PHASES
from analysis.figures.canvas import (
    HATCHES,
    PALETTE,
    DrawnFigure,
    new_figure,
    nothing,
    to_svg,
    watermark,
)
from analysis.figures.labels import number_of, weights_note
from analysis.runs.sealed_runs import Loaded
from analysis.tables.table import Tables
from telemetry.record.schema import Phase

# ANSWER came later: the others keep their colours.
PHASES: Final = (
    *(phase.value for phase in Phase if phase is not Phase.ANSWER),
    *(SHORT_PHASES, NO_RANK, Phase.ANSWER.value),
)
"""Phases in the order of their colours."""
_MOST_BARS: Final = 12


def energy_by_phase(loaded: Loaded, tables: Tables) -> DrawnFigure:
    """Joules of each run, one stretch of its bar a phase."""
    key, title = "energy-by-phase", "Energy by phase"
    sums: dict[str, dict[str, float]] = {}
    simulated: dict[str, bool] = {}
    for row in tables.phases.rows:
        if row["energy_j"] is not None:
            own = sums.setdefault(str(row["run_id"]), {})
            phase = str(row["phase"])
            own[phase] = own.get(phase, 0.0) + number_of(row["energy_j"])
            simulated[str(row["run_id"])] = bool(row["simulated"])
    if not sums:
        return nothing(key, title, "no phase of any run has an energy")
    runs = list(sums)[:_MOST_BARS]
    figure, (panel,) = new_figure(1, 1.7 + 0.34 * len(runs))
    left = np.zeros(len(runs))
    for index, phase in enumerate(PHASES):
        values = np.array([sums[run].get(phase, 0.0) for run in runs])
        if values.any():
            panel.barh(
                runs,
                values,
                left=left,
                height=0.7,
                color=PALETTE[index % len(PALETTE)],
                hatch=HATCHES[index % len(HATCHES)] if index >= len(PALETTE) else "",
                edgecolor="white",
                linewidth=0.4,
                label=phase,
            )
            left += values
    panel.invert_yaxis()
    panel.tick_params(axis="y", labelsize=8)
    panel.set_xlabel("gross energy of all GPUs over the whole job")
    panel.xaxis.set_major_formatter(EngFormatter(unit="J"))
    panel.grid(visible=False, axis="y")
    panel.grid(visible=True, axis="x")
    panel.set_title(title)
    if any(simulated[run] for run in runs):
        watermark(panel)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    more = f" The first {len(runs)} of {len(sums)} runs." if len(sums) > len(runs) else ""
    weights = weights_note([run.spec.weights for run in loaded.runs if run.run_id in runs])
    return DrawnFigure(
        key=key,
        title=title,
        caption="Loading and rest are outside the measured window; 'too short' pools phases that "
        f"the sensor cannot resolve.{more} {weights}".strip(),
        svg=to_svg(figure, key),
        reason=None,
        simulated=any(simulated[run] for run in runs),
    )

"""Draw all: what the tables say, drawn; a figure without data gives its reason instead."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.ticker import EngFormatter

from analysis.energy.phase_energy import NO_RANK, SHORT_PHASES
from analysis.energy.run_energy import RunEnergy
from analysis.figures.bars import energy_per_token, known, number_of, throughput
from analysis.figures.canvas import (
    HATCHES,
    INK,
    MARKERS,
    PALETTE,
    DrawnFigure,
    new_figure,
    nothing,
    plain,
    style,
    to_svg,
    watermark,
)
from analysis.figures.contrast_figures import engines, formats, sharding
from analysis.runs.sealed_runs import Loaded, Run
from analysis.runs.series import FloatArray, IntArray
from analysis.runs.unreadable import UNREADABLE
from analysis.tables.column import Row
from analysis.tables.table import Tables
from telemetry.clock import US_PER_S
from telemetry.record.schema import Phase

# More points than a laptop has pixels across say nothing more.
_MOST_POINTS: Final = 1200
_MOST_BARS: Final = 12
# More lines than the GPUs of one node cannot be told apart.
_MOST_LINES: Final = 8
_PHASES: Final = (*(phase.value for phase in Phase), SHORT_PHASES, NO_RANK)


def draw_all(loaded: Loaded, tables: Tables) -> list[DrawnFigure]:
    """Every figure, in the report's order."""
    with style():
        return [
            energy_per_token(tables),
            throughput(tables),
            _power_over_time(loaded),
            _energy_by_phase(tables),
            _energy_against_batch(tables),
            engines(tables),
            sharding(tables),
            formats(tables),
        ]


def _power_over_time(loaded: Loaded) -> DrawnFigure:
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
        colour = PALETTE[_PHASES.index(phase) % len(PALETTE)] if phase in _PHASES else PALETTE[-1]
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
        caption=f"Run {run.run_id}: {lines}, by {curves[0][1]}; shaded by what rank 0 was doing.",
        svg=to_svg(figure, key),
        reason=None,
        simulated=run.simulated,
    )


def _energy_by_phase(tables: Tables) -> DrawnFigure:
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
    for index, phase in enumerate(_PHASES):
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
    return DrawnFigure(
        key=key,
        title=title,
        caption="Loading and rest are outside the measured window; 'too short' pools phases that "
        f"the sensor cannot resolve.{more}",
        svg=to_svg(figure, key),
        reason=None,
        simulated=any(simulated[run] for run in runs),
    )


def _energy_against_batch(tables: Tables) -> DrawnFigure:
    key, title = "energy-against-batch", "Energy per token against batch size"
    lines: dict[str, list[Row]] = {}
    for row in tables.groups.rows:
        if known(row, "energy_per_token_j"):
            cap = "" if row["power_cap_w"] is None else f", {number_of(row['power_cap_w']):g} W"
            name = (
                f"{row['model']}, {row['dataset']}, {row['gpus']} x {row['gpu']}, "
                f"{row['max_gen_len']} tokens, {row['engine']} {row['dtype']}"
                f"{'' if row['quantization'] == 'none' else ' ' + str(row['quantization'])}{cap}"
            )
            lines.setdefault(name, []).append(row)
    several = {
        name: rows for name, rows in lines.items() if len({row["batch_size"] for row in rows}) > 1
    }
    if not several:
        return nothing(key, title, "no model was run with two batch sizes")
    figure, (panel,) = new_figure(1, 3.4)
    for index, (name, members) in enumerate(several.items()):
        rows = sorted(members, key=lambda row: number_of(row["batch_size"]))
        panel.plot(
            [number_of(row["batch_size"]) for row in rows],
            [number_of(row["energy_per_token_j_mean"]) for row in rows],
            color=PALETTE[index % len(PALETTE)],
            marker=MARKERS[index % len(MARKERS)],
            label=plain(name),
        )
    sizes = sorted({int(number_of(row["batch_size"])) for rows in several.values() for row in rows})
    panel.set_xscale("log", base=2)
    panel.set_xticks(sizes, [str(size) for size in sizes])
    panel.minorticks_off()
    panel.set_ylim(bottom=0)
    panel.set_xlabel("batch size [prompts]")
    panel.set_ylabel("energy per token [J]")
    panel.set_title(title)
    simulated = any(bool(row["simulated"]) for rows in several.values() for row in rows)
    if simulated:
        watermark(panel)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return DrawnFigure(
        key=key,
        title=title,
        caption="Mean over repeats; one line for each model, data set and GPUs.",
        svg=to_svg(figure, key),
        reason=None,
        simulated=simulated,
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

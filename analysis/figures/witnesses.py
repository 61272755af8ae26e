"""Witnesses: what each reading of a run's energy says, over what an outside meter says."""

from typing import Final

from analysis.figures.canvas import (
    INK,
    MARKERS,
    PALETTE,
    DrawnFigure,
    new_figure,
    nothing,
    plain,
    to_svg,
    watermark,
)
from analysis.figures.labels import number_of
from analysis.meter.witness import WINDOW
from analysis.runs.sealed_runs import Loaded
from analysis.tables.table import Tables

_WITNESSES: Final = {
    "rank_counter_energy_j": "rank counter",
    "polled_counter_energy_j": "polled counter",
    "power_integral_energy_j": "power integral",
}
# As many as fit on a screen; the table has all.
_MOST_ROWS: Final = 24
# Between the marks of one run, in rows.
_APART: Final = 0.2


def witnesses(_loaded: Loaded, tables: Tables) -> DrawnFigure:
    """Each witness of a run's energy over the outside meter's, where both are of the same GPUs."""
    key, title = "witnesses", "Witnesses of each run's energy"
    runs = {str(row["run_id"]): row for row in tables.runs.rows}
    rows = [
        row
        for row in tables.outside_meters.rows
        if row["part"] == WINDOW
        and row["meter_energy_j"] is not None
        and row["boundary"] == "gpu"
        and str(row["run_id"]) in runs
    ]
    if not rows:
        return nothing(key, title, "no outside meter of GPUs alone saw a run")
    shown = rows[:_MOST_ROWS]
    figure, (panel,) = new_figure(1, 1.6 + 0.5 * len(shown))
    for index, (name, label) in enumerate(_WITNESSES.items()):
        at, ratios, widths = [], [], []
        for place, row in enumerate(shown):
            run = runs[str(row["run_id"])]
            if run.get(name) is None:
                continue
            meter_j = number_of(row["meter_energy_j"])
            at.append(place + (index - 1) * _APART)
            ratios.append(number_of(run[name]) / meter_j)
            beside = run.get(name.replace("_energy_j", "_energy_uncertainty_j"))
            widths.append(0.0 if beside is None else number_of(beside) / meter_j)
        if at:
            panel.errorbar(
                ratios,
                at,
                xerr=widths,
                fmt=MARKERS[index],
                color=PALETTE[index],
                markersize=5,
                capsize=3,
                label=label,
            )
    for place, row in enumerate(shown):
        width = row["meter_energy_uncertainty_j"]
        share = 0.0 if width is None else number_of(width) / number_of(row["meter_energy_j"])
        panel.fill_betweenx(
            [place - 2 * _APART, place + 2 * _APART],
            1 - share,
            1 + share,
            color=INK,
            alpha=0.12,
            linewidth=0,
            label="outside meter" if not place else None,
        )
    panel.axvline(1.0, color=INK, linewidth=0.8)
    panel.set_yticks(
        range(len(shown)), [plain(f"{row['run_id']}\n{row['meter']}") for row in shown], fontsize=8
    )
    panel.invert_yaxis()
    panel.set_xlabel("energy over the outside meter's")
    panel.grid(visible=False, axis="y")
    panel.grid(visible=True, axis="x")
    panel.set_title(title)
    simulated = any(bool(row["simulated"]) for row in shown)
    if simulated:
        watermark(panel)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    more = f" The first {len(shown)} of {len(rows)}." if len(rows) > len(shown) else ""
    return DrawnFigure(
        key=key,
        title=title,
        caption="Energy of the window by each of the record's readings over that of a meter which "
        f"is no part of the record; whiskers and band: expanded uncertainties (k = 2).{more}",
        svg=to_svg(figure, key),
        reason=None,
        simulated=simulated,
    )

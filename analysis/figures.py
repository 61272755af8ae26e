"""Figures: what the tables say, drawn; a figure without data gives its reason instead."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.account import Account
from analysis.drawing import HATCHES, INK, MARKERS, PALETTE, new_figure, style, to_svg, watermark
from analysis.energy import US_PER_S, FloatArray, IntArray
from analysis.load import UNREADABLE, Loaded, Run
from analysis.phases import NO_RANK, SHORT_PHASES
from analysis.rows import Row
from analysis.tables import Tables
from telemetry.schema import Phase

# More points than a laptop has pixels across say nothing more.
_MOST_POINTS: Final = 1200
_MOST_BARS: Final = 12
# As many bars as fit on two screens; the tables have all.
_MOST_ROWS: Final = 48
# Room between bars of two grid points, in bars.
_GAP: Final = 0.6
_PHASES: Final = (*(phase.value for phase in Phase), SHORT_PHASES, NO_RANK)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One figure of the report."""

    key: str
    """File name without its ending, and prefix of its ids."""
    title: str
    caption: str
    """What is seen, in one or two sentences."""
    svg: str | None
    """None when there is nothing to draw."""
    reason: str | None
    """Why there is nothing to draw; None when there is."""
    simulated: bool


def draw_all(loaded: Loaded, tables: Tables) -> list[Drawn]:
    """Every figure, in the report's order."""
    with style():
        return [
            _energy_per_token(tables),
            _throughput(tables),
            _power_over_time(loaded),
            _energy_by_phase(tables),
            _energy_against_batch(tables),
        ]


def _energy_per_token(tables: Tables) -> Drawn:
    return _bars(
        tables,
        key="energy-per-token",
        title="Energy per generated token",
        caption="Gross energy of all GPUs over generated tokens, mean over repeats; whiskers are "
        "the 95 % interval where there are two repeats or more.",
        metrics=(("energy_per_token_j", "energy per token [J]"),),
    )


def _throughput(tables: Tables) -> Drawn:
    return _bars(
        tables,
        key="throughput",
        title="Throughput",
        caption="Words, tokens and responses per second of the measured window, mean over repeats.",
        metrics=(
            ("words_per_s", "words/s"),
            ("tokens_per_s", "tokens/s"),
            ("responses_per_s", "responses/s"),
        ),
    )


def _bars(
    tables: Tables, *, key: str, title: str, caption: str, metrics: Sequence[tuple[str, str]]
) -> Drawn:
    names = [name for name, _ in metrics]
    rows = [row for row in tables.groups.rows if all(_known(row, name) for name in names)]
    if not rows:
        reason = f"no run has {' and '.join(names)}"
        return _nothing(key, title, reason)
    shown = rows[:_MOST_ROWS]
    if len(rows) > len(shown):
        caption += f" The first {len(shown)} of {len(rows)} grid points; the table has all."
    datasets = sorted({str(row["dataset"]) for row in shown})
    at = _places(shown)
    labels: dict[str, list[float]] = {
        label: [] for label in dict.fromkeys(_point_label(row, shown) for row in shown)
    }
    for row, place in zip(shown, at, strict=True):
        labels[_point_label(row, shown)].append(place)
    figure, panels = new_figure(len(metrics), 1.5 + 0.27 * (len(shown) + _GAP * len(labels)))
    for panel, (name, label) in zip(panels, metrics, strict=True):
        for index, dataset in enumerate(datasets):
            own = [number for number, row in enumerate(shown) if row["dataset"] == dataset]
            _draw_bars(
                panel,
                name,
                [at[number] for number in own],
                [shown[number] for number in own],
                index=index,
                dataset=dataset,
            )
        panel.set_yticks(
            [sum(places) / len(places) for places in labels.values()],
            list(labels) if panel is panels[0] else [""] * len(labels),
            fontsize=9,
        )
        panel.invert_yaxis()
        panel.set_xlabel(label)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=6 if len(panels) == 1 else 3))
        panel.grid(visible=False, axis="y")
        panel.grid(visible=True, axis="x")
        panel.margins(x=0.16 if len(panels) == 1 else 0.34)
        if any(row["simulated"] for row in shown):
            watermark(panel, small=len(panels) > 1)
    panels[0].set_title(title)
    if len(datasets) > 1:
        handles, texts = panels[0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=len(datasets))
    else:
        caption += f" Prompts: {datasets[0]}."
    return Drawn(
        key=key,
        title=title,
        caption=caption,
        svg=to_svg(figure, key),
        reason=None,
        simulated=any(bool(row["simulated"]) for row in shown),
    )


def _draw_bars(
    panel: Axes,
    name: str,
    at: list[float],
    rows: list[Row],
    *,
    index: int,
    dataset: str,
) -> None:
    means = [_float(row[f"{name}_mean"]) for row in rows]
    panel.barh(
        at,
        means,
        height=0.86,
        color=PALETTE[index % len(PALETTE)],
        hatch=HATCHES[index % len(HATCHES)],
        edgecolor="white",
        linewidth=0.4,
        label=_plain(dataset),
    )
    for place, mean, row in zip(at, means, rows, strict=True):
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        edge = mean
        if low is not None and high is not None:
            # The number stands past the whisker, so that neither hides the other.
            edge = max(edge, _float(high))
            panel.plot([_float(low), _float(high)], [place, place], color=INK, linewidth=1.4)
        panel.annotate(
            f"{mean:.3g}",
            (edge, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )


def _power_over_time(loaded: Loaded) -> Drawn:
    key, title = "power-over-time", "GPU power over time"
    for run in sorted(loaded.runs, key=lambda run: (-run.spec.gpus, run.run_id)):
        try:
            account = Account(run)
            curves = [(gpu.uuid, *account.power_series(gpu.host, gpu.uuid)) for gpu in account.gpus]
        except UNREADABLE:
            continue
        curves = [curve for curve in curves if len(curve[2])]
        if curves:
            return _power_of(run, account, curves)
    return _nothing(key, title, "no run has a reading of GPU power")


def _power_of(run: Run, account: Account, curves: Sequence[tuple[str, str, Any]]) -> Drawn:
    key, title = "power-over-time", "GPU power over time"
    figure, (panel,) = new_figure(1, 3.6)
    rank = account.ranks[0]
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
            label=None if phase in shades else _plain(phase),
        )
        shades.setdefault(phase, colour)
    for index, (uuid, _, series) in enumerate(curves):
        t_us, value = thinned(series.t_us, series.value)
        panel.plot(
            (t_us - zero_us) / US_PER_S,
            value,
            color=PALETTE[index % len(PALETTE)],
            linestyle=("-", "--", ":", "-.")[index // len(PALETTE) % 4],
            linewidth=1.6,
            label=_plain(uuid),
        )
    panel.set_ylim(bottom=0)
    panel.set_xlabel("time since rank 0 began [s]")
    panel.set_ylabel(f"{_plain(curves[0][1])} [W]")
    panel.set_title(title)
    panel.margins(x=0.0)
    if run.simulated:
        watermark(panel)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return Drawn(
        key=key,
        title=title,
        caption=f"Run {run.run_id}: one line a GPU, shaded by what rank 0 was doing.",
        svg=to_svg(figure, key),
        reason=None,
        simulated=run.simulated,
    )


def _energy_by_phase(tables: Tables) -> Drawn:
    key, title = "energy-by-phase", "Energy by phase"
    sums: dict[str, dict[str, float]] = {}
    simulated: dict[str, bool] = {}
    for row in tables.phases.rows:
        if row["energy_j"] is not None:
            own = sums.setdefault(str(row["run_id"]), {})
            phase = str(row["phase"])
            own[phase] = own.get(phase, 0.0) + _float(row["energy_j"])
            simulated[str(row["run_id"])] = bool(row["simulated"])
    if not sums:
        return _nothing(key, title, "no phase of any run has an energy")
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
    panel.set_xlabel("gross energy of all GPUs over the whole job [J]")
    panel.grid(visible=False, axis="y")
    panel.grid(visible=True, axis="x")
    panel.set_title(title)
    if any(simulated[run] for run in runs):
        watermark(panel)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    more = f" The first {len(runs)} of {len(sums)} runs." if len(sums) > len(runs) else ""
    return Drawn(
        key=key,
        title=title,
        caption="Loading and rest are outside the measured window; 'too short' pools phases that "
        f"the sensor cannot resolve.{more}",
        svg=to_svg(figure, key),
        reason=None,
        simulated=any(simulated[run] for run in runs),
    )


def _energy_against_batch(tables: Tables) -> Drawn:
    key, title = "energy-against-batch", "Energy per token against batch size"
    lines: dict[str, list[Row]] = {}
    for row in tables.groups.rows:
        if _known(row, "energy_per_token_j"):
            cap = "" if row["power_cap_w"] is None else f", {_float(row['power_cap_w']):g} W"
            name = (
                f"{row['model']}, {row['dataset']}, {row['gpus']} x {row['gpu']}, "
                f"{row['max_gen_len']} tokens{cap}"
            )
            lines.setdefault(name, []).append(row)
    several = {
        name: rows for name, rows in lines.items() if len({row["batch_size"] for row in rows}) > 1
    }
    if not several:
        return _nothing(key, title, "no model was run with two batch sizes")
    figure, (panel,) = new_figure(1, 3.4)
    for index, (name, members) in enumerate(several.items()):
        rows = sorted(members, key=lambda row: _float(row["batch_size"]))
        panel.plot(
            [_float(row["batch_size"]) for row in rows],
            [_float(row["energy_per_token_j_mean"]) for row in rows],
            color=PALETTE[index % len(PALETTE)],
            marker=MARKERS[index % len(MARKERS)],
            label=_plain(name),
        )
    sizes = sorted({int(_float(row["batch_size"])) for rows in several.values() for row in rows})
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
    return Drawn(
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


def _nothing(key: str, title: str, reason: str) -> Drawn:
    return Drawn(key=key, title=title, caption="", svg=None, reason=reason, simulated=False)


def _places(rows: Sequence[Row]) -> list[float]:
    """Where each row's bar stands: those of one label side by side, a gap between labels."""
    labels = [_point_label(row, rows) for row in rows]
    order = list(dict.fromkeys(labels))
    places = [0.0] * len(rows)
    now = 0.0
    for label in order:
        for number in (number for number, own in enumerate(labels) if own == label):
            places[number] = now
            now += 1.0
        now += _GAP
    return places


def _point_label(row: Row, rows: Sequence[Row]) -> str:
    """What tells this row from the others, and no more than that."""
    head = f"{row['model']}, {row['gpus']} x {row['gpu']}"
    optional: tuple[tuple[str, Callable[[Any], str]], ...] = (
        ("nodes", lambda value: f"{value} node{'' if value == 1 else 's'}"),
        ("batch_size", lambda value: f"batch {value}"),
        ("max_gen_len", lambda value: f"{value} tokens"),
        ("power_cap_w", lambda value: "no cap" if value is None else f"{value:g} W"),
    )
    parts = [text(row[name]) for name, text in optional if len({other[name] for other in rows}) > 1]
    return _plain("\n".join(filter(None, (head, ", ".join(parts)))))


def _known(row: Row, name: str) -> bool:
    return row.get(f"{name}_mean") is not None


def _float(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


def _plain(text: str) -> str:
    """Text that matplotlib shows: it hides labels that begin with an underscore."""
    return text.lstrip("_")

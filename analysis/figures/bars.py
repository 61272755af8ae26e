"""Bars: figures with one bar a grid point."""

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.figures.canvas import (
    HATCHES,
    INK,
    PALETTE,
    DrawnFigure,
    new_figure,
    nothing,
    plain,
    to_svg,
    watermark,
)
from analysis.figures.labels import known, names_of, notes, number_of, short, wrapped
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.table import Tables

# As many bars as fit on two screens; the tables have all.
_MOST_ROWS: Final = 48
# Room between bars of two grid points, in bars.
_GAP: Final = 0.6
# Room for a line of a label of 9 points, in bars of 0.27 inches.
_LINE: Final = 0.55


def energy_per_token(_loaded: Loaded, tables: Tables) -> DrawnFigure:
    """Joules a generated token, one bar a grid point."""
    return _bars(
        tables,
        key="energy-per-token",
        title="Energy per generated token",
        caption="Gross energy of all GPUs that worked over generated tokens, mean over repeats. "
        "Whiskers: the 95 % interval of two repeats or more, else the sensor's part alone.",
        metrics=(("energy_per_token_j", "energy per token [J]"),),
    )


def throughput(_loaded: Loaded, tables: Tables) -> DrawnFigure:
    """Words, tokens and responses a second, one bar a grid point."""
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
) -> DrawnFigure:
    names = [name for name, _ in metrics]
    rows = [row for row in tables.groups.rows if all(known(row, name) for name in names)]
    if not rows:
        reason = f"no run has {' and '.join(names)}"
        return nothing(key, title, reason)
    shown = rows[:_MOST_ROWS]
    if len(rows) > len(shown):
        caption += f" The first {len(shown)} of {len(rows)} grid points; the table has all."
    datasets = sorted({str(row["dataset"]) for row in shown})
    called = _labels(shown)
    at, height = _places(called)
    labels: dict[str, list[float]] = {label: [] for label in called}
    for label, place in zip(called, at, strict=True):
        labels[label].append(place)
    figure, panels = new_figure(len(metrics), 1.5 + 0.27 * height)
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
    kinds = {str(row["gpu"]) for row in shown}
    panels[0].set_title(f"{title}, {kinds.pop()}" if len(kinds) == 1 else title)
    if len(datasets) > 1:
        handles, texts = panels[0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=len(datasets))
    else:
        caption += f" Prompts: {datasets[0]}."
    return DrawnFigure(
        key=key,
        title=title,
        caption=caption + notes(shown),
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
    means = [number_of(row[f"{name}_mean"]) for row in rows]
    panel.barh(
        at,
        means,
        height=0.86,
        color=PALETTE[index % len(PALETTE)],
        hatch=HATCHES[index % len(HATCHES)],
        edgecolor="white",
        linewidth=0.4,
        label=plain(dataset),
    )
    for place, mean, row in zip(at, means, rows, strict=True):
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        width = row.get(f"{name}_sensor")
        if low is None and width is not None:
            low, high = mean - number_of(width), mean + number_of(width)
        edge = mean
        if low is not None and high is not None:
            # The number stands past the whisker, so that neither hides the other.
            edge = max(edge, number_of(high))
            panel.plot([number_of(low), number_of(high)], [place, place], color=INK, linewidth=1.4)
        panel.annotate(
            short(mean),
            (edge, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )


def _places(labels: Sequence[str]) -> tuple[list[float], float]:
    """Where each row's bar stands, and how many would fit: those of one label side by side.

    Between labels is a gap, and room for the lines of each.
    """
    places = [0.0] * len(labels)
    now = 0.0
    for label in dict.fromkeys(labels):
        own = [number for number, other in enumerate(labels) if other == label]
        room = max(_GAP, _LINE * (label.count("\n") + 1) + _GAP / 2 - len(own))
        now += (room - _GAP) / 2
        for number in own:
            places[number] = now
            now += 1.0
        now += (room + _GAP) / 2
    return places, now


def _labels(rows: Sequence[Row]) -> list[str]:
    """What tells each row from the others, and no more than that; the colour tells the dataset."""
    several = len({row["gpu"] for row in rows}) > 1
    said = ("model", "gpu", "gpus", "dataset")
    texts = []
    for row, name in zip(rows, names_of(rows, but=said, per=said), strict=True):
        kind = f" x {row['gpu']}" if several else f" GPU{'' if row['gpus'] == 1 else 's'}"
        head = f"{row['model']}, {row['gpus']}{kind}"
        texts.append(plain("\n".join(filter(None, (head, wrapped(name))))))
    return texts

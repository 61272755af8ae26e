"""DVFS: energy and time of a token against the clock, a pair of panels a task."""

from collections.abc import Sequence
from typing import Final

from analysis.figures.caps import unmagnified
from analysis.figures.chart import SYMBOLS, Chart, ChartSeries, Line, Mark, Panel, undrawn
from analysis.figures.finding_marks import axes_by_row, cut
from analysis.figures.labels import number_of
from analysis.figures.marks import labels_of
from analysis.runs.sealed_runs import Loaded
from analysis.tables.column import Row
from analysis.tables.point import LOCKS, kept_words, setting_words
from analysis.tables.table import Tables

# Pairs of panels that are read on paper; the table has all.
_MOST_TASKS: Final = 4
# Lines of one panel that are still told apart.
_MOST_LINES: Final = 9
_OUTCOMES: Final = {
    "energy_per_token_j": "energy of a token",
    "time_per_token_s": "time of a token",
}
# Words of labels of what no DVFS study counts.
_NOT_HELD: Final = ("clock not held", "clock not checked")
_LOCK: Final = "sm_clock_mhz"

Told = Sequence[tuple[Row, dict[str, str]]]
"""Rows of one family and phase, the base first, and what the page can filter each by."""


def dvfs(_loaded: Loaded, tables: Tables) -> Chart:
    """Over those without a lock, against the clock that was read, task by task."""
    key, title = "dvfs", "Energy and time against the clock, by task"
    tasks = _by_task(tables)
    if not tasks:
        reason = "no work was done at several locks of the clock that were held and read"
        return undrawn(key, title, reason)
    panels = []
    for task, lines in list(tasks.items())[:_MOST_TASKS]:
        for outcome, label in _OUTCOMES.items():
            series = tuple(
                ChartSeries(
                    name=name,
                    kind="line",
                    marks=_marks(own, outcome),
                    colour=index,
                    symbol=SYMBOLS[index % len(SYMBOLS)],
                )
                for index, (name, own) in enumerate(list(lines.items())[:_MOST_LINES])
            )
            panels.append(
                Panel(
                    series=series,
                    title=f"{label}, {task}",
                    x_label="SM clock, read [MHz]",
                    y_label="over the base's",
                    y_range=unmagnified([mark for one in series for mark in one.marks]),
                    lines=(Line(at=1.0, dash="dot"),),
                )
            )
    said = [str(row["sentence"]) for row in tables.dvfs.rows if row["verdict"] is not None]
    most = max(len(lines) for lines in tasks.values())
    return Chart(
        key=key,
        title=title,
        caption="Each clock over the point of the same task, model, engine and board without a "
        "lock (else the highest), which is 1; a line a model, engine and phase. Points whose clock "
        f"was not held in every run are left out. {' '.join(said[:1])}"
        + cut(said, 1, "sentences")
        + cut(list(tasks), _MOST_TASKS, "tasks")
        + cut(range(most), _MOST_LINES, "lines"),
        panels=tuple(panels),
        columns=2,
    )


def _by_task(tables: Tables) -> dict[str, dict[str, Told]]:
    """Lines of each task: rows of cap_curves that differ in the lock alone, phase by phase."""
    rows = tables.cap_curves.rows
    families: dict[tuple[object, ...], list[tuple[Row, dict[str, str]]]] = {}
    for row, axes in zip(rows, axes_by_row(tables, rows), strict=True):
        held = not any(word in str(row["labels"]) for word in _NOT_HELD)
        told = row["sm_clock_mean_mhz"] is not None and all(row[name] for name in _OUTCOMES)
        free = all(row[name] is None for name in ("power_cap_w", *LOCKS) if name != _LOCK)
        if held and told and free:
            key = (row["work"], row["task"], row["phase"], row["board"], _name(row))
            families.setdefault(key, []).append((row, axes))
    found: dict[str, dict[str, Told]] = {}
    for (work, task, _, board, name), own in families.items():
        if len(own) > 1:
            simulated = ", simulated" if own[0][0]["simulated"] else ""
            lines = found.setdefault(f"{task}, {own[0][0]['dataset']}{simulated}", {})
            plain = f"{name}, {board}"
            lines[plain if plain not in lines else f"{plain}, {work}"] = own
    return found


def _name(row: Row) -> str:
    chosen = f"{row['model']} {row['engine']}, {row['dtype']}"
    quantized = "" if row["quantization"] == "none" else f", {row['quantization']}"
    quantized += "".join(f", {words}" for words in kept_words(row))
    gpus = f"{row['gpus']} GPU{'s' * (row['gpus'] != 1)}"
    return f"{chosen}{quantized}, {gpus}, batch {row['batch_size']}, {row['phase']}"


def _marks(own: Told, outcome: str) -> tuple[Mark, ...]:
    base = number_of(own[0][0][outcome])
    marks = []
    for row, axes in own:
        value, low, high = (row[f"{outcome}{end}"] for end in ("", "_low", "_high"))
        known = low is not None and high is not None
        asked = ", ".join(setting_words(row)) or "no lock"
        marks.append(
            Mark(
                x=number_of(row["sm_clock_mean_mhz"]),
                y=number_of(value) / base,
                low=min(number_of(low), number_of(value)) / base if known else None,
                high=max(number_of(high), number_of(value)) / base if known else None,
                interval="95 %" if known else "",
                hover=f"{row['model']} {row['engine']}, {row['phase']}\n{asked}",
                axes=axes,
                labels=labels_of(row),
            )
        )
    return tuple(sorted(marks, key=lambda mark: mark.x))

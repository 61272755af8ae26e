"""Power: the power of GPUs over time, of one run and of many, by one rule.

It is drawn from what is kept of all boards of a run together (`PowerTrace.band`). Every board of a
run by itself, with its nodes, stands on the run's own page, which `traces.js` draws.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from analysis.energy.power_trace import unpacked
from analysis.figures.chart import Chart, ChartSeries, Line, Mark, Panel, Shade, undrawn
from analysis.figures.labels import weights_note
from analysis.figures.marks import axes_among, axes_of, labels_of
from analysis.figures.phases import PHASES
from analysis.runs.sealed_runs import Loaded, Run
from analysis.runs.series import FloatArray
from analysis.tables.column import Column, Row
from analysis.tables.point import kept_words
from analysis.tables.table import Tables
from telemetry.clock import US_PER_MS, US_PER_S

MOST_PANELS: Final = 9
"""Kinds of runs that have a panel: three rows of three, which one looks over at a glance."""
MOST_LINES: Final = 4
"""Lines of single runs that a panel holds: of more each way has its median and its extremes."""
_MS_PER_S: Final = US_PER_S / US_PER_MS
_TITLE: Final = "GPU power over time"
_KEY: Final = "power-over-time"
_TENTHS: Final = 10.0
# Points of all lines together, and of one at least: more make a page slow.
_ALL_POINTS: Final = 6000
_LEAST_POINTS, _MOST_POINTS = 100, 300
# Colour of what held a clock down: none of the first ways'.
_HELD: Final = 5
_LABEL_X: Final = "time since rank 0 began [s]"
_ONE, _SEVERAL = "power of a GPU [W]", "mean power of a run's GPUs [W]"


@dataclass(frozen=True, kw_only=True, eq=False)
class _Power:
    """The power of one run over time."""

    run_id: str
    """The run."""
    row: Row
    """Its row of the table of runs."""
    told: Mapping[str, Any]
    """What is kept of all its boards together."""

    @property
    def kind(self) -> str:
        """Whose panel it stands in."""
        return f"{self.row['model']}, {self.row['gpus']} x {self.row['gpu']}"

    @property
    def way(self) -> str:
        """What tells it from others of its kind: its colour."""
        bits = self.row["quantization"]
        quantized = () if bits in {None, "none"} else (str(bits),)
        return ", ".join((str(self.row["engine"]), *quantized, *kept_words(self.row)))

    @property
    def span_s(self) -> tuple[float, float]:
        """From the first reading to the last."""
        band = self.told["band"]
        return band["from"] / _MS_PER_S, band["to"] / _MS_PER_S

    def watts(self, name: str) -> tuple[FloatArray, FloatArray]:
        """Middles of its stretches, in seconds, and `least`, `mean` or `greatest` of its boards."""
        tenths = np.array(
            [np.nan if one is None else one for one in self.told["band"][name]], dtype=np.float64
        )
        start, end = self.span_s
        step = (end - start) / len(tenths)
        middles = np.asarray(start + (np.arange(len(tenths)) + 0.5) * step, dtype=np.float64)
        return middles, tenths / _TENTHS

    def at(self, times_s: FloatArray) -> FloatArray:
        """Mean of its boards at each time, of the stretch that it lies in; NaN outside."""
        start, end = self.span_s
        _, watts = self.watts("mean")
        share = (times_s - start) / ((end - start) or 1.0)
        place = np.clip((share * len(watts)).astype(np.int64), 0, len(watts) - 1)
        return np.where((share >= 0) & (share <= 1), watts[place], np.nan)


def power_over_time(loaded: Loaded, tables: Tables) -> Chart:
    """Watts over time: one panel a kind of run, a line a run or the median of many."""
    runs = {run.run_id: run for run in loaded.runs}
    found = [
        _Power(run_id=str(row["run_id"]), row=row, told=told)
        for row in tables.runs.rows
        if row["run_id"] in runs
        and (trace := tables.traces.get(str(row["run_id"]))) is not None
        and (told := unpacked(trace.band))["band"]
    ]
    if not found:
        return undrawn(_KEY, _TITLE, "no run has a reading of GPU power")
    weights = weights_note([str(one.row["weights"]) for one in found])
    if len(found) == 1:
        return _alone(runs[found[0].run_id], found[0], weights)
    kinds: dict[str, list[_Power]] = {}
    for one in found:
        kinds.setdefault(one.kind, []).append(one)
    chosen = sorted(kinds, key=lambda kind: -len(kinds[kind]))[:MOST_PANELS]
    shown = {kind: own for kind, own in kinds.items() if kind in chosen}
    ways = list(dict.fromkeys(one.way for own in shown.values() for one in own))
    columns = axes_among(tables)
    drawn = sum(map(len, shown.values()))
    return Chart(
        key=_KEY,
        title=f"{_TITLE}, {drawn if drawn == len(found) else f'{drawn} of {len(found)}'} runs",
        caption=f"{_rule(shown, len(kinds))} Means of a run's GPUs in even stretches of time, so "
        "that a peak of one GPU is not in them; each run's own page has every GPU, with phases and "
        f"what held clocks down. {weights}".strip(),
        panels=tuple(
            Panel(
                series=tuple(_series(own, ways, columns, len(shown))),
                x_label=_LABEL_X,
                y_label=_SEVERAL,
                title=f"{kind}: {len(own)} run{'' if len(own) == 1 else 's'}"
                if len(shown) > 1
                else "",
                from_zero=True,
            )
            for kind, own in shown.items()
        ),
    )


def _rule(shown: Mapping[str, Sequence[_Power]], kinds: int) -> str:
    """What is a line and what a band, and which runs are left out."""
    told = "A panel a model on so many boards" if kinds > 1 else "All runs"
    if any(len(own) > MOST_LINES for own in shown.values()):
        told += (
            f", a line a run; of more than {MOST_LINES} runs the median of each engine and format, "
            "and the band from the least to the greatest of those that still ran"
        )
    else:
        told += ", a line a run"
    if kinds > len(shown):
        told += f"; shown are the {len(shown)} of {kinds} kinds with the most runs"
    return f"{told}."


def _series(
    own: Sequence[_Power], ways: Sequence[str], columns: Sequence[Column[Any]], panels: int
) -> Iterator[ChartSeries]:
    """The lines of one panel."""
    lines = panels * MOST_LINES
    points = max(_LEAST_POINTS, min(_MOST_POINTS, _ALL_POINTS // lines))
    named: dict[str, list[_Power]] = {}
    for one in own:
        named.setdefault(one.way, []).append(one)
    for way, alike in named.items():
        colour = ways.index(way)
        if len(own) <= MOST_LINES or len(alike) == 1:
            for one in alike:
                axes = {**axes_of(one.row, columns), "run": one.run_id}
                yield from _drawn(
                    [one], name=way, colour=colour, points=points, axes=axes, hover=one.run_id
                )
            continue
        each = [axes_of(one.row, columns) for one in alike]
        same = {
            name: value for name, value in each[0].items() if all(o[name] == value for o in each)
        }
        hover = f"median of {len(alike)} runs of {alike[0].kind}"
        yield from _drawn(alike, name=way, colour=colour, points=points, axes=same, hover=hover)


def _drawn(
    runs: Sequence[_Power],
    *,
    name: str,
    colour: int,
    points: int,
    axes: Mapping[str, str],
    hover: str,
) -> Iterator[ChartSeries]:
    """One run's line; of several their median, and the band from the least to the greatest."""
    start = min(one.span_s[0] for one in runs)
    end = max(one.span_s[1] for one in runs)
    times = start + (np.arange(points) + 0.5) * (end - start) / points
    watts = np.stack([one.at(times) for one in runs])
    known = np.asarray(~np.isnan(watts).all(axis=0))
    labels = tuple(dict.fromkeys(label for one in runs for label in labels_of(one.row)))
    same: dict[str, Any] = {"hover": hover, "axes": axes, "labels": labels}
    middle = [float(np.nanmedian(watts[:, at])) if known[at] else None for at in range(len(times))]
    if len(runs) > 1:
        yield ChartSeries(
            name=name,
            kind="band",
            marks=tuple(
                Mark(
                    x=float(times[at]),
                    y=middle[at],
                    low=float(np.nanmin(watts[:, at])),
                    high=float(np.nanmax(watts[:, at])),
                    interval=f"least to greatest of {len(runs)} runs",
                    **same,
                )
                for at in np.flatnonzero(known).tolist()
            ),
            colour=colour,
        )
    yield ChartSeries(
        name=name,
        kind="line",
        marks=tuple(Mark(x=at, y=y, **same) for at, y in zip(times.tolist(), middle, strict=True)),
        colour=colour,
    )


def _alone(run: Run, power: _Power, weights: str) -> Chart:
    """The only run: the mean of its boards, the band that they lie in, and what was going on."""
    told, labels = power.told, labels_of(power.row)
    times, mean = power.watts("mean")
    _, least = power.watts("least")
    _, greatest = power.watts("greatest")
    boards = told["band"]["boards"]
    known = np.flatnonzero(~np.isnan(mean)).tolist()
    named = f"mean of {boards} GPUs" if boards > 1 else "its GPU"
    line = ChartSeries(
        name=named,
        kind="line",
        marks=tuple(
            Mark(x=at, y=None if np.isnan(y) else y, labels=labels)
            for at, y in zip(times.tolist(), mean.tolist(), strict=True)
        ),
    )
    band = ChartSeries(
        name="least to greatest reading",
        kind="band",
        marks=tuple(
            Mark(
                x=float(times[at]),
                y=float(mean[at]),
                low=min(float(least[at]), float(mean[at])),
                high=max(float(greatest[at]), float(mean[at])),
                interval="least to greatest reading",
                labels=labels,
            )
            for at in known
        ),
    )
    held = list(_held(told, times, mean, labels))
    silent = [f"{uuid}: {why}" for uuid, why in told["silent"]]
    cap_w = run.spec.power_cap_w
    return Chart(
        key=_KEY,
        title=_TITLE,
        caption=f"Run {run.run_id}: {named} in even stretches of time and the band from the least "
        f"to the greatest reading, by {' and '.join(told['fields'])}, shaded by what rank 0 was "
        "doing; a gap is where readings are missing. The run's own page has every GPU."
        + (" Crosses: something held a GPU's clock down." if held else "")
        + (f" Not drawn: {'; '.join(silent)}." if silent else "")
        + (f" {weights}" if weights else ""),
        panels=(
            Panel(
                series=(band, line, *held),
                x_label=_LABEL_X,
                y_label=_ONE,
                from_zero=True,
                shades=tuple(_shades(told["phases"])),
                lines=()
                if cap_w is None
                else (Line(at=float(cap_w), name=f"power cap of {cap_w:g} W", dash="dash"),),
            ),
        ),
    )


def _held(
    told: Mapping[str, Any], times: FloatArray, mean: FloatArray, labels: tuple[str, ...]
) -> Iterator[ChartSeries]:
    """Where something held a GPU's clock down, on the line of all."""
    half_s = (times[1] - times[0]) / 2 if len(times) > 1 else 0.0
    named: dict[str, Any] = {}
    for _, from_ms, to_ms, names in told["held"]:
        inside = (times + half_s >= from_ms / _MS_PER_S) & (times - half_s <= to_ms / _MS_PER_S)
        named[names] = named.get(names, False) | inside
    for names, inside in named.items():
        found = np.flatnonzero(inside & ~np.isnan(mean)).tolist()
        if found:
            yield ChartSeries(
                name=f"held down: {names}",
                kind="points",
                marks=tuple(
                    Mark(x=float(times[at]), y=float(mean[at]), hover=names, labels=labels)
                    for at in found
                ),
                colour=_HELD,
                symbol="x",
            )


def _shades(phases: Mapping[str, Sequence[int]]) -> Iterator[Shade]:
    """Stretches of each phase, in the phases' order."""
    for phase in sorted(phases, key=lambda one: PHASES.index(one) if one in PHASES else 99):
        end = 0
        spans = phases[phase]
        for step, length in zip(spans[::2], spans[1::2], strict=True):
            start = end + step
            end = start + length
            colour = PHASES.index(phase) if phase in PHASES else len(PHASES)
            yield Shade(low=start / _MS_PER_S, high=end / _MS_PER_S, name=phase, colour=colour)
